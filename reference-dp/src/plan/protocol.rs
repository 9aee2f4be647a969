//! Which protocol a service speaks when several parties have a say (Kuma's `GetCommonProtocol`).

use super::Protocol;

/// What a protocol is made of, itself first.
const fn stack(protocol: Protocol) -> &'static [Protocol] {
    match protocol {
        Protocol::Grpc => &[Protocol::Grpc, Protocol::Http2, Protocol::Tcp],
        Protocol::Http2 => &[Protocol::Http2, Protocol::Tcp],
        Protocol::Http => &[Protocol::Http, Protocol::Tcp],
        Protocol::Kafka => &[Protocol::Kafka, Protocol::Tcp],
        Protocol::Tls | Protocol::Tcp => &[Protocol::Tcp],
        Protocol::Mysql | Protocol::Unknown => &[],
    }
}

/// The richest protocol that both are. `http` and `http2` share only `tcp`.
#[must_use]
pub fn common(a: Protocol, b: Protocol) -> Protocol {
    if a == b {
        return a;
    }
    stack(a).iter().copied().find(|layer| stack(b).contains(layer)).unwrap_or(Protocol::Unknown)
}

/// The protocol of a service by its endpoints: one that says nothing makes the whole service unknown, and so does
/// having none.
#[must_use]
pub fn common_of_all(endpoints: impl IntoIterator<Item = Protocol>) -> Protocol {
    endpoints.into_iter().reduce(common).unwrap_or(Protocol::Unknown)
}

#[cfg(test)]
mod tests {
    use super::Protocol::{self, Grpc, Http, Http2, Kafka, Mysql, Tcp, Tls, Unknown};
    use super::{common, common_of_all};

    const ALL: [Protocol; 8] = [Http, Http2, Grpc, Kafka, Tcp, Tls, Mysql, Unknown];

    /// The table of Kuma's own test, extended to all values.
    const TABLE: [(Protocol, [Protocol; 8]); 8] = [
        (Http, [Http, Tcp, Tcp, Tcp, Tcp, Tcp, Unknown, Unknown]),
        (Http2, [Tcp, Http2, Http2, Tcp, Tcp, Tcp, Unknown, Unknown]),
        (Grpc, [Tcp, Http2, Grpc, Tcp, Tcp, Tcp, Unknown, Unknown]),
        (Kafka, [Tcp, Tcp, Tcp, Kafka, Tcp, Tcp, Unknown, Unknown]),
        (Tcp, [Tcp, Tcp, Tcp, Tcp, Tcp, Tcp, Unknown, Unknown]),
        (Tls, [Tcp, Tcp, Tcp, Tcp, Tcp, Tls, Unknown, Unknown]),
        (Mysql, [Unknown, Unknown, Unknown, Unknown, Unknown, Unknown, Mysql, Unknown]),
        (Unknown, [Unknown; 8]),
    ];

    #[test]
    fn table_holds_both_ways_round() {
        for (a, row) in TABLE {
            for (b, expected) in ALL.into_iter().zip(row) {
                assert_eq!(common(a, b), expected, "{a} with {b}");
                assert_eq!(common(b, a), expected, "{b} with {a}");
            }
        }
    }

    #[test]
    fn a_service_is_folded_over_its_endpoints() {
        for (endpoints, expected) in [
            (&[][..], Unknown),
            (&[Http], Http),
            (&[Http, Http], Http),
            (&[Grpc, Http2, Grpc], Http2),
            (&[Http, Http2], Tcp),
            (&[Http, Unknown, Http], Unknown),
            (&[Unknown], Unknown),
        ] {
            assert_eq!(common_of_all(endpoints.iter().copied()), expected, "{endpoints:?}");
        }
    }
}
