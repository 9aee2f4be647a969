//! Connections and requests of HTTP. Nothing of it shows where bytes are opaque, and nothing of `tcp` shows here.

mod downstream;
mod upstream;

use super::super::exchange::{Event, Observer};
use super::super::registry::Registry;
use super::super::request::{HttpObserver, RequestEvent, UpstreamEvent};
use super::Names;
use super::listener::Listener;
use downstream::Downstream;
use upstream::Upstream;

/// The metrics of one listener that tells requests apart: it observes its callers' connections, their requests, and the
/// connections to endpoints.
pub(crate) struct HttpMetrics {
    listener: Listener,
    downstream: Downstream,
    upstream: Upstream,
}

impl HttpMetrics {
    pub(crate) fn new(registry: &Registry, names: &Names<'_>) -> Self {
        let address = names.address();
        Self {
            listener: Listener::new(registry, &address),
            downstream: Downstream::new(registry, names.stat_prefix, &address),
            upstream: Upstream::new(registry, names.cluster),
        }
    }

    /// What is known before any connection: the cluster's endpoints, and when certificates end.
    pub(crate) fn configured(
        &self,
        endpoints: usize,
        downstream_expires: Option<i64>,
        upstream_expires: Option<i64>,
    ) {
        self.upstream.cluster.configured(endpoints, upstream_expires);
        if let Some(expires) = downstream_expires {
            self.listener.tls.expires.set(expires);
        }
    }
}

impl Observer for HttpMetrics {
    fn see(&self, event: &Event) {
        self.listener.see(event);
        self.downstream.see(event);
    }
}

impl HttpObserver for HttpMetrics {
    fn request(&self, event: &RequestEvent) {
        self.downstream.request(event);
        self.upstream.request(event);
    }

    fn upstream(&self, event: &UpstreamEvent) {
        self.upstream.see(event);
    }
}

#[cfg(test)]
mod tests;
