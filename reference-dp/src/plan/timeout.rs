//! Timeouts of listeners and clusters: Kuma's defaults, overridden by `MeshTimeout`.

use std::time::Duration;

use super::select::{Destination, by_precedence, covers, is_for};
use crate::resource::{Dataplane, HttpTimeouts, Inbound, MeshTimeout, Timeouts};

/// The timeouts of a listener and its cluster; `None`: never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) connect: Duration,
    pub(super) idle: Option<Duration>,
    pub(super) http: Http,
}

/// The timeouts that only requests have; `None`: never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Http {
    pub(super) request: Option<Duration>,
    pub(super) request_headers: Option<Duration>,
    pub(super) stream_idle: Option<Duration>,
    pub(super) max_stream: Option<Duration>,
    pub(super) max_connection: Option<Duration>,
}

/// Kuma's built-in policy for outbounds; also what an unset field of any policy means (kuma 2.5).
const OUTBOUND: Defaults = Defaults {
    connect: Duration::from_secs(5),
    idle: Duration::from_hours(1),
    request: Duration::from_secs(15),
    stream_idle: Duration::from_mins(30),
};
/// Kuma's built-in policy for inbounds.
const INBOUND: Defaults = Defaults {
    connect: Duration::from_secs(10),
    idle: Duration::from_hours(2),
    request: Duration::ZERO,
    stream_idle: Duration::from_hours(1),
};

struct Defaults {
    connect: Duration,
    idle: Duration,
    request: Duration,
    stream_idle: Duration,
}

impl Defaults {
    fn fill(&self, timeouts: Timeouts) -> Resolved {
        // Kuma refuses a connect timeout of zero; taking it for "unset" keeps an attempt from failing at once.
        let connect =
            timeouts.connection_timeout.filter(|connect| !connect.is_zero()).unwrap_or(self.connect);
        let or = |set: Option<Duration>, default| Some(set.unwrap_or(default)).filter(|t| !t.is_zero());
        let http = timeouts.http.unwrap_or_default();
        Resolved {
            connect,
            idle: or(timeouts.idle_timeout, self.idle),
            http: Http {
                request: or(http.request_timeout, self.request),
                request_headers: or(http.request_headers_timeout, Duration::ZERO),
                stream_idle: or(http.stream_idle_timeout, self.stream_idle),
                max_stream: or(http.max_stream_duration, Duration::ZERO),
                max_connection: or(http.max_connection_duration, Duration::ZERO),
            },
        }
    }
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
///
/// As soon as any policy is about it, be it one that says nothing of inbounds, what is unset is as for outbounds: 15 s for
/// a request, for one. So does Kuma's `applyToInbounds` (kuma 2.5).
pub(super) fn inbound(policies: &[MeshTimeout], dataplane: &Dataplane, inbound: &Inbound) -> Resolved {
    let matching = matching(policies, dataplane, Some(inbound));
    let defaults = if matching.is_empty() { INBOUND } else { OUTBOUND };
    let mut merged = Timeouts::default();
    for policy in matching {
        for item in &policy.spec.from {
            merged = merge(merged, item.default);
        }
        for rule in &policy.spec.rules {
            merged = merge(merged, rule.default);
        }
    }
    defaults.fill(merged)
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

fn merge(under: Timeouts, over: Timeouts) -> Timeouts {
    Timeouts {
        connection_timeout: over.connection_timeout.or(under.connection_timeout),
        idle_timeout: over.idle_timeout.or(under.idle_timeout),
        http: match (under.http, over.http) {
            (Some(under), Some(over)) => Some(merge_http(under, over)),
            (under, over) => over.or(under),
        },
    }
}

fn merge_http(under: HttpTimeouts, over: HttpTimeouts) -> HttpTimeouts {
    HttpTimeouts {
        request_timeout: over.request_timeout.or(under.request_timeout),
        request_headers_timeout: over.request_headers_timeout.or(under.request_headers_timeout),
        stream_idle_timeout: over.stream_idle_timeout.or(under.stream_idle_timeout),
        max_stream_duration: over.max_stream_duration.or(under.max_stream_duration),
        max_connection_duration: over.max_connection_duration.or(under.max_connection_duration),
    }
}
