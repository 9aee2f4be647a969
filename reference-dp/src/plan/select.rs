//! Which dataplanes and inbounds a policy's top-level `targetRef` is about, which destinations its `to`, and which policy
//! wins.

use std::collections::BTreeMap;

use crate::resource::{Dataplane, Inbound, TargetKind, TargetRef};

/// Whether `target` (all, if absent) covers this inbound of the dataplane; `None` asks about its outbounds.
pub(super) fn covers(target: Option<&TargetRef>, dataplane: &Dataplane, inbound: Option<&Inbound>) -> bool {
    let Some(target) = target else { return true };
    let has_tags = |inbound: &Inbound| contains(&inbound.tags, &target.tags);
    let is_service = |inbound: &Inbound| inbound.service() == target.name.as_deref();
    // A policy about outbounds covers a dataplane one of whose inbounds fits.
    let any = |fits: &dyn Fn(&Inbound) -> bool| match inbound {
        Some(inbound) => fits(inbound),
        None => dataplane.networking.inbound.iter().any(fits),
    };
    match target.kind {
        TargetKind::Mesh => true,
        TargetKind::MeshSubset => any(&has_tags),
        TargetKind::MeshService => any(&is_service),
        TargetKind::MeshServiceSubset => any(&|inbound| is_service(inbound) && has_tags(inbound)),
        TargetKind::Dataplane => {
            target.name.as_ref().is_none_or(|name| *name == dataplane.name)
                && contains(&dataplane.labels, &target.labels)
                && match (&target.section_name, inbound) {
                    (Some(section), Some(inbound)) => is_section(inbound, section),
                    // A section is an inbound; outbounds are not in it.
                    (Some(_), None) => false,
                    (None, _) => true,
                }
        }
        TargetKind::MeshExternalService | TargetKind::MeshMultiZoneService => false,
    }
}

fn is_section(inbound: &Inbound, section: &str) -> bool {
    match &inbound.name {
        Some(name) => name == section,
        None => inbound.port.to_string() == section,
    }
}

/// A destination as policies name it.
pub(super) struct Destination<'a> {
    pub(super) name: &'a str,
    pub(super) port: Option<u16>,
    pub(super) port_name: Option<&'a str>,
}

/// Whether an item of a policy's `to` is about this destination.
pub(super) fn is_for(target: &TargetRef, to: &Destination<'_>) -> bool {
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

/// Whether `all` has each pair of `wanted`.
pub(super) fn contains(all: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| all.get(key) == Some(value))
}

/// Sorts policies so that later ones override earlier ones: the more specific target later, and among equals the name
/// that comes first in the alphabet last.
pub(super) fn by_precedence<'a, P>(
    policies: impl Iterator<Item = &'a P>,
    key: impl Fn(&P) -> (Option<&TargetRef>, &str),
) -> Vec<&'a P> {
    let mut sorted: Vec<&P> = policies.collect();
    sorted.sort_by(|a, b| {
        let ((a_target, a_name), (b_target, b_name)) = (key(a), key(b));
        rank(a_target).cmp(&rank(b_target)).then_with(|| b_name.cmp(a_name))
    });
    sorted
}

/// How specific a target is; one inbound beats its dataplane, one dataplane by name beats labels.
fn rank(target: Option<&TargetRef>) -> (TargetKind, bool, bool) {
    target.map_or((TargetKind::Mesh, false, false), |target| {
        (
            target.kind,
            target.section_name.is_some(),
            target.kind == TargetKind::Dataplane && target.name.is_some(),
        )
    })
}
