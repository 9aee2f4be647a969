//! Plays cases on real sockets, with programs beside the pods.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Played, Player, RunFolder};
use crate::dataplane::process::Process;
use crate::language::Scenario;
use crate::live::play::{self, LiveError};
use crate::live::processes::Processes;
use crate::sim::capture::TraceHash;
use crate::sim::run::Config;
use crate::world::simulated::{Case, CaseError};

/// Plays cases on real sockets: `tested` beside pods that call, `peer` (or the same) beside those that are only called.
#[derive(Debug)]
pub struct RealSockets {
    tested: Arc<Process>,
    peer: Option<Arc<Process>>,
    /// One case of those with very many connections at a time: this process may not have the sockets for two.
    large: Mutex<()>,
}

impl RealSockets {
    /// `tested` is judged; `peer` is another dataplane.
    #[must_use]
    pub fn new(tested: Arc<Process>, peer: Option<Arc<Process>>) -> Self {
        Self { tested, peer, large: Mutex::new(()) }
    }
}

impl Player for RealSockets {
    fn play(&self, scenario: &Scenario, config: &Config) -> Played {
        let alone = || self.large.lock().unwrap_or_else(PoisonError::into_inner);
        let _alone = scenario.large.then(alone);
        match RunFolder::new() {
            Ok(folder) => Played { case: self.play_in(folder.path(), scenario, config), files: Some(folder) },
            Err(error) => Played { case: Err(CaseError::Live(error.to_string())), files: None },
        }
    }
}

impl RealSockets {
    /// Plays a case with files of its sidecars in `dir`.
    fn play_in(&self, dir: &Path, scenario: &Scenario, config: &Config) -> Result<Case, CaseError> {
        let failed = |error: &dyn std::fmt::Display| CaseError::Live(error.to_string());
        let peer = self.peer.clone();
        let processes = Processes::new(Arc::clone(&self.tested), peer, scenario, dir.to_owned());
        let played = play::play(scenario, Arc::new(processes), config.seed, config.capture_bound);
        let live = played.map_err(|error| match error {
            LiveError::SetUp(error) => error.into(),
            other => failed(&other),
        })?;
        let count = u64::try_from(live.capture.packets.len()).unwrap_or(u64::MAX);
        Ok(Case {
            run: live.run,
            capture: live.capture,
            // Real time and real keys: no two runs are alike.
            hash: TraceHash { packets: String::new(), schedule: String::new(), count },
            dataplane_panics: Vec::new(),
            draws: (0, Vec::new()),
        })
    }
}
