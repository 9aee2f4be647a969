//! Second tries: Kuma's defaults, overridden by `MeshRetry`.

use std::time::Duration;

use super::select::{Destination, by_precedence, covers, is_for};
use super::{BackOff, Retry, RetryOn};
use crate::resource::{Dataplane, HttpRetries, HttpRetryOn, MeshRetry, Retries, RetryBackOff, TcpRetries};

/// Kuma's built-in policy (kuma 2.5).
const RETRIES: u32 = 5;
const PER_TRY: Duration = Duration::from_secs(16);
const BASE: Duration = Duration::from_millis(25);
const MAX: Duration = Duration::from_millis(250);
const TCP_CONNECT_ATTEMPTS: u32 = 5;

/// What the policies say about a destination, `tcp` and `http` apart; what they leave open is as Kuma has it.
pub(super) struct Resolved {
    merged: Retries,
}

/// The retries of an outbound.
pub(super) fn outbound(policies: &[MeshRetry], dataplane: &Dataplane, to: &Destination<'_>) -> Resolved {
    let mine = policies.iter().filter(|policy| {
        policy.mesh == dataplane.mesh && covers(policy.spec.target_ref.as_ref(), dataplane, None)
    });
    let mine = by_precedence(mine, |policy| (policy.spec.target_ref.as_ref(), &policy.name));
    let items = mine.into_iter().flat_map(|policy| &policy.spec.to);
    let mut items: Vec<_> = items.filter(|item| is_for(&item.target_ref, to)).collect();
    // The mesh's first, so that the service's override them; otherwise the order of the policies.
    items.sort_by_key(|item| (item.target_ref.kind, item.target_ref.section_name.is_some()));
    Resolved {
        merged: items.into_iter().fold(Retries::default(), |merged, item| merge(merged, &item.default)),
    }
}

impl Resolved {
    /// Attempts to connect of a destination that is exactly `tcp`.
    pub(super) fn tcp_connect_attempts(&self) -> u32 {
        let attempts = self.merged.tcp.and_then(|tcp| tcp.max_connect_attempt);
        attempts.map_or(TCP_CONNECT_ATTEMPTS, std::num::NonZeroU32::get)
    }

    /// Retries of a destination that is exactly `http`; `None`: none.
    pub(super) fn http(&self) -> Option<Retry> {
        let http = self.merged.http.clone().unwrap_or_default();
        let retries = http.num_retries.unwrap_or(RETRIES);
        (retries > 0).then(|| Retry {
            retries,
            per_try_timeout: Some(http.per_try_timeout.unwrap_or(PER_TRY)).filter(|limit| !limit.is_zero()),
            back_off: back_off(http.back_off.unwrap_or_default()),
            on: conditions(http.retry_on.as_deref().unwrap_or_default()),
        })
    }
}

/// Kuma's default policy has both bounds, so that of a policy with one of them the other stays. Envoy rounds a base under
/// 1 ms up to it and refuses a last bound under the first.
fn back_off(set: RetryBackOff) -> BackOff {
    let base = set.base_interval.unwrap_or(BASE).max(Duration::from_millis(1));
    BackOff { base, max: set.max_interval.unwrap_or(MAX).max(base) }
}

/// Statuses and methods leave Kuma's default conditions in place, any other condition replaces them
/// (`pkg/plugins/policies/meshretry/plugin/xds/configurer.go`).
fn conditions(items: &[HttpRetryOn]) -> RetryOn {
    let default = items.iter().all(|item| matches!(item, HttpRetryOn::Status(_) | HttpRetryOn::Method(_)));
    let mut on = RetryOn {
        gateway_error: default,
        connect_failure: default,
        refused_stream: default,
        ..RetryOn::default()
    };
    for item in items {
        match item {
            HttpRetryOn::Any5xx => on.any_5xx = true,
            HttpRetryOn::GatewayError => on.gateway_error = true,
            HttpRetryOn::Reset => on.reset = true,
            HttpRetryOn::Retriable4xx => on.retriable_4xx = true,
            HttpRetryOn::ConnectFailure => on.connect_failure = true,
            HttpRetryOn::RefusedStream => on.refused_stream = true,
            HttpRetryOn::Http3PostConnectFailure => {}
            HttpRetryOn::Status(status) => on.statuses.push(*status),
            HttpRetryOn::Method(method) => on.methods.push(method),
        }
    }
    on
}

fn merge(under: Retries, over: &Retries) -> Retries {
    let over = over.clone();
    Retries {
        tcp: match (under.tcp, over.tcp) {
            (Some(under), Some(over)) => Some(TcpRetries {
                max_connect_attempt: over.max_connect_attempt.or(under.max_connect_attempt),
            }),
            (under, over) => over.or(under),
        },
        http: match (under.http, over.http) {
            (Some(under), Some(over)) => Some(merge_http(under, over)),
            (under, over) => over.or(under),
        },
        // Nothing is built for grpc yet.
        grpc: over.grpc.or(under.grpc),
    }
}

fn merge_http(mut merged: HttpRetries, over: HttpRetries) -> HttpRetries {
    let (lower, upper) = (merged.back_off.unwrap_or_default(), over.back_off.unwrap_or_default());
    merged.num_retries = over.num_retries.or(merged.num_retries);
    merged.per_try_timeout = over.per_try_timeout.or(merged.per_try_timeout);
    merged.back_off = Some(RetryBackOff {
        base_interval: upper.base_interval.or(lower.base_interval),
        max_interval: upper.max_interval.or(lower.max_interval),
    });
    // A list replaces a list, as in Kuma.
    merged.retry_on = over.retry_on.or(merged.retry_on);
    merged
}
