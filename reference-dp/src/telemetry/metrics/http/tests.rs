//! Folds of written events, against what real Envoys showed (facts/envoy-observed.md, section 2).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::super::exchange::{Cause, Event, Exchange, Observer, Side};
use super::super::super::registry::Registry;
use super::super::super::request::{
    HttpObserver, Request, RequestCause, RequestEvent, TryCause, UpstreamCause, UpstreamEvent,
};
use super::super::super::session::TlsSession;
use super::super::{ListenerMetrics, Names};
use super::HttpMetrics;
use crate::plan::HttpVersion;

const MS: Duration = Duration::from_millis(1);

struct Sidecar {
    registry: Registry,
    metrics: Arc<HttpMetrics>,
}

/// A sidecar's metrics before anything happened.
fn sidecar(listen: &str, name: &str) -> Sidecar {
    let registry = Registry::default();
    let names = Names { listen: listen.parse().unwrap(), stat_prefix: name, cluster: name };
    let metrics = Arc::new(HttpMetrics::new(&registry, &names));
    Sidecar { registry, metrics }
}

impl Sidecar {
    fn request(&self) -> Request {
        Request::begin(self.metrics.clone(), HttpVersion::V1)
    }

    /// Each sample that is not zero; of histograms the count.
    fn samples(&self) -> BTreeMap<String, f64> {
        samples(&self.registry)
    }

    /// A sample's value, by a name and labels such as Envoy shows.
    fn value(&self, sample: &str) -> f64 {
        self.samples().get(&normal(sample)).copied().unwrap_or(0.0)
    }

    fn assert(&self, expected: &[(&str, f64)]) {
        for (sample, value) in expected {
            assert_eq!(self.value(sample), *value, "{sample} in {:#?}", self.samples());
        }
    }
}

fn samples(registry: &Registry) -> BTreeMap<String, f64> {
    let text = String::from_utf8(registry.text()).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let samples = lines.map(|line| line.rsplit_once(' ').unwrap());
    let samples = samples.filter(|(name, _)| !name.contains("_bucket{") && !name.contains("_sum{"));
    samples
        .map(|(name, value)| (normal(name), value.parse().unwrap()))
        .filter(|(_, value)| *value != 0.0)
        .collect()
}

/// Labels in the order of the alphabet; a histogram's count under the histogram's name.
fn normal(sample: &str) -> String {
    let (name, labels) = sample.split_once('{').unwrap();
    let mut labels: Vec<_> = labels.trim_end_matches('}').split(',').collect();
    labels.sort_unstable();
    format!("{}{{{}}}", name.trim_end_matches("_count"), labels.join(","))
}

fn session() -> TlsSession {
    TlsSession {
        version: "TLSv1.2",
        cipher: "ECDHE-RSA-AES128-GCM-SHA256".to_owned(),
        curve: Some("X25519"),
        resumed: false,
    }
}

/// A connection to an endpoint, which stays.
fn connect(metrics: &HttpMetrics, version: HttpVersion, tls: bool) {
    metrics.upstream(&UpstreamEvent::Dialled);
    if tls {
        metrics.upstream(&UpstreamEvent::Secured(session()));
    }
    metrics.upstream(&UpstreamEvent::Connected { version, took: 2 * MS });
    metrics.upstream(&UpstreamEvent::Wrote(100));
    metrics.upstream(&UpstreamEvent::Read(400));
}

/// A request that an endpoint answers with 200.
fn get(metrics: &Arc<HttpMetrics>, version: HttpVersion, judged: bool) {
    let mut request = Request::begin(metrics.clone(), version);
    if judged {
        request.tell(&RequestEvent::Judged { allowed: true });
    }
    request.try_begins();
    request.tell(&RequestEvent::Sent);
    request.answers(200);
    request.end(RequestCause::Answered);
}

