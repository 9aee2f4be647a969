//! Sockets of the scripted apps and clients of a live world.
//!
//! Each of their connections is carried by a relay of this process: what they hold is its near end. So what a link does to bytes,
//! and what is noted of them, is the same whichever end is ours.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use reference_dp::net::{Accepted, Listener, Network, Stream};
use reference_dp::spawn::Spawn as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::sleep_until;

use super::addresses::{Addresses, Host};
use super::links::{Flow, Links};
use super::pump::pump;
use super::tasks::Tasks;

/// Connections that wait to be accepted: more than any scenario opens at once.
pub(super) const BACKLOG: u32 = 4096;

/// Bytes that a socket of a relay, an app or a client holds, each way (the kernel takes twice as much, for its own needs).
const BUFFER: u32 = 64 << 10;

/// The sockets of one host.
#[derive(Debug, Clone)]
pub struct LiveNetwork(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    host: Host,
    addresses: Addresses,
    links: Links,
    /// The world's own tasks: relays outlive the apps whose connections they carry.
    relays: Tasks,
    /// Sockets that this host's apps hold.
    held: Arc<AtomicU32>,
}

impl LiveNetwork {
    pub(super) fn new(host: Host, addresses: Addresses, links: Links, relays: Tasks) -> Self {
        Self(Arc::new(Inner { host, addresses, links, relays, held: Arc::default() }))
    }

    /// Sockets that are held now.
    pub(super) fn held(&self) -> u32 {
        self.0.held.load(Ordering::Relaxed)
    }

    /// Relays a connection whose opener is `opener` over its link to `other`; returns the near end for the one of them that is ours.
    async fn relay(&self, flow: Flow, stream: TcpStream, ours_opened: bool) -> io::Result<TcpStream> {
        let pair = pair(self.0.addresses.near(self.0.host)).await;
        let (ours, theirs) =
            pair.inspect_err(|error| self.0.links.trouble("opening a pair of sockets", error))?;
        let links = self.0.links.clone();
        let (near, far) = if ours_opened { (theirs, stream) } else { (stream, theirs) };
        self.0.relays.spawn(Box::pin(async move { pump(&links, flow, near, far).await }));
        Ok(ours)
    }

    fn stream(&self, socket: TcpStream, local: SocketAddr, peer: SocketAddr) -> LiveStream {
        LiveStream { socket, local, peer, links: self.0.links.clone(), _held: Held::new(&self.0.held) }
    }

    async fn dial(&self, real: SocketAddrV4, other: Host) -> io::Result<(TcpStream, SocketAddr)> {
        let links = &self.0.links;
        let local = SocketAddrV4::new(self.0.addresses.near(self.0.host), ordinal());
        let mut flow = links.open(self.0.host, other, (local, real));
        loop {
            if flow.change.borrow_and_update().refuse {
                links.end(&flow, false, true);
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            if links.gate(&flow, true).open && links.gate(&flow, false).open {
                break;
            }
            flow.change.changed().await.map_err(io::Error::other)?;
        }
        sleep_until(links.cross(&flow, true)).await;
        match connect(real).await {
            Ok(stream) => {
                links.established(&flow);
                sleep_until(links.cross(&flow, false)).await;
                let stream = self.relay(flow, stream, true).await?;
                Ok((stream, SocketAddr::V4(local)))
            }
            Err(error) => {
                links.trouble(&format!("connecting to {real}"), &error);
                links.end(&flow, false, true);
                Err(error)
            }
        }
    }
}

/// Numbers for the opener's end of connections of ours, told apart like ports.
fn ordinal() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    u16::try_from(32_768 + NEXT.fetch_add(1, Ordering::Relaxed) % 32_768).unwrap_or(u16::MAX)
}

/// Connects a socket; small turns do not wait for acknowledgements.
pub(super) async fn connect(to: SocketAddrV4) -> io::Result<TcpStream> {
    let stream = socket()?.connect(SocketAddr::V4(to)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A socket that holds no more than the simulator's would: relays are not to hide that a reader stalls.
fn socket() -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.set_send_buffer_size(BUFFER)?;
    Ok(socket)
}

/// Listens; the address may be that of a listener that just ended.
pub(super) fn listen(at: SocketAddrV4) -> io::Result<TcpListener> {
    let socket = socket()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::V4(at)).map_err(|error| taken(at, error))?;
    socket.listen(BACKLOG).map_err(|error| taken(at, error))
}

/// The same error with the address, and with what is likely if somebody has it.
fn taken(at: SocketAddrV4, error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let hint = format!(
                "another program listens at port {} of all addresses: stop it for the run",
                at.port()
            );
            io::Error::new(error.kind(), format!("listening at {at}: {error}; {hint}"))
        }
        _ => error,
    }
}

