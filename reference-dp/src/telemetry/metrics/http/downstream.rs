//! Callers' connections and requests: what Envoy calls an HTTP connection manager.

use super::super::super::exchange::{Cause, Event, Side};
use super::super::super::registry::{Counter, Gauge, Histogram, Registry};
use super::super::super::request::{RequestCause, RequestEvent, TryCause};
use super::super::answers::{AnswerNames, Answers};
use crate::plan::HttpVersion;

const ANSWERS: AnswerNames = AnswerNames {
    completed: "envoy_http_downstream_rq_completed",
    classes: "envoy_http_downstream_rq_xx",
    codes: None,
};
const LISTENER_ANSWERS: AnswerNames = AnswerNames {
    completed: "envoy_listener_http_downstream_rq_completed",
    classes: "envoy_listener_http_downstream_rq_xx",
    codes: None,
};

/// The families of a listener's callers.
pub(super) struct Downstream {
    connections: Connections,
    requests: Requests,
    rbac_allowed: Counter,
    rbac_denied: Counter,
}

impl Downstream {
    pub(super) fn new(registry: &Registry, prefix: &str, address: &str) -> Self {
        let label = ("envoy_http_conn_manager_prefix", prefix);
        let filter = format!("http.{prefix}");
        let rbac = [("listener", filter.as_str()), label];
        Self {
            connections: Connections::new(registry, label),
            requests: Requests::new(registry, label, address),
            rbac_allowed: registry.counter("envoy_rbac_allowed", &rbac),
            rbac_denied: registry.counter("envoy_rbac_denied", &rbac),
        }
    }

    pub(super) fn see(&self, event: &Event) {
        self.connections.see(event);
        // Envoy makes a request of what its parser refuses, to answer it ("- - HTTP/1.1" 400 DPE, seen 4). HTTP/2 has no
        // answer to that.
        if let Event::Malformed { status: Some(status) } = event {
            self.requests.begun(HttpVersion::V1);
            self.requests.answered(*status);
            if *status == REQUEST_TIMEOUT {
                self.requests.header_timeout.inc();
            }
            self.requests.active.dec();
        }
    }

    pub(super) fn request(&self, event: &RequestEvent) {
        match event {
            RequestEvent::Judged { allowed: true } => self.rbac_allowed.inc(),
            RequestEvent::Judged { allowed: false } => self.rbac_denied.inc(),
            _ => self.requests.see(event),
        }
    }
}

/// 408: the head did not come in time.
const REQUEST_TIMEOUT: u16 = 408;

struct Connections {
    total: Counter,
    active: Gauge,
    /// HTTP/1, then HTTP/2.
    by_version: [(Counter, Gauge); 2],
    ssl_total: Counter,
    ssl_active: Gauge,
    rx_bytes: Counter,
    tx_bytes: Counter,
    destroy: Counter,
    destroy_local: Counter,
    destroy_remote: Counter,
    length_ms: Histogram,
    protocol_error: Counter,
}

