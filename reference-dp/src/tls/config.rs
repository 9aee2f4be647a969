//! rustls configurations of one sidecar.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, KeyLog, RootCertStore, ServerConfig};

use super::{Authority, Entropy, Error, verify};
use crate::clock::Clock;
use crate::plan::UpstreamTls;

/// What both directions of mesh TLS share: certificate, roots, cryptography, clock.
pub(crate) struct Identity {
    provider: Arc<rustls::crypto::CryptoProvider>,
    roots: Arc<RootCertStore>,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    time: Arc<WallTime>,
    key_log: Option<Arc<dyn KeyLog>>,
}

impl Identity {
    /// Gives the sidecar its certificate.
    pub(crate) fn issue(
        authority: &Authority,
        uris: &[String],
        entropy: &dyn Entropy,
        clock: Arc<dyn Clock>,
        key_log: Option<Arc<dyn KeyLog>>,
    ) -> Result<Self, Error> {
        let key = entropy.key_pair().map_err(Error::Issue)?;
        let certificate = authority.issue(uris, &key, clock.now())?;
        let mut roots = RootCertStore::empty();
        for root in authority.roots() {
            roots.add(root.clone())?;
        }
        Ok(Self {
            provider: entropy.provider(),
            roots: Arc::new(roots),
            certificate,
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            time: Arc::new(WallTime(clock)),
            key_log,
        })
    }

    /// The URIs of the certificate, in order.
    pub(crate) fn uris(&self) -> Vec<String> {
        super::spiffe::uri_names(&self.certificate)
    }

    /// When the certificate ends, in seconds since 1970.
    pub(crate) fn expires(&self) -> Option<i64> {
        super::spiffe::expires(&self.certificate)
    }

    /// Whether a peer's certificate is past its validity. A resumed session brings one that was verified long ago.
    pub(crate) fn is_expired(&self, peer: &CertificateDer<'_>) -> bool {
        super::spiffe::is_expired(peer, self.time.0.now())
    }
}

/// For callers: requires a certificate of the mesh, selects no ALPN.
pub(crate) fn server(identity: &Identity, san_prefix: &str) -> Result<Arc<ServerConfig>, Error> {
    let verifier =
        verify::Client::new(identity.roots.clone(), identity.provider.clone(), san_prefix.to_owned())?;
    let mut config = ServerConfig::builder_with_details(identity.provider.clone(), identity.time.clone())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(vec![identity.certificate.clone()], identity.key.clone_key())?;
    if let Some(key_log) = &identity.key_log {
        config.key_log = key_log.clone();
    }
    Ok(Arc::new(config))
}

/// Towards another dataplane: offers ALPN `kuma`, believes only the SANs of the plan.
pub(crate) fn client(identity: &Identity, tls: &UpstreamTls) -> Result<Arc<ClientConfig>, Error> {
    let verifier = verify::Server::new(identity.roots.clone(), identity.provider.clone(), tls.sans.clone());
    let mut config = ClientConfig::builder_with_details(identity.provider.clone(), identity.time.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(vec![identity.certificate.clone()], identity.key.clone_key())?;
    config.alpn_protocols = vec![b"kuma".to_vec()];
    if let Some(key_log) = &identity.key_log {
        config.key_log = key_log.clone();
    }
    Ok(Arc::new(config))
}

/// The name to send to `peer`: the SNI of the plan, or the address, for which rustls sends none.
pub(crate) fn server_name(tls: &UpstreamTls, peer: IpAddr) -> Result<ServerName<'static>, Error> {
    match &tls.sni {
        Some(sni) => ServerName::try_from(sni.clone()).map_err(|_| Error::ServerName(sni.clone())),
        None => Ok(ServerName::from(peer)),
    }
}

/// rustls's view of the clock seam.
struct WallTime(Arc<dyn Clock>);

impl std::fmt::Debug for WallTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WallTime")
    }
}

impl TimeProvider for WallTime {
    fn current_time(&self) -> Option<UnixTime> {
        self.0.now().duration_since(SystemTime::UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch)
    }
}
