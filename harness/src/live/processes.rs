//! Programs beside the pods of a live world: one dataplane, or two of which one stands beside those who call, the other beside those who are called.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::network::LiveNetwork;
use crate::dataplane::plan::Plan;
use crate::dataplane::process::{Process, ProcessSidecar};
use crate::dataplane::{Dataplane, Pod, Seams, StartError};
use crate::language::Scenario;

/// The programs of one case.
#[derive(Debug)]
pub struct Processes {
    tested: Arc<Process>,
    /// Another dataplane, and the pods beside which it stands.
    peer: Option<(Arc<Process>, BTreeSet<String>)>,
    /// Below it each sidecar has a folder.
    dir: PathBuf,
    starts: AtomicU32,
}

impl Processes {
    /// `tested` stands beside each pod that calls, and `peer`, if there is one, beside the others. Their files go below `dir`.
    #[must_use]
    pub fn new(tested: Arc<Process>, peer: Option<Arc<Process>>, scenario: &Scenario, dir: PathBuf) -> Self {
        let only_called = scenario.pods.iter().map(|pod| &pod.name).filter(|pod| !scenario.calls(pod));
        let peer = peer.map(|peer| (peer, only_called.cloned().collect()));
        Self { tested, peer, dir, starts: AtomicU32::new(0) }
    }

    fn beside(&self, pod: &str) -> &Process {
        match &self.peer {
            Some((peer, pods)) if pods.contains(pod) => peer,
            _ => &self.tested,
        }
    }
}

impl Dataplane<LiveNetwork> for Processes {
    type Sidecar = ProcessSidecar;

    fn name(&self) -> &str {
        &self.tested.adapter().name
    }

    async fn start(&self, pod: Pod, seams: Seams<LiveNetwork>) -> Result<ProcessSidecar, StartError> {
        let plan = Plan::resolve(&pod.resources, &pod.name);
        let plan =
            plan.map_err(|error| StartError::Failed { pod: pod.name.clone(), reason: error.to_string() })?;
        // One that comes back begins anew: what it wrote before stays.
        let start = self.starts.fetch_add(1, Ordering::Relaxed);
        let dir = self.dir.join(format!("{}-{start}", pod.name));
        let started = self.beside(&pod.name).start(&pod, &plan, &dir, seams.clock.now()).await;
        started.map_err(|error| error.of(&pod.name))
    }
}