/// Two ends of one connection of this process.
async fn pair(at: Ipv4Addr) -> io::Result<(TcpStream, TcpStream)> {
    let listener = listen(SocketAddrV4::new(at, 0))?;
    let to = listener.local_addr()?;
    let (one, other) = tokio::try_join!(socket()?.connect(to), listener.accept())?;
    one.set_nodelay(true)?;
    other.0.set_nodelay(true)?;
    Ok((one, other.0))
}

impl Network for LiveNetwork {
    type Stream = LiveStream;
    type Listener = LiveListener;

    async fn bind(&self, addr: SocketAddr) -> io::Result<LiveListener> {
        let Host::App(pod) = self.0.host else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "only apps listen in a live world"));
        };
        let faces = self.0.addresses.listen(pod, v4(addr)?);
        let faces = faces.into_iter().map(|(at, caller)| Ok(Face { listener: listen(at)?, at, caller }));
        let faces = faces.collect::<io::Result<Vec<_>>>()?;
        Ok(LiveListener { faces, shown: addr, network: self.clone(), _held: Held::new(&self.0.held) })
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<LiveStream> {
        let (stream, local) = match (self.0.host, self.0.addresses.dial(self.0.host, v4(to)?)) {
            (Host::World, _) => {
                let stream = connect(v4(to)?).await?;
                let local = stream.local_addr()?;
                (stream, local)
            }
            (_, Some((real, other))) => self.dial(real, other).await?,
            // As in the simulator, where an address that nobody has answers nothing.
            (_, None) => std::future::pending().await,
        };
        Ok(self.stream(stream, local, to))
    }

    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let pod = self.0.addresses.pods().find(|(_, pod)| *pod == name);
        match (name.parse(), pod) {
            (Ok(ip), _) => Ok(vec![ip]),
            (_, Some((number, _))) => Ok(vec![self.0.addresses.pod(number).into()]),
            _ => Err(io::Error::new(io::ErrorKind::NotFound, format!("no pod is called {name}"))),
        }
    }
}

/// An app's listening sockets: one for each of its callers.
#[derive(Debug)]
pub struct LiveListener {
    faces: Vec<Face>,
    shown: SocketAddr,
    network: LiveNetwork,
    _held: Held,
}

#[derive(Debug)]
struct Face {
    listener: TcpListener,
    at: SocketAddrV4,
    /// Who calls here; `None`: a client of ours, which relays itself.
    caller: Option<Host>,
}

impl Listener for LiveListener {
    type Stream = LiveStream;

    async fn accept(&mut self) -> io::Result<Accepted<LiveStream>> {
        let (index, stream, peer) = poll_fn(|cx| {
            for (index, face) in self.faces.iter().enumerate() {
                if let Poll::Ready(accepted) = face.listener.poll_accept(cx) {
                    return Poll::Ready(accepted.map(|(stream, peer)| (index, stream, peer)));
                }
            }
            Poll::Pending
        })
        .await
        .inspect_err(|error| self.network.0.links.trouble("accepting a connection", error))?;
        stream.set_nodelay(true)?;
        let (network, links) = (&self.network, &self.network.0.links);
        let face = &self.faces[index];
        let stream = match face.caller {
            None => stream,
            Some(caller) => {
                let flow = links.open(caller, network.0.host, (v4(peer)?, face.at));
                links.established(&flow);
                network.relay(flow, stream, false).await?
            }
        };
        links.moved();
        let stream = network.stream(stream, self.shown, peer);
        Ok(Accepted { stream, peer, original_destination: self.shown })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.shown)
    }
}

/// A connection of an app or a client.
#[derive(Debug)]
pub struct LiveStream {
    socket: TcpStream,
    local: SocketAddr,
    peer: SocketAddr,
    links: Links,
    _held: Held,
}

impl Stream for LiveStream {
    fn reset(self) {
        // Should the option be refused, the drop still closes the connection, with a FIN.
        let _ = self.socket.set_zero_linger();
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl AsyncRead for LiveStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.socket).poll_read(cx, buf);
        if polled.is_ready() {
            self.links.moved();
        }
        polled
    }
}

impl AsyncWrite for LiveStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(cx, buf);
        if polled.is_ready() {
            self.links.moved();
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.links.moved();
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// Counts a socket for as long as it lives.
#[derive(Debug)]
struct Held(Arc<AtomicU32>);

impl Held {
    fn new(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn v4(address: SocketAddr) -> io::Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(v4) => Ok(v4),
        SocketAddr::V6(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "a live world speaks IPv4")),
    }
}
