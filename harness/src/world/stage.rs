//! Pods and sidecars on a ground: set up, asked, taken down.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Ground;
use super::log::{Log, Secrets};
use crate::app::mesh::{MeshCa, MeshIdentity};
use crate::app::tls::AppTls;
use crate::app::{Held, Kit, Recorder, Server};
use crate::dataplane::{self, Dataplane, Sidecar as _, StartError};
use crate::expect::wire::looked_at;
use crate::expect::{Run, Scrape, SocketCount};
use crate::kuma;
use crate::language::{Mtls, Pod, ProxyKind, Scenario};
use crate::observe::wire::{self, Capture};
use crate::observe::{Observation, Role, Seen};
use crate::verdict::{DEADLINE, QUIET};

/// Nothing moved for so long: what a step set in motion has come to rest.
const SETTLED: Duration = Duration::from_millis(50);
/// Nothing moved for so long: all is quiet.
const QUIET_FOR: Duration = Duration::from_secs(1);
/// Whoever moves for longer never rests.
const RESTLESS: Duration = Duration::from_secs(120);

/// Why there is nothing to play: says nothing about the dataplane's behaviour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetUpError {
    /// Something did not start.
    #[error("the set-up failed: {0}")]
    Failed(String),
    /// A sidecar says that it does not do what it was asked for.
    #[error("{0}")]
    Unsupported(String),
}

impl SetUpError {
    pub(super) fn new(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }

    /// The same, told with the step that it happened in.
    pub(super) fn in_step(self, id: &str) -> Self {
        match self {
            Self::Failed(why) => Self::Failed(format!("step `{id}`: {why}")),
            Self::Unsupported(why) => Self::Unsupported(format!("step `{id}`: {why}")),
        }
    }
}

impl From<StartError> for SetUpError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Failed { .. } => Self::new(error),
            StartError::Unsupported { .. } => Self::Unsupported(error.to_string()),
        }
    }
}

/// What a played scenario leaves, besides packets.
#[derive(Debug, Clone, Default)]
pub struct Played {
    /// In order of time.
    pub observations: Vec<Observation>,
    /// In order of time.
    pub scrapes: Vec<Scrape>,
    /// In order of time.
    pub sockets: Vec<SocketCount>,
    /// TLS secrets, lines of an NSS key log.
    pub key_log: Vec<String>,
}

impl Played {
    /// What checks look at, and the capture with the secrets to read it.
    #[must_use]
    pub fn with(self, scenario: Arc<Scenario>, mut capture: Capture) -> (Run, Capture) {
        capture.key_log = self.key_log;
        let links = looked_at(&scenario);
        let wire = wire::read(&capture, |link| links.contains(link));
        let scenario = Arc::unwrap_or_clone(scenario);
        let Self { observations, scrapes, sockets, .. } = self;
        (Run { scenario, observations, wire, scrapes, sockets }, capture)
    }
}

/// A sidecar of this dataplane.
pub(super) type SidecarOf<D, G> = <D as Dataplane<<G as Ground>::Network>>::Sidecar;
/// Connections that a step left open.
type HeldOf<G> = Held<<<G as Ground>::Network as reference_dp::net::Network>::Stream>;

/// Pods and sidecars of a scenario.
pub struct Stage<G: Ground, D: Dataplane<G::Network>> {
    pub(super) ground: G,
    pub(super) scenario: Arc<Scenario>,
    pub(super) log: Arc<Log>,
    dataplane: Arc<D>,
    pub(super) secrets: Arc<Secrets>,
    tls: Arc<AppTls>,
    ca: MeshCa,
    pub(super) sidecars: Mutex<BTreeMap<String, Arc<SidecarOf<D, G>>>>,
    held: Mutex<BTreeMap<String, (String, HeldOf<G>)>>,
    pub(super) scrapes: Mutex<Vec<Scrape>>,
    pub(super) sockets: Mutex<Vec<SocketCount>>,
    /// Pods whose sidecar has ended by itself.
    pub(super) dead: Mutex<BTreeSet<String>>,
}

impl<G: Ground, D: Dataplane<G::Network>> Stage<G, D> {
    /// Starts apps and sidecars.
    ///
    /// # Errors
    /// One of them does not start.
    pub async fn set_up(ground: G, scenario: Arc<Scenario>, dataplane: Arc<D>) -> Result<Self, SetUpError>
    where
        G: Clone,
    {
        let secrets = Arc::new(Secrets::default());
        let tls = AppTls::new(ground.entropy(), ground.clock(), Arc::clone(&secrets) as _);
        let tls = Arc::new(tls.map_err(SetUpError::new)?);
        let ca = MeshCa::new(kuma::MESH, &tls).map_err(SetUpError::new)?;
        let clock = ground.clone();
        let stage = Self {
            log: Log::new(move || clock.now()),
            ground,
            scenario: Arc::clone(&scenario),
            dataplane,
            secrets,
            tls,
            ca,
            sidecars: Mutex::default(),
            held: Mutex::default(),
            scrapes: Mutex::default(),
            sockets: Mutex::default(),
            dead: Mutex::default(),
        };
        if !stage.ground.sees_refused() {
            stage.log.world(None, Seen::RefusedUnseen);
        }
        for pod in &scenario.pods {
            stage.start_app(pod).await?;
        }
        for pod in scenario.pods.iter().filter(|pod| pod.proxy == ProxyKind::Default && pod.within.is_none())
        {
            stage.start_sidecar(&pod.name).await?;
        }
        Ok(stage)
    }

