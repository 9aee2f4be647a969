//! Two rustls endpoints that talk in memory: makes bytes and key logs for tests. Knows nothing of this crate, so that others can include it.

use std::fmt;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, SupportedCipherSuite,
};

/// Bytes of both directions, in order: whether the client sent them, and what.
pub(crate) type Flights = Vec<(bool, Vec<u8>)>;

/// A key log in NSS format.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<String>>);

impl Lines {
    /// The lines so far.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().expect("no one panicked").clone()
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lines")
    }
}

impl rustls::KeyLog for Lines {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let line = format!("{label} {} {}", hex(client_random), hex(secret));
        self.0.lock().expect("no one panicked").push(line);
    }
}

/// A certificate authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub(crate) struct Identity {
    pub(crate) der: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("authority")
    }

    pub(crate) fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate"),
        )
    }

    /// A certificate for DNS names and URIs (what has a colon).
    pub(crate) fn issue(&self, names: &[&str]) -> Identity {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.subject_alt_names = names
            .iter()
            .map(|name| {
                let text = (*name).try_into().expect("ASCII");
                if name.contains(':') { SanType::URI(text) } else { SanType::DnsName(text) }
            })
            .collect();
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Identity { der: certificate.der().clone(), key: key.into() }
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a root");
        Arc::new(roots)
    }
}

/// How both ends are set up.
pub(crate) struct Setup<'a> {
    pub(crate) authority: &'a Authority,
    pub(crate) server: &'a Identity,
    pub(crate) client: Option<&'a Identity>,
    /// Whether the server wants a client certificate; it does when the client has one, too.
    pub(crate) wants_client: bool,
    /// `1.2` or `1.3`.
    pub(crate) version: &'static str,
    pub(crate) alpn: &'a [&'a str],
    pub(crate) suite: Option<SupportedCipherSuite>,
    /// Groups of the server's key exchange, when not all.
    pub(crate) server_groups: Vec<&'static dyn SupportedKxGroup>,
    pub(crate) keys: Arc<Lines>,
}

impl<'a> Setup<'a> {
    pub(crate) fn new(authority: &'a Authority, server: &'a Identity, version: &'static str) -> Self {
        Self {
            authority,
            server,
            client: None,
            wants_client: false,
            version,
            alpn: &[],
            suite: None,
            server_groups: Vec::new(),
            keys: Arc::default(),
        }
    }

    pub(crate) fn configs(&self) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
        let versions =
            if self.version == "1.3" { [&rustls::version::TLS13] } else { [&rustls::version::TLS12] };
        let mut provider = ring::default_provider();
        if let Some(suite) = self.suite {
            provider.cipher_suites = vec![suite];
        }
        let mut server_provider = provider.clone();
        if !self.server_groups.is_empty() {
            server_provider.kx_groups.clone_from(&self.server_groups);
        }
        let alpn = || self.alpn.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>();
        let provider: Arc<CryptoProvider> = Arc::new(provider);
        let server_provider: Arc<CryptoProvider> = Arc::new(server_provider);

        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .expect("versions")
            .with_root_certificates(self.authority.roots());
        let mut client = match self.client {
            Some(identity) => client
                .with_client_auth_cert(vec![identity.der.clone()], identity.key.clone_key())
                .expect("a certificate"),
            None => client.with_no_client_auth(),
        };
        client.alpn_protocols = alpn();
        client.key_log = self.keys.clone();

        let server = ServerConfig::builder_with_provider(server_provider.clone())
            .with_protocol_versions(&versions)
            .expect("versions");
        let server = if self.wants_client || self.client.is_some() {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(self.authority.roots(), server_provider);
            server.with_client_cert_verifier(verifier.build().expect("a verifier"))
        } else {
            server.with_no_client_auth()
        };
        let mut server = server
            .with_single_cert(vec![self.server.der.clone()], self.server.key.clone_key())
            .expect("a certificate");
        server.alpn_protocols = alpn();
        server.key_log = self.keys.clone();
        (Arc::new(client), Arc::new(server))
    }

    /// Both ends, before their first byte.
    pub(crate) fn duet(&self, sni: &str) -> Duet {
        let (client, server) = self.configs();
        Duet::new(client, server, sni)
    }
}

/// Two ends and all that they said.
pub(crate) struct Duet {
    pub(crate) client: ClientConnection,
    pub(crate) server: ServerConnection,
    pub(crate) flights: Flights,
}

impl Duet {
    pub(crate) fn new(client: Arc<ClientConfig>, server: Arc<ServerConfig>, sni: &str) -> Self {
        let name = ServerName::try_from(sni.to_owned()).expect("a name");
        Self {
            client: ClientConnection::new(client, name).expect("a client"),
            server: ServerConnection::new(server).expect("a server"),
            flights: Vec::new(),
        }
    }

    /// Passes bytes to and fro until both ends are silent. Errors of theirs only show in the alerts they send.
    pub(crate) fn pump(&mut self) {
        loop {
            let before = self.flights.len();
            let mut out = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut out).expect("memory");
            }
            if !out.is_empty() {
                let mut rest = out.as_slice();
                while !rest.is_empty() && self.server.read_tls(&mut rest).expect("memory") > 0 {
                    let _ = self.server.process_new_packets();
                    drain(&mut self.server.reader());
                }
                self.flights.push((true, out));
            }
            let mut out = Vec::new();
            while self.server.wants_write() {
                self.server.write_tls(&mut out).expect("memory");
            }
            if !out.is_empty() {
                let mut rest = out.as_slice();
                while !rest.is_empty() && self.client.read_tls(&mut rest).expect("memory") > 0 {
                    let _ = self.client.process_new_packets();
                    drain(&mut self.client.reader());
                }
                self.flights.push((false, out));
            }
            if self.flights.len() == before {
                return;
            }
        }
    }

    /// One end sends application data.
    pub(crate) fn say(&mut self, client: bool, bytes: &[u8]) {
        for chunk in bytes.chunks(32 << 10) {
            if client {
                self.client.writer().write_all(chunk).expect("memory");
            } else {
                self.server.writer().write_all(chunk).expect("memory");
            }
            self.pump();
        }
    }

    /// Both ends say goodbye.
    pub(crate) fn close(&mut self) {
        self.client.send_close_notify();
        self.pump();
        self.server.send_close_notify();
        self.pump();
    }
}

/// Takes what has come, so that the other end may send more.
fn drain(reader: &mut rustls::Reader<'_>) {
    let mut sink = [0; 4096];
    while matches!(reader.read(&mut sink), Ok(n) if n > 0) {}
}
