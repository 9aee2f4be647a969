//! Connections to the endpoints of a cluster, whatever they carry.

use std::time::Duration;

use super::super::registry::{Counter, Gauge, Histogram, Registry};
use super::tls::{CLUSTER_TLS, Tls};

/// The families of a cluster. Those of two are for connections at rest, and for connections in use among them.
pub(super) struct Cluster {
    pub(super) cx_total: Counter,
    pub(super) cx_active: Gauge,
    connect_fail: Counter,
    connect_timeout: Counter,
    pub(super) attempts_exceeded: Counter,
    pub(super) none_healthy: Counter,
    pub(super) connect_ms: Histogram,
    length_ms: Histogram,
    pub(super) rx_bytes: Counter,
    pub(super) tx_bytes: Counter,
    destroy: [Counter; 2],
    destroy_local: [Counter; 2],
    destroy_remote: [Counter; 2],
    pub(super) rq_total: Counter,
    pub(super) rq_pending_total: Counter,
    membership_total: Gauge,
    membership_healthy: Gauge,
    membership_change: Counter,
    pub(super) tls: Tls,
}

impl Cluster {
    pub(super) fn new(registry: &Registry, name: &str) -> Self {
        let label = ("envoy_cluster_name", name);
        let counter = |family| registry.counter(family, &[label]);
        let gauge = |family| registry.gauge(family, &[label]);
        let histogram = |family| registry.histogram(family, &[label]);
        Self {
            cx_total: counter("envoy_cluster_upstream_cx_total"),
            cx_active: gauge("envoy_cluster_upstream_cx_active"),
            connect_fail: counter("envoy_cluster_upstream_cx_connect_fail"),
            connect_timeout: counter("envoy_cluster_upstream_cx_connect_timeout"),
            attempts_exceeded: counter("envoy_cluster_upstream_cx_connect_attempts_exceeded"),
            none_healthy: counter("envoy_cluster_upstream_cx_none_healthy"),
            connect_ms: histogram("envoy_cluster_upstream_cx_connect_ms"),
            length_ms: histogram("envoy_cluster_upstream_cx_length_ms"),
            rx_bytes: counter("envoy_cluster_upstream_cx_rx_bytes_total"),
            tx_bytes: counter("envoy_cluster_upstream_cx_tx_bytes_total"),
            destroy: [
                counter("envoy_cluster_upstream_cx_destroy"),
                counter("envoy_cluster_upstream_cx_destroy_with_active_rq"),
            ],
            destroy_local: [
                counter("envoy_cluster_upstream_cx_destroy_local"),
                counter("envoy_cluster_upstream_cx_destroy_local_with_active_rq"),
            ],
            destroy_remote: [
                counter("envoy_cluster_upstream_cx_destroy_remote"),
                counter("envoy_cluster_upstream_cx_destroy_remote_with_active_rq"),
            ],
            rq_total: counter("envoy_cluster_upstream_rq_total"),
            rq_pending_total: counter("envoy_cluster_upstream_rq_pending_total"),
            membership_total: gauge("envoy_cluster_membership_total"),
            membership_healthy: gauge("envoy_cluster_membership_healthy"),
            membership_change: counter("envoy_cluster_membership_change"),
            tls: Tls::new(registry, &CLUSTER_TLS, label),
        }
    }

    /// What is known before any connection: its endpoints, and when the certificate shown to them ends.
    pub(super) fn configured(&self, endpoints: usize, expires: Option<i64>) {
        let endpoints = i64::try_from(endpoints).unwrap_or(i64::MAX);
        self.membership_total.set(endpoints);
        self.membership_healthy.set(endpoints);
        if endpoints > 0 {
            self.membership_change.inc();
        }
        if let Some(expires) = expires {
            self.tls.expires.set(expires);
        }
    }

    /// An attempt to connect failed.
    pub(super) fn dial_failed(&self, timed_out: bool) {
        self.connect_fail.inc();
        if timed_out {
            self.connect_timeout.inc();
        }
    }

    /// A connection is over that the endpoint closed, or the sidecar, while it was in use, or not.
    pub(super) fn disconnected(&self, remote: bool, busy: bool, took: Duration) {
        self.cx_active.dec();
        self.length_ms.observe(took);
        let by = if remote { &self.destroy_remote } else { &self.destroy_local };
        for [any, with_active_rq] in [&self.destroy, by] {
            any.inc();
            if busy {
                with_active_rq.inc();
            }
        }
    }
}
