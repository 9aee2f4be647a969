//! A whole case in the simulator.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use reference_dp::clock::Clock;
use reference_dp::spawn::Spawn;
use rustls::crypto::CryptoProvider;
use tokio::time::{Instant, sleep};

use super::Ground;
use super::stage::{SetUpError, Stage};
use crate::app::tls::Entropy;
use crate::dataplane::Dataplane;
use crate::expect::Run;
use crate::language::{Fault, Link, Scenario};
use crate::observe::Nanos;
use crate::observe::wire::Capture;
use crate::sim::capture::TraceHash;
use crate::sim::crypto;
use crate::sim::host::TaskPanic;
use crate::sim::network::SimNetwork;
use crate::sim::random::Draw;
use crate::sim::run::{Broken, Config, Sim, run};
use crate::sim::topology::{HostId, Kind, Topology};

/// What a case leaves.
#[derive(Debug, Clone)]
pub struct Case {
    /// What checks look at.
    pub run: Run,
    /// All packets, with the secrets to read them.
    pub capture: Capture,
    /// Digests of the packets.
    pub hash: TraceHash,
    /// Panics in tasks of the dataplane, with their backtraces.
    pub dataplane_panics: Vec<String>,
    /// The last random draws, and how many there were.
    pub draws: (u64, Vec<Draw>),
}

impl Case {
    /// Lets go of everything but the digests.
    pub fn forget(&mut self) {
        self.run.observations = Vec::new();
        self.run.wire = Vec::new();
        self.run.scrapes = Vec::new();
        self.run.sockets = Vec::new();
        self.capture = Capture::default();
        self.draws = (self.draws.0, Vec::new());
    }
}

/// Why a case has no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaseError {
    /// The simulator or the harness failed.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// Apps or sidecars did not start.
    #[error(transparent)]
    SetUp(SetUpError),
    /// A task of an app or of the world panicked.
    #[error("a task of the harness panicked: {0}")]
    Panic(String),
    /// A sidecar says that it does not do what it was asked for, in its words.
    #[error("{0}")]
    Unsupported(String),
    /// The live world failed, in its words.
    #[error("{0}")]
    Live(String),
}

impl From<SetUpError> for CaseError {
    fn from(error: SetUpError) -> Self {
        match error {
            SetUpError::Failed(_) => Self::SetUp(error),
            SetUpError::Unsupported(why) => Self::Unsupported(why),
        }
    }
}

/// Plays a scenario against a dataplane in the simulator.
///
/// # Errors
/// The harness failed, see [`CaseError`]; never the dataplane's fault but for a sidecar that does not start.
pub fn play<D: Dataplane<SimNetwork>>(
    scenario: &Scenario,
    dataplane: Arc<D>,
    config: &Config,
) -> Result<Case, CaseError> {
    let topology = Topology::of(scenario);
    let scenario = Arc::new(scenario.clone());
    let shared = Arc::clone(&scenario);
    let outcome = run(config, topology.clone(), move |sim| async move {
        let stage = Stage::set_up(Simulated(sim), shared, dataplane).await?;
        stage.play().await
    })?;
    let (dataplane_panics, others): (Vec<_>, Vec<_>) =
        outcome.panics.into_iter().partition(|panic| is_sidecar(&topology, panic));
    if let Some(panic) = others.into_iter().next() {
        return Err(CaseError::Panic(panic.message));
    }
    let (run, capture) = outcome.value?.with(scenario, outcome.capture);
    let dataplane_panics = dataplane_panics.into_iter().map(|panic| panic.message).collect();
    Ok(Case {
        run,
        capture,
        hash: outcome.hash,
        dataplane_panics,
        draws: (outcome.draw_count, outcome.draws),
    })
}

fn is_sidecar(topology: &Topology, panic: &TaskPanic) -> bool {
    panic.host.is_some_and(|host| topology.get(host).kind == Kind::Sidecar)
}

/// The simulator as a ground.
#[derive(Debug, Clone)]
struct Simulated(Sim);

impl Simulated {
    /// Scenarios are resolved before they run: a host that does not exist is a bug.
    fn host(&self, name: &str) -> HostId {
        self.0.topology.host(name).unwrap_or_else(|| panic!("no host is called {name}"))
    }
}

