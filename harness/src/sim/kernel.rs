//! The TCP kernel under the simulator. The only file that names turmoil-net, so that it can be replaced.
//!
//! turmoil-net 0.1 gives hosts, sockets and packets without a clock. What it does otherwise than Linux is mended here and in
//! [`super::scheduler`]; each point has a row in the fidelity table (tests/fidelity.rs):
//!
//! * Socket calls go to the *current* host, a thread-local: every call, and every drop, names its host first ([`Sockets::at`]).
//! * A window update is sent only when one read drains half the buffer: reads go through a scratch buffer as large as the kernel's, and what
//!   the caller did not take is kept here ([`End::surplus`]).
//! * A RST destroys data that was received and not read: the scheduler moves it here first ([`Sockets::rescue`]).
//! * There is no SO_LINGER: a reset is asked of the scheduler ([`Sockets::take_resets`]), which sends what the kernel already took, then a RST.
//! * A port stays taken as long as connections of it are not over, whoever listened: a listener that is closed is kept, deaf, and the next one
//!   at its address is the same ([`Sockets::deafen`]). Linux asks only whether somebody listens (SO_REUSEADDR).
//! * Retransmission counts egress calls, not time: it is off, and loss is the delay that a retransmission costs (see [`super::link`]).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::sync::Notify;
use turmoil_net::shim::tokio::net::{TcpListener, TcpStream};
use turmoil_net::{
    EnterGuard, HostId, KernelConfig, Net, NetstatState, Packet, TcpFlags, TcpSegment, Transport,
};

use super::segment::{Flags, Segment, Tuple};

/// What the kernel buffers a direction, and the largest window.
const BUFFER: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

/// A host of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Host(HostId);

fn segment_of(packet: Packet) -> Option<Segment> {
    let (IpAddr::V4(src), IpAddr::V4(dst), Transport::Tcp(tcp)) = (packet.src, packet.dst, packet.payload)
    else {
        return None;
    };
    let bit = |set: bool, bit: u8| if set { bit } else { 0 };
    let flags = bit(tcp.flags.fin, Flags::FIN)
        | bit(tcp.flags.syn, Flags::SYN)
        | bit(tcp.flags.rst, Flags::RST)
        | bit(tcp.flags.psh, Flags::PSH)
        | bit(tcp.flags.ack, Flags::ACK);
    Some(Segment {
        src: SocketAddrV4::new(src, tcp.src_port),
        dst: SocketAddrV4::new(dst, tcp.dst_port),
        seq: tcp.seq,
        ack: tcp.ack,
        flags: Flags(flags),
        window: tcp.window,
        payload: tcp.payload,
    })
}

fn packet_of(segment: Segment) -> Packet {
    let flags = TcpFlags {
        fin: segment.flags.has(Flags::FIN),
        syn: segment.flags.has(Flags::SYN),
        rst: segment.flags.has(Flags::RST),
        psh: segment.flags.has(Flags::PSH),
        ack: segment.flags.has(Flags::ACK),
        urg: false,
    };
    Packet {
        src: (*segment.src.ip()).into(),
        dst: (*segment.dst.ip()).into(),
        ttl: 64,
        payload: Transport::Tcp(TcpSegment {
            src_port: segment.src.port(),
            dst_port: segment.dst.port(),
            seq: segment.seq,
            ack: segment.ack,
            flags,
            window: segment.window,
            payload: segment.payload,
        }),
    }
}

/// The kernel of a run, installed on its thread.
#[derive(Debug)]
pub(super) struct Kernel {
    guard: GuardHolder,
    sockets: Arc<Sockets>,
    packets: Vec<Packet>,
}

struct GuardHolder(EnterGuard);

impl std::fmt::Debug for GuardHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EnterGuard")
    }
}

