//! `MeshRetry`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny};

use super::TargetRef;
use super::error::closest;

/// A policy of second tries.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MeshRetry {
    #[serde(rename = "type")]
    _kind: String,
    /// Its mesh.
    pub mesh: String,
    /// Its name.
    pub name: String,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What it says.
    pub spec: MeshRetrySpec,
}

/// `MeshRetry.spec`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MeshRetrySpec {
    /// Dataplanes it is about; all if absent.
    #[serde(default)]
    pub target_ref: Option<TargetRef>,
    /// For outbounds; there is nothing for inbounds.
    #[serde(default)]
    pub to: Vec<ToRetries>,
}

/// Retries for one destination.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ToRetries {
    /// The destination.
    pub target_ref: TargetRef,
    /// The retries.
    #[serde(default)]
    pub default: Retries,
}

/// Retries by the destination's protocol; absent fields take Kuma's defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Retries {
    /// For exactly `tcp`.
    #[serde(default)]
    pub tcp: Option<TcpRetries>,
    /// For exactly `http`.
    #[serde(default)]
    pub http: Option<HttpRetries>,
    /// For exactly `grpc`.
    #[serde(default)]
    pub grpc: Option<GrpcRetries>,
}

/// Attempts to connect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TcpRetries {
    /// In all, the first one among them.
    #[serde(default)]
    pub max_connect_attempt: Option<NonZeroU32>,
}

/// Tries of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HttpRetries {
    /// After the first one; 0 switches retries off.
    #[serde(default)]
    pub num_retries: Option<u32>,
    /// For one try; zero: no limit of its own.
    #[serde(default, deserialize_with = "super::duration::option")]
    pub per_try_timeout: Option<Duration>,
    /// Waits between tries.
    #[serde(default)]
    pub back_off: Option<RetryBackOff>,
    /// After what, and for which requests.
    #[serde(default)]
    pub retry_on: Option<Vec<HttpRetryOn>>,
    #[serde(default, rename = "rateLimitedBackOff")]
    _rate_limited_back_off: NotBuilt,
    #[serde(default, rename = "retriableResponseHeaders")]
    _retriable_response_headers: NotBuilt,
    #[serde(default, rename = "retriableRequestHeaders")]
    _retriable_request_headers: NotBuilt,
    #[serde(default, rename = "hostSelection")]
    _host_selection: NotBuilt,
    #[serde(default, rename = "hostSelectionMaxAttempts")]
    _host_selection_max_attempts: NotBuilt,
}

/// Tries of a gRPC call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GrpcRetries {
    /// After the first one; 0 switches retries off.
    #[serde(default)]
    pub num_retries: Option<u32>,
    /// For one try; zero: no limit of its own.
    #[serde(default, deserialize_with = "super::duration::option")]
    pub per_try_timeout: Option<Duration>,
    /// Waits between tries.
    #[serde(default)]
    pub back_off: Option<RetryBackOff>,
    /// After what.
    #[serde(default)]
    pub retry_on: Option<Vec<GrpcRetryOn>>,
    #[serde(default, rename = "rateLimitedBackOff")]
    _rate_limited_back_off: NotBuilt,
}

/// Waits between tries, each drawn from zero to a bound that doubles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RetryBackOff {
    /// The first bound.
    #[serde(default, deserialize_with = "super::duration::option")]
    pub base_interval: Option<Duration>,
    /// The last bound; absent: ten times the first.
    #[serde(default, deserialize_with = "super::duration::option")]
    pub max_interval: Option<Duration>,
}

/// An item of `http.retryOn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpRetryOn {
    /// Any answer 5xx, and no answer at all.
    Any5xx,
    /// An answer 502, 503 or 504.
    GatewayError,
    /// No answer.
    Reset,
    /// A 409.
    Retriable4xx,
    /// No connection.
    ConnectFailure,
    /// A refused stream.
    RefusedStream,
    /// Of HTTP/3, which no sidecar speaks: never.
    Http3PostConnectFailure,
    /// An answer of this status.
    Status(u16),
    /// Only requests of this method are tried again.
    Method(&'static str),
}

impl HttpRetryOn {
    /// All names, as Kuma writes them, save for statuses, which are numbers. Kuma's docs say `5XX`, its code says `5xx`.
    const NAMES: [(&'static str, Self); 17] = [
        ("5XX", Self::Any5xx),
        ("5xx", Self::Any5xx),
        ("GatewayError", Self::GatewayError),
        ("Reset", Self::Reset),
        ("Retriable4xx", Self::Retriable4xx),
        ("ConnectFailure", Self::ConnectFailure),
        ("RefusedStream", Self::RefusedStream),
        ("Http3PostConnectFailure", Self::Http3PostConnectFailure),
        ("HttpMethodConnect", Self::Method("CONNECT")),
        ("HttpMethodDelete", Self::Method("DELETE")),
        ("HttpMethodGet", Self::Method("GET")),
        ("HttpMethodHead", Self::Method("HEAD")),
        ("HttpMethodOptions", Self::Method("OPTIONS")),
        ("HttpMethodPatch", Self::Method("PATCH")),
        ("HttpMethodPost", Self::Method("POST")),
        ("HttpMethodPut", Self::Method("PUT")),
        ("HttpMethodTrace", Self::Method("TRACE")),
    ];

    fn parse(text: &str) -> Result<Self, String> {
        if text == "EnvoyRatelimited" {
            return Err("`EnvoyRatelimited` is not built yet".to_owned());
        }
        if let Some((_, item)) = Self::NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(*item);
        }
        // Kuma takes the numbers that have a name; those outside of 100 to 599 are no statuses at all.
        if let Some(status) = text.parse().ok().filter(|status| (100..600).contains(status)) {
            return Ok(Self::Status(status));
        }
        let near = closest(text, Self::NAMES.iter().map(|(name, _)| *name));
        let near = near.map_or(String::new(), |near| format!(", did you mean `{near}`?"));
        Err(format!(
            "unknown value `{text}`{near}, expected a condition such as GatewayError or a status such as \"503\""
        ))
    }
}

impl<'de> Deserialize<'de> for HttpRetryOn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// An item of `grpc.retryOn`: a status of gRPC in an answer's headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "gRPC's own names")]
pub enum GrpcRetryOn {
    Canceled,
    DeadlineExceeded,
    Internal,
    ResourceExhausted,
    Unavailable,
}

/// A field that Kuma knows and this build does not: better refused than ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct NotBuilt;

impl<'de> Deserialize<'de> for NotBuilt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer)?;
        Err(D::Error::custom("this field is not built yet"))
    }
}
