//! Timeouts of listeners and clusters: Kuma's defaults, overridden by `MeshTimeout`.

use std::time::Duration;

use super::select::{by_precedence, covers};
use crate::resource::{Dataplane, Inbound, MeshTimeout, TargetKind, TargetRef, Timeouts};

/// The timeouts of opaque traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) connect: Duration,
    /// `None`: never.
    pub(super) idle: Option<Duration>,
}

/// Kuma's built-in policy for outbounds; also what an unset field of any policy means (kuma 2.5).
const OUTBOUND: Defaults = Defaults { connect: Duration::from_secs(5), idle: Duration::from_secs(3600) };
/// Kuma's built-in policy for inbounds.
const INBOUND: Defaults = Defaults { connect: Duration::from_secs(10), idle: Duration::from_secs(7200) };

struct Defaults {
    connect: Duration,
    idle: Duration,
}

impl Defaults {
    fn fill(&self, timeouts: Timeouts) -> Resolved {
        let idle = timeouts.idle_timeout.unwrap_or(self.idle);
        // Kuma refuses a connect timeout of zero; taking it for "unset" keeps an attempt from failing at once.
        let connect =
            timeouts.connection_timeout.filter(|connect| !connect.is_zero()).unwrap_or(self.connect);
        Resolved { connect, idle: Some(idle).filter(|idle| !idle.is_zero()) }
    }
}

/// A destination as policies name it.
pub(super) struct Destination<'a> {
    pub(super) name: &'a str,
    pub(super) port: Option<u16>,
    pub(super) port_name: Option<&'a str>,
}

/// Timeouts of an outbound.
pub(super) fn outbound(policies: &[MeshTimeout], dataplane: &Dataplane, to: &Destination<'_>) -> Resolved {
    let mut items = Vec::new();
    for policy in matching(policies, dataplane, None) {
        items.extend(policy.spec.to.iter().filter(|item| is_for(&item.target_ref, to)));
    }
    // The mesh's timeouts first, so that the service's override them; otherwise the order of the policies.
    items.sort_by_key(|item| (item.target_ref.kind, item.target_ref.section_name.is_some()));
    OUTBOUND.fill(items.into_iter().fold(Timeouts::default(), |merged, item| merge(merged, item.default)))
}

/// Timeouts of an inbound.
pub(super) fn inbound(policies: &[MeshTimeout], dataplane: &Dataplane, inbound: &Inbound) -> Resolved {
    let mut merged = Timeouts::default();
    for policy in matching(policies, dataplane, Some(inbound)) {
        for item in &policy.spec.from {
            merged = merge(merged, item.default);
        }
        for rule in &policy.spec.rules {
            merged = merge(merged, rule.default);
        }
    }
    INBOUND.fill(merged)
}

fn matching<'a>(
    policies: &'a [MeshTimeout],
    dataplane: &Dataplane,
    inbound: Option<&Inbound>,
) -> Vec<&'a MeshTimeout> {
    let mine = policies.iter().filter(|policy| {
        policy.mesh == dataplane.mesh && covers(policy.spec.target_ref.as_ref(), dataplane, inbound)
    });
    by_precedence(mine, |policy| (policy.spec.target_ref.as_ref(), &policy.name))
}

fn is_for(target: &TargetRef, to: &Destination<'_>) -> bool {
    match target.kind {
        TargetKind::Mesh => true,
        TargetKind::MeshService => {
            target.name.as_deref() == Some(to.name)
                && target.section_name.as_deref().is_none_or(|section| {
                    to.port_name == Some(section) || to.port.is_some_and(|port| port.to_string() == section)
                })
        }
        _ => false,
    }
}

fn merge(under: Timeouts, over: Timeouts) -> Timeouts {
    Timeouts {
        connection_timeout: over.connection_timeout.or(under.connection_timeout),
        idle_timeout: over.idle_timeout.or(under.idle_timeout),
        http: over.http.or(under.http),
    }
}
