//! `Dataplane`: the workload a sidecar stands beside (Kuma's `api/mesh/v1alpha1/dataplane.proto`).

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU16;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::protocol::{self, Protocol};

/// A workload.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Dataplane {
    #[serde(rename = "type")]
    _kind: String,
    /// Its mesh.
    pub mesh: String,
    /// Its name.
    pub name: String,
    /// Labels, which policies select by.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Written by the control plane; without meaning here.
    #[serde(default, rename = "creationTime")]
    _creation_time: Option<String>,
    /// Written by the control plane; without meaning here.
    #[serde(default, rename = "modificationTime")]
    _modification_time: Option<String>,
    /// What it serves and what it calls.
    pub networking: Networking,
}

/// `Dataplane.networking`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Networking {
    /// Where others reach it.
    pub address: String,
    /// Where others reach it if that differs from where it listens.
    #[serde(default)]
    pub advertised_address: Option<String>,
    /// Services it offers.
    #[serde(default)]
    pub inbound: Vec<Inbound>,
    /// Services it calls.
    #[serde(default)]
    pub outbound: Vec<Outbound>,
}

/// `Dataplane.networking.inbound[]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Inbound {
    /// Where the sidecar listens; the dataplane's address if absent.
    #[serde(default)]
    pub address: Option<String>,
    /// Port the sidecar listens at.
    pub port: NonZeroU16,
    /// Port of the app; `port` if absent.
    #[serde(default)]
    pub service_port: Option<NonZeroU16>,
    /// Address of the app; the inbound's address if absent.
    #[serde(default)]
    pub service_address: Option<String>,
    /// Name, which a `MeshService` port may refer to.
    #[serde(default)]
    pub name: Option<String>,
    /// Protocol; the tag `kuma.io/protocol` if absent.
    #[serde(default, deserialize_with = "protocol::field")]
    pub protocol: Option<Protocol>,
    /// Tags; `kuma.io/service` names the service.
    #[serde(default, deserialize_with = "tags")]
    pub tags: BTreeMap<String, String>,
    /// Whether traffic should come.
    #[serde(default)]
    pub state: InboundState,
    /// The older form of `state`.
    #[serde(default)]
    pub health: Option<Health>,
    /// Health probing of the app, which the control plane turns into `state`.
    #[serde(default)]
    pub service_probe: Option<ServiceProbe>,
}

impl Inbound {
    /// The service it offers, if the tag says so.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        self.tags.get("kuma.io/service").map(String::as_str)
    }

    /// Whether others may send traffic to it.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state == InboundState::Ready && self.health.is_none_or(|health| health.ready)
    }
}

/// `Dataplane.networking.inbound[].state`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum InboundState {
    /// Traffic may come.
    #[default]
    Ready,
    /// It listens, and others do not send.
    NotReady,
    /// It does not listen; its identity still counts.
    Ignored,
}

/// `Dataplane.networking.inbound[].health`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Health {
    /// Whether traffic may come.
    #[serde(default)]
    pub ready: bool,
}

/// `Dataplane.networking.inbound[].serviceProbe`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ServiceProbe {
    /// Time between probes.
    #[serde(default, deserialize_with = "super::duration::option")]
    pub interval: Option<Duration>,
    /// Time for one probe.
    #[serde(default, deserialize_with = "super::duration::option")]
    pub timeout: Option<Duration>,
    /// Failures until unhealthy.
    #[serde(default)]
    pub unhealthy_threshold: Option<u32>,
    /// Successes until healthy.
    #[serde(default)]
    pub healthy_threshold: Option<u32>,
    /// A TCP probe, which has no settings.
    #[serde(default)]
    pub tcp: Option<TcpProbe>,
}

/// `Dataplane.networking.inbound[].serviceProbe.tcp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpProbe {}

/// `Dataplane.networking.outbound[]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Outbound {
    /// Where the sidecar listens for the app; `127.0.0.1` if absent.
    #[serde(default)]
    pub address: Option<String>,
    /// Port it listens at.
    pub port: NonZeroU16,
    /// The destination by `kuma.io/service` (and further tags that its inbounds must have).
    #[serde(default, deserialize_with = "tags")]
    pub tags: BTreeMap<String, String>,
    /// The destination as a resource.
    #[serde(default)]
    pub backend_ref: Option<BackendRef>,
}

/// `Dataplane.networking.outbound[].backendRef`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BackendRef {
    /// Kind of the destination.
    pub kind: super::TargetKind,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// Its port.
    #[serde(default)]
    pub port: Option<NonZeroU16>,
    /// Labels instead of a name.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// Tags, with the check Kuma's validator makes of `kuma.io/protocol`, here so that the message has a place.
fn tags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    struct Tags;
    impl<'de> Visitor<'de> for Tags {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map of tags")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut tags = BTreeMap::new();
            while let Some(key) = map.next_key::<String>()? {
                let value = if key == "kuma.io/protocol" {
                    map.next_value::<ProtocolTag>()?.0
                } else {
                    map.next_value()?
                };
                tags.insert(key, value);
            }
            Ok(tags)
        }
    }
    deserializer.deserialize_map(Tags)
}

struct ProtocolTag(String);

impl<'de> Deserialize<'de> for ProtocolTag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = String::deserialize(deserializer)?;
        if Protocol::parse(&value) == Protocol::Unknown {
            return Err(serde::de::Error::custom(protocol::invalid("tag \"kuma.io/protocol\"", &value)));
        }
        Ok(Self(value))
    }
}
