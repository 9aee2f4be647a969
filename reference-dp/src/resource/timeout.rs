//! `MeshTimeout`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::TargetRef;

/// A timeout policy.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MeshTimeout {
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
    pub spec: MeshTimeoutSpec,
}

/// `MeshTimeout.spec`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MeshTimeoutSpec {
    /// Dataplanes it is about; all if absent.
    #[serde(default)]
    pub target_ref: Option<TargetRef>,
    /// For outbounds.
    #[serde(default)]
    pub to: Vec<ToTimeouts>,
    /// For inbounds, the older form.
    #[serde(default)]
    pub from: Vec<ToTimeouts>,
    /// For inbounds.
    #[serde(default)]
    pub rules: Vec<RuleTimeouts>,
}

/// Timeouts for one destination or source.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ToTimeouts {
    /// The other side.
    pub target_ref: TargetRef,
    /// The timeouts.
    #[serde(default)]
    pub default: Timeouts,
}

/// Timeouts for inbounds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RuleTimeouts {
    /// The timeouts.
    #[serde(default)]
    pub default: Timeouts,
}

/// Timeouts; absent ones take Kuma's defaults, zero switches off (except for connecting).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Timeouts {
    /// To establish a connection.
    #[serde(default, deserialize_with = "super::duration::option")]
    pub connection_timeout: Option<Duration>,
    /// Without a byte in either direction.
    #[serde(default, deserialize_with = "super::duration::option")]
    pub idle_timeout: Option<Duration>,
    /// Of requests.
    #[serde(default)]
    pub http: Option<HttpTimeouts>,
}

/// Timeouts of requests, which opaque traffic does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HttpTimeouts {
    /// From the end of a request to the end of its answer.
    #[serde(default, deserialize_with = "super::duration::option")]
    pub request_timeout: Option<Duration>,
    /// For the head of a request.
    #[serde(default, deserialize_with = "super::duration::option")]
    pub request_headers_timeout: Option<Duration>,
    /// Of a stream without a frame.
    #[serde(default, deserialize_with = "super::duration::option")]
    pub stream_idle_timeout: Option<Duration>,
    /// Of a stream as a whole.
    #[serde(default, deserialize_with = "super::duration::option")]
    pub max_stream_duration: Option<Duration>,
    /// Of a connection as a whole.
    #[serde(default, deserialize_with = "super::duration::option")]
    pub max_connection_duration: Option<Duration>,
}