    /// Plays the steps, waits for quiet, collects what the bottom's expectations need, and takes everything down.
    ///
    /// # Errors
    /// What a step needs could not be set up.
    pub async fn play(self) -> Result<Played, SetUpError> {
        let steps = &self.scenario.steps;
        match timeout(self.ground.deadline(&self.scenario), self.run_steps(steps)).await {
            Ok(ran) => ran?,
            Err(_) => self.log.did(None, DEADLINE),
        }
        lock(&self.held).clear();
        self.ground.settle(QUIET_FOR, RESTLESS).await;
        self.log.did(None, QUIET);
        self.note_deaths();
        self.collect(None, &self.scenario.expect).await;
        self.take_down().await;
        Ok(Played {
            observations: self.log.take(),
            scrapes: std::mem::take(&mut *lock(&self.scrapes)),
            sockets: std::mem::take(&mut *lock(&self.sockets)),
            key_log: self.secrets.take(),
        })
    }

    /// Lets what a step set in motion come to rest.
    pub(super) async fn settle(&self) {
        self.ground.settle(SETTLED, RESTLESS).await;
    }

    /// A pod of the scenario.
    pub(super) fn pod(&self, name: &str) -> Option<&Pod> {
        self.scenario.pods.iter().find(|pod| pod.name == name)
    }

    /// What a client or app of `pod` needs.
    pub(super) fn kit(&self, pod: &str, role: Role, step: Option<&str>) -> Result<Kit, SetUpError> {
        let identity = self.pod(pod).and_then(|pod| pod.identity.as_ref());
        let mesh = identity.map(|identity| MeshIdentity::new(&self.ca, identity, pod, &self.tls));
        Ok(Kit {
            spawn: self.ground.spawn(self.scenario.host(pod)),
            recorder: Recorder::new(Arc::clone(&self.log) as _, pod, role, step),
            tls: Arc::clone(&self.tls),
            mesh: mesh.transpose().map_err(SetUpError::new)?.map(Arc::new),
        })
    }

    /// Keeps connections that a step holds.
    pub(super) fn hold(&self, step: &str, pod: &str, held: HeldOf<G>) {
        lock(&self.held).insert(step.to_owned(), (pod.to_owned(), held));
    }

    /// Takes connections that a step held.
    pub(super) fn take_held(&self, step: &str) -> Option<(String, HeldOf<G>)> {
        lock(&self.held).remove(step)
    }

    async fn start_app(&self, pod: &Pod) -> Result<(), SetUpError> {
        let Some(script) = &pod.app else { return Ok(()) };
        let host = self.scenario.host(&pod.name);
        let address = match pod.proxy {
            ProxyKind::Default => {
                SocketAddr::from((Ipv4Addr::LOCALHOST, kuma::APP_PORT + self.scenario.port(&pod.name)))
            }
            // Nobody stands before it: it is the endpoint itself.
            ProxyKind::None | ProxyKind::Scripted => {
                SocketAddr::from((self.ground.pod_address(&pod.name), kuma::INBOUND_PORT))
            }
        };
        let kit = self.kit(&pod.name, Role::App, None)?;
        let server = Server::bind(&self.ground.network(host), address, script, kit).await;
        if let Some(server) = server.map_err(SetUpError::new)? {
            self.ground.spawn(host).spawn(Box::pin(server.serve()));
        }
        Ok(())
    }

    /// Starts the sidecar of a pod, as a task of its host.
    pub(super) async fn start_sidecar(&self, pod: &str) -> Result<(), SetUpError> {
        let host = proxy_host(pod);
        let strict = self.scenario.mesh.mtls == Mtls::Strict;
        let start = dataplane::Pod {
            name: pod.to_owned(),
            resources: self.resources(pod),
            authority: strict.then(|| (self.ca.cert_pem.clone(), self.ca.key_pem.clone())),
            admin: SocketAddr::from((self.ground.pod_address(pod), kuma::ADMIN_PORT)),
        };
        let seams = dataplane::Seams {
            network: self.ground.network(&host),
            spawn: self.ground.spawn(&host),
            clock: self.ground.clock(),
            entropy: self.ground.entropy(),
            key_log: Arc::clone(&self.secrets) as _,
        };
        let (done, started) = oneshot::channel();
        let dataplane = Arc::clone(&self.dataplane);
        self.ground.spawn(&host).spawn(Box::pin(async move {
            // The stage is gone only when the run is over.
            let _ = done.send(dataplane.start(start, seams).await);
        }));
        let sidecar = started
            .await
            .map_err(|_| SetUpError::new(format!("the sidecar of {pod} panicked at its start")))?;
        let sidecar = Arc::new(sidecar?);
        self.ground.sidecar_is_up(pod, sidecar.pid()).map_err(SetUpError::new)?;
        lock(&self.sidecars).insert(pod.to_owned(), sidecar);
        lock(&self.dead).remove(pod);
        Ok(())
    }

    /// The mesh as the sidecar of `pod` is told it is.
    fn resources(&self, pod: &str) -> Vec<(String, String)> {
        let view = kuma::View {
            pod,
            address: &|other| self.ground.seen_from(pod, other),
            outbounds: self.ground.outbounds(pod),
            app: self.ground.service_address(pod),
        };
        kuma::resources(&self.scenario, &view)
    }
}

/// The host of a pod's sidecar.
pub(super) fn proxy_host(pod: &str) -> String {
    format!("{pod}.proxy")
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
