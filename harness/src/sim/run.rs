//! One run: a fresh thread, a runtime with a paused clock, a kernel. Nothing survives it.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::capture::TraceHash;
use super::clock::SimClock;
use super::host::{HostSpawn, Panics, Scope, TaskPanic};
use super::kernel::Kernel;
use super::network::SimNetwork;
use super::panic;
use super::random::{Draw, Draws, stream_seed};
use super::scheduler::Wires;
use super::topology::{HostId, Topology};
use crate::language::Link;
use crate::observe::wire::Capture;

/// What a run depends on, besides what runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The seed: with the same one, the same packets.
    pub seed: u64,
    /// Payload bytes kept a flow and direction.
    pub capture_bound: u64,
    /// Which packets are kept at all.
    pub watched: Watched,
    /// Real time after which the run counts as stuck.
    pub watchdog: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let watched = Watched::Everything;
        Self { seed: 0, capture_bound: 1 << 20, watched, watchdog: Duration::from_secs(300) }
    }
}

/// Which packets a run keeps. The run itself is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// All, and a digest of them.
    Everything,
    /// Those of these links, whichever host opened them; no digest but of the schedule. Cheaper, for who asks for no more.
    Links(Arc<[Link]>),
}

/// What a run leaves.
#[derive(Debug)]
pub struct Outcome<T> {
    /// What the body returned.
    pub value: T,
    /// Packets that entered links.
    pub capture: Capture,
    /// Their digests.
    pub hash: TraceHash,
    /// Panics of tasks.
    pub panics: Vec<TaskPanic>,
    /// The last random draws.
    pub draws: Vec<Draw>,
    /// How many draws there were.
    pub draw_count: u64,
}

/// Why a run has no outcome: the harness's fault, never the dataplane's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Tasks never came to rest.
    #[error(transparent)]
    Livelock(#[from] super::scheduler::Livelock),
    /// Real time ran out.
    #[error("stuck: {seconds} s of real time went by; virtual time stands at {virtual_ns} ns (seed {seed})")]
    Stuck {
        /// The watchdog's limit.
        seconds: u64,
        /// Virtual time when it struck.
        virtual_ns: u64,
        /// The run's seed.
        seed: u64,
    },
    /// The harness panicked.
    #[error("the harness panicked: {0}")]
    Panic(String),
    /// A thread or a runtime could not be made.
    #[error("cannot start a run: {0}")]
    Start(String),
}

/// The simulated world, as the body of a run gets it.
#[derive(Debug, Clone)]
pub struct Sim {
    /// Virtual time.
    pub clock: SimClock,
    /// Links, faults, sockets.
    pub wires: Wires,
    /// Hosts and addresses.
    pub topology: Arc<Topology>,
    hosts: Arc<Vec<(SimNetwork, HostSpawn)>>,
}

impl Sim {
    /// The sockets of a host.
    #[must_use]
    pub fn network(&self, host: HostId) -> SimNetwork {
        self.hosts[host.0].0.clone()
    }

    /// The tasks of a host.
    #[must_use]
    pub fn spawn(&self, host: HostId) -> HostSpawn {
        self.hosts[host.0].1.clone()
    }

    /// Ends all tasks of all hosts.
    async fn end(&self) {
        for (_, spawn) in self.hosts.iter() {
            spawn.crash().await;
        }
    }
}

/// Runs `body` in a world of its own, on a thread of its own.
///
/// # Errors
/// The harness failed, see [`Broken`].
pub fn run<T, F, B>(config: &Config, topology: Topology, body: B) -> Result<Outcome<T>, Broken>
where
    T: Send + 'static,
    F: Future<Output = T>,
    B: FnOnce(Sim) -> F + Send + 'static,
{
    panic::install();
    let progress = Arc::new(AtomicU64::new(0));
    let (sender, receiver) = mpsc::sync_channel(1);
    let thread = {
        let (config, progress) = (config.clone(), Arc::clone(&progress));
        thread::Builder::new().name("run".to_owned()).stack_size(8 << 20).spawn(move || {
            let outcome = on_this_thread(&config, topology, body, &progress);
            // The receiver is gone only when the watchdog gave this run up.
            let _ = sender.send(outcome);
        })
    };
    let thread = thread.map_err(|error| Broken::Start(error.to_string()))?;
    match receiver.recv_timeout(config.watchdog) {
        Ok(outcome) => {
            // Thread-locals of the run are gone before the next one starts.
            let _ = thread.join();
            outcome
        }
        Err(mpsc::RecvTimeoutError::Timeout) => Err(Broken::Stuck {
            seconds: config.watchdog.as_secs(),
            virtual_ns: progress.load(Ordering::Relaxed),
            seed: config.seed,
        }),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(Broken::Panic("its thread ended early".to_owned())),
    }
}

