//! Heads as the next hop gets them, written down from what was seen of Envoy (sections 0.1 and 3).

use std::sync::OnceLock;

use http::Request;

use super::*;
use crate::protocol::http::testing::hop;

fn outbound() -> Hop {
    hop(Direction::Outbound, HttpVersion::V2, Some(15))
}

fn inbound() -> Hop {
    let own = vec!["spiffe://default/backend".into(), "kuma://kuma.io/protocol/http".into()];
    hop(Direction::Inbound { own }, HttpVersion::V1, None)
}

fn web() -> Caller {
    let uris = vec!["spiffe://default/web".to_owned()];
    Caller { uris, fingerprint: "ab".repeat(32), allowed: true, told: OnceLock::new() }
}

/// The target and the fields of a request as it goes on.
fn prepared(
    uri: &str,
    fields: &[(&str, &str)],
    caller: Option<&Caller>,
    hop: &Hop,
) -> (String, Vec<(String, String)>) {
    let mut request = Request::builder().uri(uri);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let mut head = request.body(()).unwrap().into_parts().0;
    prepare(&mut head, caller, hop).unwrap();
    let fields = head.headers.iter();
    let fields = fields.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (head.uri.to_string(), fields.collect())
}

fn names(fields: &[(String, String)]) -> Vec<&str> {
    let mut names: Vec<_> = fields.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    names
}

#[track_caller]
fn value<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    let values: Vec<_> = fields.iter().filter(|(n, _)| n == name).collect();
    assert_eq!(values.len(), 1, "{name} in {fields:?}");
    &values[0].1
}

#[test]
fn the_outbound_adds_what_envoy_adds() {
    let (uri, fields) = prepared("/a/../b?c", &[("host", "shop:80"), ("x-a", "1")], None, &outbound());
    assert_eq!(uri, "http://shop:80/b?c");
    assert_eq!(
        names(&fields),
        ["x-a", "x-envoy-expected-rq-timeout-ms", "x-forwarded-proto", "x-request-id"]
    );
    assert_eq!(value(&fields, "x-forwarded-proto"), "http");
    // Version 4 and variant 10 of RFC 9562 over bytes that are all 7.
    assert_eq!(value(&fields, "x-request-id"), "07070707-0707-4707-8707-070707070707");
    assert_eq!(value(&fields, "x-envoy-expected-rq-timeout-ms"), "15000");
}

#[test]
fn what_the_client_says_is_kept_where_it_may_be() {
    let fields = [
        ("host", "shop"),
        ("x-request-id", "abc-1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "10.0.0.1"),
        ("te", "trailers"),
    ];
    let (uri, fields) = prepared("/", &fields, None, &outbound());
    assert_eq!(uri, "https://shop/");
    assert_eq!(value(&fields, "x-request-id"), "abc-1");
    assert_eq!(value(&fields, "x-forwarded-proto"), "https");
    assert_eq!(value(&fields, "x-forwarded-for"), "10.0.0.1");
    assert_eq!(value(&fields, "te"), "trailers");
}

#[test]
fn orders_to_envoy_and_forged_identities_go_no_further() {
    let fields = [
        ("host", "shop"),
        ("x-envoy-upstream-rq-timeout-ms", "1"),
        ("x-envoy-upstream-rq-per-try-timeout-ms", "1"),
        ("x-envoy-retry-on", "5xx"),
        ("x-envoy-max-retries", "9"),
        ("x-envoy-expected-rq-timeout-ms", "1"),
        ("x-envoy-force-trace", "true"),
        ("x-forwarded-client-cert", "URI=spiffe://default/admin"),
        ("expect", "100-continue"),
        ("connection", "x-mine"),
        ("x-mine", "1"),
    ];
    let (_, sent) = prepared("/", &fields, None, &outbound());
    assert_eq!(names(&sent), ["x-envoy-expected-rq-timeout-ms", "x-forwarded-proto", "x-request-id"]);
    assert_eq!(value(&sent, "x-envoy-expected-rq-timeout-ms"), "15000");
    // An inbound without a time for requests drops what the outbound said of its own.
    let (_, got) = prepared("/", &fields, None, &inbound());
    assert_eq!(names(&got), ["x-forwarded-proto", "x-request-id"]);
}

#[test]
fn the_app_hears_of_its_caller_as_envoy_tells_it() {
    let fields = [("host", "shop"), ("x-forwarded-client-cert", "forged"), ("x-kuma-tags", "&a=b&")];
    let (_, got) = prepared("/", &fields, Some(&web()), &inbound());
    let hash = "ab".repeat(32);
    assert_eq!(
        value(&got, "x-forwarded-client-cert"),
        format!(
            "By=spiffe://default/backend;By=kuma://kuma.io/protocol/http;Hash={hash};URI=spiffe://default/web"
        )
    );
    assert!(!names(&got).contains(&"x-kuma-tags"));
    let (_, got) = prepared("/", &fields, None, &inbound());
    assert!(!names(&got).contains(&"x-forwarded-client-cert"));
}

#[test]
fn only_the_outbound_touches_paths_and_only_http1_joins_cookies() {
    let fields = [("host", "shop"), ("cookie", "a=1"), ("cookie", "b=2")];
    let (uri, got) = prepared("/a/./b", &fields, None, &inbound());
    assert_eq!(uri, "http://shop/a/./b");
    assert_eq!(value(&got, "cookie"), "a=1; b=2");
    let (_, sent) = prepared("/a/./b", &fields, None, &outbound());
    assert_eq!(names(&sent).iter().filter(|name| **name == "cookie").count(), 2);
}

#[test]
fn the_host_of_an_absolute_target_wins() {
    let (uri, _) = prepared("http://real:8080/a", &[("host", "other")], None, &outbound());
    assert_eq!(uri, "http://real:8080/a");
}
