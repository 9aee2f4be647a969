//! Mesh TLS of one side: sessions that came to be, and those that did not.

use super::super::registry::{Counter, Gauge, Registry};
use super::super::session::{TlsFault, TlsSession};

/// The names of TLS families, which differ in more than the prefix (seen 2).
pub(super) struct TlsNames {
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

pub(super) const LISTENER_TLS: TlsNames = TlsNames {
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

pub(super) const CLUSTER_TLS: TlsNames = TlsNames {
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

pub(super) struct Tls {
    registry: Registry,
    names: &'static TlsNames,
    label: (&'static str, String),
    handshake: Counter,
    reused: Counter,
    connection_error: Counter,
    no_cert: Counter,
    bad_san: Counter,
    bad_cert: Counter,
    pub(super) expires: Gauge,
}

impl Tls {
    pub(super) fn new(registry: &Registry, names: &'static TlsNames, label: (&'static str, &str)) -> Self {
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

    pub(super) fn secured(&self, session: &TlsSession) {
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

    pub(super) fn failed(&self, fault: TlsFault) {
        match fault {
            TlsFault::NoCertificate => self.no_cert.inc(),
            TlsFault::WrongName => self.bad_san.inc(),
            TlsFault::Untrusted => self.bad_cert.inc(),
            TlsFault::Protocol => self.connection_error.inc(),
            TlsFault::Transport => {}
        }
    }
}
