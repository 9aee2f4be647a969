//! The fold of connections' events into Prometheus families, with Envoy's names and labels as Kuma shows them.

use std::net::SocketAddr;

use super::exchange::{Cause, Event, Observer, Side};
use super::registry::{Counter, Gauge, Histogram, Registry};
use super::session::{TlsFault, TlsSession};

/// The names under which a listener and its cluster appear.
#[derive(Debug, Clone)]
pub(crate) struct Names<'a> {
    pub(crate) listen: SocketAddr,
    pub(crate) stat_prefix: &'a str,
    pub(crate) cluster: &'a str,
}

/// The metrics of the connections of one listener.
pub(crate) struct ListenerMetrics {
    listener: Listener,
    tcp: Tcp,
    cluster: Cluster,
    rbac_allowed: Counter,
    rbac_denied: Counter,
}

impl ListenerMetrics {
    pub(crate) fn new(registry: &Registry, names: &Names<'_>) -> Self {
        let address = format!("{}_{}", names.listen.ip(), names.listen.port());
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
        let endpoints = i64::try_from(endpoints).unwrap_or(i64::MAX);
        self.cluster.membership_total.set(endpoints);
        self.cluster.membership_healthy.set(endpoints);
        if endpoints > 0 {
            self.cluster.membership_change.inc();
        }
        if let Some(expires) = downstream_expires {
            self.listener.tls.expires.set(expires);
        }
        if let Some(expires) = upstream_expires {
            self.cluster.tls.expires.set(expires);
        }
    }

    fn ended(&self, cause: Cause, took: std::time::Duration, upstream: Option<std::time::Duration>) {
        self.listener.cx_active.dec();
        self.listener.cx_destroy.inc();
        self.listener.cx_length_ms.observe(took);
        if cause == Cause::Idle {
            self.tcp.idle_timeout.inc();
        }
        if let Some(took) = upstream {
            self.cluster.disconnected(cause, took);
        }
    }
}

impl Observer for ListenerMetrics {
    fn see(&self, event: &Event) {
        match event {
            Event::Read(Side::Downstream, bytes) => self.tcp.rx_bytes.add(*bytes),
            Event::Wrote(Side::Downstream, bytes) => self.tcp.tx_bytes.add(*bytes),
            Event::Read(Side::Upstream, bytes) => self.cluster.rx_bytes.add(*bytes),
            Event::Wrote(Side::Upstream, bytes) => self.cluster.tx_bytes.add(*bytes),
            Event::Begun => {
                self.listener.cx_total.inc();
                self.listener.cx_active.inc();
                self.tcp.cx_total.inc();
            }
            Event::Overflowed => self.listener.cx_overflow.inc(),
            Event::Secured(Side::Downstream, session) => self.listener.tls.secured(session),
            Event::Secured(Side::Upstream, session) => self.cluster.tls.secured(session),
            Event::NotSecured(Side::Downstream, fault) => self.listener.tls.failed(*fault),
            Event::NotSecured(Side::Upstream, fault) => self.cluster.tls.failed(*fault),
            Event::HandshakeTimedOut => self.listener.cx_handshake_timeout.inc(),
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
            Event::DialFailed { timed_out } => {
                self.cluster.connect_fail.inc();
                if *timed_out {
                    self.cluster.connect_timeout.inc();
                }
            }
            Event::GivenUp => self.cluster.attempts_exceeded.inc(),
            Event::Speaks(_) | Event::Malformed { .. } => {}
            Event::Ended { cause, took, upstream, .. } => self.ended(*cause, *took, *upstream),
        }
    }
}

struct Listener {
    cx_total: Counter,
    cx_active: Gauge,
    cx_destroy: Counter,
    cx_length_ms: Histogram,
    cx_overflow: Counter,
    cx_handshake_timeout: Counter,
    tls: Tls,
}

