//! The head of an answer as it goes to the caller, and the sidecar's own answers (seen 1.1, 3).

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, SERVER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::failure::Failure;
use super::hop_by_hop;
use super::screen::Refusal;
use crate::clock::Clock;

const SERVICE_TIME: HeaderName = HeaderName::from_static("x-envoy-upstream-service-time");
const OVERLOADED: HeaderName = HeaderName::from_static("x-envoy-overloaded");
const ENVOY: HeaderValue = HeaderValue::from_static("envoy");

/// Makes the head of an endpoint's answer into the one that the caller gets. It came `took` after the end of the request; `None`: before that,
/// when Envoy says nothing of the time and leaves what the endpoint says.
pub(super) fn prepare(headers: &mut HeaderMap, took: Option<Duration>, clock: &dyn Clock) {
    hop_by_hop::strip(headers, false);
    if let Some(took) = took {
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        headers.insert(SERVICE_TIME, HeaderValue::from(took));
    }
    sign(headers, clock);
}

fn sign(headers: &mut HeaderMap, clock: &dyn Clock) {
    headers.insert(SERVER, ENVOY);
    headers.entry(DATE).or_insert_with(|| date(clock));
}

/// As RFC 9110 5.6.7 writes it.
fn date(clock: &dyn Clock) -> HeaderValue {
    let text = httpdate::fmt_http_date(clock.now());
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"))
}

/// An answer of the sidecar's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) status: StatusCode,
    pub(super) body: String,
    /// Whether the caller's connection, if it is HTTP/1.1, ends with it.
    pub(super) closes: bool,
    pub(super) overloaded: bool,
}

impl Own {
    /// Neither Host nor anything else is wrong with it, but it cannot be forwarded.
    pub(super) fn refusal(refusal: Refusal) -> Self {
        Self { status: refusal.status, closes: refusal.closes, ..Self::default() }
    }

    /// Its body is no body.
    pub(super) fn malformed() -> Self {
        Self { status: StatusCode::BAD_REQUEST, closes: true, ..Self::default() }
    }

    /// The caller may not.
    pub(super) fn denied() -> Self {
        Self { status: StatusCode::FORBIDDEN, body: "RBAC: access denied".to_owned(), ..Self::default() }
    }

    /// Its time is over: `status` as [`StatusCode::GATEWAY_TIMEOUT`], or `REQUEST_TIMEOUT` if the request was not whole.
    pub(super) fn overdue(status: StatusCode, what: &str) -> Self {
        Self { status, body: what.to_owned(), ..Self::default() }
    }

    /// No try brought an answer; the last one failed so.
    pub(super) fn failure(failure: Failure, retried: bool) -> Self {
        let status = StatusCode::from_u16(failure.status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let reason = failure.reason();
        let body = match (failure, retried) {
            (Failure::NoEndpoint, _) => reason.to_owned(),
            (_, true) => format!("{BROKE} retried and the latest reset reason: {reason}"),
            (_, false) => format!("{BROKE} reset reason: {reason}"),
        };
        Self { status, body, overloaded: failure == Failure::Overflow, ..Self::default() }
    }

    /// Its head, and its body.
    pub(super) fn into_response(self, http1: bool, clock: &dyn Clock) -> Response<Bytes> {
        let body = Bytes::from(self.body);
        let mut response = Response::new(body.clone());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        }
        if self.overloaded {
            headers.insert(OVERLOADED, HeaderValue::from_static("true"));
        }
        if self.closes && http1 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        sign(headers, clock);
        response
    }
}

const BROKE: &str = "upstream connect error or disconnect/reset before headers.";

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> SystemTime {
            // RFC 9110 5.6.7's own example.
            SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
        }
    }

    #[test]
    fn failures_are_told_in_envoys_words() {
        // Bytes of the bodies as seen (section 1.1).
        for (failure, retried, status, bytes) in [
            (Failure::NotConnected { timed_out: false }, false, 503, 98),
            (Failure::NotConnected { timed_out: false }, true, 503, 121),
            (Failure::Terminated, false, 503, 95),
            (Failure::Terminated, true, 503, 118),
            (Failure::ProtocolError, false, 502, 87),
            (Failure::Overflow, false, 503, 81),
            (Failure::NoEndpoint, false, 503, 19),
        ] {
            let own = Own::failure(failure, retried);
            assert_eq!((own.status.as_u16(), own.body.len()), (status, bytes), "{}", own.body);
            assert_eq!(own.overloaded, failure == Failure::Overflow);
        }
        assert_eq!(Own::denied().body.len(), 19);
    }

    #[test]
    fn own_answers_say_who_gives_them_and_whether_more_may_come() {
        let denied = Own::denied().into_response(true, &Noon);
        assert_eq!(denied.status(), 403);
        assert_eq!(denied.headers()[CONTENT_TYPE], "text/plain");
        assert_eq!(denied.headers()[CONTENT_LENGTH], "19");
        assert_eq!(denied.headers()[SERVER], "envoy");
        assert_eq!(denied.headers()[DATE], "Sun, 06 Nov 1994 08:49:37 GMT");
        assert!(!denied.headers().contains_key(CONNECTION) && !denied.headers().contains_key(SERVICE_TIME));
        let refusal = Refusal { status: StatusCode::FORBIDDEN, closes: true };
        let refused = Own::refusal(refusal).into_response(true, &Noon);
        assert_eq!(refused.headers()[CONNECTION], "close");
        assert!(refused.body().is_empty() && !refused.headers().contains_key(CONTENT_TYPE));
        assert!(!Own::refusal(refusal).into_response(false, &Noon).headers().contains_key(CONNECTION));
    }

    #[test]
    fn an_answer_keeps_the_apps_date_and_tells_one_time() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("server", "nginx"),
            ("date", "Mon, 01 Jan 2001 00:00:00 GMT"),
            ("x-envoy-upstream-service-time", "3"),
            ("connection", "x-own"),
            ("x-own", "1"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        prepare(&mut headers, None, &Noon);
        assert_eq!(headers.get_all(SERVICE_TIME).iter().collect::<Vec<_>>(), ["3"]);
        prepare(&mut headers, Some(Duration::from_micros(12_900)), &Noon);
        assert_eq!(headers[SERVER], "envoy");
        assert_eq!(headers[DATE], "Mon, 01 Jan 2001 00:00:00 GMT");
        assert_eq!(headers.get_all(SERVICE_TIME).iter().collect::<Vec<_>>(), ["12"]);
        assert_eq!(headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
        assert!(!headers.contains_key(CONNECTION) && !headers.contains_key("x-own"));
    }
}
