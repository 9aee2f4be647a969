//! Keys of a live world: the system's randomness, and ECDSA P-256, since BoringSSL does not take Ed25519 by default.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

use crate::app::tls::Entropy;

/// The system's.
#[derive(Debug, Clone, Copy)]
pub(super) struct System;

impl Entropy for System {
    fn provider(&self) -> Arc<CryptoProvider> {
        Arc::new(rustls::crypto::ring::default_provider())
    }

    fn key_pair(&self) -> Result<rcgen::KeyPair, rcgen::Error> {
        rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
    }
}
