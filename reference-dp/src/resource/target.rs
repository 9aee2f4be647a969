//! `targetRef`: whom a policy, or a part of it, is about.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A reference to one or many.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TargetRef {
    /// What is referred to.
    #[serde(default)]
    pub kind: TargetKind,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// Tags it must have (`MeshSubset`, `MeshServiceSubset`).
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Labels it must have (`Dataplane`).
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// One inbound (`Dataplane`) or one port (`MeshService`): a name or a port number.
    #[serde(default)]
    pub section_name: Option<String>,
}

/// `targetRef.kind`, in Kuma's order from the least to the most specific.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum TargetKind {
    /// Everything in the mesh.
    #[default]
    Mesh,
    /// What has the tags.
    MeshSubset,
    /// One service.
    MeshService,
    /// What has the tags, of one service.
    MeshServiceSubset,
    /// A service of another network.
    MeshExternalService,
    /// A service over several zones.
    MeshMultiZoneService,
    /// Dataplanes by name or labels.
    Dataplane,
}
