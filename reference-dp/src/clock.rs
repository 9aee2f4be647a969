//! The seam to wall time, for certificates and logs. Timers are tokio's.

use std::time::SystemTime;

/// A source of wall time.
pub trait Clock: Send + Sync + 'static {
    /// The date and time.
    fn now(&self) -> SystemTime;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}
