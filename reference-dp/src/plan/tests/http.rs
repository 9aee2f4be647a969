//! How plans treat requests.

use std::time::Duration;

use super::super::{BackOff, HttpPolicy, HttpUpstream, HttpVersion, Protocol, Retry, RetryOn};
use super::{PLAIN, TO_TAG, lab, plan};
use crate::plan::Plan;

const HTTP: &str = "{port: 90, serviceAddress: 127.0.0.1, servicePort: 9090, tags: {kuma.io/service: web, kuma.io/protocol: http}}";
const TO_WEB: &str = "{port: 3, tags: {kuma.io/service: web}}";

/// `web-1`, which offers http and calls itself, under some policies.
fn web(policies: &str) -> Plan {
    plan(&lab(PLAIN, HTTP, TO_WEB, policies)).unwrap_or_else(|error| panic!("{error}"))
}

fn policy(kind: &str, name: &str, spec: &str) -> String {
    format!("{{type: {kind}, mesh: lab, name: {name}, spec: {{{spec}}}}}")
}

const fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

/// The numbers are of kuma 2.5.
#[test]
fn an_http_inbound_is_without_limits_and_speaks_http_1_to_its_app() {
    let inbound = &web("").inbounds[0];
    assert_eq!(
        inbound.http,
        Some(HttpPolicy {
            request_timeout: None,
            request_headers_timeout: None,
            stream_idle_timeout: seconds(3600),
            max_stream_duration: None,
            retry: None,
            normalize_path: false,
        })
    );
    assert_eq!(
        inbound.cluster.http,
        Some(HttpUpstream {
            version: HttpVersion::V1,
            idle_timeout: seconds(7200),
            max_connection_duration: None
        })
    );
    assert_eq!(inbound.cluster.connect_timeout, Duration::from_secs(10));
}

/// The numbers are of kuma 2.5.
#[test]
fn an_http_outbound_has_limits_tries_again_and_speaks_http_2_to_the_other_sidecar() {
    let outbound = &web("").outbounds[0];
    assert_eq!(
        outbound.http,
        Some(HttpPolicy {
            request_timeout: seconds(15),
            request_headers_timeout: None,
            stream_idle_timeout: seconds(1800),
            max_stream_duration: None,
            retry: Some(Retry {
                retries: 5,
                per_try_timeout: seconds(16),
                back_off: BackOff { base: Duration::from_millis(25), max: Duration::from_millis(250) },
                on: RetryOn {
                    gateway_error: true,
                    connect_failure: true,
                    refused_stream: true,
                    ..RetryOn::default()
                },
            }),
            normalize_path: true,
        })
    );
    assert_eq!(
        outbound.cluster.http,
        Some(HttpUpstream {
            version: HttpVersion::V2,
            idle_timeout: seconds(3600),
            max_connection_duration: None
        })
    );
    assert_eq!((outbound.cluster.connect_attempts, outbound.cluster.connect_timeout.as_secs()), (1, 5));
}

#[test]
fn opaque_protocols_have_nothing_of_http() {
    let plan = plan(&lab(PLAIN, &HTTP.replace(": http", ": tcp"), TO_TAG, "")).unwrap();
    assert_eq!((&plan.inbounds[0].http, &plan.inbounds[0].cluster.http), (&None, &None));
    assert_eq!((&plan.outbounds[0].http, &plan.outbounds[0].cluster.http), (&None, &None));
}

/// A `MeshService` port says http, the inbound behind it tcp, and the reverse (kuma 1.3).
#[test]
fn outbound_and_inbound_may_disagree() {
    let service = |protocol: &str| {
        format!(
            "{{type: MeshService, mesh: lab, name: store, spec: {{selector: {{dataplaneTags: {{kuma.io/service: web}}}}, \
             ports: [{{port: 90, appProtocol: {protocol}}}]}}}}"
        )
    };
    let outbound = "{port: 1, backendRef: {kind: MeshService, name: store, port: 90}}";
    for (says, speaks) in [("http", "tcp"), ("tcp", "http")] {
        let inbound = HTTP.replace(": http", &format!(": {speaks}"));
        let plan = plan(&lab(PLAIN, &inbound, outbound, &service(says))).unwrap();
        assert_eq!(plan.outbounds[0].http.is_some(), says == "http");
        assert_eq!(plan.inbounds[0].http.is_some(), speaks == "http");
        assert_eq!(plan.outbounds[0].cluster.endpoints, ["10.0.0.1:90".parse().unwrap()]);
    }
}

#[test]
fn each_port_of_a_pod_keeps_its_own_protocol() {
    let second =
        "{port: 91, serviceAddress: 127.0.0.1, tags: {kuma.io/service: web2, kuma.io/protocol: tcp}}";
    let outbounds = format!("{TO_WEB}, {}", TO_WEB.replace("3", "4").replace("web", "web2"));
    let plan = plan(&lab(PLAIN, &format!("{HTTP}, {second}"), &outbounds, "")).unwrap();
    let inbounds: Vec<_> = plan.inbounds.iter().map(|it| (it.protocol, it.http.is_some())).collect();
    let outbounds: Vec<_> = plan.outbounds.iter().map(|it| (it.protocol, it.http.is_some())).collect();
    assert_eq!(inbounds, [(Protocol::Http, true), (Protocol::Tcp, false)]);
    assert_eq!(outbounds, inbounds);
}

