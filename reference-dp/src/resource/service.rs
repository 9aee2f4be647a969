//! `MeshService`: a service with ports and identities.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU16;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

/// A service.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MeshService {
    #[serde(rename = "type")]
    _kind: String,
    /// Its mesh.
    pub mesh: String,
    /// Its name.
    pub name: String,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What it is.
    pub spec: MeshServiceSpec,
}

/// `MeshService.spec`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MeshServiceSpec {
    /// Dataplanes behind it; none if absent.
    #[serde(default)]
    pub selector: Selector,
    /// Its ports.
    #[serde(default)]
    pub ports: Vec<ServicePort>,
    /// Identities its dataplanes may show; `spiffe://MESH/NAME` if none is given.
    #[serde(default)]
    pub identities: Vec<ServiceIdentity>,
    /// Written by the control plane; without meaning here.
    #[serde(default, rename = "state")]
    _state: Option<String>,
}

/// `MeshService.spec.selector`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Selector {
    /// Tags an inbound must have.
    #[serde(default)]
    pub dataplane_tags: BTreeMap<String, String>,
}

/// `MeshService.spec.ports[]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ServicePort {
    /// Name.
    #[serde(default)]
    pub name: Option<String>,
    /// Port by which the service is referred to.
    pub port: NonZeroU16,
    /// Inbound behind it; `port` if absent.
    #[serde(default)]
    pub target_port: Option<PortRef>,
    /// Protocol, taken as written; `tcp` if absent.
    #[serde(default)]
    pub app_protocol: Option<String>,
}

/// An inbound by port or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortRef {
    /// By the port it listens at.
    Number(NonZeroU16),
    /// By its name.
    Name(String),
}

impl<'de> Deserialize<'de> for PortRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Port;
        impl Visitor<'_> for Port {
            type Value = PortRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port number from 1 to 65535 or the name of an inbound")
            }

            fn visit_u64<E: serde::de::Error>(self, port: u64) -> Result<PortRef, E> {
                let number = u16::try_from(port).ok().and_then(NonZeroU16::new);
                number
                    .map(PortRef::Number)
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Unsigned(port), &self))
            }

            fn visit_i64<E: serde::de::Error>(self, port: i64) -> Result<PortRef, E> {
                match u64::try_from(port) {
                    Ok(port) => self.visit_u64(port),
                    Err(_) => Err(E::invalid_value(serde::de::Unexpected::Signed(port), &self)),
                }
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<PortRef, E> {
                Ok(PortRef::Name(name.to_owned()))
            }
        }
        deserializer.deserialize_any(Port)
    }
}

/// `MeshService.spec.identities[]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceIdentity {
    /// What `value` is.
    #[serde(rename = "type")]
    pub kind: IdentityType,
    /// A service's tag or a SPIFFE id.
    pub value: String,
}

/// `MeshService.spec.identities[].type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum IdentityType {
    /// A value of `kuma.io/service`.
    ServiceTag,
    /// A SPIFFE id.
    SpiffeID,
}
