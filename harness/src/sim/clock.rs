//! Virtual time: tokio's paused clock for timers, and the wall clock made from it.

use std::time::{Duration, SystemTime};

use reference_dp::clock::Clock;
use tokio::time::Instant;

use crate::observe::Nanos;

/// The clock of a run. Wall time starts at 2030-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy)]
pub struct SimClock {
    start: Instant,
}

impl SimClock {
    pub(super) fn new(start: Instant) -> Self {
        Self { start }
    }

    /// Nanoseconds since the run's start.
    #[must_use]
    pub fn nanos(&self) -> Nanos {
        u64::try_from(Instant::now().duration_since(self.start).as_nanos()).unwrap_or(u64::MAX)
    }

    /// The instant so many nanoseconds after the run's start.
    #[must_use]
    pub fn instant(&self, nanos: Nanos) -> Instant {
        self.start + Duration::from_nanos(nanos)
    }
}

impl Clock for SimClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
            + Duration::from_secs(entropy::EPOCH_SECONDS)
            + Duration::from_nanos(self.nanos())
    }
}
