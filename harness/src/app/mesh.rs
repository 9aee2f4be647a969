//! A pod without a sidecar that speaks mesh TLS itself, honestly or not.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::SystemTime;

use reference_dp::net::Stream;
use rustls::client::Resumption;
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use time::{Duration, OffsetDateTime};

use super::conn::Base;
use super::line::Side;
use super::tls::certificates::{Authority, Credentials, Validity, self_signed, uri};
use super::tls::verify::Anyone;
use super::tls::{AppTls, TlsError, facts};
use crate::language::PodIdentity;
use crate::observe::HandshakeFacts;

/// The CA of the mesh.
#[derive(Clone)]
pub struct MeshCa {
    /// Its certificate, PEM.
    pub cert_pem: String,
    /// Its key, PKCS#8 PEM.
    pub key_pem: String,
    /// The mesh's name.
    pub mesh: String,
}

impl MeshCa {
    /// A new one for the mesh of this name.
    ///
    /// # Errors
    /// The certificate could not be made.
    pub fn new(mesh: &str, tls: &AppTls) -> Result<Self, TlsError> {
        let key = tls.entropy.key_pair()?;
        let key_pem = key.serialize_pem();
        let cert_pem = Authority::new(mesh, key, tls.now())?.certificate_pem().unwrap_or_default();
        Ok(Self { cert_pem, key_pem, mesh: mesh.to_owned() })
    }
}

/// What makes a process a sidecar of the mesh.
#[derive(Clone)]
pub struct Issued {
    /// Its certificate, PEM.
    pub certificate_pem: String,
    /// Its key, PKCS#8 PEM: ECDSA P-256, which every TLS library takes.
    pub key_pem: String,
}

impl Issued {
    /// Issues a certificate with these URIs from a CA (certificate and key, PEM), valid from an hour before `now` for a day. The key is a new
    /// one from the system's random numbers: processes are never replayed.
    ///
    /// # Errors
    /// The CA is none, or something is no URI.
    pub fn new(
        (ca_cert, ca_key): (&str, &str),
        name: &str,
        uris: &[String],
        now: SystemTime,
    ) -> Result<Self, TlsError> {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let from = OffsetDateTime::from(now) - Duration::hours(1);
        let day = Validity { from, to: from + Duration::hours(24) };
        let names = uris.iter().map(|text| uri(text.clone())).collect::<Result<_, _>>()?;
        let certificate_pem = Authority::from_pem(ca_cert, ca_key)?.issue_pem(name, names, day, &key)?;
        Ok(Self { certificate_pem, key_pem: key.serialize_pem() })
    }
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").finish_non_exhaustive()
    }
}

/// Mesh TLS of one pod, both as client and as server. It is a tool: it takes any certificate of the other end, and tells whose it was.
#[derive(Debug, Clone)]
pub struct MeshIdentity {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    /// The server name that the client asks for.
    name: ServerName<'static>,
}

impl MeshIdentity {
    /// The identity of `pod`.
    ///
    /// # Errors
    /// A certificate could not be made.
    pub fn new(ca: &MeshCa, identity: &PodIdentity, pod: &str, tls: &AppTls) -> Result<Self, TlsError> {
        let provider = tls.entropy.provider();
        let anyone = Arc::new(Anyone(provider.clone()));

        let builder = ClientConfig::builder_with_details(provider.clone(), tls.time())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(anyone.clone());
        let own = credentials(ca, identity, pod, tls)?;
        let server_own = Credentials { chain: own.chain.clone(), key: own.key.clone_key() };
        let mut client = match identity {
            PodIdentity::None => builder.with_no_client_auth(),
            _ => builder.with_client_auth_cert(own.chain, own.key)?,
        };
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        client.alpn_protocols = vec![b"kuma".to_vec()];
        client.key_log = tls.key_log.clone();

        let mut server = ServerConfig::builder_with_details(provider, tls.time())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(anyone)
            .with_single_cert(server_own.chain, server_own.key)?;
        server.alpn_protocols = vec![b"kuma".to_vec()];
        server.key_log = tls.key_log.clone();
        let name = ServerName::from(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Ok(Self { client: Arc::new(client), server: Arc::new(server), name })
    }

    /// The same, asking for this server name as client. Without, none is sent: an address is never sent as a name.
    ///
    /// # Errors
    /// It is no DNS name.
    pub fn asking_for(&self, name: &str) -> Result<Self, TlsError> {
        let mut client = ClientConfig::clone(&self.client);
        client.enable_sni = true;
        let name = ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name(name.to_owned()))?;
        Ok(Self { client: Arc::new(client), server: self.server.clone(), name })
    }

    /// Shakes hands over `socket`.
    ///
    /// # Errors
    /// The connection or the handshake failed. A TLS 1.3 server that refuses the client's certificate does so after the client's handshake:
    /// that shows in the first read.
    pub async fn handshake<S: Stream>(&self, side: Side, socket: S) -> io::Result<(Base<S>, HandshakeFacts)> {
        match side {
            Side::Client => {
                let connector = tokio_rustls::TlsConnector::from(self.client.clone());
                let tls = connector.connect(self.name.clone(), socket).await?;
                let facts = facts(tls.get_ref().1, None);
                Ok((Base::MeshClient(Box::new(tls)), facts))
            }
            Side::Server => {
                let tls = tokio_rustls::TlsAcceptor::from(self.server.clone()).accept(socket).await?;
                let facts = facts(tls.get_ref().1, tls.get_ref().1.server_name());
                Ok((Base::MeshServer(Box::new(tls)), facts))
            }
        }
    }
}

/// The certificate that an identity shows. [`PodIdentity::None`] has one too, for a server cannot do without: self-signed, without names.
fn credentials(
    ca: &MeshCa,
    identity: &PodIdentity,
    pod: &str,
    tls: &AppTls,
) -> Result<Credentials, TlsError> {
    let now = tls.now();
    let key = tls.entropy.key_pair()?;
    // A minute back, as Kuma does, for clocks that differ.
    let day = Validity { from: now - Duration::minutes(1), to: now + Duration::hours(24) };
    let spiffe = |mesh: &str, name: &str| uri(format!("spiffe://{mesh}/{name}"));
    let mesh = || Authority::from_pem(&ca.cert_pem, &ca.key_pem);
    Ok(match identity {
        PodIdentity::Service(name) => mesh()?.issue(name, vec![spiffe(&ca.mesh, name)?], day, &key)?,
        PodIdentity::Uri(text) => mesh()?.issue(pod, vec![uri(text.clone())?], day, &key)?,
        PodIdentity::ForeignMesh(other) => {
            let foreign = Authority::new(other, tls.entropy.key_pair()?, now)?;
            foreign.issue(pod, vec![spiffe(other, pod)?], day, &key)?
        }
        PodIdentity::Expired => {
            let past = Validity { from: now - Duration::hours(25), to: now - Duration::hours(1) };
            mesh()?.issue(pod, vec![spiffe(&ca.mesh, pod)?], past, &key)?
        }
        PodIdentity::SelfSigned => self_signed(pod, vec![spiffe(&ca.mesh, pod)?], day, &key)?,
        PodIdentity::None => self_signed(pod, Vec::new(), day, &key)?,
    })
}

impl std::fmt::Debug for MeshCa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MeshCa").field("mesh", &self.mesh).finish_non_exhaustive()
    }
}
