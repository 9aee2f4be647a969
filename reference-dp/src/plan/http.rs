//! How requests are treated: timeouts, retries, and the protocol towards an endpoint.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::{duration, optional_duration};

/// What a listener does with requests.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct HttpPolicy {
    /// From the end of a request to the end of its answer; null: for ever.
    #[serde(serialize_with = "optional_duration")]
    #[schemars(with = "Option<String>")]
    pub request_timeout: Option<Duration>,
    /// For the head of a request; null: for ever.
    #[serde(serialize_with = "optional_duration")]
    #[schemars(with = "Option<String>")]
    pub request_headers_timeout: Option<Duration>,
    /// Of a stream in which nothing moves; null: for ever.
    #[serde(serialize_with = "optional_duration")]
    #[schemars(with = "Option<String>")]
    pub stream_idle_timeout: Option<Duration>,
    /// Of a stream as a whole; null: for ever.
    #[serde(serialize_with = "optional_duration")]
    #[schemars(with = "Option<String>")]
    pub max_stream_duration: Option<Duration>,
    /// How requests are tried again; null: not at all.
    pub retry: Option<Retry>,
    /// Whether dot segments are taken out of paths (outbounds do, inbounds do not; kuma 2.3).
    pub normalize_path: bool,
}

/// How requests are tried again (`MeshRetry`).
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Retry {
    /// Tries after the first one; at least 1.
    pub retries: u32,
    /// For one try, counted like the request timeout; null: no limit of its own.
    #[serde(serialize_with = "optional_duration")]
    #[schemars(with = "Option<String>")]
    pub per_try_timeout: Option<Duration>,
    /// Waits between tries.
    pub back_off: BackOff,
    /// After what.
    pub on: RetryOn,
}

/// Waits between tries: each drawn evenly from zero up to a bound, which doubles from `base` to `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
pub struct BackOff {
    /// The first bound.
    #[serde(serialize_with = "duration")]
    #[schemars(with = "String")]
    pub base: Duration,
    /// The last bound.
    #[serde(serialize_with = "duration")]
    #[schemars(with = "String")]
    pub max: Duration,
}

/// After what a request is tried again; in no field: never.
#[derive(Debug, Clone, PartialEq, Eq, Default, JsonSchema, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "a set of Envoy's conditions, each on or off")]
pub struct RetryOn {
    /// Any answer 5xx, and no answer at all.
    pub any_5xx: bool,
    /// An answer 502, 503 or 504.
    pub gateway_error: bool,
    /// No connection to an endpoint.
    pub connect_failure: bool,
    /// A stream that the endpoint refused (`REFUSED_STREAM`).
    pub refused_stream: bool,
    /// No answer: the connection ended, was reset, or a try took too long.
    pub reset: bool,
    /// A 409.
    pub retriable_4xx: bool,
    /// These statuses.
    pub statuses: Vec<u16>,
    /// Only requests of these methods are; empty: any.
    pub methods: Vec<&'static str>,
}

impl RetryOn {
    /// Whether requests of this method may be tried again.
    #[must_use]
    pub fn is_for(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.contains(&method)
    }
}

/// How requests are carried to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct HttpUpstream {
    /// The protocol spoken, without negotiation.
    pub version: HttpVersion,
    /// Of a pooled connection without a request; null: for ever.
    #[serde(serialize_with = "optional_duration")]
    #[schemars(with = "Option<String>")]
    pub idle_timeout: Option<Duration>,
    /// Of a connection as a whole; null: for ever.
    #[serde(serialize_with = "optional_duration")]
    #[schemars(with = "Option<String>")]
    pub max_connection_duration: Option<Duration>,
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
pub enum HttpVersion {
    /// HTTP/1.1, a connection for each request at once.
    #[serde(rename = "HTTP/1.1")]
    V1,
    /// HTTP/2 with prior knowledge, one connection for all requests.
    #[serde(rename = "HTTP/2")]
    V2,
}