impl Kernel {
    /// Installs a kernel with these hosts on this thread.
    pub(super) fn install(hosts: &[Vec<Ipv4Addr>]) -> (Self, Vec<Host>) {
        let config = KernelConfig::default()
            .send_buf_cap(BUFFER)
            .recv_buf_cap(BUFFER)
            // Without retransmission a SYN dropped for a full backlog would be lost for good.
            .default_backlog(1 << 16)
            .retx_threshold(u32::MAX);
        let mut net = Net::with_config(config);
        let ids = hosts
            .iter()
            .map(|addresses| Host(net.add_host(addresses.iter().map(|a| IpAddr::V4(*a)).collect::<Vec<_>>())))
            .collect();
        let kernel = Self { guard: GuardHolder(net.enter()), sockets: Arc::default(), packets: Vec::new() };
        kernel.sockets.alive.store(true, Ordering::Relaxed);
        (kernel, ids)
    }

    pub(super) fn sockets(&self) -> Arc<Sockets> {
        Arc::clone(&self.sockets)
    }

    /// Takes all packets that hosts want to send.
    pub(super) fn egress(&mut self, out: &mut Vec<Segment>) {
        self.guard.0.egress_all(&mut self.packets);
        self.sockets.hang_up(out);
        out.extend(self.packets.drain(..).filter_map(segment_of));
    }

    /// Hands a packet to its receiver.
    pub(super) fn deliver(&self, segment: Segment) {
        let mut inner = self.sockets.lock();
        if segment.flags.opens() && inner.deaf.contains_key(&segment.dst) {
            inner.refusals.push(Segment::reset(segment.receiver(), 0, segment.seq.wrapping_add(1)));
            return;
        }
        drop(inner);
        self.guard.0.deliver(packet_of(segment));
    }

    /// Sockets of a host: (state in netstat's words, own address, other address if connected).
    pub(super) fn netstat(&self, address: Ipv4Addr) -> Vec<(&'static str, SocketAddr, Option<SocketAddr>)> {
        let name = |state| match state {
            NetstatState::Listen => "LISTEN",
            NetstatState::SynSent => "SYN_SENT",
            NetstatState::SynReceived => "SYN_RECV",
            NetstatState::Established => "ESTABLISHED",
            NetstatState::FinWait1 => "FIN_WAIT1",
            NetstatState::FinWait2 => "FIN_WAIT2",
            NetstatState::CloseWait => "CLOSE_WAIT",
            NetstatState::LastAck => "LAST_ACK",
            NetstatState::Closing => "CLOSING",
            NetstatState::Closed => "CLOSED",
        };
        let inner = self.sockets.lock();
        let listens = |state, local| state == Some(NetstatState::Listen) && inner.is_deaf(local);
        turmoil_net::netstat(IpAddr::V4(address))
            .entries
            .into_iter()
            .filter(|entry| !listens(entry.state, entry.local))
            .filter_map(|entry| entry.state.map(|state| (name(state), entry.local, entry.peer)))
            .collect()
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        // Streams that outlive the kernel (held by a third party's task) must not call into it.
        self.sockets.alive.store(false, Ordering::Relaxed);
        self.sockets.lock().forget();
    }
}

/// The sockets of all hosts of a run, as the streams and the scheduler share them.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    alive: AtomicBool,
    operations: AtomicU64,
    /// Raised by every socket operation; the scheduler waits on it.
    pub(super) work: Notify,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    live: BTreeMap<Tuple, Weak<Mutex<End>>>,
    orphans: Vec<Tuple>,
    resets: Vec<(Host, Tuple, TcpStream)>,
    /// Listeners that nobody holds any more, by their address.
    deaf: BTreeMap<SocketAddrV4, (Host, TcpListener)>,
    /// Resets that answer those who dialled one of them.
    refusals: Vec<Segment>,
}

impl Inner {
    fn is_deaf(&self, address: SocketAddr) -> bool {
        v4(address).is_ok_and(|address| self.deaf.contains_key(&address))
    }

    /// Lets go of the kernel's sockets without telling it.
    fn forget(&mut self) {
        self.resets.drain(..).for_each(|(_, _, raw)| std::mem::forget(raw));
        std::mem::take(&mut self.deaf).into_values().for_each(|(_, raw)| std::mem::forget(raw));
    }
}

