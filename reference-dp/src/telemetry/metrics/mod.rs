//! The fold of events into Prometheus families, with Envoy's names and labels as Kuma shows them.

mod answers;
mod cluster;
mod http;
mod listener;
mod tcp;
mod tls;

use std::net::SocketAddr;

pub(crate) use http::HttpMetrics;
pub(crate) use tcp::ListenerMetrics;

/// The names under which a listener and its cluster appear.
#[derive(Debug, Clone)]
pub(crate) struct Names<'a> {
    pub(crate) listen: SocketAddr,
    pub(crate) stat_prefix: &'a str,
    pub(crate) cluster: &'a str,
}

impl Names<'_> {
    fn address(&self) -> String {
        format!("{}_{}", self.listen.ip(), self.listen.port())
    }
}
