//! Tries of requests, answers, and the connections that carry them to a cluster's endpoints.
//!
//! A try counts in `upstream_rq_total` when a connection takes it. Answers count once for a request, the last one, be it the
//! sidecar's own because no endpoint gave one; those thrown away for another try count apart, in `retry_upstream_rq` (Envoy's
//! `router.cc`: `chargeUpstreamCode`, `chargeBasicResponseStat` under `retry`). What the listener answers without asking
//! anyone, such as 403, is not among them.

use std::time::Duration;

use super::super::super::registry::{Counter, Gauge, Histogram, Registry};
use super::super::super::request::{
    Answerer, RequestCause, RequestEvent, TryCause, UpstreamCause, UpstreamEvent,
};
use super::super::answers::{AnswerNames, Answers};
use super::super::cluster::Cluster;
use crate::plan::HttpVersion;

const ANSWERS: AnswerNames = AnswerNames {
    completed: "envoy_cluster_upstream_rq_completed",
    classes: "envoy_cluster_upstream_rq_xx",
    codes: Some("envoy_cluster_upstream_rq"),
};
/// The same again: to Envoy no request in a sidecar is internal (seen 2).
const EXTERNAL_ANSWERS: AnswerNames = AnswerNames {
    completed: "envoy_cluster_external_upstream_rq_completed",
    classes: "envoy_cluster_external_upstream_rq_xx",
    codes: Some("envoy_cluster_external_upstream_rq"),
};
const RETRY_ANSWERS: AnswerNames = AnswerNames {
    completed: "envoy_cluster_retry_upstream_rq_completed",
    classes: "envoy_cluster_retry_upstream_rq_xx",
    codes: Some("envoy_cluster_retry_upstream_rq"),
};

/// The families of a cluster that requests are sent to.
pub(super) struct Upstream {
    pub(super) cluster: Cluster,
    http1_total: Counter,
    http2_total: Counter,
    cx_idle_timeout: Counter,
    cx_protocol_error: Counter,
    tries: Tries,
    retries: Retries,
    answers: [Answers; 2],
    discarded: Answers,
    times: [Histogram; 2],
}

impl Upstream {
    pub(super) fn new(registry: &Registry, name: &str) -> Self {
        let label = ("envoy_cluster_name", name);
        let counter = |family| registry.counter(family, &[label]);
        let histogram = |family| registry.histogram(family, &[label]);
        Self {
            cluster: Cluster::new(registry, name),
            http1_total: counter("envoy_cluster_upstream_cx_http1_total"),
            http2_total: counter("envoy_cluster_upstream_cx_http2_total"),
            cx_idle_timeout: counter("envoy_cluster_upstream_cx_idle_timeout"),
            cx_protocol_error: counter("envoy_cluster_upstream_cx_protocol_error"),
            tries: Tries::new(registry, label),
            retries: Retries::new(registry, label),
            answers: [&ANSWERS, &EXTERNAL_ANSWERS].map(|names| Answers::new(registry, names, &[label])),
            discarded: Answers::new(registry, &RETRY_ANSWERS, &[label]),
            times: [
                histogram("envoy_cluster_upstream_rq_time"),
                histogram("envoy_cluster_external_upstream_rq_time"),
            ],
        }
    }

    pub(super) fn see(&self, event: &UpstreamEvent) {
        match event {
            UpstreamEvent::Dialled => self.cluster.cx_total.inc(),
            UpstreamEvent::Secured(session) => self.cluster.tls.secured(session),
            UpstreamEvent::NotSecured(fault) => self.cluster.tls.failed(*fault),
            UpstreamEvent::Connected { version, took } => {
                self.cluster.cx_active.inc();
                self.cluster.connect_ms.observe(*took);
                match version {
                    HttpVersion::V1 => self.http1_total.inc(),
                    HttpVersion::V2 => self.http2_total.inc(),
                }
            }
            UpstreamEvent::DialFailed { timed_out } => self.cluster.dial_failed(*timed_out),
            UpstreamEvent::Read(bytes) => self.cluster.rx_bytes.add(*bytes),
            UpstreamEvent::Wrote(bytes) => self.cluster.tx_bytes.add(*bytes),
            UpstreamEvent::Ended { cause, busy, took } => {
                self.cluster.disconnected(*cause == UpstreamCause::Remote, *busy, *took);
                match cause {
                    UpstreamCause::Remote | UpstreamCause::Local => {}
                    UpstreamCause::Idle => self.cx_idle_timeout.inc(),
                    UpstreamCause::ProtocolError => self.cx_protocol_error.inc(),
                }
            }
        }
    }