impl Sockets {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many socket operations there were.
    pub(super) fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    /// Notes a socket operation.
    fn touch(&self) {
        self.operations.fetch_add(1, Ordering::Relaxed);
        self.work.notify_one();
    }

    /// Makes `host` the one whose sockets the next calls mean. `false` when the kernel is gone.
    fn at(&self, host: Host) -> bool {
        let alive = self.alive.load(Ordering::Relaxed);
        if alive {
            turmoil_net::set_current(host.0);
        }
        alive
    }

    /// Moves what a connection has received out of the kernel, before a RST destroys it, and notes the RST.
    pub(super) fn rescue(&self, tuple: Tuple) {
        let Some(end) = self.lock().live.get(&tuple).and_then(Weak::upgrade) else { return };
        let mut end = end.lock().unwrap_or_else(PoisonError::into_inner);
        let end = &mut *end;
        self.at(end.host);
        if let Some(raw) = &end.raw {
            SCRATCH.with_borrow_mut(|scratch| {
                while let Ok(n @ 1..) = raw.try_read(scratch) {
                    end.surplus.extend_from_slice(&scratch[..n]);
                }
            });
        }
        end.reset = true;
    }

    /// Notes that a FIN of the other end arrived.
    pub(super) fn note_fin(&self, tuple: Tuple) {
        if let Some(end) = self.lock().live.get(&tuple).and_then(Weak::upgrade) {
            end.lock().unwrap_or_else(PoisonError::into_inner).peer_fin = true;
        }
    }

    /// Whether some stream of a task stands for this connection.
    pub(super) fn is_live(&self, tuple: Tuple) -> bool {
        self.lock().live.contains_key(&tuple)
    }

    /// Connections whose streams were dropped since the last call; the kernel still closes them.
    pub(super) fn take_orphans(&self) -> Vec<Tuple> {
        std::mem::take(&mut self.lock().orphans)
    }

    /// Resets asked for since the last call. `finish` must be called for each once what the kernel took was sent.
    pub(super) fn take_resets(&self) -> Vec<PendingReset> {
        let resets = std::mem::take(&mut self.lock().resets);
        resets.into_iter().map(|(host, tuple, raw)| PendingReset { host, tuple, raw }).collect()
    }

    /// Keeps a listener that its owner closed.
    fn deafen(&self, host: Host, address: SocketAddrV4, raw: TcpListener) {
        self.lock().deaf.insert(address, (host, raw));
    }

    /// Answers those who dialled deaf listeners, or waited there to be accepted.
    fn hang_up(&self, out: &mut Vec<Segment>) {
        let mut inner = self.lock();
        let Inner { deaf, resets, refusals, .. } = &mut *inner;
        out.append(refusals);
        for (address, (host, raw)) in deaf {
            if !self.at(*host) {
                return;
            }
            let mut nobody = Context::from_waker(Waker::noop());
            while let Poll::Ready(Ok((stream, peer))) = raw.poll_accept(&mut nobody) {
                // An address of the simulator is never any other.
                let Ok(peer) = v4(peer) else { continue };
                resets.push((*host, (*address, peer), stream));
            }
        }
    }
}

/// A connection that its owner reset.
#[derive(Debug)]
pub(super) struct PendingReset {
    host: Host,
    pub(super) tuple: Tuple,
    raw: TcpStream,
}

impl PendingReset {
    /// Ends the connection in its own kernel; the RST to the other end is the scheduler's to send.
    pub(super) fn finish(self, kernel: &Kernel) {
        let (local, remote) = self.tuple;
        kernel.deliver(Segment::reset((remote, local), 0, 0));
        if kernel.sockets.at(self.host) {
            drop(self.raw);
        } else {
            std::mem::forget(self.raw);
        }
    }
}

/// A listening socket of one host.
#[derive(Debug)]
pub(super) struct KernelListener {
    host: Host,
    sockets: Arc<Sockets>,
    raw: Option<TcpListener>,
}

