//! Cases: pods, and what happens.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Check, ClientScript, Expectation, Fault, Link, OnlyIn, ServerScript, World};

/// One case: a scenario file, with the values its matrix gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The path below `scenarios/` without its ending, and the matrix values: `tcp/echo[mtls=strict]`. Stable; golden hashes hang on it.
    pub name: String,
    /// The file it came from, as given.
    pub file: PathBuf,
    /// The text of the whole file, matrix and all.
    pub source: Arc<str>,
    /// What it shows, in one sentence.
    pub about: String,
    /// Marked `large: true`: run over fewer seeds.
    pub large: bool,
    /// The one world it is played in; `None`: in all.
    pub worlds: Option<OnlyIn>,
    /// Virtual time after which the run is a hang. Default 26 h.
    pub deadline: Duration,
    /// The mesh.
    pub mesh: Mesh,
    /// The pods, in file order.
    pub pods: Vec<Pod>,
    /// Kuma resources taken verbatim (each one YAML document), beside those made from the short forms.
    pub resources: Vec<String>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// What holds when all is quiet.
    pub expect: Vec<Expectation>,
}

impl Scenario {
    /// All its expectations: those of steps, then those at the bottom.
    #[must_use]
    pub fn expectations(&self) -> Vec<&Expectation> {
        fn walk<'a>(steps: &'a [Step], into: &mut Vec<&'a Expectation>) {
            for step in steps {
                into.extend(&step.expect);
                if let Verb::Parallel(inner) = &step.verb {
                    walk(inner, into);
                }
            }
        }
        let mut all = Vec::new();
        walk(&self.steps, &mut all);
        all.extend(&self.expect);
        all
    }

    /// Ids of the clauses it names, each once, in order of their first expectation.
    #[must_use]
    pub fn clauses(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = Vec::new();
        for id in self.expectations().into_iter().flat_map(|expectation| &expectation.proves) {
            if !ids.contains(&id.as_str()) {
                ids.push(id);
            }
        }
        ids
    }

    /// Time that passes by its steps' own words (`wait`, `after`), all of them one after the other: what it takes at least, give or take
    /// what apps and clients are told to wait.
    #[must_use]
    pub fn span(&self) -> Duration {
        fn of(steps: &[Step]) -> Duration {
            steps.iter().fold(Duration::ZERO, |sum, step| {
                let own = match &step.verb {
                    Verb::Wait(time) => *time,
                    Verb::Parallel(inner) => of(inner),
                    _ => Duration::ZERO,
                };
                sum.saturating_add(step.after).saturating_add(own)
            })
        }
        of(&self.steps)
    }

    /// Time it takes at least, as far as waits and the lower bounds of what is expected tell.
    #[must_use]
    pub fn at_least(&self) -> Duration {
        let soonest = |expectation: &Expectation| expectation.checks.iter().map(Check::soonest).max();
        self.span() + self.expectations().into_iter().filter_map(soonest).sum::<Duration>()
    }

    /// Whether it is played in a world.
    ///
    /// # Errors
    /// It is not: the reason, in words.
    pub fn runs_in(&self, world: World) -> Result<(), String> {
        match &self.worlds {
            Some(only) if only.world != world => Err(format!("only in {}: {}", only.world, only.because)),
            _ => Ok(()),
        }
    }

    /// The name without the values of its matrix: `tcp/echo`.
    #[must_use]
    pub fn base_name(&self) -> &str {
        self.name.split('[').next().unwrap_or_default()
    }
}

/// The mesh's own settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mesh {
    /// `mtls: strict | disabled` (`permissive` later).
    pub mtls: Mtls,
    /// Names of pods that may call; `None` = everyone may, empty = nobody.
    pub permissions: Option<Vec<String>>,
}

/// How outbounds name services. Kuma asks different sources for the protocol of a service (kuma-protocols.md 1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outbounds {
    /// `mesh-services`: by `MeshService`, whose port says the protocol; none is tcp.
    #[default]
    MeshServices,
    /// `tags`: by `kuma.io/service`; the endpoints' tags say the protocol; none is none.
    Tags,
}

impl Scenario {
    /// A pod by name.
    #[must_use]
    pub fn pod(&self, name: &str) -> Option<&Pod> {
        self.pods.iter().find(|pod| pod.name == name)
    }

    /// Whether clients of `pod` call somebody.
    #[must_use]
    pub fn calls(&self, pod: &str) -> bool {
        fn any(steps: &[Step], pod: &str) -> bool {
            steps.iter().any(|step| match &step.verb {
                Verb::Talk { from, .. } => from == pod,
                Verb::Parallel(inner) => any(inner, pod),
                _ => false,
            })
        }
        any(&self.steps, pod)
    }

