//! Opaque connections.

use super::super::exchange::{Cause, Event, Observer, Side};
use super::super::registry::{Counter, Registry};
use super::Names;
use super::cluster::Cluster;
use super::listener::Listener;

/// The metrics of the connections of one listener that carries opaque bytes.
pub(crate) struct ListenerMetrics {
    listener: Listener,
    tcp: Tcp,
    cluster: Cluster,
    rbac_allowed: Counter,
    rbac_denied: Counter,
}

impl ListenerMetrics {
    pub(crate) fn new(registry: &Registry, names: &Names<'_>) -> Self {
        let address = names.address();
        let rbac = format!("inbound_{address}").replace(['.', ':'], "_");
        let rbac_labels = [("envoy_rbac_prefix", rbac.as_str()), ("listener", rbac.as_str())];
        Self {
            listener: Listener::new(registry, &address),
            tcp: Tcp::new(registry, names.stat_prefix),
            cluster: Cluster::new(registry, names.cluster),
            rbac_allowed: registry.counter("envoy_rbac_allowed", &rbac_labels),
            rbac_denied: registry.counter("envoy_rbac_denied", &rbac_labels),
        }
    }

    /// What is known before any connection: the cluster's endpoints, and when certificates end.
    pub(crate) fn configured(
        &self,
        endpoints: usize,
        downstream_expires: Option<i64>,
        upstream_expires: Option<i64>,
    ) {
        self.cluster.configured(endpoints, upstream_expires);
        if let Some(expires) = downstream_expires {
            self.listener.tls.expires.set(expires);
        }
    }
}

impl Observer for ListenerMetrics {
    fn see(&self, event: &Event) {
        self.listener.see(event);
        match event {
            Event::Read(Side::Downstream, bytes) => self.tcp.rx_bytes.add(*bytes),
            Event::Wrote(Side::Downstream, bytes) => self.tcp.tx_bytes.add(*bytes),
            Event::Read(Side::Upstream, bytes) => self.cluster.rx_bytes.add(*bytes),
            Event::Wrote(Side::Upstream, bytes) => self.cluster.tx_bytes.add(*bytes),
            Event::Begun => self.tcp.cx_total.inc(),
            Event::Secured(Side::Upstream, session) => self.cluster.tls.secured(session),
            Event::NotSecured(Side::Upstream, fault) => self.cluster.tls.failed(*fault),
            Event::Judged { allowed: true } => self.rbac_allowed.inc(),
            Event::Judged { allowed: false } => self.rbac_denied.inc(),
            Event::NoEndpoint => self.cluster.none_healthy.inc(),
            Event::Dialled => {
                self.cluster.cx_total.inc();
                self.cluster.rq_pending_total.inc();
            }
            Event::Connected { took } => {
                self.cluster.cx_active.inc();
                self.cluster.rq_total.inc();
                self.cluster.connect_ms.observe(*took);
            }
            Event::DialFailed { timed_out } => self.cluster.dial_failed(*timed_out),
            Event::GivenUp => self.cluster.attempts_exceeded.inc(),
            Event::Ended { cause, upstream, .. } => {
                if *cause == Cause::Idle {
                    self.tcp.idle_timeout.inc();
                }
                if let Some(took) = upstream {
                    // A tcp connection is one "active request" from its beginning to its end.
                    self.cluster.disconnected(is_remote(*cause), true, *took);
                }
            }
            Event::Overflowed
            | Event::Secured(Side::Downstream, _)
            | Event::NotSecured(Side::Downstream, _)
            | Event::HandshakeTimedOut
            | Event::Speaks(_)
            | Event::Malformed { .. } => {}
        }
    }
}

/// Whoever ends last closes the connection for good: a client that finishes first leaves that to the upstream.
fn is_remote(cause: Cause) -> bool {
    matches!(cause, Cause::Finished { first: Side::Downstream } | Cause::Reset { by: Side::Upstream })
}

struct Tcp {
    cx_total: Counter,
    rx_bytes: Counter,
    tx_bytes: Counter,
    idle_timeout: Counter,
}

impl Tcp {
    fn new(registry: &Registry, prefix: &str) -> Self {
        let counter = |family| registry.counter(family, &[("envoy_tcp_prefix", prefix)]);
        Self {
            cx_total: counter("envoy_tcp_downstream_cx_total"),
            rx_bytes: counter("envoy_tcp_downstream_cx_rx_bytes_total"),
            tx_bytes: counter("envoy_tcp_downstream_cx_tx_bytes_total"),
            idle_timeout: counter("envoy_tcp_idle_timeout"),
        }
    }
}