fn on_this_thread<T, F, B>(
    config: &Config,
    topology: Topology,
    body: B,
    progress: &Arc<AtomicU64>,
) -> Result<Outcome<T>, Broken>
where
    F: Future<Output = T>,
    B: FnOnce(Sim) -> F,
{
    let seed = config.seed;
    let _entropy = entropy::enter(stream_seed(seed, "entropy/world"));
    let runtime = runtime(seed)?;
    let start = {
        let _entered = runtime.enter();
        Instant::now()
    };
    let clock = SimClock::new(start);
    let (draws, panics, topology) = (Draws::default(), Panics::default(), Arc::new(topology));
    let addresses: Vec<_> = topology.hosts.iter().map(|host| host.addresses.clone()).collect();
    let (kernel, kernel_hosts) = Kernel::install(&addresses);
    let sockets = kernel.sockets();
    let hosts = kernel_hosts.into_iter().enumerate().map(|(i, host)| {
        let id = HostId(i);
        let name = &topology.get(id).name;
        let entropy = entropy::add_stream(stream_seed(seed, &format!("entropy/{name}")));
        let network =
            SimNetwork::new(id, host, Arc::clone(&topology), Arc::clone(&sockets), seed, draws.clone());
        (network, HostSpawn::new(Scope { host: id, entropy, start, panics: panics.clone() }))
    });
    let hosts = Arc::new(hosts.collect());
    let wires = Wires::new(kernel, Arc::clone(&topology), clock, seed, draws.clone(), config);
    let sim = Sim { clock, wires: wires.clone(), topology, hosts };

    let result = catch_unwind(AssertUnwindSafe(|| runtime.block_on(drive(sim, body, progress))));
    let (capture, hash) = wires.take_capture();
    // Tasks, and the streams they hold, go before the kernel that `wires` keeps.
    drop(runtime);
    drop(wires);
    let value = match result {
        Ok(value) => value?,
        Err(payload) => return Err(Broken::Panic(panic::describe(payload.as_ref()))),
    };
    let (draw_count, draws) = (draws.count(), draws.last());
    Ok(Outcome { value, capture, hash, panics: panics.list(), draws, draw_count })
}

/// The body, with the network beside it.
async fn drive<T, F, B>(sim: Sim, body: B, progress: &AtomicU64) -> Result<T, Broken>
where
    F: Future<Output = T>,
    B: FnOnce(Sim) -> F,
{
    let mut scheduler = JoinSet::new();
    scheduler.spawn(sim.wires.clone().run());
    let work = async {
        let value = body(sim.clone()).await;
        sim.end().await;
        value
    };
    let clock = sim.clock;
    let work = super::host::watched(work, move || {
        let now = clock.nanos();
        entropy::set_now(now);
        progress.store(now, Ordering::Relaxed);
    });
    tokio::select! {
        biased;
        ended = scheduler.join_next() => match ended {
            Some(Ok(Err(livelock))) => Err(livelock.into()),
            other => Err(Broken::Panic(format!("the scheduler ended: {other:?}"))),
        },
        value = work => Ok(value),
    }
}

fn runtime(seed: u64) -> Result<Runtime, Broken> {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    #[cfg(tokio_unstable)]
    builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&stream_seed(seed, "tokio")));
    #[cfg(not(tokio_unstable))]
    let _ = seed;
    builder.build().map_err(|error| Broken::Start(error.to_string()))
}

/// Whether the order of `select!` branches depends on the seed in this build.
#[must_use]
pub fn select_is_seeded() -> bool {
    cfg!(tokio_unstable)
}