    pub(super) fn request(&self, event: &RequestEvent) {
        match event {
            RequestEvent::NoEndpoint => self.cluster.none_healthy.inc(),
            RequestEvent::Pending => {
                // Envoy counts only those that find no connection ready; here all wait, if for no time.
                self.cluster.rq_pending_total.inc();
                self.tries.pending_active.inc();
            }
            RequestEvent::Sent => {
                self.cluster.rq_total.inc();
                self.tries.pending_active.dec();
                self.tries.active.inc();
            }
            RequestEvent::TryEnded { cause, sent, .. } => self.tries.ended(*cause, *sent),
            RequestEvent::Retrying => {
                self.retries.total.inc();
                self.retries.backoff.inc();
            }
            RequestEvent::Discarded { status } => self.discarded.count(*status),
            RequestEvent::RetrySucceeded => self.retries.success.inc(),
            RequestEvent::RetriesExhausted => self.retries.limit_exceeded.inc(),
            RequestEvent::RetryUnbuffered => self.retries.abandoned.inc(),
            RequestEvent::Ended { status, cause, by, took } => self.answered(*status, *cause, *by, *took),
            RequestEvent::Begun { .. } | RequestEvent::Judged { .. } | RequestEvent::Routed => {}
        }
    }

    fn answered(&self, status: Option<u16>, cause: RequestCause, by: Answerer, took: Duration) {
        let Some(status) = status.filter(|_| by != Answerer::Listener) else { return };
        self.answers.iter().for_each(|answers| answers.count(status));
        if by == Answerer::Endpoint && cause == RequestCause::Answered {
            self.times.iter().for_each(|time| time.observe(took));
        }
    }
}

/// Tries that did not end well, in the words of Envoy's manual (cluster statistics).
struct Tries {
    active: Gauge,
    pending_active: Gauge,
    timeout: Counter,
    per_try_timeout: Counter,
    rx_reset: Counter,
    tx_reset: Counter,
    /// "failed due to a connection pool connection failure".
    pending_failure_eject: Counter,
    /// "cancelled before obtaining a connection pool connection".
    cancelled: Counter,
}

impl Tries {
    fn new(registry: &Registry, label: (&'static str, &str)) -> Self {
        let counter = |family| registry.counter(family, &[label]);
        let gauge = |family| registry.gauge(family, &[label]);
        Self {
            active: gauge("envoy_cluster_upstream_rq_active"),
            pending_active: gauge("envoy_cluster_upstream_rq_pending_active"),
            timeout: counter("envoy_cluster_upstream_rq_timeout"),
            per_try_timeout: counter("envoy_cluster_upstream_rq_per_try_timeout"),
            rx_reset: counter("envoy_cluster_upstream_rq_rx_reset"),
            tx_reset: counter("envoy_cluster_upstream_rq_tx_reset"),
            pending_failure_eject: counter("envoy_cluster_upstream_rq_pending_failure_eject"),
            cancelled: counter("envoy_cluster_upstream_rq_cancelled"),
        }
    }

    fn ended(&self, cause: TryCause, sent: bool) {
        if sent {
            self.active.dec()
        } else {
            self.pending_active.dec()
        }
        let given_up = || if sent { self.tx_reset.inc() } else { self.cancelled.inc() };
        match cause {
            TryCause::Answered => {}
            TryCause::NotConnected { .. } => self.pending_failure_eject.inc(),
            // A connection that ends under a request ends it, which no other family would show.
            TryCause::Reset => self.rx_reset.inc(),
            TryCause::ProtocolError | TryCause::Idle | TryCause::Cancelled => given_up(),
            TryCause::TryTimedOut => {
                self.per_try_timeout.inc();
                given_up();
            }
            TryCause::TimedOut => {
                self.timeout.inc();
                given_up();
            }
        }
    }
}

struct Retries {
    total: Counter,
    backoff: Counter,
    success: Counter,
    limit_exceeded: Counter,
    abandoned: Counter,
}

impl Retries {
    fn new(registry: &Registry, label: (&'static str, &str)) -> Self {
        let counter = |family| registry.counter(family, &[label]);
        Self {
            total: counter("envoy_cluster_upstream_rq_retry"),
            backoff: counter("envoy_cluster_upstream_rq_retry_backoff_exponential"),
            success: counter("envoy_cluster_upstream_rq_retry_success"),
            limit_exceeded: counter("envoy_cluster_upstream_rq_retry_limit_exceeded"),
            abandoned: counter("envoy_cluster_retry_or_shadow_abandoned"),
        }
    }
}
