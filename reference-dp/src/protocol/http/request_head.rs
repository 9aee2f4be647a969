//! The head of a request as it goes on (kuma 2.3, seen 3).

use http::header::{COOKIE, EXPECT, HOST, HeaderName};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{HeaderMap, HeaderValue};
use rustls::crypto::SecureRandom;

use super::hop::{Caller, Direction, Hop};
use super::{hop_by_hop, path};
use crate::plan::{HttpPolicy, HttpVersion};

const CLIENT_CERT: HeaderName = HeaderName::from_static("x-forwarded-client-cert");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const EXPECTED_TIMEOUT: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");
const KUMA_TAGS: HeaderName = HeaderName::from_static("x-kuma-tags");

/// What Envoy's router takes orders by; from a caller in a mesh they are neither obeyed nor passed on.
const CONTROL: [&str; 19] = [
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-force-trace",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-internal",
    "x-envoy-ip-tags",
    "x-envoy-is-timeout-retry",
    "x-envoy-max-retries",
    "x-envoy-original-path",
    "x-envoy-original-url",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-timeout-alt-response",
];
const CONTROL_TIMEOUTS: [&str; 3] = [
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-stream-duration-ms",
];

/// Makes the head of a request that was screened into the one that is sent on: its target absolute, its host in it. `None`: there is no such target.
pub(super) fn prepare(request: &mut Parts, caller: Option<&Caller>, hop: &Hop) -> Option<()> {
    let authority = authority(request)?;
    let headers = &mut request.headers;
    hop_by_hop::strip(headers, true);
    // Hardly any request has one of them: a look at what is there costs less than asking for each.
    if headers.keys().any(|name| name.as_str().starts_with("x-envoy-")) {
        for name in CONTROL.iter().chain(&CONTROL_TIMEOUTS) {
            headers.remove(*name);
        }
    }
    // The caller's wait for a 100 ends here: it gets one when its body is first read.
    headers.remove(EXPECT);
    headers.entry(FORWARDED_PROTO).or_insert(HeaderValue::from_static("http"));
    if !headers.contains_key(REQUEST_ID) {
        headers.insert(REQUEST_ID, request_id(hop.random));
    }
    if let Some(timeout) = expected_timeout(&hop.policy) {
        headers.insert(EXPECTED_TIMEOUT, timeout);
    }
    identify(headers, &hop.direction, caller);
    if hop.upstream == HttpVersion::V1 {
        join_cookies(headers);
    }
    headers.remove(HOST);
    let https = headers.get(FORWARDED_PROTO).is_some_and(|proto| proto == "https");
    let scheme = if https { Scheme::HTTPS } else { Scheme::HTTP };
    let target = target(&request.uri, hop.policy.normalize_path);
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(target);
    request.uri = uri.build().ok()?;
    Some(())
}

/// The target's own (RFC 9112 3.2.2), else that of `host`.
fn authority(request: &Parts) -> Option<Authority> {
    let of_target = request.uri.authority().cloned();
    of_target.or_else(|| Authority::try_from(request.headers.get(HOST)?.as_bytes()).ok())
}

fn target(uri: &Uri, normalize: bool) -> PathAndQuery {
    let target = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let normal = if normalize { path::normalized(&target) } else { None };
    normal.unwrap_or(target)
}

/// A random UUID (version 4), which also tells requests apart where no random bytes are to be had.
fn request_id(random: &dyn SecureRandom) -> HeaderValue {
    let mut bytes = [0; 16];
    if random.fill(&mut bytes).is_err() {
        tracing::warn!("no random bytes for a request id");
    }
    let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
    let mut text = uuid::Uuid::encode_buffer();
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)).unwrap_or(HeaderValue::from_static("-"))
}

/// How long the next hop may take, in milliseconds: the shorter of the times for a try and for all of them.
fn expected_timeout(policy: &HttpPolicy) -> Option<HeaderValue> {
    let per_try = policy.retry.as_ref().and_then(|retry| retry.per_try_timeout);
    let timeout = [policy.request_timeout, per_try].into_iter().flatten().min()?;
    Some(HeaderValue::from(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)))
}

/// What a caller says about itself is not believed; what its certificate says is told to the app.
fn identify(headers: &mut HeaderMap, direction: &Direction, caller: Option<&Caller>) {
    headers.remove(CLIENT_CERT);
    let Direction::Inbound { own } = direction else { return };
    headers.remove(KUMA_TAGS);
    let Some(caller) = caller else { return };
    if let Some(told) = caller.told.get_or_init(|| names(own, caller)) {
        headers.insert(CLIENT_CERT, told.clone());
    }
}

fn names(own: &[String], caller: &Caller) -> Option<HeaderValue> {
    let by = own.iter().map(|uri| format!("By={uri}"));
    let hash = format!("Hash={}", caller.fingerprint);
    let uris = caller.uris.iter().map(|uri| format!("URI={uri}"));
    let told = by.chain([hash]).chain(uris).collect::<Vec<_>>().join(";");
    let told = HeaderValue::try_from(told);
    told.inspect_err(|error| tracing::warn!(%error, "a certificate's names do not fit into a header")).ok()
}

/// HTTP/2 may split cookies, HTTP/1.1 may not (RFC 9113 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() < 2 {
        return;
    }
    if let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

#[cfg(test)]
mod tests;
