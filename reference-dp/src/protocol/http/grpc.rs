//! The sidecar's own answers to callers of gRPC, who look for a status of theirs in an answer 200 (seen 1, 1.1).

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Whether a request is a call of gRPC, by its content type (gRPC over HTTP/2, Requests).
pub(super) fn is_call(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let rest = value.and_then(|value| value.strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| rest.first().is_none_or(|byte| matches!(byte, b'+' | b';')))
}

/// Says in gRPC's way what an answer says in HTTP's: 200, a status, and the body as its message.
pub(super) fn translate(response: &mut Response<Bytes>) {
    let status = status_of(response.status());
    let message = HeaderValue::try_from(encode(response.body()));
    *response.status_mut() = StatusCode::OK;
    *response.body_mut() = Bytes::new();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
    headers.insert(GRPC_STATUS, HeaderValue::from(status));
    if let Some(message) = message.ok().filter(|message| !message.is_empty()) {
        headers.insert(GRPC_MESSAGE, message);
    }
}

/// gRPC's own table (http-grpc-status-mapping).
fn status_of(status: StatusCode) -> u16 {
    match status.as_u16() {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}

/// What is not printable ASCII, and `%`, in hexadecimal (gRPC over HTTP/2, Status-Message).
fn encode(message: &[u8]) -> String {
    let mut text = String::with_capacity(message.len());
    for byte in message {
        match byte {
            b'%' => text.push_str("%25"),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_known_by_their_content_type() {
        for (value, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/json", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]);
            assert_eq!(is_call(&headers), expected, "{value}");
        }
        assert!(!is_call(&HeaderMap::new()));
    }

    #[test]
    fn a_refusal_becomes_a_status_with_its_words() {
        let mut response = Response::new(Bytes::from_static("RBAC: 100 % denied\n".as_bytes()));
        *response.status_mut() = StatusCode::FORBIDDEN;
        translate(&mut response);
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["grpc-status"], "7");
        assert_eq!(response.headers()["grpc-message"], "RBAC: 100 %25 denied%0A");
        assert_eq!(response.headers()["content-type"], "application/grpc");
        assert!(response.body().is_empty());
    }
}