impl KernelListener {
    pub(super) async fn bind(sockets: Arc<Sockets>, host: Host, address: SocketAddrV4) -> io::Result<Self> {
        let deaf = sockets.lock().deaf.remove(&address);
        let raw = match deaf {
            Some((_, raw)) => raw,
            None => {
                Scoped::new(Arc::clone(&sockets), host, TcpListener::bind(SocketAddr::V4(address))).await?
            }
        };
        Ok(Self { host, sockets, raw: Some(raw) })
    }

    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<KernelStream>> {
        let Some(raw) = self.raw.as_ref().filter(|_| self.sockets.at(self.host)) else {
            return Poll::Ready(Err(gone()));
        };
        let (stream, _) = ready!(raw.poll_accept(cx))?;
        self.sockets.touch();
        Poll::Ready(KernelStream::new(&self.sockets, self.host, stream))
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddrV4> {
        match &self.raw {
            Some(raw) if self.sockets.at(self.host) => raw.local_addr().and_then(v4),
            _ => Err(gone()),
        }
    }
}

impl Drop for KernelListener {
    fn drop(&mut self) {
        let Some(raw) = self.raw.take() else { return };
        if !self.sockets.at(self.host) {
            std::mem::forget(raw);
            return;
        }
        match raw.local_addr().and_then(v4) {
            Ok(address) if !address.ip().is_unspecified() => self.sockets.deafen(self.host, address, raw),
            // Who dials it cannot be told by address: it stays the kernel's, port and all.
            _ => drop(raw),
        }
        self.sockets.touch();
    }
}

/// A connection of one host.
#[derive(Debug)]
pub(super) struct KernelStream {
    pub(super) tuple: Tuple,
    sockets: Arc<Sockets>,
    end: Arc<Mutex<End>>,
}

/// One end of a connection: the kernel's socket and what stands between it and the task.
#[derive(Debug)]
struct End {
    host: Host,
    raw: Option<TcpStream>,
    /// Received, out of the kernel, not yet taken by the task.
    surplus: BytesMut,
    peer_fin: bool,
    reset: bool,
    /// The reset was reported once; from then on it reads as an end and writes as a broken pipe.
    reported: bool,
}

impl End {
    /// What a reset reads or writes as, in Linux: reported once, as EPIPE if the other end had closed before.
    fn report(&mut self) -> Option<io::Error> {
        if std::mem::replace(&mut self.reported, true) {
            return None;
        }
        let kind = if self.peer_fin { io::ErrorKind::BrokenPipe } else { io::ErrorKind::ConnectionReset };
        Some(kind.into())
    }
}

impl KernelStream {
    pub(super) async fn connect(sockets: Arc<Sockets>, host: Host, to: SocketAddrV4) -> io::Result<Self> {
        let raw = Scoped::new(Arc::clone(&sockets), host, TcpStream::connect(SocketAddr::V4(to))).await?;
        Self::new(&sockets, host, raw)
    }

    fn new(sockets: &Arc<Sockets>, host: Host, raw: TcpStream) -> io::Result<Self> {
        let tuple = (raw.local_addr().and_then(v4)?, raw.peer_addr().and_then(v4)?);
        let end = End {
            host,
            raw: Some(raw),
            surplus: BytesMut::new(),
            peer_fin: false,
            reset: false,
            reported: false,
        };
        let end = Arc::new(Mutex::new(end));
        sockets.lock().live.insert(tuple, Arc::downgrade(&end));
        Ok(Self { tuple, sockets: Arc::clone(sockets), end })
    }

