//! Fields that are meant for one connection only (RFC 9110 7.6.1).

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue};

const ALWAYS: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
    TRANSFER_ENCODING,
    UPGRADE,
    TE,
];

/// Takes out the hop-by-hop fields and those that `connection` names. A request keeps `te: trailers`, the one form that HTTP/2 knows.
pub(super) fn strip(headers: &mut HeaderMap, request: bool) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    let trailers = request && accepts_trailers(headers);
    for name in named.iter().filter(|name| !is_needed(name)).chain(&ALWAYS) {
        headers.remove(name);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Takes the same out of trailers, which are fields, too, and in HTTP/2 malformed with them (RFC 9110 6.5.1, RFC 9113 8.2.2). `None`: nothing is left.
pub(super) fn strip_trailers(mut trailers: HeaderMap) -> Option<HeaderMap> {
    strip(&mut trailers, false);
    (!trailers.is_empty()).then_some(trailers)
}

/// Whether a field cannot be a connection's own, whatever `connection` says: without it the message would be another one.
fn is_needed(name: &HeaderName) -> bool {
    *name == HOST || *name == CONTENT_LENGTH
}

fn accepts_trailers(headers: &HeaderMap) -> bool {
    let coding = |item: &[u8]| {
        let name = item.split(|byte| *byte == b';').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"trailers")
    };
    headers.get_all(TE).iter().any(|value| value.as_bytes().split(|byte| *byte == b',').any(coding))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(fields: &[(&'static str, &'static str)], request: bool) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        strip(&mut headers, request);
        let fields = headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        let mut fields: Vec<_> = fields.collect();
        fields.sort();
        fields
    }

    #[test]
    fn what_belongs_to_the_connection_stays_there() {
        let fields = [
            ("connection", "keep-alive, X-Foo"),
            ("connection", "x-bar"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "close"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABk"),
            ("transfer-encoding", "chunked"),
            ("x-foo", "1"),
            ("x-bar", "2"),
            ("x-bar", "3"),
            ("x-kept", "4"),
        ];
        assert_eq!(stripped(&fields, true), ["x-kept: 4"]);
        assert_eq!(stripped(&fields, false), ["x-kept: 4"]);
    }

    #[test]
    fn trailers_may_be_accepted_across_hops_and_codings_not() {
        assert_eq!(stripped(&[("te", "trailers")], true), ["te: trailers"]);
        assert_eq!(stripped(&[("te", "gzip, Trailers;q=0.5"), ("connection", "te")], true), ["te: trailers"]);
        assert!(stripped(&[("te", "gzip")], true).is_empty());
        assert!(stripped(&[("te", "trailers")], false).is_empty());
    }

    #[test]
    fn trailers_are_stripped_as_fields_are_and_may_vanish() {
        let trailers = |fields: &[(&'static str, &'static str)]| {
            let fields = fields
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            strip_trailers(fields.collect())
        };
        let left = trailers(&[("connection", "x-hop"), ("x-hop", "1"), ("te", "trailers"), ("x-sum", "a")]);
        assert_eq!(left.unwrap().into_iter().collect::<Vec<_>>().len(), 1);
        for name in ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"] {
            assert_eq!(trailers(&[(name, "close")]), None, "{name}");
        }
    }

    #[test]
    fn the_frame_of_a_message_cannot_be_taken_out() {
        let fields = [("connection", "content-length, host"), ("content-length", "3"), ("host", "a")];
        assert_eq!(stripped(&fields, true), ["content-length: 3", "host: a"]);
    }
}
