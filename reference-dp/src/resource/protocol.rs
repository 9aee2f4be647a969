//! The protocol a service says it speaks.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::error::closest;

/// A protocol of a service (Kuma's `pkg/core/metadata/protocol.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Opaque bytes, said so.
    Tcp,
    /// Opaque bytes that are TLS. Kuma accepts the value, cannot configure it, and does not list it as supported;
    /// here it means opaque bytes.
    Tls,
    /// HTTP/1.1 to the app.
    Http,
    /// HTTP/2 cleartext to the app.
    Http2,
    /// gRPC.
    Grpc,
    /// Kafka (Kuma 2.x only).
    Kafka,
    /// Accepted by Kuma though not listed as supported; here opaque bytes.
    Mysql,
    /// Nothing was said, or parties disagree beyond repair: opaque bytes.
    Unknown,
}

impl Protocol {
    /// The values Kuma calls supported, as its messages list them.
    pub const SUPPORTED: [&'static str; 5] = ["grpc", "http", "http2", "kafka", "tcp"];

    /// Reads a value as Kuma does: case does not matter, blanks do, and what is not known is [`Self::Unknown`].
    #[must_use]
    pub fn parse(value: &str) -> Self {
        match value.to_lowercase().as_str() {
            "tcp" => Self::Tcp,
            "tls" => Self::Tls,
            "http" => Self::Http,
            "http2" => Self::Http2,
            "grpc" => Self::Grpc,
            "kafka" => Self::Kafka,
            "mysql" => Self::Mysql,
            _ => Self::Unknown,
        }
    }

    /// Its name in resources; `<unknown>` for [`Self::Unknown`].
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Http2 => "http2",
            Self::Grpc => "grpc",
            Self::Kafka => "kafka",
            Self::Mysql => "mysql",
            Self::Unknown => "<unknown>",
        }
    }

    /// Whether a sidecar only carries its bytes, without looking at them.
    #[must_use]
    pub const fn is_opaque(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls | Self::Mysql | Self::Unknown)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What Kuma's validator says about a value that parses to nothing.
pub(super) fn invalid(what: &str, value: &str) -> String {
    let advice = closest(value, Protocol::SUPPORTED)
        .map_or(String::new(), |near| format!(" (did you mean \"{near}\"?)"));
    format!(
        "{what} has an invalid value \"{value}\"{advice}. Allowed values: {}",
        Protocol::SUPPORTED.join(", ")
    )
}

/// An inbound's `protocol` field.
pub(super) fn field<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Protocol>, D::Error> {
    let value = String::deserialize(deserializer)?;
    match Protocol::parse(&value) {
        // Kuma takes an empty field for an absent one.
        Protocol::Unknown if value.is_empty() => Ok(None),
        Protocol::Unknown => Err(serde::de::Error::custom(invalid("protocol", &value))),
        known => Ok(Some(known)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_kuma_reads_them() {
        for (value, expected) in [
            ("tcp", Protocol::Tcp),
            ("TCP", Protocol::Tcp),
            ("Http2", Protocol::Http2),
            ("http", Protocol::Http),
            ("grpc", Protocol::Grpc),
            ("kafka", Protocol::Kafka),
            ("tls", Protocol::Tls),
            ("mysql", Protocol::Mysql),
            ("", Protocol::Unknown),
            (" tcp", Protocol::Unknown),
            ("websocket", Protocol::Unknown),
            ("https", Protocol::Unknown),
            ("raw_buffer", Protocol::Unknown),
        ] {
            assert_eq!(Protocol::parse(value), expected, "{value:?}");
        }
    }
}
