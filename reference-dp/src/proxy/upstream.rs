//! Connecting to a cluster: one timer for TCP and mesh TLS together; for opaque bytes also endpoints in turn, and attempts.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::ClientConfig;
use tokio::time::{Instant, timeout};
use tokio_rustls::{TlsConnector, TlsStream};

use super::wire::{TLS_BUFFER_BYTES, Wire};
use crate::net::Network;
use crate::plan::{Cluster, UpstreamTls};
use crate::protocol::http::pool::{Dialler, Dialling, NotConnected, Tell, Transport};
use crate::telemetry::exchange::{Event, Exchange, Side};
use crate::telemetry::session::{TlsFault, TlsSession};
use crate::tls;

/// A cluster and how to reach it.
pub(super) struct Upstream<N> {
    network: N,
    cluster: Cluster,
    tls: Option<Tls>,
    next: AtomicUsize,
}

struct Tls {
    config: Arc<ClientConfig>,
    plan: UpstreamTls,
}

impl<N: Network> Upstream<N> {
    /// `identity` is needed if the cluster wants mesh TLS; without it the cluster is spoken to in plaintext.
    pub(super) fn new(
        network: N,
        cluster: Cluster,
        identity: Option<&tls::Identity>,
    ) -> Result<Self, tls::Error> {
        let tls = match (&cluster.tls, identity) {
            (Some(plan), Some(identity)) => {
                Some(Tls { config: tls::client(identity, plan)?, plan: plan.clone() })
            }
            _ => None,
        };
        Ok(Self { network, cluster, tls, next: AtomicUsize::new(0) })
    }

    /// Connects, trying as often as the plan says. `None`: nobody could be reached, which the exchange has been told.
    pub(super) async fn connect(&self, exchange: &mut Exchange) -> Option<Wire<N::Stream>> {
        if self.cluster.endpoints.is_empty() {
            exchange.tell(&Event::NoEndpoint);
            return None;
        }
        for _ in 0..self.cluster.connect_attempts {
            let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.cluster.endpoints.len();
            if let Some(wire) = self.attempt(self.cluster.endpoints[turn], exchange).await {
                return Some(wire);
            }
        }
        exchange.tell(&Event::GivenUp);
        None
    }

    async fn attempt(&self, endpoint: SocketAddr, exchange: &mut Exchange) -> Option<Wire<N::Stream>> {
        exchange.tell(&Event::Dialled);
        let began = Instant::now();
        let outcome = self.dial_in_time(endpoint, &mut |handshake| exchange.tell(&told(handshake))).await;
        match outcome {
            Ok(wire) => {
                exchange.tell(&Event::Connected { took: began.elapsed() });
                Some(wire)
            }
            Err(NotConnected { timed_out }) => {
                exchange.tell(&Event::DialFailed { timed_out });
                None
            }
        }
    }

    async fn dial_in_time(
        &self,
        endpoint: SocketAddr,
        tell: Tell<'_>,
    ) -> Result<Wire<N::Stream>, NotConnected> {
        match timeout(self.cluster.connect_timeout, self.open(endpoint, tell)).await {
            Ok(Ok(wire)) => Ok(wire),
            Ok(Err(error)) => {
                tracing::debug!(cluster = self.cluster.name, %endpoint, %error, "connecting failed");
                Err(NotConnected { timed_out: false })
            }
            Err(_) => {
                tracing::debug!(cluster = self.cluster.name, %endpoint, "connecting timed out");
                Err(NotConnected { timed_out: true })
            }
        }
    }

    async fn open(&self, endpoint: SocketAddr, tell: Tell<'_>) -> io::Result<Wire<N::Stream>> {
        let stream = self.network.connect(endpoint).await?;
        let Some(tls) = &self.tls else { return Ok(Wire::Plain(stream)) };
        let name = tls::server_name(&tls.plan, endpoint.ip()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(tls.config.clone());
        let limit =
            |connection: &mut rustls::ClientConnection| connection.set_buffer_limit(Some(TLS_BUFFER_BYTES));
        let secured = connector.connect_with(name, stream, limit).await;
        let secured = secured.inspect_err(|error| tell(Err(TlsFault::of(error))))?;
        tell(Ok(TlsSession::of(secured.get_ref().1)));
        Ok(Wire::Tls(Box::new(TlsStream::Client(secured))))
    }
}

fn told(handshake: Result<TlsSession, TlsFault>) -> Event {
    match handshake {
        Ok(session) => Event::Secured(Side::Upstream, session),
        Err(fault) => Event::NotSecured(Side::Upstream, fault),
    }
}

impl<N: Network> Dialler for Upstream<N> {
    fn endpoints(&self) -> &[SocketAddr] {
        &self.cluster.endpoints
    }

    fn dial<'a>(&'a self, endpoint: SocketAddr, tell: Tell<'a>) -> Dialling<'a> {
        Box::pin(async move {
            let wire = self.dial_in_time(endpoint, tell).await?;
            Ok(Box::new(wire) as Box<dyn Transport>)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use super::*;
    use crate::net::real::RealNetwork;
    use crate::telemetry::exchange::Observer;

    struct Nobody;

    impl Observer for Nobody {
        fn see(&self, _: &Event) {}
    }

    fn upstream(endpoints: Vec<SocketAddr>, connect_attempts: u32) -> Upstream<RealNetwork> {
        let connect_timeout = Duration::from_secs(5);
        let cluster =
            Cluster { name: "c".into(), endpoints, connect_timeout, connect_attempts, tls: None, http: None };
        Upstream::new(RealNetwork, cluster, None).unwrap()
    }

    fn listener() -> TcpListener {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        listener
    }

    fn waiting(listener: &TcpListener) -> usize {
        std::iter::from_fn(|| listener.accept().ok()).count()
    }

    #[tokio::test]
    async fn endpoints_are_taken_in_turn_and_one_that_refuses_is_passed_over() {
        let (a, b, gone) = (listener(), listener(), listener());
        let [at_a, at_b, at_gone] = [&a, &b, &gone].map(|listener| listener.local_addr().unwrap());
        drop(gone);
        let mut exchange = Exchange::begin(Arc::new(Nobody));
        let both = upstream(vec![at_a, at_b], 1);
        for _ in 0..10 {
            assert!(both.connect(&mut exchange).await.is_some());
        }
        assert_eq!((waiting(&a), waiting(&b)), (5, 5));
        let half = upstream(vec![at_gone, at_a], 2);
        for _ in 0..4 {
            assert!(half.connect(&mut exchange).await.is_some());
        }
        assert_eq!(waiting(&a), 4);
        assert!(upstream(vec![at_gone], 3).connect(&mut exchange).await.is_none());
    }
}
