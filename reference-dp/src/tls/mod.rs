//! Mesh TLS: the mesh's authority, this sidecar's certificate, and who is believed (SPIFFE ids in URI names).
//!
//! Nothing here is process-wide: provider, clock and keys come in with each sidecar.

mod authority;
mod config;
mod key_log;
mod spiffe;
mod verify;

use std::sync::Arc;

pub use authority::Authority;
pub(crate) use config::{Identity, client, server, server_name};
pub use key_log::KeyLogFile;
pub(crate) use spiffe::{fingerprint, uri_names};

/// Entropy of mesh TLS: keys and the provider's random numbers.
pub trait Entropy: Send + Sync + 'static {
    /// The cryptography that rustls uses.
    fn provider(&self) -> Arc<rustls::crypto::CryptoProvider>;

    /// A new key for a dataplane's certificate.
    ///
    /// # Errors
    /// The system gives no random numbers.
    fn key_pair(&self) -> Result<rcgen::KeyPair, rcgen::Error>;
}

/// The system's entropy, through ring; keys are ECDSA P-256.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn provider(&self) -> Arc<rustls::crypto::CryptoProvider> {
        Arc::new(rustls::crypto::ring::default_provider())
    }

    fn key_pair(&self) -> Result<rcgen::KeyPair, rcgen::Error> {
        rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
    }
}

/// Why mesh TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The PEM text of the authority's certificate has none.
    #[error("no certificate in the mesh CA's PEM text")]
    NoCertificate,
    /// The PEM text of the authority is broken.
    #[error("mesh CA's PEM text: {0}")]
    Pem(#[source] rustls::pki_types::pem::Error),
    /// The authority's key or certificate is not usable.
    #[error("mesh CA: {0}")]
    Authority(#[source] rcgen::Error),
    /// The certificate is not one of an authority.
    #[error("mesh CA: the certificate is not a CA's (basic constraints)")]
    NotAnAuthority,
    /// The key belongs to another certificate.
    #[error("mesh CA: the key does not belong to the certificate")]
    KeyMismatch,
    /// No certificate could be made for the dataplane.
    #[error("certificate of the dataplane: {0}")]
    Issue(#[source] rcgen::Error),
    /// rustls does not take what was given.
    #[error("rustls: {0}")]
    Rustls(#[from] rustls::Error),
    /// The verifier of client certificates cannot be built.
    #[error("verifier of client certificates: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    /// A server name that is none.
    #[error("server name `{0}` is not a DNS name")]
    ServerName(String),
}
