//! The simulator's [`Network`]: sockets of one host, with the small disturbances that real ones have.
//!
//! Each stream draws from its own random stream: short reads and writes, a Pending for nothing, a wake that comes a millisecond late. Without
//! them seeds would change delays on links but never the order in which tasks run.

use std::future::{Future as _, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use reference_dp::net::{Accepted, Listener, Network, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::kernel::{self, KernelListener, KernelStream, Sockets};
use super::random::{Draws, Random};
use super::topology::{HostId, Topology};

/// One disturbance in so many operations, by kind.
const SPURIOUS_PENDING_ONE_IN: u64 = 32;
const SHORT_ONE_IN: u64 = 16;
const LATE_WAKE_ONE_IN: u64 = 64;
/// A short read or write is at most this long, so that it cuts headers and frames.
const SHORT_MAX: u64 = 4096;

/// The sockets of one host.
#[derive(Debug, Clone)]
pub struct SimNetwork(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: HostId,
    host: kernel::Host,
    topology: Arc<Topology>,
    sockets: Arc<Sockets>,
    seed: u64,
    draws: Draws,
    streams: AtomicU64,
}

impl SimNetwork {
    pub(super) fn new(
        id: HostId,
        host: kernel::Host,
        topology: Arc<Topology>,
        sockets: Arc<Sockets>,
        seed: u64,
        draws: Draws,
    ) -> Self {
        Self(Arc::new(Inner { id, host, topology, sockets, seed, draws, streams: AtomicU64::new(0) }))
    }

    fn stream(&self, raw: KernelStream) -> SimStream {
        let ordinal = self.0.streams.fetch_add(1, Ordering::Relaxed);
        let name = format!("socket/{}/{ordinal}", self.0.topology.get(self.0.id).name);
        let disturb = Disturb { random: Random::new(self.0.seed, &name, self.0.draws.clone()), late: None };
        SimStream { raw, network: self.clone(), reads: disturb.split(&name, self), writes: disturb }
    }

    fn shown(&self, address: SocketAddrV4) -> SocketAddr {
        self.0.topology.shown(self.0.id, address)
    }
}

impl Network for SimNetwork {
    type Stream = SimStream;
    type Listener = SimListener;

    async fn bind(&self, addr: SocketAddr) -> io::Result<SimListener> {
        let address = self.0.topology.listen(self.0.id, v4(addr)?);
        let raw = KernelListener::bind(Arc::clone(&self.0.sockets), self.0.host, address).await?;
        Ok(SimListener { raw, network: self.clone() })
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<SimStream> {
        let address = self.0.topology.dial(self.0.id, v4(to)?);
        let raw = KernelStream::connect(Arc::clone(&self.0.sockets), self.0.host, address).await?;
        Ok(self.stream(raw))
    }

    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(ip) = name.parse() {
            return Ok(vec![ip]);
        }
        match self.0.topology.pod_address(name) {
            Some(ip) => Ok(vec![ip.into()]),
            None => Err(io::Error::new(io::ErrorKind::NotFound, format!("no host is called {name}"))),
        }
    }
}

/// A listening socket.
#[derive(Debug)]
pub struct SimListener {
    raw: KernelListener,
    network: SimNetwork,
}

impl Listener for SimListener {
    type Stream = SimStream;

    async fn accept(&mut self) -> io::Result<Accepted<SimStream>> {
        let raw = poll_fn(|cx| self.raw.poll_accept(cx)).await?;
        let (local, remote) = raw.tuple;
        Ok(Accepted {
            stream: self.network.stream(raw),
            peer: self.network.shown(remote),
            original_destination: self.network.shown(local),
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.raw.local_addr().map(|address| self.network.shown(address))
    }
}

/// A connection.
#[derive(Debug)]
pub struct SimStream {
    raw: KernelStream,
    network: SimNetwork,
    reads: Disturb,
    writes: Disturb,
}

impl Stream for SimStream {
    fn reset(self) {
        self.raw.reset();
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.network.shown(self.raw.tuple.0))
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.network.shown(self.raw.tuple.1))
    }
}

impl AsyncRead for SimStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let limit = ready!(this.reads.poll_limit(cx, buf.remaining()));
        this.raw.poll_read(cx, buf, limit)
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let limit = ready!(this.writes.poll_limit(cx, buf.len()));
        this.raw.poll_write(cx, &buf[..limit])
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.raw.poll_shutdown(cx)
    }
}

/// The disturbances of one direction of a stream.
#[derive(Debug)]
struct Disturb {
    random: Random,
    late: Option<Pin<Box<Sleep>>>,
}

impl Disturb {
    /// The other direction's, so that a read more or less moves no write.
    fn split(&self, name: &str, network: &SimNetwork) -> Self {
        let name = format!("{name}/read");
        Self { random: Random::new(network.0.seed, &name, network.0.draws.clone()), late: None }
    }

    /// How many of `wanted` bytes this operation may move; Pending for nothing, or until a late wake.
    fn poll_limit(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<usize> {
        if let Some(late) = &mut self.late {
            ready!(late.as_mut().poll(cx));
            self.late = None;
            return Poll::Ready(wanted);
        }
        // One draw decides, so that the cost of an operation is one draw.
        let lot = self.random.below(SPURIOUS_PENDING_ONE_IN * SHORT_ONE_IN * LATE_WAKE_ONE_IN);
        if lot.is_multiple_of(LATE_WAKE_ONE_IN) {
            let mut late = Box::pin(sleep(Duration::from_millis(1)));
            let pending = late.as_mut().poll(cx).is_pending();
            self.late = Some(late);
            if pending {
                return Poll::Pending;
            }
        }
        let lot = lot / LATE_WAKE_ONE_IN;
        if lot.is_multiple_of(SPURIOUS_PENDING_ONE_IN) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let lot = lot / SPURIOUS_PENDING_ONE_IN;
        if lot == 0 && wanted > 1 {
            let most = (wanted as u64).min(SHORT_MAX);
            return Poll::Ready(usize::try_from(1 + self.random.below(most)).unwrap_or(wanted).min(wanted));
        }
        Poll::Ready(wanted)
    }
}

fn v4(address: SocketAddr) -> io::Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(v4) => Ok(v4),
        SocketAddr::V6(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "the simulator speaks IPv4")),
    }
}
