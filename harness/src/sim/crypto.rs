//! rustls without chance of its own: random bytes, key shares and keys come from the current host's seeded stream.

use std::sync::Arc;

use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup, ring,
};
use rustls::{Error, NamedGroup, PeerMisbehaved};
use x25519_dalek::{PublicKey, StaticSecret};

/// DER of a PKCS#8 Ed25519 private key up to the 32 bytes of the key itself (RFC 8410).
const ED25519_PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Ring's cipher suites with seeded randomness and X25519 alone: ring's own key exchange asks the kernel for its secret.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        kx_groups: vec![&SeededX25519],
        secure_random: &SeededRandom,
        ..ring::default_provider()
    })
}

/// A fresh Ed25519 key pair: its signatures are the same size each time and need no randomness.
///
/// # Errors
/// rcgen does not take the key: a bug.
pub fn key_pair() -> Result<rcgen::KeyPair, rcgen::Error> {
    let mut der = ED25519_PKCS8_PREFIX.to_vec();
    let mut secret = [0; 32];
    entropy::fill(&mut secret);
    der.extend_from_slice(&secret);
    let der = rustls_pki_types::PrivatePkcs8KeyDer::from(der);
    rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_ED25519)
}

/// Draws from the current host's stream.
#[derive(Debug)]
struct SeededRandom;

impl SecureRandom for SeededRandom {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        entropy::fill(buf);
        Ok(())
    }
}

/// X25519 whose secret is drawn from the current host's stream.
#[derive(Debug)]
struct SeededX25519;

impl SupportedKxGroup for SeededX25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut seed = [0; 32];
        entropy::fill(&mut seed);
        let secret = StaticSecret::from(seed);
        let public = PublicKey::from(&secret).to_bytes();
        Ok(Box::new(Exchange { secret, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct Exchange {
    secret: StaticSecret,
    public: [u8; 32],
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer: [u8; 32] = peer.try_into().map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let shared = self.secret.diffie_hellman(&PublicKey::from(peer));
        if !shared.was_contributory() {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        Ok(SharedSecret::from(&shared.as_bytes()[..]))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}
