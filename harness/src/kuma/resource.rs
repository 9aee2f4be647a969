//! Resources that a scenario gives verbatim, as far as the harness looks at them.

use serde::Deserialize;
use serde::de::IgnoredAny;

/// A Kuma resource as far as the harness looks at those that a scenario gives verbatim.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct Resource {
    /// `MeshTimeout`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// What it says.
    #[serde(default)]
    pub spec: Spec,
}

/// Whom a policy is for.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct Spec {
    /// For the sidecars of those who are called.
    #[serde(default)]
    pub from: Option<IgnoredAny>,
    /// The same, in its newer form.
    #[serde(default)]
    pub rules: Option<IgnoredAny>,
}

impl Resource {
    /// Reads one; what is none is one of no kind: what it means, the dataplane says.
    #[must_use]
    pub fn read(text: &str) -> Self {
        serde_saphyr::from_str(text).unwrap_or_default()
    }

    /// Whether it may change which service speaks what.
    #[must_use]
    pub fn names_services(&self) -> bool {
        ["Dataplane", "MeshService", "MeshHTTPRoute", "MeshTCPRoute"].contains(&self.kind.as_str())
    }

    /// Whether it may change what the sidecar of those who are called does.
    #[must_use]
    pub fn is_for_inbounds(&self) -> bool {
        self.kind == "MeshTrafficPermission" || self.spec.from.is_some() || self.spec.rules.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_read_in_any_form() {
        let json = Resource::read(r#"{"type": "MeshService", "name": "x", "spec": {"ports": []}}"#);
        assert!(json.names_services() && !json.is_for_inbounds());
        let yaml =
            Resource::read("type: MeshTimeout\nmesh: default\nspec:\n  to: []\n  rules: [{default: {}}]\n");
        assert!(yaml.is_for_inbounds() && !yaml.names_services());
        let outbound = Resource::read("type: MeshRetry\nspec: {to: [{default: {}}]}\n");
        assert!(!outbound.is_for_inbounds() && !outbound.names_services());
        assert_eq!(Resource::read("nonsense"), Resource::default());
    }
}
