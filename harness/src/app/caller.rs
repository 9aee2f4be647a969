//! Connections to one place, as one step's client makes them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use reference_dp::net::Network;
use reference_dp::spawn::Spawn;

use super::kit::Kit;
use super::line::{Line, Side};
use super::tls::Configs;
use crate::language::TlsOptions;
use crate::observe::Seen;

/// Makes connections.
#[derive(Debug, Clone)]
pub(super) struct Caller<N> {
    pub(super) network: N,
    pub(super) kit: Kit,
    pub(super) configs: Arc<Configs>,
    /// The app's own TLS, on each of them.
    pub(super) tls: Option<TlsOptions>,
    pub(super) target: SocketAddr,
    /// Number of the next connection.
    pub(super) next: Arc<AtomicU32>,
}

impl<N: Network> Caller<N> {
    /// Whose tasks the connections are.
    pub(super) fn spawn(&self) -> &Arc<dyn Spawn> {
        &self.kit.spawn
    }

    /// One more connection; none, if it was not made, which is recorded.
    pub(super) async fn dial(&self) -> Option<Line<N::Stream>> {
        self.dial_as(self.next.fetch_add(1, Ordering::Relaxed)).await
    }

    /// As [`Caller::dial`], with this number: connects, shakes hands with the mesh if the pod does so itself, and puts the app's TLS on.
    pub(super) async fn dial_as(&self, number: u32) -> Option<Line<N::Stream>> {
        let mut line = Line::new(self.kit.recorder.clone(), number, Side::Client);
        match self.network.connect(self.target).await {
            Ok(socket) => {
                line.see(Seen::Connected { peer: self.target.to_string() });
                if !line.set_up(socket, self.kit.mesh.as_deref()).await {
                    return None;
                }
            }
            Err(error) => {
                line.connect_failed(&error);
                return None;
            }
        }
        if let Some(options) = &self.tls
            && line.start_tls(&self.configs, options).await.is_err()
        {
            return None;
        }
        Some(line)
    }
}
