//! A whole case in a live world.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Builder;

use super::ground::Live;
use super::network::LiveNetwork;
use crate::dataplane::Dataplane;
use crate::expect::Run;
use crate::language::Scenario;
use crate::observe::wire::Capture;
use crate::world::stage::{SetUpError, Stage};

/// How long a world may take to set up and to take down, beyond its deadline, before it counts as stuck.
const GRACE: Duration = Duration::from_secs(240);
/// What each sidecar may take of that besides: one that hangs is asked, drained, stopped and killed in its own time, one after the other.
const GRACE_EACH: Duration = Duration::from_secs(120);

/// What a live case leaves.
#[derive(Debug, Clone)]
pub struct LiveCase {
    /// What checks look at.
    pub run: Run,
    /// What crossed the links, with the secrets to read it.
    pub capture: Capture,
}

/// Why a live case has no outcome: never the dataplane's fault but for a sidecar that does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LiveError {
    /// Apps or sidecars did not start.
    #[error(transparent)]
    SetUp(#[from] SetUpError),
    /// The machine lacks something.
    #[error("a live world cannot stand here: {0}")]
    Machine(String),
    /// A task of the harness panicked.
    #[error("a task of the harness panicked: {0}")]
    Panic(String),
    /// Real time ran out.
    #[error("stuck: {0} s went by")]
    Stuck(u64),
}

/// Plays a scenario against a dataplane on real sockets, on a thread of its own.
///
/// # Errors
/// See [`LiveError`].
pub fn play<D: Dataplane<LiveNetwork>>(
    scenario: &Scenario,
    dataplane: Arc<D>,
    seed: u64,
    capture_bound: u64,
) -> Result<LiveCase, LiveError> {
    open_many_files();
    let (done, outcome) = mpsc::sync_channel(1);
    let shared = Arc::new(scenario.clone());
    // Processes end with the thread that started them: it lives until all is taken down.
    let thread = thread::Builder::new().name("live".to_owned()).stack_size(8 << 20).spawn(move || {
        // The receiver is gone only when the case was given up as stuck.
        let _ = done.send(on_this_thread(shared, dataplane, seed, capture_bound));
    });
    let thread = thread.map_err(|error| LiveError::Machine(error.to_string()))?;
    let pods = u32::try_from(scenario.pods.len()).unwrap_or(u32::MAX);
    let limit = scenario.span() * 2 + GRACE + GRACE_EACH * pods;
    match outcome.recv_timeout(limit) {
        Ok(outcome) => {
            // It has nothing left to do but to end.
            let _ = thread.join();
            outcome
        }
        Err(mpsc::RecvTimeoutError::Timeout) => Err(LiveError::Stuck(limit.as_secs())),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(payload) => Err(LiveError::Panic(words(payload.as_ref()))),
            Ok(()) => Err(LiveError::Panic("the world's thread ended early".to_owned())),
        },
    }
}

/// Lets this process have as many sockets as the machine allows: a thousand relayed connections are four thousand of them.
fn open_many_files() {
    let limit = getrlimit(Resource::Nofile);
    // Where it may not, cases of few connections run all the same.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

fn on_this_thread<D: Dataplane<LiveNetwork>>(
    scenario: Arc<Scenario>,
    dataplane: Arc<D>,
    seed: u64,
    capture_bound: u64,
) -> Result<LiveCase, LiveError> {
    let machine = |error: std::io::Error| LiveError::Machine(error.to_string());
    let runtime = Builder::new_current_thread().enable_all().build().map_err(machine)?;
    runtime.block_on(async move {
        let ground = Live::new(&scenario, seed, capture_bound).map_err(machine)?;
        let played = match Stage::set_up(ground.clone(), Arc::clone(&scenario), dataplane).await {
            Ok(stage) => stage.play().await,
            Err(error) => Err(error),
        };
        ground.end().await;
        if let Some(panic) = ground.panics().into_iter().next() {
            return Err(LiveError::Panic(panic));
        }
        if let Some(trouble) = ground.trouble() {
            return Err(LiveError::Machine(trouble));
        }
        let (run, capture) = played?.with(scenario, ground.take_capture());
        Ok(LiveCase { run, capture })
    })
}

fn words(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}