/// Side A: three clients with a request each, one connection to the other sidecar.
#[test]
fn the_callers_sidecar_shows_what_envoy_shows() {
    let a = sidecar("127.0.0.2:8101", "backend");
    a.metrics.configured(1, None, Some(1_700_000_000));
    for _ in 0..3 {
        let mut exchange = Exchange::begin(a.metrics.clone());
        exchange.tell(&Event::Read(Side::Downstream, 78));
        exchange.tell(&Event::Speaks(HttpVersion::V1));
        if a.value("envoy_cluster_upstream_cx_total{envoy_cluster_name=\"backend\"}") == 0.0 {
            connect(&a.metrics, HttpVersion::V2, true);
        }
        get(&a.metrics, HttpVersion::V1, false);
        exchange.tell(&Event::Wrote(Side::Downstream, 500));
        exchange.end(Cause::Finished { first: Side::Downstream });
    }
    // Section 2, "http, side A", without what is Envoy's own affair: its match counters, buffers, HTTP/2 library and events
    // of sockets, and signature algorithms, which rustls does not tell.
    let seen = r#"
        envoy_cluster_external_upstream_rq{envoy_response_code="200",envoy_cluster_name="backend"}
        envoy_cluster_external_upstream_rq_completed{envoy_cluster_name="backend"}
        envoy_cluster_external_upstream_rq_time{envoy_cluster_name="backend"}
        envoy_cluster_external_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="backend"}
        envoy_cluster_membership_change{envoy_cluster_name="backend"}
        envoy_cluster_membership_healthy{envoy_cluster_name="backend"}
        envoy_cluster_membership_total{envoy_cluster_name="backend"}
        envoy_cluster_ssl_certificate_expiration_unix_time_seconds{envoy_tls_certificate="identity",envoy_cluster_name="backend"}
        envoy_cluster_ssl_ciphers{cipher_suite="ECDHE-RSA-AES128-GCM-SHA256",envoy_cluster_name="backend"}
        envoy_cluster_ssl_curves{envoy_ssl_curve="X25519",envoy_cluster_name="backend"}
        envoy_cluster_ssl_handshake{envoy_cluster_name="backend"}
        envoy_cluster_ssl_versions{envoy_ssl_version="TLSv1.2",envoy_cluster_name="backend"}
        envoy_cluster_upstream_cx_active{envoy_cluster_name="backend"}
        envoy_cluster_upstream_cx_connect_ms{envoy_cluster_name="backend"}
        envoy_cluster_upstream_cx_http2_total{envoy_cluster_name="backend"}
        envoy_cluster_upstream_cx_rx_bytes_total{envoy_cluster_name="backend"}
        envoy_cluster_upstream_cx_total{envoy_cluster_name="backend"}
        envoy_cluster_upstream_cx_tx_bytes_total{envoy_cluster_name="backend"}
        envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="backend"}
        envoy_cluster_upstream_rq_completed{envoy_cluster_name="backend"}
        envoy_cluster_upstream_rq_pending_total{envoy_cluster_name="backend"}
        envoy_cluster_upstream_rq_time{envoy_cluster_name="backend"}
        envoy_cluster_upstream_rq_total{envoy_cluster_name="backend"}
        envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="backend"}
        envoy_http_downstream_cx_destroy{envoy_http_conn_manager_prefix="backend"}
        envoy_http_downstream_cx_destroy_remote{envoy_http_conn_manager_prefix="backend"}
        envoy_http_downstream_cx_http1_total{envoy_http_conn_manager_prefix="backend"}
        envoy_http_downstream_cx_length_ms{envoy_http_conn_manager_prefix="backend"}
        envoy_http_downstream_cx_rx_bytes_total{envoy_http_conn_manager_prefix="backend"}
        envoy_http_downstream_cx_total{envoy_http_conn_manager_prefix="backend"}
        envoy_http_downstream_cx_tx_bytes_total{envoy_http_conn_manager_prefix="backend"}
        envoy_http_downstream_rq_completed{envoy_http_conn_manager_prefix="backend"}
        envoy_http_downstream_rq_http1_total{envoy_http_conn_manager_prefix="backend"}
        envoy_http_downstream_rq_time{envoy_http_conn_manager_prefix="backend"}
        envoy_http_downstream_rq_total{envoy_http_conn_manager_prefix="backend"}
        envoy_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="backend"}
        envoy_http_rq_total{envoy_http_conn_manager_prefix="backend"}
        envoy_listener_downstream_cx_destroy{envoy_listener_address="127.0.0.2_8101"}
        envoy_listener_downstream_cx_length_ms{envoy_listener_address="127.0.0.2_8101"}
        envoy_listener_downstream_cx_total{envoy_listener_address="127.0.0.2_8101"}
        envoy_listener_http_downstream_rq_completed{envoy_http_conn_manager_prefix="backend",envoy_listener_address="127.0.0.2_8101"}
        envoy_listener_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="backend",envoy_listener_address="127.0.0.2_8101"}
    "#;
    let seen: BTreeSet<String> =
        seen.lines().map(str::trim).filter(|line| !line.is_empty()).map(normal).collect();
    assert_eq!(a.samples().into_keys().collect::<BTreeSet<_>>(), seen);
    // Section 2, "values worth asserting".
    a.assert(&[
        (r#"envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="backend"}"#, 3.0),
        (r#"envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="backend"}"#, 3.0),
        (
            r#"envoy_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="backend"}"#,
            3.0,
        ),
        (r#"envoy_http_downstream_rq_http1_total{envoy_http_conn_manager_prefix="backend"}"#, 3.0),
        (r#"envoy_http_downstream_rq_time{envoy_http_conn_manager_prefix="backend"}"#, 3.0),
        (r#"envoy_http_downstream_cx_total{envoy_http_conn_manager_prefix="backend"}"#, 3.0),
        (r#"envoy_cluster_upstream_cx_total{envoy_cluster_name="backend"}"#, 1.0),
        (r#"envoy_cluster_upstream_rq_total{envoy_cluster_name="backend"}"#, 3.0),
    ]);
}

/// Side B: one connection with three requests, which stays; an app of HTTP/1.1.
#[test]
fn the_offering_sidecar_shows_what_envoy_shows() {
    let b = sidecar("127.0.0.3:8101", "localhost_8101");
    b.metrics.configured(1, Some(1_700_000_000), None);
    let mut exchange = Exchange::begin(b.metrics.clone());
    exchange.tell(&Event::Secured(Side::Downstream, session()));
    exchange.tell(&Event::Speaks(HttpVersion::V2));
    connect(&b.metrics, HttpVersion::V1, false);
    for _ in 0..3 {
        get(&b.metrics, HttpVersion::V2, true);
    }
    b.assert(&[
        (r#"envoy_cluster_upstream_cx_http1_total{envoy_cluster_name="localhost_8101"}"#, 1.0),
        (r#"envoy_http_downstream_cx_active{envoy_http_conn_manager_prefix="localhost_8101"}"#, 1.0),
        (r#"envoy_http_downstream_cx_http2_active{envoy_http_conn_manager_prefix="localhost_8101"}"#, 1.0),
        (r#"envoy_http_downstream_cx_http2_total{envoy_http_conn_manager_prefix="localhost_8101"}"#, 1.0),
        (r#"envoy_http_downstream_cx_ssl_active{envoy_http_conn_manager_prefix="localhost_8101"}"#, 1.0),
        (r#"envoy_http_downstream_cx_ssl_total{envoy_http_conn_manager_prefix="localhost_8101"}"#, 1.0),
        (r#"envoy_http_downstream_rq_http2_total{envoy_http_conn_manager_prefix="localhost_8101"}"#, 3.0),
        (r#"envoy_listener_downstream_cx_active{envoy_listener_address="127.0.0.3_8101"}"#, 1.0),
        (
            r#"envoy_listener_ssl_ciphers{envoy_ssl_cipher="ECDHE-RSA-AES128-GCM-SHA256",envoy_listener_address="127.0.0.3_8101"}"#,
            1.0,
        ),
        (
            r#"envoy_rbac_allowed{listener="http.localhost_8101",envoy_http_conn_manager_prefix="localhost_8101"}"#,
            3.0,
        ),
    ]);
    exchange.end(Cause::Finished { first: Side::Downstream });
    let left: Vec<_> = b
        .samples()
        .into_keys()
        .filter(|name| name.contains("downstream") && name.contains("active"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

const CLUSTER: &str = r#"{envoy_cluster_name="backend"}"#;
const MANAGER: &str = r#"{envoy_http_conn_manager_prefix="backend"}"#;

fn of_cluster(family: &str, value: f64) -> (String, f64) {
    (format!("envoy_cluster_{family}{CLUSTER}"), value)
}

fn of_manager(family: &str, value: f64) -> (String, f64) {
    (format!("envoy_http_{family}{MANAGER}"), value)
}

fn of_code(family: &str, code: &str, value: f64) -> (String, f64) {
    (
        format!("envoy_cluster_{family}{{envoy_response_code=\"{code}\",envoy_cluster_name=\"backend\"}}"),
        value,
    )
}

fn assert(sidecar: &Sidecar, expected: &[(String, f64)]) {
    let expected: Vec<_> = expected.iter().map(|(sample, value)| (sample.as_str(), *value)).collect();
    sidecar.assert(&expected);
    let active: Vec<_> = sidecar.samples().into_keys().filter(|name| name.contains("rq_active")).collect();
    assert!(
        active.is_empty() && sidecar.value(&of_cluster("upstream_rq_pending_active", 0.0).0) == 0.0,
        "{active:?}"
    );
}

/// A try that a connection takes, and that ends so.
fn attempt(request: &mut Request, status: Option<u16>, cause: TryCause) {
    request.try_begins();
    request.tell(&RequestEvent::Sent);
    request.try_ends(status, cause);
}

#[test]
fn a_retry_that_helps() {
    let a = sidecar("127.0.0.2:8101", "backend");
    let mut request = a.request();
    attempt(&mut request, Some(503), TryCause::Answered);
    request.tell(&RequestEvent::Retrying);
    request.try_begins();
    request.tell(&RequestEvent::Sent);
    request.tell(&RequestEvent::Sent);
    request.answers(200);
    request.end(RequestCause::Answered);
    assert(
        &a,
        &[
            of_cluster("upstream_rq_total", 2.0),
            of_cluster("upstream_rq_retry", 1.0),
            of_cluster("upstream_rq_retry_success", 1.0),
            of_cluster("upstream_rq_retry_backoff_exponential", 1.0),
            of_cluster("upstream_rq_retry_limit_exceeded", 0.0),
            of_cluster("upstream_rq_completed", 1.0),
            of_code("upstream_rq", "200", 1.0),
            of_code("upstream_rq", "503", 0.0),
            of_code("retry_upstream_rq", "503", 1.0),
            of_manager("downstream_rq_total", 1.0),
            of_manager("rq_total", 1.0),
        ],
    );
}

#[test]
fn retries_that_do_not_help() {
    let a = sidecar("127.0.0.2:8101", "backend");
    let mut request = a.request();
    for _ in 0..5 {
        attempt(&mut request, Some(503), TryCause::Answered);
        request.tell(&RequestEvent::Retrying);
    }
    request.try_begins();
    request.tell(&RequestEvent::Sent);
    request.tell(&RequestEvent::RetriesExhausted);
    request.answers(503);
    request.end(RequestCause::Answered);
    assert(
        &a,
        &[
            of_cluster("upstream_rq_total", 6.0),
            of_cluster("upstream_rq_retry", 5.0),
            of_cluster("upstream_rq_retry_success", 0.0),
            of_cluster("upstream_rq_retry_limit_exceeded", 1.0),
            of_code("upstream_rq", "503", 1.0),
            of_code("retry_upstream_rq", "503", 5.0),
        ],
    );
}

/// The time of the request is over while it waits for another try: the 504 is the sidecar's, the 503 was thrown away.
#[test]
fn a_timeout_between_two_tries() {
    let a = sidecar("127.0.0.2:8101", "backend");
    let mut request = a.request();
    attempt(&mut request, Some(503), TryCause::Answered);
    request.tell(&RequestEvent::Retrying);
    request.try_ends(None, TryCause::TimedOut);
    request.answers(504);
    request.end(RequestCause::Answered);
    assert(
        &a,
        &[
            of_code("upstream_rq", "504", 1.0),
            of_code("upstream_rq", "503", 0.0),
            of_code("retry_upstream_rq", "503", 1.0),
            of_cluster("upstream_rq_retry_success", 0.0),
            of_cluster("upstream_rq_time", 0.0),
        ],
    );
}

#[test]
fn an_endpoint_that_is_not_there() {
    let a = sidecar("127.0.0.2:8101", "backend");
    let mut request = a.request();
    request.try_begins();
    a.metrics.upstream(&UpstreamEvent::Dialled);
    a.metrics.upstream(&UpstreamEvent::DialFailed { timed_out: true });
    request.try_ends(None, TryCause::NotConnected { timed_out: true });
    request.answers(503);
    request.end(RequestCause::Answered);
    assert(
        &a,
        &[
            of_cluster("upstream_cx_total", 1.0),
            of_cluster("upstream_cx_connect_fail", 1.0),
            of_cluster("upstream_cx_connect_timeout", 1.0),
            of_cluster("upstream_cx_active", 0.0),
            of_cluster("upstream_rq_total", 0.0),
            of_cluster("upstream_rq_pending_total", 1.0),
            of_cluster("upstream_rq_pending_failure_eject", 1.0),
            of_code("upstream_rq", "503", 1.0),
            of_cluster("upstream_rq_time", 0.0),
            of_manager("downstream_rq_completed", 1.0),
        ],
    );
}

#[test]
fn no_endpoint_at_all_is_an_answer_of_the_cluster_and_a_403_is_not() {
    let a = sidecar("127.0.0.2:8101", "backend");
    let mut request = a.request();
    request.tell(&RequestEvent::NoEndpoint);
    request.answers(503);
    request.end(RequestCause::Answered);
    let mut request = a.request();
    request.tell(&RequestEvent::Judged { allowed: false });
    request.answers(403);
    request.end(RequestCause::Answered);
    assert(
        &a,
        &[
            of_cluster("upstream_cx_none_healthy", 1.0),
            of_code("upstream_rq", "503", 1.0),
            of_code("upstream_rq", "403", 0.0),
            of_manager("rq_total", 1.0),
            of_manager("downstream_rq_completed", 2.0),
            (
                r#"envoy_rbac_denied{listener="http.backend",envoy_http_conn_manager_prefix="backend"}"#
                    .to_owned(),
                1.0,
            ),
        ],
    );
}

#[test]
fn timeouts_and_resets() {
    let a = sidecar("127.0.0.2:8101", "backend");
    for (cause, family) in [
        (TryCause::TryTimedOut, "upstream_rq_per_try_timeout"),
        (TryCause::TimedOut, "upstream_rq_timeout"),
        (TryCause::Reset, "upstream_rq_rx_reset"),
    ] {
        let mut request = a.request();
        attempt(&mut request, None, cause);
        request.answers(504);
        request.end(RequestCause::Answered);
        assert(&a, &[of_cluster(family, 1.0)]);
    }
    assert(&a, &[of_cluster("upstream_rq_tx_reset", 2.0), of_code("upstream_rq", "504", 3.0)]);
    let mut in_flight = a.request();
    in_flight.try_begins();
    in_flight.tell(&RequestEvent::Sent);
    drop(in_flight);
    let mut waiting = a.request();
    waiting.try_begins();
    drop(waiting);
    let mut broken = a.request();
    broken.try_begins();
    broken.tell(&RequestEvent::Sent);
    broken.answers(200);
    broken.end(RequestCause::UpstreamBroke);
    assert(
        &a,
        &[
            of_manager("downstream_rq_rx_reset", 2.0),
            of_manager("downstream_rq_tx_reset", 1.0),
            of_manager("rq_reset_after_downstream_response_started", 1.0),
            of_manager("downstream_rq_completed", 4.0),
            of_manager("downstream_rq_time", 3.0),
            of_cluster("upstream_rq_tx_reset", 3.0),
            of_cluster("upstream_rq_rx_reset", 2.0),
            of_cluster("upstream_rq_cancelled", 1.0),
            of_cluster("upstream_rq_time", 0.0),
        ],
    );
}

#[test]
fn an_answer_in_which_nothing_moves_is_idle_and_not_too_slow() {
    let a = sidecar("127.0.0.2:8101", "backend");
    let mut request = a.request();
    request.try_begins();
    request.tell(&RequestEvent::Sent);
    request.answers(200);
    request.end(RequestCause::Idle);
    assert(
        &a,
        &[
            of_manager("downstream_rq_idle_timeout", 1.0),
            of_manager("downstream_rq_tx_reset", 1.0),
            of_manager("rq_reset_after_downstream_response_started", 1.0),
            of_cluster("upstream_rq_tx_reset", 1.0),
            of_cluster("upstream_rq_timeout", 0.0),
        ],
    );
}

#[test]
fn what_is_no_http_is_counted_as_envoy_counts_it() {
    let a = sidecar("127.0.0.2:8101", "backend");
    for status in [Some(400), None] {
        let mut exchange = Exchange::begin(a.metrics.clone());
        exchange.tell(&Event::Malformed { status });
        exchange.end(Cause::Finished { first: Side::Upstream });
    }
    assert(
        &a,
        &[
            of_manager("downstream_cx_protocol_error", 2.0),
            of_manager("downstream_cx_destroy_local", 2.0),
            of_manager("downstream_rq_total", 1.0),
            of_manager("downstream_rq_completed", 1.0),
            of_manager("rq_total", 0.0),
        ],
    );
}

#[test]
fn ends_of_connections_to_endpoints() {
    let a = sidecar("127.0.0.2:8101", "backend");
    for (cause, busy) in [
        (UpstreamCause::Remote, true),
        (UpstreamCause::Idle, false),
        (UpstreamCause::ProtocolError, true),
        (UpstreamCause::Local, false),
    ] {
        connect(&a.metrics, HttpVersion::V2, false);
        a.metrics.upstream(&UpstreamEvent::Ended { cause, busy, took: MS });
    }
    assert(
        &a,
        &[
            of_cluster("upstream_cx_active", 0.0),
            of_cluster("upstream_cx_http2_total", 4.0),
            of_cluster("upstream_cx_length_ms", 4.0),
            of_cluster("upstream_cx_destroy", 4.0),
            of_cluster("upstream_cx_destroy_with_active_rq", 2.0),
            of_cluster("upstream_cx_destroy_remote", 1.0),
            of_cluster("upstream_cx_destroy_remote_with_active_rq", 1.0),
            of_cluster("upstream_cx_destroy_local", 3.0),
            of_cluster("upstream_cx_destroy_local_with_active_rq", 1.0),
            of_cluster("upstream_cx_idle_timeout", 1.0),
            of_cluster("upstream_cx_protocol_error", 1.0),
        ],
    );
}

/// A pod may offer http at one port and tcp at another: `rbac` has other labels for each.
#[test]
fn http_and_tcp_of_one_sidecar_keep_their_labels_and_families() {
    let b = sidecar("127.0.0.3:8101", "localhost_8101");
    let names = Names {
        listen: "127.0.0.3:8401".parse().unwrap(),
        stat_prefix: "localhost_8401",
        cluster: "localhost_8401",
    };
    let tcp = Arc::new(ListenerMetrics::new(&b.registry, &names));
    tcp.see(&Event::Judged { allowed: true });
    get(&b.metrics, HttpVersion::V2, true);
    Exchange::begin(tcp).end(Cause::Finished { first: Side::Downstream });
    Exchange::begin(b.metrics.clone()).end(Cause::Finished { first: Side::Downstream });
    b.assert(&[
        (
            r#"envoy_rbac_allowed{envoy_rbac_prefix="inbound_127_0_0_3_8401",listener="inbound_127_0_0_3_8401"}"#,
            1.0,
        ),
        (
            r#"envoy_rbac_allowed{listener="http.localhost_8101",envoy_http_conn_manager_prefix="localhost_8101"}"#,
            1.0,
        ),
        (r#"envoy_tcp_downstream_cx_total{envoy_tcp_prefix="localhost_8401"}"#, 1.0),
    ]);
    let text = String::from_utf8(b.registry.text()).unwrap();
    let of_tcp = |line: &&str| line.contains("8401");
    assert!(
        !text.lines().filter(of_tcp).any(|line| line.contains("_http") || line.contains("upstream_rq")),
        "{text}"
    );
    assert!(!text.lines().any(|line| line.starts_with("envoy_tcp") && line.contains("8101")), "{text}");
    let types = text.lines().filter(|line| line.starts_with("# TYPE envoy_rbac_allowed ")).count();
    assert_eq!(types, 1, "a family is told of once: {text}");
}
