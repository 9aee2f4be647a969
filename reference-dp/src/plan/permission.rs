//! Which callers an inbound lets through (`MeshTrafficPermission`).

use schemars::JsonSchema;
use serde::Serialize;

use super::Error;
use super::select::{by_precedence, covers};
use crate::resource::{
    Action, Dataplane, Inbound, MeshTrafficPermission, SpiffeMatch, SpiffeMatchType, TargetKind, TargetRef,
};

/// Who may call. Nothing matching denies.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Permissions {
    /// Never these, whatever else matches.
    pub deny: Vec<Principal>,
    /// These, unless denied.
    pub allow: Vec<Principal>,
    /// The older `from` lists in order of precedence, of which the last match decides; asked only if no rule matched.
    pub from: Vec<Rule>,
}

/// An entry of an older `from` list.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Rule {
    /// The callers.
    pub principal: Principal,
    /// Whether they may.
    pub allow: bool,
}

/// Callers by the URIs of their certificates.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Principal {
    /// Everyone with a certificate of the mesh.
    Anyone,
    /// Who bears this URI.
    Exact(String),
    /// Who bears a URI that begins so.
    Prefix(String),
    /// Who bears all of these.
    All(Vec<String>),
}

/// The URIs of a certificate.
pub type Identities = [String];

impl Principal {
    fn matches(&self, caller: &Identities) -> bool {
        match self {
            Self::Anyone => true,
            Self::Exact(uri) => caller.contains(uri),
            Self::Prefix(prefix) => caller.iter().any(|uri| uri.starts_with(prefix.as_str())),
            Self::All(uris) => uris.iter().all(|uri| caller.contains(uri)),
        }
    }
}

impl Permissions {
    /// Whether a caller whose certificate bears these URIs may call.
    #[must_use]
    pub fn allows(&self, caller: &Identities) -> bool {
        let is_caller = |principal: &Principal| principal.matches(caller);
        if self.deny.iter().any(is_caller) {
            return false;
        }
        self.allow.iter().any(is_caller)
            || self.from.iter().rev().find(|rule| is_caller(&rule.principal)).is_some_and(|rule| rule.allow)
    }
}

/// The permissions of one inbound.
pub(super) fn resolve(
    policies: &[MeshTrafficPermission],
    dataplane: &Dataplane,
    inbound: &Inbound,
) -> Result<Permissions, Error> {
    let mine = policies.iter().filter(|policy| {
        policy.mesh == dataplane.mesh && covers(policy.spec.target_ref.as_ref(), dataplane, Some(inbound))
    });
    let mut permissions = Permissions::default();
    for policy in by_precedence(mine, |policy| (policy.spec.target_ref.as_ref(), &policy.name)) {
        for rule in policy.spec.rules.iter().map(|rule| &rule.default) {
            permissions.deny.extend(rule.deny.iter().map(|entry| by_spiffe_id(&entry.spiffe_id)));
            let allowed = rule.allow.iter().chain(&rule.allow_with_shadow_deny);
            permissions.allow.extend(allowed.map(|entry| by_spiffe_id(&entry.spiffe_id)));
        }
        for from in &policy.spec.from {
            let principal = by_target(&policy.name, &dataplane.mesh, &from.target_ref)?;
            permissions.from.push(Rule { principal, allow: from.default.action != Action::Deny });
        }
    }
    Ok(permissions)
}

fn by_spiffe_id(matcher: &SpiffeMatch) -> Principal {
    match matcher.kind {
        SpiffeMatchType::Exact => Principal::Exact(matcher.value.clone()),
        SpiffeMatchType::Prefix => Principal::Prefix(matcher.value.clone()),
    }
}

/// Callers by tags: each tag is a URI of the certificate, and the service's is its SPIFFE id.
fn by_target(policy: &str, mesh: &str, target: &TargetRef) -> Result<Principal, Error> {
    let mut uris: Vec<String> = target.tags.iter().map(|(tag, value)| tag_uri(mesh, tag, value)).collect();
    match (target.kind, &target.name) {
        (TargetKind::Mesh, _) => Ok(Principal::Anyone),
        (TargetKind::MeshSubset, _) if uris.is_empty() => Ok(Principal::Anyone),
        (TargetKind::MeshSubset, _) => Ok(Principal::All(uris)),
        (TargetKind::MeshService, Some(name)) => Ok(Principal::Exact(format!("spiffe://{mesh}/{name}"))),
        (TargetKind::MeshServiceSubset, Some(name)) => {
            uris.insert(0, format!("spiffe://{mesh}/{name}"));
            Ok(Principal::All(uris))
        }
        (kind, _) => Err(Error::Policy {
            policy: format!("MeshTrafficPermission `{policy}`"),
            what: format!("from.targetRef of kind {kind:?} needs a name or cannot be used here"),
        }),
    }
}

fn tag_uri(mesh: &str, tag: &str, value: &str) -> String {
    if tag == "kuma.io/service" {
        format!("spiffe://{mesh}/{value}")
    } else {
        format!("kuma://{tag}/{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(uri: &str) -> Principal {
        Principal::Exact(uri.to_owned())
    }

    fn prefix(uri: &str) -> Principal {
        Principal::Prefix(uri.to_owned())
    }

    #[test]
    fn deny_beats_allow_and_nothing_matching_denies() {
        let web = ["spiffe://lab/web".to_owned(), "kuma://team/shop".to_owned()];
        let rules = |deny: &[Principal], allow: &[Principal]| Permissions {
            deny: deny.to_vec(),
            allow: allow.to_vec(),
            from: Vec::new(),
        };
        for (permissions, expected) in [
            (rules(&[], &[]), false),
            (rules(&[], &[exact("spiffe://lab/web")]), true),
            (rules(&[], &[exact("spiffe://lab/we")]), false),
            (rules(&[], &[prefix("spiffe://lab/we")]), true),
            (rules(&[], &[prefix("spiffe://lab/")]), true),
            (rules(&[], &[prefix("spiffe://other/")]), false),
            (rules(&[exact("spiffe://lab/web")], &[prefix("spiffe://lab/")]), false),
            (rules(&[prefix("spiffe://lab/")], &[exact("spiffe://lab/web")]), false),
            (rules(&[exact("spiffe://lab/api")], &[prefix("spiffe://lab/")]), true),
            (rules(&[], &[Principal::All(vec!["spiffe://lab/web".into(), "kuma://team/shop".into()])]), true),
            (
                rules(&[], &[Principal::All(vec!["spiffe://lab/web".into(), "kuma://team/bank".into()])]),
                false,
            ),
        ] {
            assert_eq!(permissions.allows(&web), expected, "{permissions:?}");
        }
    }

    #[test]
    fn the_last_matching_from_entry_decides() {
        let caller = ["spiffe://lab/web".to_owned()];
        let entry = |principal, allow| Rule { principal, allow };
        let only_web = vec![entry(Principal::Anyone, false), entry(exact("spiffe://lab/web"), true)];
        let permissions = Permissions { from: only_web, ..Permissions::default() };
        assert!(permissions.allows(&caller));
        assert!(!permissions.allows(&["spiffe://lab/api".to_owned()]));
        let denied = Permissions { deny: vec![prefix("spiffe://")], ..permissions };
        assert!(!denied.allows(&caller));
    }
}
