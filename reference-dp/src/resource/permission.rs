//! `MeshTrafficPermission`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::TargetRef;

/// A permission policy.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MeshTrafficPermission {
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
    pub spec: MeshTrafficPermissionSpec,
}

/// `MeshTrafficPermission.spec`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MeshTrafficPermissionSpec {
    /// Dataplanes whose inbounds it is about; all if absent.
    #[serde(default)]
    pub target_ref: Option<TargetRef>,
    /// Callers, the older form.
    #[serde(default)]
    pub from: Vec<FromPermission>,
    /// Callers by SPIFFE id.
    #[serde(default)]
    pub rules: Vec<PermissionRule>,
}

/// `MeshTrafficPermission.spec.from[]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FromPermission {
    /// The callers.
    pub target_ref: TargetRef,
    /// What becomes of them.
    pub default: FromDefault,
}

/// `MeshTrafficPermission.spec.from[].default`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromDefault {
    /// What becomes of the callers.
    pub action: Action,
}

/// What becomes of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Action {
    /// It may.
    Allow,
    /// It may not.
    Deny,
    /// It may; a denial is only counted.
    AllowWithShadowDeny,
}

/// `MeshTrafficPermission.spec.rules[]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermissionRule {
    /// The lists of this rule.
    pub default: RuleDefault,
}

/// `MeshTrafficPermission.spec.rules[].default`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RuleDefault {
    /// Who may.
    #[serde(default)]
    pub allow: Vec<RuleMatch>,
    /// Who may not, whatever else says that they may.
    #[serde(default)]
    pub deny: Vec<RuleMatch>,
    /// Who may, with a denial counted.
    #[serde(default)]
    pub allow_with_shadow_deny: Vec<RuleMatch>,
}

/// One matcher of callers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleMatch {
    /// By SPIFFE id.
    #[serde(rename = "spiffeID")]
    pub spiffe_id: SpiffeMatch,
}

/// A matcher of SPIFFE ids.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpiffeMatch {
    /// How `value` is compared.
    #[serde(rename = "type")]
    pub kind: SpiffeMatchType,
    /// A SPIFFE id, or how one begins.
    pub value: String,
}

/// How a SPIFFE id is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum SpiffeMatchType {
    /// The whole id.
    Exact,
    /// Its beginning.
    Prefix,
}
