//! Requests in the form of the version that an endpoint speaks.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Uri, Version};

/// Fields that say something about a connection of HTTP/1.1 and are malformed in HTTP/2 (RFC 9113 8.2.2).
const OF_THE_CONNECTION: [HeaderName; 5] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TRANSFER_ENCODING,
    UPGRADE,
];

/// A request that cannot be said in the other version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unsayable;

/// Target in origin form, authority in `host` (RFC 9112 3.2.1).
pub(super) fn for_http1(head: &mut Parts) -> Result<(), Unsayable> {
    head.version = Version::HTTP_11;
    // The codec frames the body anew.
    head.headers.remove(TRANSFER_ENCODING);
    if let Some(authority) = head.uri.authority()
        && !head.headers.contains_key(HOST)
    {
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Unsayable)?;
        head.headers.insert(HOST, host);
    }
    head.uri = Uri::from(path(&head.uri));
    Ok(())
}

/// Authority in `:authority`, and nothing about the connection (RFC 9113 8.3.1, 8.2.2).
pub(super) fn for_http2(head: &mut Parts) -> Result<(), Unsayable> {
    head.version = Version::HTTP_2;
    let host = head.headers.remove(HOST);
    let authority = match (head.uri.authority(), host) {
        (Some(authority), _) => authority.clone(),
        (None, Some(host)) => Authority::try_from(host.as_bytes()).map_err(|_| Unsayable)?,
        (None, None) => return Err(Unsayable),
    };
    for name in &OF_THE_CONNECTION {
        head.headers.remove(name);
    }
    if head.headers.get(TE).is_some_and(|te| te != "trailers") {
        head.headers.remove(TE);
    }
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(head.uri.scheme().cloned().unwrap_or(Scheme::HTTP));
    parts.authority = Some(authority);
    parts.path_and_query = Some(path(&head.uri));
    head.uri = Uri::from_parts(parts).map_err(|_| Unsayable)?;
    Ok(())
}

/// How long a message's body is, if its head says it.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn path(uri: &Uri) -> PathAndQuery {
    uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_request_of_http2_is_said_in_http1() {
        let mut said = head("http://shop:80/a?b", &[("x-a", "b")]);
        for_http1(&mut said).unwrap();
        assert_eq!(said.uri, "/a?b");
        assert_eq!(said.headers[HOST], "shop:80");
        assert_eq!(said.version, Version::HTTP_11);
    }

    #[test]
    fn a_host_that_is_there_stays() {
        let mut said = head("http://other/", &[("host", "shop")]);
        for_http1(&mut said).unwrap();
        assert_eq!(said.headers[HOST], "shop");
        assert_eq!(said.headers.len(), 1);
    }

    #[test]
    fn a_request_of_http1_is_said_in_http2() {
        let headers = [
            ("host", "shop:80"),
            ("connection", "close"),
            ("transfer-encoding", "chunked"),
            ("te", "gzip"),
            ("x-a", "b"),
        ];
        let mut said = head("/a?b", &headers);
        for_http2(&mut said).unwrap();
        assert_eq!(said.uri, "http://shop:80/a?b");
        assert_eq!(said.headers.keys().collect::<Vec<_>>(), ["x-a"]);
        let mut said = head("/", &[("host", "shop"), ("te", "trailers")]);
        for_http2(&mut said).unwrap();
        assert_eq!(said.headers[TE], "trailers");
    }

    #[test]
    fn without_a_host_there_is_no_authority() {
        assert_eq!(for_http2(&mut head("/", &[])), Err(Unsayable));
    }
}