impl Connections {
    fn new(registry: &Registry, label: (&'static str, &str)) -> Self {
        let counter = |family| registry.counter(family, &[label]);
        let gauge = |family| registry.gauge(family, &[label]);
        Self {
            total: counter("envoy_http_downstream_cx_total"),
            active: gauge("envoy_http_downstream_cx_active"),
            by_version: [
                (
                    counter("envoy_http_downstream_cx_http1_total"),
                    gauge("envoy_http_downstream_cx_http1_active"),
                ),
                (
                    counter("envoy_http_downstream_cx_http2_total"),
                    gauge("envoy_http_downstream_cx_http2_active"),
                ),
            ],
            ssl_total: counter("envoy_http_downstream_cx_ssl_total"),
            ssl_active: gauge("envoy_http_downstream_cx_ssl_active"),
            rx_bytes: counter("envoy_http_downstream_cx_rx_bytes_total"),
            tx_bytes: counter("envoy_http_downstream_cx_tx_bytes_total"),
            destroy: counter("envoy_http_downstream_cx_destroy"),
            destroy_local: counter("envoy_http_downstream_cx_destroy_local"),
            destroy_remote: counter("envoy_http_downstream_cx_destroy_remote"),
            length_ms: registry.histogram("envoy_http_downstream_cx_length_ms", &[label]),
            protocol_error: counter("envoy_http_downstream_cx_protocol_error"),
        }
    }

    fn see(&self, event: &Event) {
        match event {
            Event::Begun => {
                self.total.inc();
                self.active.inc();
            }
            Event::Secured(Side::Downstream, _) => {
                self.ssl_total.inc();
                self.ssl_active.inc();
            }
            Event::Speaks(version) => {
                let (total, active) = of(&self.by_version, *version);
                total.inc();
                active.inc();
            }
            Event::Malformed { .. } => self.protocol_error.inc(),
            Event::Read(Side::Downstream, bytes) => self.rx_bytes.add(*bytes),
            Event::Wrote(Side::Downstream, bytes) => self.tx_bytes.add(*bytes),
            Event::Ended { cause, took, http, secured, .. } => {
                self.active.dec();
                self.length_ms.observe(*took);
                if let Some(version) = http {
                    of(&self.by_version, *version).1.dec();
                }
                if *secured {
                    self.ssl_active.dec();
                }
                self.ended(*cause);
            }
            _ => {}
        }
    }

    fn ended(&self, cause: Cause) {
        self.destroy.inc();
        match cause {
            Cause::Finished { first: Side::Downstream } | Cause::Reset { by: Side::Downstream } => {
                self.destroy_remote.inc();
            }
            _ => self.destroy_local.inc(),
        }
    }
}

const fn of<T>(by_version: &[T; 2], version: HttpVersion) -> &T {
    let [first, second] = by_version;
    match version {
        HttpVersion::V1 => first,
        HttpVersion::V2 => second,
    }
}

struct Requests {
    total: Counter,
    active: Gauge,
    /// HTTP/1, then HTTP/2.
    by_version: [Counter; 2],
    routed: Counter,
    answers: Answers,
    listener_answers: Answers,
    time: Histogram,
    rx_reset: Counter,
    tx_reset: Counter,
    reset_in_answer: Counter,
    header_timeout: Counter,
    idle_timeout: Counter,
}

impl Requests {
    fn new(registry: &Registry, label: (&'static str, &str), address: &str) -> Self {
        let counter = |family| registry.counter(family, &[label]);
        let listener = [label, ("envoy_listener_address", address)];
        Self {
            total: counter("envoy_http_downstream_rq_total"),
            active: registry.gauge("envoy_http_downstream_rq_active", &[label]),
            by_version: [
                counter("envoy_http_downstream_rq_http1_total"),
                counter("envoy_http_downstream_rq_http2_total"),
            ],
            routed: counter("envoy_http_rq_total"),
            answers: Answers::new(registry, &ANSWERS, &[label]),
            listener_answers: Answers::new(registry, &LISTENER_ANSWERS, &listener),
            time: registry.histogram("envoy_http_downstream_rq_time", &[label]),
            rx_reset: counter("envoy_http_downstream_rq_rx_reset"),
            tx_reset: counter("envoy_http_downstream_rq_tx_reset"),
            reset_in_answer: counter("envoy_http_rq_reset_after_downstream_response_started"),
            header_timeout: counter("envoy_http_downstream_rq_header_timeout"),
            idle_timeout: counter("envoy_http_downstream_rq_idle_timeout"),
        }
    }

    fn see(&self, event: &RequestEvent) {
        match event {
            RequestEvent::Begun { version } => self.begun(*version),
            RequestEvent::Routed => self.routed.inc(),
            RequestEvent::TryEnded { cause: TryCause::Idle, .. } => self.idle_timeout.inc(),
            RequestEvent::Ended { status, cause, took, .. } => {
                self.active.dec();
                if let Some(status) = status {
                    self.answered(*status);
                }
                match cause {
                    RequestCause::Answered => self.time.observe(*took),
                    // A caller that closes its connection resets what is on it, in Envoy's count.
                    RequestCause::CallerGone => self.rx_reset.inc(),
                    RequestCause::Stopped => self.tx_reset.inc(),
                    RequestCause::UpstreamBroke | RequestCause::TimedOut | RequestCause::Idle => {
                        self.tx_reset.inc();
                        self.reset_in_answer.inc();
                    }
                }
            }
            _ => {}
        }
    }

    fn begun(&self, version: HttpVersion) {
        self.total.inc();
        self.active.inc();
        of(&self.by_version, version).inc();
    }

    fn answered(&self, status: u16) {
        self.answers.count(status);
        self.listener_answers.count(status);
    }
}
