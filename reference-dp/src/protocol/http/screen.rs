//! Requests that are answered at once: what no sidecar forwards, refused as Envoy does (seen 1, 4).

use http::header::{CONNECTION, HOST, HeaderName, UPGRADE};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode, Version};

use super::framing::HEAD_BYTES_MAX;
use super::hop::Direction;

/// Most fields of a head (seen 1, 4: Envoy's default).
const FIELDS_MAX: usize = 100;

/// Fields that the caller's own sidecar may have added.
const FIELDS_ADDED: usize = 8;

/// A request that is not forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// Whether nothing more is wanted on the connection.
    pub(super) closes: bool,
}

/// Whether a request can be forwarded.
///
/// # Errors
/// How it is answered instead.
pub(super) fn screen(request: &Parts, direction: &Direction) -> Result<(), Refusal> {
    let fields_max = match direction {
        Direction::Outbound => FIELDS_MAX,
        Direction::Inbound { .. } => FIELDS_MAX + FIELDS_ADDED,
    };
    let old = matches!(request.version, Version::HTTP_09 | Version::HTTP_10);
    let refusal = if old {
        Refusal { status: StatusCode::UPGRADE_REQUIRED, closes: true }
    } else if request.headers.len() > fields_max || is_too_large(request, direction) {
        Refusal { status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, closes: true }
    } else if request.method == Method::CONNECT {
        Refusal { status: StatusCode::NOT_FOUND, closes: false }
    } else if !names_its_host(request) || !has_a_path(request) {
        Refusal { status: StatusCode::BAD_REQUEST, closes: true }
    } else if upgrades(&request.headers) {
        Refusal { status: StatusCode::FORBIDDEN, closes: true }
    } else {
        return Ok(());
    };
    Err(refusal)
}

/// Most bytes of an HTTP/2 head. What an outbound took an inbound takes, too, with what was added.
pub(super) const fn head_list_max(direction: &Direction) -> usize {
    match direction {
        Direction::Outbound => HEAD_BYTES_MAX,
        Direction::Inbound { .. } => 2 * HEAD_BYTES_MAX,
    }
}

/// Whether an HTTP/2 head is over the limit, each field with 32 bytes more than it has (RFC 9113 6.5.2). One of HTTP/1.1 was measured as it came.
fn is_too_large(request: &Parts, direction: &Direction) -> bool {
    let (uri, headers) = (&request.uri, &request.headers);
    let fields = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32);
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let target = uri.path().len() + uri.query().map_or(0, str::len);
    request.version == Version::HTTP_2
        && fields.sum::<usize>() + authority + target > head_list_max(direction)
}

/// Whether there is exactly one host beside the target (RFC 9112 3.2; of HTTP/2 there need not be one), and the target's own is one, too: it is what
/// the request goes on with.
fn names_its_host(request: &Parts) -> bool {
    let mut hosts = request.headers.get_all(HOST).iter();
    let (host, more) = (hosts.next(), hosts.next().is_some());
    if more {
        return false;
    }
    let of_target = request.uri.authority().map(|authority| is_host(authority.as_str().as_bytes()));
    let of_field = host.map(|host| is_host(host.as_bytes()));
    match (of_target, of_field) {
        (Some(target), Some(field)) => target && field,
        (Some(target), None) => target && request.version >= Version::HTTP_2,
        (None, field) => field.unwrap_or(false),
    }
}

