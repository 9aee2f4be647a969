//! Connections of a listener, whatever they carry.

use super::super::exchange::{Event, Side};
use super::super::registry::{Counter, Gauge, Histogram, Registry};
use super::tls::{LISTENER_TLS, Tls};

/// The families of a listener.
pub(super) struct Listener {
    cx_total: Counter,
    cx_active: Gauge,
    cx_destroy: Counter,
    cx_length_ms: Histogram,
    cx_overflow: Counter,
    cx_handshake_timeout: Counter,
    pub(super) tls: Tls,
}

impl Listener {
    pub(super) fn new(registry: &Registry, address: &str) -> Self {
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

    pub(super) fn see(&self, event: &Event) {
        match event {
            Event::Begun => {
                self.cx_total.inc();
                self.cx_active.inc();
            }
            Event::Overflowed => self.cx_overflow.inc(),
            Event::Secured(Side::Downstream, session) => self.tls.secured(session),
            Event::NotSecured(Side::Downstream, fault) => self.tls.failed(*fault),
            Event::HandshakeTimedOut => self.cx_handshake_timeout.inc(),
            Event::Ended { took, .. } => {
                self.cx_active.dec();
                self.cx_destroy.inc();
                self.cx_length_ms.observe(*took);
            }
            _ => {}
        }
    }
}