#[test]
fn timeouts_of_requests_are_overridden_one_by_one() {
    let policies = [
        policy(
            "MeshTimeout",
            "a",
            "to: [{targetRef: {kind: MeshService, name: web}, default: {http: {requestTimeout: 1s}}}]",
        ),
        policy(
            "MeshTimeout",
            "b",
            "to: [{targetRef: {kind: Mesh}, default: {idleTimeout: 9s, http: {requestTimeout: 2s, streamIdleTimeout: 0s, \
             requestHeadersTimeout: 3s, maxStreamDuration: 4s, maxConnectionDuration: 5s}}}]",
        ),
    ];
    let outbound = &web(&policies.join("\n---\n")).outbounds[0];
    let http = outbound.http.as_ref().unwrap();
    assert_eq!((http.request_timeout, http.stream_idle_timeout), (seconds(1), None));
    assert_eq!((http.request_headers_timeout, http.max_stream_duration), (seconds(3), seconds(4)));
    let upstream = outbound.cluster.http.as_ref().unwrap();
    assert_eq!((upstream.idle_timeout, upstream.max_connection_duration), (seconds(9), seconds(5)));
}

/// kuma 2.5: "the inbound is rewritten the same way even when the matching policies have no `from`/`rules` at all, so
/// deleting the default policy and adding a `to`-only one puts a 15s request limit on the inbound route" (`applyToInbounds`).
#[test]
fn a_policy_for_outbounds_alone_limits_requests_of_inbounds() {
    let to = "to: [{targetRef: {kind: Mesh}, default: {http: {requestTimeout: 1s}}}]";
    let inbound = &web(&policy("MeshTimeout", "a", to)).inbounds[0];
    let http = inbound.http.as_ref().unwrap();
    assert_eq!((http.request_timeout, http.stream_idle_timeout), (seconds(15), seconds(1800)));
    assert_eq!((inbound.cluster.connect_timeout.as_secs(), inbound.idle_timeout), (5, seconds(3600)));
    let rules = "rules: [{default: {http: {requestTimeout: 0s, streamIdleTimeout: 7s}}}]";
    let http = web(&policy("MeshTimeout", "a", rules)).inbounds[0].http.clone().unwrap();
    assert_eq!((http.request_timeout, http.stream_idle_timeout), (None, seconds(7)));
    let other = format!("targetRef: {{kind: MeshService, name: other}}, {to}");
    let http = web(&policy("MeshTimeout", "a", &other)).inbounds[0].http.clone().unwrap();
    assert_eq!(http.request_timeout, None, "a policy about others");
}

#[test]
fn retries_are_overridden_one_by_one() {
    let policies = [
        policy(
            "MeshRetry",
            "a",
            "to: [{targetRef: {kind: MeshService, name: web}, default: {http: {numRetries: 2, backOff: {maxInterval: 1s}}}}]",
        ),
        policy(
            "MeshRetry",
            "b",
            "to: [{targetRef: {kind: Mesh}, default: {http: {numRetries: 3, perTryTimeout: 0s, backOff: {baseInterval: 100ms}, \
             retryOn: [5XX, Reset, '429']}}}]",
        ),
        policy(
            "MeshRetry",
            "c",
            "to: [{targetRef: {kind: MeshService, name: x}, default: {http: {numRetries: 9}}}]",
        ),
    ];
    let retry = web(&policies.join("\n---\n")).outbounds[0].http.clone().unwrap().retry.unwrap();
    assert_eq!((retry.retries, retry.per_try_timeout), (2, None));
    assert_eq!((retry.back_off.base.as_millis(), retry.back_off.max.as_millis()), (100, 1000));
    assert_eq!(retry.on, RetryOn { any_5xx: true, reset: true, statuses: vec![429], ..RetryOn::default() });
}

#[test]
fn no_retries_is_no_policy() {
    let none = "to: [{targetRef: {kind: Mesh}, default: {http: {numRetries: 0}}}]";
    let plan = web(&policy("MeshRetry", "a", none));
    assert_eq!(plan.outbounds[0].http.as_ref().unwrap().retry, None);
}

/// As Kuma's `splitRetryOn` has it.
#[test]
fn statuses_and_methods_leave_the_default_conditions() {
    let on = |items: &str| {
        let spec = format!("to: [{{targetRef: {{kind: Mesh}}, default: {{http: {{retryOn: [{items}]}}}}}}]");
        let http = web(&policy("MeshRetry", "a", &spec)).outbounds[0].http.clone().unwrap();
        http.retry.unwrap().on
    };
    let default =
        RetryOn { gateway_error: true, connect_failure: true, refused_stream: true, ..RetryOn::default() };
    assert_eq!(on(""), default);
    assert_eq!(on("'500', '503'"), RetryOn { statuses: vec![500, 503], ..default.clone() });
    assert_eq!(on("HttpMethodGet, HttpMethodPut"), RetryOn { methods: vec!["GET", "PUT"], ..default });
    let only_get = on("HttpMethodGet");
    assert!(only_get.is_for("GET") && !only_get.is_for("POST") && on("Reset").is_for("POST"));
    let replaced = RetryOn { retriable_4xx: true, methods: vec!["GET"], ..RetryOn::default() };
    assert_eq!(on("HttpMethodGet, Retriable4xx"), replaced);
}

#[test]
fn attempts_to_connect_are_of_exactly_tcp() {
    let spec = "to: [{targetRef: {kind: Mesh}, default: {tcp: {maxConnectAttempt: 2}}}]";
    let policy = policy("MeshRetry", "a", spec);
    let attempts = |outbound: &str| {
        plan(&lab(PLAIN, HTTP, outbound, &policy)).unwrap().outbounds[0].cluster.connect_attempts
    };
    assert_eq!(attempts(TO_TAG), 2);
    assert_eq!(attempts(TO_WEB), 1, "http");
    assert_eq!(attempts("{port: 1, tags: {kuma.io/service: nobody}}"), 1, "unknown");
}
