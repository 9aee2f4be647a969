//! Dataplanes under test.
//!
//! A [`Dataplane`] starts one sidecar for one pod from its Kuma resources, on any [`Network`]. In-process ones implement it for every network
//! and so run in the simulator too; processes implement it for real sockets only, so the compiler keeps them out of the simulator.
//!
//! * [`mod@reference`] — the reference dataplane; the only module that names it.
//! * [`adapter`] — how to run a dataplane that is a program of its own; [`process`] — runs it; [`http`] — asks its admin endpoint.
//! * [`plan`] — what a sidecar must do, worked out from the resources: what adapters of other dataplanes are given.
//! * [`declared`] — what a dataplane says of itself: features, known failures.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use reference_dp::clock::Clock;
use reference_dp::net::Network;
use reference_dp::spawn::Spawn;

pub mod adapter;
pub mod declared;
pub mod http;
pub mod plan;
pub mod process;
pub mod reference;

/// What a sidecar is started with.
#[derive(Debug, Clone)]
pub struct Pod {
    /// The `Dataplane` resource's name.
    pub name: String,
    /// Kuma resources of the whole mesh: (name for messages, YAML text).
    pub resources: Vec<(String, String)>,
    /// The mesh's CA, if mTLS is on: (certificate, key), PEM. A sidecar issues its own certificate from it, as the control plane would.
    pub authority: Option<(String, String)>,
    /// Where metrics are to be served.
    pub admin: SocketAddr,
}

/// The world a sidecar lives in.
pub struct Seams<N> {
    /// Its network.
    pub network: N,
    /// Its tasks.
    pub spawn: Arc<dyn Spawn>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// Keys and random numbers.
    pub entropy: Arc<dyn crate::app::tls::Entropy>,
    /// Where TLS secrets go.
    pub key_log: Arc<dyn rustls::KeyLog>,
}

/// Why a sidecar did not start, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// It failed.
    #[error("the sidecar of {pod} did not start: {reason}")]
    Failed {
        /// The pod.
        pod: String,
        /// Its words.
        reason: String,
    },
    /// Its plan wants what it does not do.
    #[error("the sidecar of {pod} says that it does not do this: {reason}")]
    Unsupported {
        /// The pod.
        pod: String,
        /// Its words.
        reason: String,
    },
}

/// Why a sidecar did not come to the end of its drain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDrained {
    /// There is no way to drain it: says nothing about it.
    #[error("{0}")]
    NoWay(String),
    /// It was begun, in vain.
    #[error("{0}")]
    Failed(String),
}

/// A dataplane: starts sidecars.
pub trait Dataplane<N: Network>: Send + Sync + 'static {
    /// A running sidecar.
    type Sidecar: Sidecar;

    /// The name of its dictionary of signals: the folder below fixtures/dataplanes.
    fn name(&self) -> &str;

    /// Starts a sidecar; returns when it listens.
    ///
    /// # Errors
    /// It does not start.
    fn start(
        &self,
        pod: Pod,
        seams: Seams<N>,
    ) -> impl Future<Output = Result<Self::Sidecar, StartError>> + Send;
}

/// A running sidecar.
pub trait Sidecar: Send + Sync + 'static {
    /// Stops accepting, and returns when connections in flight have ended.
    ///
    /// # Errors
    /// It cannot be drained, or did not come to the end.
    fn drain(&self) -> impl Future<Output = Result<(), NotDrained>> + Send;

    /// Ends what is left, now.
    fn stop(&self);

    /// Where metrics are served over HTTP: address and path.
    fn metrics(&self) -> Option<(SocketAddr, &str)>;

    /// Whether a question for metrics makes it gather what it shows at the next one.
    fn gathers_when_asked(&self) -> bool {
        false
    }

    /// Metrics as text, of one that does not serve them over HTTP; `None`: it has none.
    fn collect(&self) -> impl Future<Output = Option<Result<String, String>>> + Send {
        async { None }
    }

    /// Returns when nothing of it is left, after [`Self::stop`]; what does not end by itself is killed.
    fn ended(&self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// How it ended, if it did so by itself: untold, or told to drain and by a failure. Those that are tasks of this process have panicked then, which is
    /// seen otherwise.
    fn died(&self) -> Option<String> {
        None
    }

    /// Ends it as `kill -9` would. Those whose tasks die with their host have nothing to do.
    fn crash(&self) {}

    /// TLS secrets that it tells by itself, lines of an NSS key log: all so far, to be asked while it runs and after its end.
    ///
    /// # Errors
    /// It should tell, and does not; why, in words.
    fn key_log(&self) -> impl Future<Output = Result<Vec<String>, String>> + Send {
        async { Ok(Vec::new()) }
    }

    /// Its process, if it is one of its own.
    fn pid(&self) -> Option<u32> {
        None
    }
}
