//! Observations and TLS secrets of a run.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::KeyLog;

use crate::app::Watch;
use crate::observe::{Nanos, Observation, Role, Seen};

/// Observations as they come.
pub(super) struct Log {
    clock: Box<dyn Fn() -> Nanos + Send + Sync>,
    observations: Mutex<Vec<Observation>>,
}

impl Log {
    pub(super) fn new(clock: impl Fn() -> Nanos + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { clock: Box::new(clock), observations: Mutex::default() })
    }

    /// Notes what the world itself sees.
    pub(super) fn world(&self, step: Option<&str>, seen: Seen) {
        let step = step.map(str::to_owned);
        self.see(Observation {
            at: self.now(),
            pod: String::new(),
            role: Role::World,
            step,
            conn: None,
            seen,
        });
    }

    /// Notes what the world sees of a pod's sidecar.
    pub(super) fn sidecar(&self, pod: &str, seen: Seen) {
        let (at, pod, role) = (self.now(), pod.to_owned(), Role::World);
        self.see(Observation { at, pod, role, step: None, conn: None, seen });
    }

    /// Notes what the world does, in words.
    pub(super) fn did(&self, step: Option<&str>, what: impl Into<String>) {
        self.world(step, Seen::Did { what: what.into() });
    }

    /// All so far, in order of time.
    pub(super) fn take(&self) -> Vec<Observation> {
        let mut all = std::mem::take(&mut *self.observations.lock().unwrap_or_else(PoisonError::into_inner));
        // Stable: a merged observation bears the time of its first part.
        all.sort_by_key(|observation| observation.at);
        all
    }
}

impl Watch for Log {
    fn see(&self, observation: Observation) {
        self.observations.lock().unwrap_or_else(PoisonError::into_inner).push(observation);
    }

    fn now(&self) -> Nanos {
        (self.clock)()
    }
}

/// TLS secrets as lines of an NSS key log.
#[derive(Debug, Default)]
pub(super) struct Secrets(Mutex<Vec<String>>);

impl Secrets {
    /// Lines that a dataplane tells by itself, some of them maybe again.
    pub(super) fn add(&self, lines: Vec<String>) {
        if lines.is_empty() {
            return;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known: HashSet<_> = all.iter().cloned().collect();
        all.extend(lines.into_iter().filter(|line| !known.contains(line)));
    }

    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl KeyLog for Secrets {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = format!("{label} {} {}", hex::encode(client_random), hex::encode(secret));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}