    /// The name of the host that the app of `pod` is on: its own, or that of the pod it is within.
    #[must_use]
    pub fn host<'a>(&'a self, pod: &'a str) -> &'a str {
        self.pod(pod).and_then(|pod| pod.within.as_deref()).unwrap_or(pod)
    }

    /// Which of the ports of its host the app of `pod` has: 0 is the host's own, then come those within it, in file order.
    #[must_use]
    pub fn port(&self, pod: &str) -> u16 {
        let host = self.host(pod);
        let mut within = self.pods.iter().filter(|other| other.within.as_deref() == Some(host));
        let place = within.position(|other| other.name == pod);
        place.and_then(|place| u16::try_from(place + 1).ok()).unwrap_or(0)
    }
}

/// Mesh mTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mtls {
    /// Only mesh TLS.
    Strict,
    /// Off.
    Disabled,
}

/// An app with or without a sidecar.
#[derive(Debug, Clone, PartialEq)]
pub struct Pod {
    /// Its name. Hosts: `NAME` (the app's) and `NAME.proxy` (the sidecar's).
    pub name: String,
    /// The service it is an endpoint of: its own name, or another pod's.
    pub service: String,
    /// `in: POD`: it is no pod of its own but a further port of that one, with an app beside that pod's and the same sidecar before both.
    pub within: Option<String>,
    /// The `kuma.io/protocol` tag of its service, verbatim; `None` = untagged.
    pub protocol: Option<String>,
    /// What listens; `None`: the pod has no service and no inbound.
    pub app: Option<ServerScript>,
    /// Whether a sidecar stands beside it.
    pub proxy: ProxyKind,
    /// With `proxy: none` and `proxy: scripted`: the mesh identity with which the pod itself speaks mesh TLS, if any.
    pub identity: Option<PodIdentity>,
    /// `state: NotReady`: its inbound is no endpoint of the service.
    pub ready: bool,
    /// How its sidecar's outbounds name the services it calls.
    pub outbounds: Outbounds,
}

/// What stands beside an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyKind {
    /// The dataplane under test.
    Default,
    /// Nothing.
    None,
    /// The harness plays the sidecar: the pod's app stands at its inbound address, its clients dial inbounds, both over mesh TLS if the mesh
    /// has it, as real sidecars do.
    Scripted,
}

/// How a pod without a sidecar speaks mesh TLS: as client towards sidecars, and as server if it has an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodIdentity {
    /// `{service: NAME}`: a certificate of this mesh, for that service.
    Service(String),
    /// `{uri: URI}`: a certificate by this mesh's CA that bears this URI and no other.
    Uri(String),
    /// `{mesh: NAME}`: a certificate by another mesh's CA, `spiffe://NAME/POD`.
    ForeignMesh(String),
    /// `expired`: of this mesh and service, but over.
    Expired,
    /// `self_signed`: right names, no CA.
    SelfSigned,
    /// `none`: TLS without a client certificate.
    None,
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name; made from its place (`step-3`) when not given.
    pub id: String,
    /// How long it waits before it begins; of use inside `parallel`.
    pub after: Duration,
    /// What.
    pub verb: Verb,
    /// What holds when it ends.
    pub expect: Vec<Expectation>,
}

/// What happens in a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Verb {
    /// A client talks.
    Talk {
        /// The pod whose app calls.
        from: String,
        /// Whom it calls.
        to: Target,
        /// What it does.
        client: ClientScript,
        /// How many times, one after the other.
        times: u32,
        /// `hold: true`: the connections stay open when the script ends; later steps go on with `on`.
        hold: bool,
    },
    /// A client goes on with the held connections of an earlier step (`on: ID`). Held on if `hold`.
    GoOn {
        /// The step that held them.
        on: String,
        /// What it does. Never brings new TLS.
        client: ClientScript,
        /// Keep them open after.
        hold: bool,
    },
    /// A condition is set on a link.
    Fault(Fault),
    /// `heal: A->B`: all conditions of a link are undone.
    Heal(Link),
    /// `wait: 10s`.
    Wait(Duration),
    /// `proxy: {pod: web, do: crash}`.
    Proxy {
        /// The pod.
        pod: String,
        /// What.
        act: ProxyAct,
    },
    /// `parallel: [..]`: at once; ends when all have ended.
    Parallel(Vec<Step>),
    /// Only expectations.
    Nothing,
}

/// Whom a client calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A pod's service, through the caller's own sidecar.
    Service(String),
    /// `POD.proxy`: straight at that sidecar's inbound.
    Inbound(String),
    /// `POD.app`: straight at the app, round all sidecars.
    App(String),
}

/// What is done to a sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyAct {
    /// It dies at once, its connections with it.
    Crash,
    /// It starts again.
    Start,
    /// It drains, and stops when drained. The step ends then.
    Drain,
}
