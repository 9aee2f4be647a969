//! The rustls configurations of one app, or of one step's client.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::ServerName;

use super::certificates::{Credentials, Validity, dns};
use super::verify::AnyName;
use super::{AppTls, TlsError};
use crate::language::{TlsOptions, TlsVersion};

/// Makes a configuration for each set of options once, so that the connections of one app or step share its certificate and its sessions.
/// Nothing is shared between two of these.
#[derive(Debug)]
pub struct Configs {
    tls: Arc<AppTls>,
    /// The name on a server's certificate when the options give none.
    own_name: String,
    clients: Mutex<Vec<(TlsOptions, Arc<ClientConfig>)>>,
    servers: Mutex<Vec<(TlsOptions, Arc<ServerConfig>)>>,
}

impl Configs {
    /// For one app or one step's client of the pod `own_name`.
    #[must_use]
    pub fn new(tls: Arc<AppTls>, own_name: &str) -> Self {
        Self { tls, own_name: own_name.to_owned(), clients: Mutex::default(), servers: Mutex::default() }
    }

    /// The configuration of a client, and the name to ask for.
    ///
    /// # Errors
    /// The options cannot be met.
    pub fn client(&self, options: &TlsOptions) -> Result<(Arc<ClientConfig>, ServerName<'static>), TlsError> {
        let config = once(&self.clients, options, || self.make_client(options))?;
        let name = match &options.sni {
            Some(name) => ServerName::try_from(name.clone()).map_err(|_| TlsError::Name(name.clone()))?,
            // An address is never sent as a name.
            None => ServerName::from(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST)),
        };
        Ok((config, name))
    }

    /// The configuration of a server.
    ///
    /// # Errors
    /// The options cannot be met.
    pub fn server(&self, options: &TlsOptions) -> Result<Arc<ServerConfig>, TlsError> {
        once(&self.servers, options, || self.make_server(options))
    }

    fn make_client(&self, options: &TlsOptions) -> Result<ClientConfig, TlsError> {
        let provider = self.tls.entropy.provider();
        let verifier =
            WebPkiServerVerifier::builder_with_provider(self.roots()?, provider.clone()).build()?;
        let builder = ClientConfig::builder_with_details(provider, self.tls.time())
            .with_protocol_versions(versions(options))?;
        let builder = match options.sni {
            Some(_) => builder.with_webpki_verifier(verifier),
            None => builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyName(verifier))),
        };
        let mut config = match &options.certificate {
            Some(name) => {
                let own = self.issue(name)?;
                builder.with_client_auth_cert(own.chain, own.key)?
            }
            None => builder.with_no_client_auth(),
        };
        if !options.resume {
            config.resumption = Resumption::disabled();
        }
        config.enable_sni = options.sni.is_some();
        config.alpn_protocols = protocols(options);
        config.key_log = self.tls.key_log.clone();
        Ok(config)
    }

    fn make_server(&self, options: &TlsOptions) -> Result<ServerConfig, TlsError> {
        let provider = self.tls.entropy.provider();
        let builder = ServerConfig::builder_with_details(provider.clone(), self.tls.time())
            .with_protocol_versions(versions(options))?;
        let builder = if options.client_certificate {
            let verifier = WebPkiClientVerifier::builder_with_provider(self.roots()?, provider).build()?;
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let own = self.issue(options.certificate.as_deref().unwrap_or(&self.own_name))?;
        let mut config = builder.with_single_cert(own.chain, own.key)?;
        config.alpn_protocols = protocols(options);
        config.key_log = self.tls.key_log.clone();
        Ok(config)
    }

    fn issue(&self, name: &str) -> Result<Credentials, TlsError> {
        let key = self.tls.entropy.key_pair()?;
        let validity = Validity::long(self.tls.now());
        Ok(self.tls.authority.issue(name, vec![dns(name)?], validity, &key)?)
    }

    fn roots(&self) -> Result<Arc<RootCertStore>, TlsError> {
        let mut roots = RootCertStore::empty();
        if let Some(root) = self.tls.authority.root() {
            roots.add(root.clone())?;
        }
        Ok(Arc::new(roots))
    }
}

/// What was made for these options, or `make`s it.
fn once<T>(
    made: &Mutex<Vec<(TlsOptions, Arc<T>)>>,
    options: &TlsOptions,
    make: impl FnOnce() -> Result<T, TlsError>,
) -> Result<Arc<T>, TlsError> {
    let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, config)) = made.iter().find(|(known, _)| known == options) {
        return Ok(config.clone());
    }
    let config = Arc::new(make()?);
    made.push((options.clone(), config.clone()));
    Ok(config)
}

fn protocols(options: &TlsOptions) -> Vec<Vec<u8>> {
    options.alpn.iter().map(|name| name.clone().into_bytes()).collect()
}

fn versions(options: &TlsOptions) -> &'static [&'static SupportedProtocolVersion] {
    use rustls::version::{TLS12, TLS13};
    const ONLY_12: &[&SupportedProtocolVersion] = &[&TLS12];
    const ONLY_13: &[&SupportedProtocolVersion] = &[&TLS13];
    let spoken = |version| options.versions.is_empty() || options.versions.contains(&version);
    match (spoken(TlsVersion::V1_2), spoken(TlsVersion::V1_3)) {
        (true, false) => ONLY_12,
        (false, true) => ONLY_13,
        _ => rustls::ALL_VERSIONS,
    }
}