/// Whether a text is a host with or without a port. An authority may also name a user; neither a Host nor the authority of an `http` target may
/// (RFC 9112 3.2, RFC 9110 4.2.4, RFC 9113 8.3.1).
fn is_host(text: &[u8]) -> bool {
    let Ok(authority) = Authority::try_from(text) else { return false };
    let port = authority.as_str().strip_prefix(authority.host());
    port.is_some_and(|port| port.is_empty() || port.strip_prefix(':').is_some_and(is_number))
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the target has a path. Only OPTIONS may ask for `*`, only CONNECT for an authority alone (RFC 9112 3.2).
fn has_a_path(request: &Parts) -> bool {
    let path = request.uri.path();
    path.starts_with('/') || path == "*" && request.method == Method::OPTIONS
}

/// Whether another protocol is wanted, be it one of several. `h2c` is not taken up and does no harm.
fn upgrades(headers: &HeaderMap) -> bool {
    items(headers, &CONNECTION).any(|option| option.eq_ignore_ascii_case(b"upgrade"))
        && items(headers, &UPGRADE).any(|protocol| !protocol.eq_ignore_ascii_case(b"h2c"))
}

/// What a field lists, on all of its lines (RFC 9110 5.6.1).
fn items<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let lines = headers.get_all(name).into_iter();
    let items = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    items.map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn verdict(
        method: &str,
        uri: &str,
        version: Version,
        headers: &[(&str, &str)],
    ) -> Result<(), (u16, bool)> {
        let mut request = Request::builder().method(method).uri(uri).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        screen(&request.body(()).unwrap().into_parts().0, &Direction::Outbound)
            .map_err(|refusal| (refusal.status.as_u16(), refusal.closes))
    }

    #[test]
    fn heads_of_http2_are_measured_here() {
        let value = "a".repeat(HEAD_BYTES_MAX / 2);
        let two = [("x-a", &*value), ("x-b", &*value)];
        assert_eq!(verdict("GET", "http://shop/", Version::HTTP_2, &two[..1]), Ok(()));
        assert_eq!(verdict("GET", "http://shop/", Version::HTTP_2, &two), Err((431, true)));
        let long = format!("http://shop/{value}{value}");
        assert_eq!(verdict("GET", &long, Version::HTTP_2, &[]), Err((431, true)));
    }

    #[test]
    fn refusals_are_envoys() {
        const V1: Version = Version::HTTP_11;
        const V2: Version = Version::HTTP_2;
        let host = ("host", "shop:80");
        for (method, uri, version, headers, expected) in [
            ("GET", "/", V1, vec![host], Ok(())),
            ("GET", "http://shop/", V1, vec![host], Ok(())),
            ("GET", "http://shop/", V2, vec![], Ok(())),
            ("GET", "http://shop/", V1, vec![], Err((400, true))),
            ("GET", "http://user@shop/", V1, vec![host], Err((400, true))),
            ("GET", "http://shop/", V1, vec![("host", "user@shop")], Err((400, true))),
            ("GET", "http://user@shop/", V2, vec![], Err((400, true))),
            ("GET", "http://user:secret@shop:80/", V2, vec![], Err((400, true))),
            ("GET", "http://shop:http/", V2, vec![], Err((400, true))),
            ("GET", "http://shop:/", V2, vec![], Ok(())),
            ("GET", "http://[::1]:80/", V2, vec![], Ok(())),
            ("OPTIONS", "*", V1, vec![host], Ok(())),
            ("GET", "*", V1, vec![host], Err((400, true))),
            ("GET", "shop:80", V1, vec![host], Err((400, true))),
            ("GET", "/", V1, vec![("host", "user@shop")], Err((400, true))),
            ("GET", "/", V1, vec![("host", "shop:http")], Err((400, true))),
            ("GET", "/", V1, vec![("host", "[::1]:80")], Ok(())),
            ("GET", "/", V1, vec![("host", "shop:")], Ok(())),
            ("GET", "/", Version::HTTP_10, vec![host], Err((426, true))),
            ("GET", "/", V1, vec![], Err((400, true))),
            ("GET", "/", V1, vec![host, host], Err((400, true))),
            ("GET", "/", V1, vec![("host", "a b")], Err((400, true))),
            ("GET", "/", V1, vec![("host", "")], Err((400, true))),
            ("CONNECT", "a:1", V1, vec![host], Err((404, false))),
            ("CONNECT", "a:1", V2, vec![], Err((404, false))),
            (
                "GET",
                "/",
                V1,
                vec![host, ("connection", "Upgrade"), ("upgrade", "websocket")],
                Err((403, true)),
            ),
            (
                "GET",
                "/",
                V1,
                vec![host, ("connection", "x, upgrade"), ("upgrade", "foo/2")],
                Err((403, true)),
            ),
            (
                "GET",
                "/",
                V1,
                vec![host, ("connection", "upgrade, http2-settings"), ("upgrade", "h2c")],
                Ok(()),
            ),
            (
                "GET",
                "/",
                V1,
                vec![host, ("connection", "upgrade"), ("upgrade", "h2c"), ("upgrade", "websocket")],
                Err((403, true)),
            ),
            (
                "GET",
                "/",
                V1,
                vec![host, ("connection", "x"), ("connection", "upgrade"), ("upgrade", "h2c, , WebSocket")],
                Err((403, true)),
            ),
            ("GET", "/", V1, vec![host, ("connection", "upgrade"), ("upgrade", "")], Ok(())),
            ("GET", "/", V1, vec![host, ("upgrade", "websocket")], Ok(())),
            ("GET", "/", V1, vec![("x", "y"); 101], Err((431, true))),
        ] {
            assert_eq!(verdict(method, uri, version, &headers), expected, "{method} {uri} {headers:?}");
        }
    }
}