impl Listener {
    fn new(registry: &Registry, address: &str) -> Self {
        let label = ("envoy_listener_address", address);
        let counter = |family| registry.counter(family, &[label]);
        Self {
            cx_total: counter("envoy_listener_downstream_cx_total"),
            cx_active: registry.gauge("envoy_listener_downstream_cx_active", &[label]),
            cx_destroy: counter("envoy_listener_downstream_cx_destroy"),
            cx_length_ms: registry.histogram("envoy_listener_downstream_cx_length_ms", &[label]),
            cx_overflow: counter("envoy_listener_downstream_cx_overflow"),
            cx_handshake_timeout: counter("envoy_listener_downstream_cx_transport_socket_connect_timeout"),
            tls: Tls::new(registry, &LISTENER_TLS, label),
        }
    }
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

struct Cluster {
    cx_total: Counter,
    cx_active: Gauge,
    connect_fail: Counter,
    connect_timeout: Counter,
    attempts_exceeded: Counter,
    none_healthy: Counter,
    connect_ms: Histogram,
    length_ms: Histogram,
    rx_bytes: Counter,
    tx_bytes: Counter,
    destroy: [Counter; 2],
    destroy_local: [Counter; 2],
    destroy_remote: [Counter; 2],
    rq_total: Counter,
    rq_pending_total: Counter,
    membership_total: Gauge,
    membership_healthy: Gauge,
    membership_change: Counter,
    tls: Tls,
}

impl Cluster {
    fn new(registry: &Registry, name: &str) -> Self {
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
            // A tcp connection is one "active request" from its beginning to its end, so Envoy counts both of a pair.
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

    fn disconnected(&self, cause: Cause, took: std::time::Duration) {
        self.cx_active.dec();
        self.length_ms.observe(took);
        // Whoever ends last closes the connection for good: a client that finishes first leaves that to the upstream.
        let remote = matches!(
            cause,
            Cause::Finished { first: Side::Downstream } | Cause::Reset { by: Side::Upstream }
        );
        let by = if remote { &self.destroy_remote } else { &self.destroy_local };
        self.destroy.iter().chain(by).for_each(Counter::inc);
    }
}

/// The names of TLS families, which differ in more than the prefix (seen 2).
struct TlsNames {
    handshake: &'static str,
    reused: &'static str,
    versions: &'static str,
    ciphers: (&'static str, &'static str),
    curves: &'static str,
    connection_error: &'static str,
    no_cert: &'static str,
    bad_san: &'static str,
    bad_cert: &'static str,
    expires: &'static str,
}

const LISTENER_TLS: TlsNames = TlsNames {
    handshake: "envoy_listener_ssl_handshake",
    reused: "envoy_listener_ssl_session_reused",
    versions: "envoy_listener_ssl_versions",
    ciphers: ("envoy_listener_ssl_ciphers", "envoy_ssl_cipher"),
    curves: "envoy_listener_ssl_curves",
    connection_error: "envoy_listener_ssl_connection_error",
    no_cert: "envoy_listener_ssl_fail_verify_no_cert",
    bad_san: "envoy_listener_ssl_fail_verify_san",
    bad_cert: "envoy_listener_ssl_fail_verify_error",
    expires: "envoy_listener_ssl_certificate_expiration_unix_time_seconds",
};

const CLUSTER_TLS: TlsNames = TlsNames {
    handshake: "envoy_cluster_ssl_handshake",
    reused: "envoy_cluster_ssl_session_reused",
    versions: "envoy_cluster_ssl_versions",
    ciphers: ("envoy_cluster_ssl_ciphers", "cipher_suite"),
    curves: "envoy_cluster_ssl_curves",
    connection_error: "envoy_cluster_ssl_connection_error",
    no_cert: "envoy_cluster_ssl_fail_verify_no_cert",
    bad_san: "envoy_cluster_ssl_fail_verify_san",
    bad_cert: "envoy_cluster_ssl_fail_verify_error",
    expires: "envoy_cluster_ssl_certificate_expiration_unix_time_seconds",
};

struct Tls {
    registry: Registry,
    names: &'static TlsNames,
    label: (&'static str, String),
    handshake: Counter,
    reused: Counter,
    connection_error: Counter,
    no_cert: Counter,
    bad_san: Counter,
    bad_cert: Counter,
    expires: Gauge,
}

impl Tls {
    fn new(registry: &Registry, names: &'static TlsNames, label: (&'static str, &str)) -> Self {
        let counter = |family| registry.counter(family, &[label]);
        Self {
            registry: registry.clone(),
            names,
            label: (label.0, label.1.to_owned()),
            handshake: counter(names.handshake),
            reused: counter(names.reused),
            connection_error: counter(names.connection_error),
            no_cert: counter(names.no_cert),
            bad_san: counter(names.bad_san),
            bad_cert: counter(names.bad_cert),
            expires: registry.gauge(names.expires, &[label, ("envoy_tls_certificate", "identity")]),
        }
    }

    fn secured(&self, session: &TlsSession) {
        self.handshake.inc();
        if session.resumed {
            self.reused.inc();
        }
        // Once a handshake, a look-up by name costs nothing that shows.
        let label = (self.label.0, self.label.1.as_str());
        let count = |family, key, value: &str| self.registry.counter(family, &[label, (key, value)]).inc();
        count(self.names.versions, "envoy_ssl_version", session.version);
        count(self.names.ciphers.0, self.names.ciphers.1, &session.cipher);
        if let Some(curve) = session.curve {
            count(self.names.curves, "envoy_ssl_curve", curve);
        }
    }

    fn failed(&self, fault: TlsFault) {
        match fault {
            TlsFault::NoCertificate => self.no_cert.inc(),
            TlsFault::WrongName => self.bad_san.inc(),
            TlsFault::Untrusted => self.bad_cert.inc(),
            TlsFault::Protocol => self.connection_error.inc(),
            TlsFault::Transport => {}
        }
    }
}