impl Ground for Simulated {
    type Network = SimNetwork;

    fn network(&self, host: &str) -> SimNetwork {
        self.0.network(self.host(host))
    }

    fn spawn(&self, host: &str) -> Arc<dyn Spawn> {
        Arc::new(self.0.spawn(self.host(host)))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.0.clock)
    }

    fn now(&self) -> Nanos {
        self.0.clock.nanos()
    }

    fn entropy(&self) -> Arc<dyn Entropy> {
        Arc::new(Seeded)
    }

    fn pod_address(&self, pod: &str) -> Ipv4Addr {
        self.0.topology.pod_address(pod).unwrap_or(Ipv4Addr::UNSPECIFIED)
    }

    fn app_address(&self, pod: &str) -> Ipv4Addr {
        self.0.topology.get(self.host(pod)).addresses[0]
    }

    async fn crash(&self, host: &str) {
        self.0.spawn(self.host(host)).crash().await;
    }

    fn fault(&self, fault: &Fault) {
        self.0.wires.set_fault(fault);
    }

    fn heal(&self, link: &Link) {
        self.0.wires.heal(link);
    }

    async fn settle(&self, quiet: Duration, limit: Duration) {
        let end = Instant::now() + limit;
        loop {
            let before = self.0.wires.operations();
            sleep(quiet).await;
            let still = self.0.wires.operations() == before && self.0.wires.is_idle();
            if still || Instant::now() >= end {
                return;
            }
        }
    }

    fn sockets(&self, host: &str, but: &[u16]) -> Result<BTreeMap<String, u32>, String> {
        let host = self.host(host);
        let mut by_state = self.0.wires.held_sockets(host, but);
        // What runs beside the admin endpoint is not known: tasks count only when everything must be gone.
        let tasks = u32::try_from(self.0.spawn(host).running()).unwrap_or(u32::MAX);
        if but.is_empty() && tasks > 0 {
            by_state.insert("TASK".to_owned(), tasks);
        }
        Ok(by_state)
    }
}

/// Entropy of the current host's seeded stream.
#[derive(Debug)]
struct Seeded;

impl Entropy for Seeded {
    fn provider(&self) -> Arc<CryptoProvider> {
        crypto::provider()
    }

    fn key_pair(&self) -> Result<rcgen::KeyPair, rcgen::Error> {
        crypto::key_pair()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::path::Path;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::dataplane::{NotDrained, Pod, Seams, Sidecar, StartError};

    /// A dataplane whose sidecars start so often, and never again.
    struct Starts(AtomicU32);

    struct Idle;

    impl Dataplane<SimNetwork> for Starts {
        type Sidecar = Idle;

        fn name(&self) -> &str {
            "starts"
        }

        async fn start(&self, pod: Pod, _: Seams<SimNetwork>) -> Result<Idle, StartError> {
            let left = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            left.map(|_| Idle).map_err(|_| StartError::Failed { pod: pod.name, reason: "no more".into() })
        }
    }

    impl Sidecar for Idle {
        async fn drain(&self) -> Result<(), NotDrained> {
            Ok(())
        }

        fn stop(&self) {}

        fn metrics(&self) -> Option<(SocketAddr, &str)> {
            None
        }
    }

    #[test]
    fn a_step_that_cannot_be_set_up_breaks_the_case() {
        let text = "
about: A sidecar that comes back.
mesh: {mtls: disabled}
pods: {web: {}}
steps:
  - parallel:
      - {id: crash, proxy: {pod: web, do: crash}}
      - {wait: 1s}
  - parallel:
      - {id: again, proxy: {pod: web, do: start}}
      - {wait: 1s}
";
        let scenarios = crate::scenario::parse("again", Path::new("again.yaml"), text).unwrap();
        let play = |starts: u32| play(&scenarios[0], Arc::new(Starts(starts.into())), &Config::default());
        assert!(play(2).is_ok());
        let CaseError::SetUp(error) = play(1).unwrap_err() else { panic!("the set-up fails") };
        let told = "the set-up failed: step `again`: the sidecar of web did not start: no more";
        assert_eq!(error.to_string(), told);
        assert!(matches!(play(0), Err(CaseError::SetUp(_))));
    }
}
