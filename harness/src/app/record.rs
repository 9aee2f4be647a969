//! Where observations go.

use std::fmt;
use std::sync::Arc;

use crate::observe::{Nanos, Observation, Role, Seen};

/// Takes observations and tells the time: the world's end of all records.
pub trait Watch: Send + Sync {
    /// Keeps `observation`.
    fn see(&self, observation: Observation);
    /// The run's clock. Also asked while the run ends, from `Drop`.
    fn now(&self) -> Nanos;
}

/// A cheap handle with which one app, or one step's client, records what it sees.
#[derive(Clone)]
pub struct Recorder {
    watch: Arc<dyn Watch>,
    pod: Arc<str>,
    role: Role,
    step: Option<Arc<str>>,
}

impl Recorder {
    /// Records in the name of `pod` in its `role`; servers, which do not know steps, have no `step`.
    #[must_use]
    pub fn new(watch: Arc<dyn Watch>, pod: &str, role: Role, step: Option<&str>) -> Self {
        Self { watch, pod: pod.into(), role, step: step.map(Into::into) }
    }

    /// Records `seen` now, on connection `conn`.
    pub fn see(&self, conn: Option<u32>, seen: Seen) {
        self.see_at(self.now(), conn, seen);
    }

    /// Records `seen` as of `at`.
    pub(crate) fn see_at(&self, at: Nanos, conn: Option<u32>, seen: Seen) {
        let step = self.step.as_deref().map(str::to_owned);
        self.watch.see(Observation { at, pod: self.pod.to_string(), role: self.role, step, conn, seen });
    }

    /// The run's clock.
    #[must_use]
    pub fn now(&self) -> Nanos {
        self.watch.now()
    }

    /// The pod in whose name this records.
    #[must_use]
    pub fn pod(&self) -> &str {
        &self.pod
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("pod", &self.pod)
            .field("role", &self.role)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}
