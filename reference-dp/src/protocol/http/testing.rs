//! What tests of HTTP share: a hop that leads nowhere.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{GetRandomFailed, SecureRandom};

use super::hop::{Direction, Hop};
use super::pool::{Dialler, Dialling, Pool, Tell};
use crate::clock::SystemClock;
use crate::lifecycle::Lifecycle;
use crate::plan::{BackOff, HttpPolicy, HttpUpstream, HttpVersion, Retry, RetryOn};
use crate::spawn::RuntimeSpawn;
use crate::telemetry::exchange::{Event, Observer};
use crate::telemetry::request::{HttpObserver, RequestEvent, UpstreamEvent};

/// Hears nothing and has no endpoint.
pub(super) struct Nobody;

impl Observer for Nobody {
    fn see(&self, _: &Event) {}
}

impl Dialler for Nobody {
    fn endpoints(&self) -> &[SocketAddr] {
        &[]
    }

    fn dial<'a>(&'a self, _: SocketAddr, _: Tell<'a>) -> Dialling<'a> {
        Box::pin(std::future::pending())
    }
}

impl HttpObserver for Nobody {
    fn request(&self, _: &RequestEvent) {}
    fn upstream(&self, _: &UpstreamEvent) {}
}

#[derive(Debug)]
struct Sevens;

impl SecureRandom for Sevens {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        buf.fill(7);
        Ok(())
    }
}

/// With Kuma's retries, as outbounds have them, and random bytes that are all 7.
pub(super) fn hop(direction: Direction, upstream: HttpVersion, request_timeout: Option<u64>) -> Hop {
    let outbound = direction == Direction::Outbound;
    let http = HttpUpstream { version: upstream, idle_timeout: None, max_connection_duration: None };
    let lifecycle = Arc::new(Lifecycle::default());
    let retry = Retry {
        retries: 5,
        per_try_timeout: Some(Duration::from_secs(16)),
        back_off: BackOff { base: Duration::from_millis(25), max: Duration::from_millis(250) },
        on: RetryOn::default(),
    };
    Hop {
        direction,
        policy: HttpPolicy {
            request_timeout: request_timeout.map(Duration::from_secs),
            request_headers_timeout: None,
            stream_idle_timeout: None,
            max_stream_duration: None,
            retry: outbound.then_some(retry),
            normalize_path: outbound,
        },
        upstream,
        pool: Pool::new(Arc::new(Nobody), http, Arc::new(Nobody), Arc::new(RuntimeSpawn), lifecycle.clone()),
        observer: Arc::new(Nobody),
        clock: Arc::new(SystemClock),
        random: &Sevens,
        spawn: Arc::new(RuntimeSpawn),
        lifecycle,
    }
}
