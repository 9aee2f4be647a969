//! `Mesh`: the mesh itself and its mTLS (Kuma's `api/mesh/v1alpha1/mesh.proto`).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

/// A mesh.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Mesh {
    #[serde(rename = "type")]
    _kind: String,
    /// Name, which is also the SPIFFE trust domain.
    pub name: String,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Written by the control plane; without meaning here.
    #[serde(default, rename = "creationTime")]
    _creation_time: Option<String>,
    /// Written by the control plane; without meaning here.
    #[serde(default, rename = "modificationTime")]
    _modification_time: Option<String>,
    /// Mutual TLS; absent means off.
    #[serde(default)]
    pub mtls: Option<Mtls>,
    /// How services are made into `MeshService`s. Here each `kuma.io/service` always has one.
    #[serde(default)]
    pub mesh_services: Option<MeshServices>,
    /// Policies that the control plane does not create with the mesh. Here it never creates any.
    #[serde(default)]
    pub skip_creating_initial_policies: Vec<String>,
}

/// `Mesh.mtls`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Mtls {
    /// Name of the backend in use; absent or empty means that mTLS is off.
    #[serde(default)]
    pub enabled_backend: Option<String>,
    /// Certificate authorities to choose from.
    #[serde(default)]
    pub backends: Vec<Backend>,
    /// Whether the control plane skips checking backends.
    #[serde(default)]
    pub skip_validation: bool,
}

/// A certificate authority of a mesh.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Backend {
    /// Name.
    pub name: String,
    /// Who holds the authority's key. Here its certificate and key are always given to the sidecar.
    #[serde(rename = "type")]
    pub kind: BackendType,
    /// Whether plaintext is accepted beside mTLS.
    #[serde(default)]
    pub mode: Mode,
    /// Certificates of dataplanes.
    #[serde(default)]
    pub dp_cert: Option<DpCert>,
    /// Settings of a `provided` authority, which do not matter here.
    #[serde(default)]
    pub conf: Option<serde::de::IgnoredAny>,
}

/// `Mesh.mtls.backends[].type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendType {
    /// The control plane makes the authority.
    Builtin,
    /// The user brings the authority.
    Provided,
}

/// `Mesh.mtls.backends[].mode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mode {
    /// Only mTLS.
    #[default]
    Strict,
    /// mTLS and plaintext.
    Permissive,
}

/// `Mesh.mtls.backends[].dpCert`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DpCert {
    /// Renewal.
    #[serde(default)]
    pub rotation: Option<Rotation>,
    /// How long the control plane waits for an authority.
    #[serde(default, deserialize_with = "super::duration::option")]
    pub request_timeout: Option<Duration>,
}

/// `Mesh.mtls.backends[].dpCert.rotation`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Rotation {
    /// Lifetime of a dataplane's certificate; 24 h if absent.
    #[serde(default, deserialize_with = "super::duration::option")]
    pub expiration: Option<Duration>,
}

/// `Mesh.meshServices`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MeshServices {
    /// Which services get a `MeshService`.
    pub mode: MeshServicesMode,
}

/// `Mesh.meshServices.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum MeshServicesMode {
    /// None.
    Disabled,
    /// All; `kuma.io/service` still works.
    Everywhere,
    /// Those that outbounds refer to.
    ReachableBackends,
    /// All, and nothing else.
    Exclusive,
}
