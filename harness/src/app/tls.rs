//! Apps that bring their own TLS.
//!
//! * [`AppTls`] — what all apps of a run share: a CA of their own (not the mesh's), and the seams.
//! * [`Configs`] — the rustls configurations of one app or one step's client.
//! * `certificates` — authorities and leaves; `verify` — lenient verifiers; `facts` — what a handshake taught.

use std::fmt;
use std::sync::Arc;

use reference_dp::clock::Clock;
use rustls::KeyLog;
use rustls::crypto::CryptoProvider;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;
use time::OffsetDateTime;

pub(super) mod certificates;
mod configs;
mod facts;
pub(super) mod verify;

pub use configs::Configs;
pub(super) use facts::facts;

use certificates::Authority;

/// The seam to chance: where TLS and certificates of apps draw from.
pub trait Entropy: Send + Sync {
    /// Cipher suites, key exchange and random source.
    fn provider(&self) -> Arc<CryptoProvider>;

    /// A new key pair.
    ///
    /// # Errors
    /// The key could not be made.
    fn key_pair(&self) -> Result<rcgen::KeyPair, rcgen::Error>;
}

/// Why TLS could not be set up: a matter of the harness or of the scenario, never of the dataplane.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No certificate.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// rustls refuses the configuration.
    #[error("tls configuration: {0}")]
    Config(#[from] rustls::Error),
    /// No verifier.
    #[error("tls verifier: {0}")]
    Verifier(#[from] rustls::client::VerifierBuilderError),
    /// Not a name that can be asked for.
    #[error("server name `{0}` cannot be sent")]
    Name(String),
}

/// What the TLS of all apps of one run shares.
pub struct AppTls {
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) key_log: Arc<dyn KeyLog>,
    pub(super) authority: Authority,
}

impl AppTls {
    /// Makes the apps' CA; `key_log` gets the secrets of all sessions.
    ///
    /// # Errors
    /// The CA could not be made.
    pub fn new(
        entropy: Arc<dyn Entropy>,
        clock: Arc<dyn Clock>,
        key_log: Arc<dyn KeyLog>,
    ) -> Result<Self, TlsError> {
        let authority = Authority::new("conform apps", entropy.key_pair()?, clock.now().into())?;
        Ok(Self { entropy, clock, key_log, authority })
    }

    /// The wall clock's time.
    pub(super) fn now(&self) -> OffsetDateTime {
        self.clock.now().into()
    }

    /// The wall clock, for rustls.
    pub(super) fn time(&self) -> Arc<dyn TimeProvider> {
        Arc::new(WallTime(self.clock.clone()))
    }
}

impl fmt::Debug for AppTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppTls").finish_non_exhaustive()
    }
}

struct WallTime(Arc<dyn Clock>);

impl TimeProvider for WallTime {
    fn current_time(&self) -> Option<UnixTime> {
        let since = self.0.now().duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(UnixTime::since_unix_epoch(since))
    }
}

impl fmt::Debug for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallTime")
    }
}
