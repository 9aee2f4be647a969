//! What one sidecar must do, worked out from the resources: listeners, clusters, protocols, identities, permissions,
//! timeouts. Everything here is pure; the proxy takes a [`Plan`] and asks nothing further.

mod error;
mod http;
mod permission;
mod protocol;
mod resolve;
mod retry;
mod select;
mod service;
mod sni;
mod timeout;

use std::net::SocketAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

pub use crate::resource::Protocol;
pub use error::Error;
pub use http::{BackOff, HttpPolicy, HttpUpstream, HttpVersion, Retry, RetryOn};
pub use permission::{Identities, Permissions, Principal, Rule};
pub use protocol::{common, common_of_all};
pub use sni::{mesh_service_sni, tag_sni};

use crate::resource::Resources;

/// The work of one sidecar.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct Plan {
    /// Mesh, which is also the SPIFFE trust domain.
    pub mesh: String,
    /// Name of the dataplane.
    pub dataplane: String,
    /// URIs of the sidecar's own certificate, in order; null if the mesh has no mTLS.
    pub identity: Option<Vec<String>>,
    /// Where it listens for others, in the order of the resource.
    pub inbounds: Vec<Inbound>,
    /// Where it listens for its app, in the order of the resource.
    pub outbounds: Vec<Outbound>,
}

/// A listener that carries others' connections to the app.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct Inbound {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The service it offers.
    pub service: String,
    /// The protocol the service speaks.
    pub protocol: Protocol,
    /// How requests are treated; null: the bytes are opaque.
    pub http: Option<HttpPolicy>,
    /// `localhost_<servicePort>`; names its metrics.
    pub stat_prefix: String,
    /// How long a connection may be without a byte in either direction; null: for ever. Where requests are told apart,
    /// Kuma sets no such limit on callers' connections, only on those of its cluster's `http` (kuma 2.5).
    #[serde(serialize_with = "optional_duration")]
    #[schemars(with = "Option<String>")]
    pub idle_timeout: Option<Duration>,
    /// What callers must speak.
    pub tls: DownstreamTls,
    /// The app.
    pub cluster: Cluster,
}

/// What callers of an inbound must speak.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DownstreamTls {
    /// No mesh TLS: bytes are the app's.
    Disabled,
    /// Mesh TLS with a certificate of the mesh, and nothing else.
    Strict {
        /// How a URI of the caller's certificate must begin.
        san_prefix: String,
        /// Which callers are let through.
        permissions: Permissions,
    },
}

/// A listener that carries the app's connections to another dataplane.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct Outbound {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The destination's name as resources say it.
    pub service: String,
    /// The protocol the destination speaks.
    pub protocol: Protocol,
    /// How requests are treated; null: the bytes are opaque.
    pub http: Option<HttpPolicy>,
    /// Names its metrics.
    pub stat_prefix: String,
    /// How long a connection may be without a byte in either direction; null: for ever. Where requests are told apart,
    /// Kuma sets no such limit on callers' connections, only on those of its cluster's `http` (kuma 2.5).
    #[serde(serialize_with = "optional_duration")]
    #[schemars(with = "Option<String>")]
    pub idle_timeout: Option<Duration>,
    /// The destination.
    pub cluster: Cluster,
}

/// Endpoints that do the same, and how to reach them.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct Cluster {
    /// Name in metrics.
    pub name: String,
    /// Where to connect, taken in turn. May be empty.
    pub endpoints: Vec<SocketAddr>,
    /// Time for one attempt: TCP and mesh TLS together.
    #[serde(serialize_with = "duration")]
    #[schemars(with = "String")]
    pub connect_timeout: Duration,
    /// Attempts in all for one connection of the client; at least 1.
    pub connect_attempts: u32,
    /// Mesh TLS towards the endpoints; null: plaintext.
    pub tls: Option<UpstreamTls>,
    /// How requests are carried to the endpoints; null: the bytes are opaque.
    pub http: Option<HttpUpstream>,
}

/// Mesh TLS towards another dataplane.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct UpstreamTls {
    /// Server name to send. Outbounds by `kuma.io/service` have none: Kuma's form of it is no DNS name, and some
    /// libraries send only those.
    pub sni: Option<String>,
    /// Of an outbound by `kuma.io/service`: the server name as Kuma has it, `SERVICE{mesh=MESH}` (kuma 3.3), for those whose
    /// TLS can send what is no DNS name.
    pub tag_sni: Option<String>,
    /// URIs, one of which the server's certificate must bear.
    pub sans: Vec<String>,
}

impl Plan {
    /// The JSON Schema (draft 2020-12) of a plan as it is serialized.
    #[must_use]
    pub fn schema() -> schemars::Schema {
        let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
        settings.into_generator().into_root_schema_for::<Self>()
    }

    /// Works out what the sidecar of `dataplane` must do.
    ///
    /// # Errors
    /// The resources contradict themselves, miss something, or want what this build cannot do.
    pub fn resolve(resources: &Resources, dataplane: &str) -> Result<Self, Error> {
        resolve::resolve(resources, dataplane)
    }
}

fn duration<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}

fn optional_duration<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => serializer.collect_str(&humantime::format_duration(*duration)),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests;
