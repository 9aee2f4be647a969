//! Listeners, made from a plan.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::downstream::{Gate, Strict};
use super::listener::{Carry, Opaque, Route};
use super::upstream::Upstream;
use super::{Error, Seams, bind};
use crate::lifecycle::Lifecycle;
use crate::net::Network;
use crate::plan::{Cluster, DownstreamTls, HttpPolicy, HttpUpstream, Inbound, Outbound, Plan};
use crate::protocol::http::hop::{Direction, Hop};
use crate::protocol::http::pool::Pool;
use crate::telemetry::exchange::Observer;
use crate::telemetry::metrics::{HttpMetrics, ListenerMetrics, Names};
use crate::telemetry::registry::Registry;
use crate::tls;

/// A listener that is bound, and what it does with connections.
pub(super) type Bound<N> = (<N as Network>::Listener, Arc<Route<N>>);

/// What listeners are made from.
pub(super) struct Starter<'a, N: Network> {
    pub(super) seams: &'a Seams<N>,
    pub(super) identity: Option<Arc<tls::Identity>>,
    pub(super) registry: &'a Registry,
    pub(super) lifecycle: &'a Arc<Lifecycle>,
}

/// What inbounds and outbounds have in common.
struct Listening {
    listen: SocketAddr,
    stat_prefix: String,
    /// For people: `inbound of backend`.
    what: String,
    gate: Gate,
    idle_timeout: Option<Duration>,
    http: Option<(Direction, HttpPolicy)>,
    cluster: Cluster,
}

impl<N: Network> Starter<'_, N> {
    /// Binds all listeners of the plan, in order.
    pub(super) async fn routes(&self, plan: Plan) -> Result<Vec<Bound<N>>, Error> {
        let mut routes = Vec::new();
        for inbound in plan.inbounds {
            routes.push(self.route(self.inbound(inbound)?).await?);
        }
        for outbound in plan.outbounds {
            routes.push(self.route(outbound_of(outbound)).await?);
        }
        Ok(routes)
    }

    fn inbound(&self, inbound: Inbound) -> Result<Listening, Error> {
        let own = || self.identity.as_ref().map_or_else(Vec::new, |identity| identity.uris());
        Ok(Listening {
            listen: inbound.listen,
            stat_prefix: inbound.stat_prefix,
            what: format!("inbound of {}", inbound.service),
            gate: self.gate(inbound.tls, inbound.idle_timeout)?,
            idle_timeout: inbound.idle_timeout,
            http: inbound.http.map(|policy| (Direction::Inbound { own: own() }, policy)),
            cluster: inbound.cluster,
        })
    }

    fn gate(&self, tls: DownstreamTls, handshake_timeout: Option<Duration>) -> Result<Gate, Error> {
        match (tls, &self.identity) {
            (DownstreamTls::Strict { san_prefix, permissions }, Some(identity)) => {
                let config = tls::server(identity, &san_prefix)?;
                let identity = identity.clone();
                Ok(Gate::Strict(Box::new(Strict { config, identity, permissions, handshake_timeout })))
            }
            // A plan with STRICT inbounds has an identity; one that was put together by hand may lack it.
            (DownstreamTls::Strict { san_prefix, .. }, None) => {
                Err(Error::MissingAuthority { mesh: san_prefix })
            }
            (DownstreamTls::Disabled, _) => Ok(Gate::Open),
        }
    }

    async fn route(&self, listening: Listening) -> Result<Bound<N>, Error> {
        let Listening { listen, stat_prefix, what, gate, idle_timeout, http, cluster } = listening;
        let names = Names { listen, stat_prefix: &stat_prefix, cluster: &cluster.name };
        let expires = self.identity.as_ref().and_then(|identity| identity.expires());
        let downstream_expires = expires.filter(|_| matches!(gate, Gate::Strict(_)));
        let upstream_expires = expires.filter(|_| cluster.tls.is_some());
        let listener = bind(&self.seams.network, listen, || what.clone()).await?;
        tracing::info!(%listen, cluster = cluster.name, "{what}");
        let (endpoints, cluster_http) = (cluster.endpoints.len(), cluster.http.clone());
        let (carry, observer): (_, Arc<dyn Observer>) = match http.zip(cluster_http) {
            Some(((direction, policy), http)) => {
                let metrics = Arc::new(HttpMetrics::new(self.registry, &names));
                metrics.configured(endpoints, downstream_expires, upstream_expires);
                let upstream = self.upstream(cluster)?;
                let hop = self.hop(direction, policy, http, upstream, metrics.clone());
                (Carry::Requests(Arc::new(hop)), metrics)
            }
            None => {
                let metrics = Arc::new(ListenerMetrics::new(self.registry, &names));
                metrics.configured(endpoints, downstream_expires, upstream_expires);
                let opaque = Opaque { upstream: self.upstream(cluster)?, idle_timeout };
                (Carry::Bytes(Box::new(opaque)), metrics)
            }
        };
        let (lifecycle, open) = (self.lifecycle.clone(), AtomicUsize::new(0));
        Ok((listener, Arc::new(Route { gate, carry, observer, lifecycle, open })))
    }

    fn upstream(&self, cluster: Cluster) -> Result<Upstream<N>, Error> {
        Ok(Upstream::new(self.seams.network.clone(), cluster, self.identity.as_deref())?)
    }

    fn hop(
        &self,
        direction: Direction,
        policy: HttpPolicy,
        http: HttpUpstream,
        upstream: Upstream<N>,
        metrics: Arc<HttpMetrics>,
    ) -> Hop {
        let (spawn, lifecycle) = (self.seams.spawn.clone(), self.lifecycle.clone());
        let version = http.version;
        let pool = Pool::new(Arc::new(upstream), http, metrics.clone(), spawn.clone(), lifecycle.clone());
        Hop {
            direction,
            policy,
            upstream: version,
            pool,
            observer: metrics,
            clock: self.seams.clock.clone(),
            random: self.seams.entropy.provider().secure_random,
            spawn,
            lifecycle,
        }
    }
}

fn outbound_of(outbound: Outbound) -> Listening {
    Listening {
        listen: outbound.listen,
        stat_prefix: outbound.stat_prefix,
        what: format!("outbound to {}", outbound.service),
        gate: Gate::Open,
        idle_timeout: outbound.idle_timeout,
        http: outbound.http.map(|policy| (Direction::Outbound, policy)),
        cluster: outbound.cluster,
    }
}
