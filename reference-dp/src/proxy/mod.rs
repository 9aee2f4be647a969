//! A running sidecar: listeners, connections, drain, and its admin endpoint.

mod admin;
mod downstream;
mod listener;
mod starter;
mod upstream;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::clock::Clock;
use crate::lifecycle::{Lifecycle, Phase};
use crate::net::{Listener as _, Network};
use crate::plan::Plan;
use crate::spawn::Spawn;
use crate::telemetry::registry::Registry;
use crate::tls::{self, Authority, Entropy};
pub use listener::MAX_CONNECTIONS;
use starter::Starter;

/// The world a sidecar runs in.
pub struct Seams<N: Network> {
    /// Where it listens and connects.
    pub network: N,
    /// What its tasks belong to.
    pub spawn: Arc<dyn Spawn>,
    /// Wall time, for certificates and dates.
    pub clock: Arc<dyn Clock>,
    /// Keys and random numbers, of mesh TLS and others.
    pub entropy: Arc<dyn Entropy>,
    /// Where secrets of mesh TLS sessions go; `None`: nowhere.
    pub key_log: Option<Arc<dyn rustls::KeyLog>>,
}

/// Why a sidecar does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The mesh has mTLS, and no authority was given.
    #[error("mesh `{mesh}` has mTLS: the certificate and key of its CA are missing")]
    MissingAuthority {
        /// The mesh.
        mesh: String,
    },
    /// Mesh TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// A listener could not be bound.
    #[error("listening at {addr} ({what}): {source}")]
    Bind {
        /// Where.
        addr: SocketAddr,
        /// For what.
        what: String,
        /// Why not.
        source: io::Error,
    },
}

/// A running sidecar. Dropping it is [`Sidecar::stop`].
#[derive(Debug)]
pub struct Sidecar {
    lifecycle: Arc<Lifecycle>,
    admin: Option<SocketAddr>,
}

impl Sidecar {
    /// Starts the sidecar of `plan` and returns when all its listeners are bound. `admin` is where metrics and
    /// readiness are served; port 0 lets the network choose.
    ///
    /// # Errors
    /// A listener's address is taken, or mesh TLS lacks something. Nothing is left running then.
    pub fn start<N: Network>(
        plan: Plan,
        authority: Option<Authority>,
        admin: Option<SocketAddr>,
        seams: Seams<N>,
    ) -> impl Future<Output = Result<Self, Error>> + Send {
        // Written out rather than `async fn`, so that `Send` is promised here and not found out elsewhere.
        start(plan, authority, admin, seams)
    }

    /// Closes the listeners and waits until every connection in flight has ended, without a limit of its own. The admin
    /// endpoint answers until [`Self::stop`]. May be called again.
    pub async fn drain(&self) {
        self.lifecycle.advance(Phase::Draining);
        self.lifecycle.idle().await;
    }

    /// Ends everything now: connections in flight are reset. May be called again.
    pub fn stop(&self) {
        self.lifecycle.advance(Phase::Stopped);
    }

    /// Where the admin endpoint listens, with the port that was chosen.
    #[must_use]
    pub const fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn start<N: Network>(
    plan: Plan,
    authority: Option<Authority>,
    admin: Option<SocketAddr>,
    seams: Seams<N>,
) -> Result<Sidecar, Error> {
    let identity = identity(&plan, authority.as_ref(), &seams)?;
    let registry = Registry::default();
    let lifecycle = Arc::new(Lifecycle::default());
    let starter = Starter { seams: &seams, identity, registry: &registry, lifecycle: &lifecycle };
    // Bound first and spawned last: an error half-way leaves nothing behind.
    let admin_listener = match admin {
        Some(addr) => Some(bind(&seams.network, addr, || "admin".to_owned()).await?),
        None => None,
    };
    let admin = admin_listener.as_ref().and_then(|listener| listener.local_addr().ok());
    for (listener, route) in starter.routes(plan).await? {
        seams.spawn.spawn(Box::pin(listener::accept(listener, lifecycle.live(), route, seams.spawn.clone())));
    }
    if let Some(listener) = admin_listener {
        let serving = admin::serve::<N>(listener, registry.clone(), lifecycle.clone(), seams.spawn.clone());
        seams.spawn.spawn(Box::pin(serving));
    }
    Ok(Sidecar { lifecycle, admin })
}

fn identity<N: Network>(
    plan: &Plan,
    authority: Option<&Authority>,
    seams: &Seams<N>,
) -> Result<Option<Arc<tls::Identity>>, Error> {
    let Some(uris) = &plan.identity else { return Ok(None) };
    let authority = authority.ok_or_else(|| Error::MissingAuthority { mesh: plan.mesh.clone() })?;
    let (clock, key_log) = (seams.clock.clone(), seams.key_log.clone());
    Ok(Some(Arc::new(tls::Identity::issue(authority, uris, &*seams.entropy, clock, key_log)?)))
}

async fn bind<N: Network>(
    network: &N,
    addr: SocketAddr,
    what: impl FnOnce() -> String,
) -> Result<N::Listener, Error> {
    network.bind(addr).await.map_err(|source| Error::Bind { addr, what: what(), source })
}