    fn end(&self) -> MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads at most `limit` bytes.
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        limit: usize,
    ) -> Poll<io::Result<()>> {
        let mut end = self.end();
        let limit = limit.min(buf.remaining());
        if end.surplus.is_empty() {
            if end.reset {
                // Linux: a FIN that came first is what a reader sees, whatever came after it.
                let report = if end.peer_fin { None } else { end.report() };
                return Poll::Ready(report.map_or(Ok(()), Err));
            }
            let host = end.host;
            let End { raw: Some(raw), surplus, .. } = &mut *end else { return Poll::Ready(Err(gone())) };
            if !self.sockets.at(host) {
                return Poll::Ready(Err(gone()));
            }
            if limit >= BUFFER {
                // Room for all that the kernel can hold: no detour.
                ready!(Pin::new(raw).poll_read(cx, buf))?;
                self.sockets.touch();
                return Poll::Ready(Ok(()));
            }
            let read = SCRATCH.with_borrow_mut(|scratch| {
                let mut all = ReadBuf::new(scratch);
                ready!(Pin::new(raw).poll_read(cx, &mut all))?;
                let (now, later) = all.filled().split_at(limit.min(all.filled().len()));
                buf.put_slice(now);
                surplus.extend_from_slice(later);
                Poll::Ready(io::Result::Ok(()))
            });
            ready!(read)?;
        } else {
            let n = limit.min(end.surplus.len());
            buf.put_slice(&end.surplus[..n]);
            end.surplus.advance(n);
        }
        self.sockets.touch();
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut end = self.end();
        if end.reset {
            return Poll::Ready(Err(end.report().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())));
        }
        let host = end.host;
        let Some(raw) = end.raw.as_mut().filter(|_| self.sockets.at(host)) else {
            return Poll::Ready(Err(gone()));
        };
        let n = ready!(Pin::new(raw).poll_write(cx, buf))?;
        self.sockets.touch();
        Poll::Ready(Ok(n))
    }

    pub(super) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut end = self.end();
        if end.reset {
            return Poll::Ready(Ok(()));
        }
        let host = end.host;
        let Some(raw) = end.raw.as_mut().filter(|_| self.sockets.at(host)) else {
            return Poll::Ready(Err(gone()));
        };
        ready!(Pin::new(raw).poll_shutdown(cx))?;
        self.sockets.touch();
        Poll::Ready(Ok(()))
    }

    /// Ends the connection with a RST.
    pub(super) fn reset(self) {
        self.close(true);
    }

    fn close(&self, mut reset: bool) {
        let mut end = self.end();
        let Some(raw) = end.raw.take() else { return };
        let mut inner = self.sockets.lock();
        if inner.live.get(&self.tuple).is_some_and(|known| known.as_ptr() == Arc::as_ptr(&self.end)) {
            inner.live.remove(&self.tuple);
        }
        if !self.sockets.at(end.host) {
            std::mem::forget(raw);
            return;
        }
        // As Linux: closing with data unread is a reset. The kernel sees to its own buffer, not to ours.
        reset |= !end.surplus.is_empty();
        if reset && !end.reset {
            inner.resets.push((end.host, self.tuple, raw));
        } else {
            drop(raw);
            inner.orphans.push(self.tuple);
        }
        drop(inner);
        self.sockets.touch();
    }
}

impl Drop for KernelStream {
    fn drop(&mut self) {
        self.close(false);
    }
}

/// A future of turmoil-net that runs, and is dropped, at its host.
struct Scoped<F> {
    sockets: Arc<Sockets>,
    host: Host,
    inner: Option<Pin<Box<F>>>,
}

impl<F> Scoped<F> {
    fn new(sockets: Arc<Sockets>, host: Host, inner: F) -> Self {
        Self { sockets, host, inner: Some(Box::pin(inner)) }
    }
}

impl<T, F: Future<Output = io::Result<T>>> Future for Scoped<F> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if !self.sockets.at(self.host) {
            return Poll::Ready(Err(gone()));
        }
        self.sockets.touch();
        let Some(inner) = self.inner.as_mut() else { return Poll::Ready(Err(gone())) };
        inner.as_mut().poll(cx)
    }
}

impl<F> Drop for Scoped<F> {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else { return };
        if self.sockets.at(self.host) {
            drop(inner);
            self.sockets.touch();
        } else {
            std::mem::forget(inner);
        }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the run is over")
}

fn v4(address: SocketAddr) -> io::Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(v4) => Ok(v4),
        SocketAddr::V6(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "the simulator speaks IPv4")),
    }
}
