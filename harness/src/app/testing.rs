//! For tests of apps: a pair of streams in memory, a notebook of observations, TLS with real chance.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use reference_dp::clock::SystemClock;
use reference_dp::net::Stream;
use reference_dp::spawn::RuntimeSpawn;
use rustls::crypto::CryptoProvider;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::time::Instant;

use super::kit::Kit;
use super::line::{Line, Side};
use super::record::{Recorder, Watch};
use super::tls::{AppTls, Configs, Entropy};
use crate::language::script::{Action, Read, Script, Send};
use crate::language::value::Payload;
use crate::observe::observation::Ended;
use crate::observe::{Nanos, Observation, Role, Seen};

/// One end of a connection in memory. A reset makes the other end's next read or write fail, once what was sent before has been read; as a
/// broken pipe if this end had closed its direction before.
pub(super) struct Wire {
    io: DuplexStream,
    closed_here: Arc<AtomicBool>,
    closed_there: Arc<AtomicBool>,
    reset_here: Arc<AtomicBool>,
    reset_there: Arc<AtomicBool>,
}

/// Both ends, each taking `buffer` bytes before it blocks.
pub(super) fn wires(buffer: usize) -> (Wire, Wire) {
    let (a, b) = tokio::io::duplex(buffer);
    let flags = || (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let ((x, y), (p, q)) = (flags(), flags());
    (
        Wire {
            io: a,
            closed_here: p.clone(),
            closed_there: q.clone(),
            reset_here: x.clone(),
            reset_there: y.clone(),
        },
        Wire { io: b, closed_here: q, closed_there: p, reset_here: y, reset_there: x },
    )
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        if buf.filled().len() == before && self.reset_there.load(Ordering::SeqCst) {
            let closed = self.closed_there.load(Ordering::SeqCst);
            let kind = if closed { io::ErrorKind::BrokenPipe } else { io::ErrorKind::ConnectionReset };
            return Poll::Ready(Err(kind.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.closed_here.store(true, Ordering::SeqCst);
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl Stream for Wire {
    fn reset(self) {
        self.reset_here.store(true, Ordering::SeqCst);
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok((Ipv4Addr::LOCALHOST, 1).into())
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok((Ipv4Addr::LOCALHOST, 2).into())
    }
}

/// Observations in a list, on tokio's clock.
pub(super) struct Notes {
    began: Instant,
    list: Mutex<Vec<Observation>>,
}

impl Watch for Notes {
    fn see(&self, observation: Observation) {
        self.list.lock().unwrap().push(observation);
    }

    fn now(&self) -> Nanos {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap()
    }
}

impl Notes {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), list: Mutex::default() })
    }

    /// What `role` saw, in order, without the totals.
    pub(super) fn of(&self, role: Role) -> Vec<Seen> {
        let list = self.list.lock().unwrap();
        let all = list.iter().filter(|observation| observation.role == role);
        all.filter(|o| !matches!(o.seen, Seen::Ended(_))).map(|o| o.seen.clone()).collect()
    }

    /// All that `role` recorded, in order.
    pub(super) fn all(&self, role: Role) -> Vec<Observation> {
        let list = self.list.lock().unwrap();
        list.iter().filter(|observation| observation.role == role).cloned().collect()
    }

    /// All totals that `role` recorded.
    pub(super) fn totals(&self, role: Role) -> Vec<Ended> {
        let list = self.list.lock().unwrap();
        let all = list.iter().filter(|observation| observation.role == role);
        all.filter_map(|o| if let Seen::Ended(ended) = &o.seen { Some(ended.clone()) } else { None })
            .collect()
    }

    /// The only totals that `role` recorded.
    pub(super) fn total(&self, role: Role) -> Ended {
        let mut totals = self.totals(role);
        assert_eq!(totals.len(), 1, "{totals:?}");
        totals.remove(0)
    }

    pub(super) fn recorder(self: &Arc<Self>, role: Role, step: Option<&str>) -> Recorder {
        let pod = if role == Role::Client { "web" } else { "backend" };
        Recorder::new(self.clone(), pod, role, step)
    }
}

/// rustls and rcgen as they come.
struct RealChance;

impl Entropy for RealChance {
    fn provider(&self) -> Arc<CryptoProvider> {
        Arc::new(rustls::crypto::ring::default_provider())
    }

    fn key_pair(&self) -> Result<rcgen::KeyPair, rcgen::Error> {
        rcgen::KeyPair::generate()
    }
}

pub(super) fn app_tls() -> Arc<AppTls> {
    let no_log = Arc::new(rustls::NoKeyLog);
    Arc::new(AppTls::new(Arc::new(RealChance), Arc::new(SystemClock), no_log).unwrap())
}

/// Everything for clients or servers on real sockets.
pub(super) fn kit(notes: &Arc<Notes>, tls: &Arc<AppTls>, role: Role) -> Kit {
    let step = (role == Role::Client).then_some("step");
    let recorder = notes.recorder(role, step);
    Kit { spawn: Arc::new(RuntimeSpawn), recorder, tls: tls.clone(), mesh: None }
}

pub(super) fn configs(tls: &Arc<AppTls>) -> Configs {
    Configs::new(tls.clone(), "backend")
}

/// A line whose records go to `notes`.
pub(super) fn line(notes: &Arc<Notes>, side: Side) -> Line<Wire> {
    let role = if side == Side::Client { Role::Client } else { Role::App };
    Line::new(notes.recorder(role, None), 0, side)
}

// A short way to write scripts.

pub(super) fn text(text: &str) -> Payload {
    Payload::Literal(bytes::Bytes::copy_from_slice(text.as_bytes()))
}

pub(super) fn pattern(len: u64) -> Payload {
    Payload::Pattern { len, seed: 0 }
}

pub(super) fn send(payload: Payload) -> Action {
    Action::Send(Send { payload, chunk: None, every: None, until_blocked: None })
}

pub(super) fn trickle(payload: Payload, chunk: u64, every: Duration) -> Action {
    Action::Send(Send { payload, chunk: Some(chunk), every: Some(every), until_blocked: None })
}

pub(super) fn send_until_blocked(payload: Payload, patience: Duration) -> Action {
    Action::Send(Send { payload, chunk: None, every: None, until_blocked: Some(patience) })
}

pub(super) fn read_eof() -> Action {
    Action::Read(Read::default())
}

pub(super) fn script<const N: usize>(actions: [Action; N]) -> Script {
    Script(actions.to_vec())
}
