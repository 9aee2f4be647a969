//! One connection of an app: its layers, its totals, and the records of what passes.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use reference_dp::net::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::conn::{Base, Conn};
use super::failure;
use super::ledger::Ledger;
use super::mesh::MeshIdentity;
use super::record::Recorder;
use super::tap::Tap;
use super::tls::{Configs, facts};
use crate::language::TlsOptions;
use crate::observe::observation::{End, Failure, HttpEvent};
use crate::observe::{HandshakeFacts, Seen};

/// Bytes read or written at once. Buffers of this size live on the stack of a poll, so that an idle connection has none.
pub(super) const PIECE: usize = 16 * 1024;

/// Which end of the connection this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It connected.
    Client,
    /// It accepted.
    Server,
}

/// Why a script stopped before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The connection failed; to be recorded.
    Failed(io::Error),
    /// Something else, which is recorded already.
    Recorded,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// One connection. Dropping it records its totals, if that has not happened, as a connection that the run's end found open.
#[derive(Debug)]
pub struct Line<S> {
    /// `None` before the connection stands, during a handshake, and when it is over.
    conn: Option<Conn<S>>,
    side: Side,
    ledger: Ledger,
    /// How the other end's direction ended.
    end: Option<End>,
    /// This end closed its sending direction.
    half_closed: bool,
    /// The other side took no more, so that waiting for it to take a goodbye could take for ever.
    blocked: bool,
    /// Read from the connection, but not yet by the script.
    ahead: BytesMut,
}

impl<S> Line<S> {
    /// A connection about to be made: number `number` of its pod, role and step.
    #[must_use]
    pub fn new(recorder: Recorder, number: u32, side: Side) -> Self {
        let ledger = Ledger::new(recorder, number);
        let ahead = BytesMut::new();
        Self { conn: None, side, ledger, end: None, half_closed: false, blocked: false, ahead }
    }

    /// The connection stands.
    pub fn attach(&mut self, base: Base<S>) {
        self.conn = Some(Conn::Plain(Tap::new(base, self.ledger.wire())));
    }

    /// Its number within pod, role and step.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.ledger.number()
    }

    /// Which end it is.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// Goes on in the name of another step, with fresh totals inside TLS.
    pub fn adopt(&mut self, recorder: Recorder) {
        self.ledger.adopt(recorder);
    }

    /// Records something.
    pub fn see(&mut self, seen: Seen) {
        self.ledger.see(seen);
    }

    /// Records an event of exchange number `exchange`.
    pub(super) fn see_exchange(&mut self, exchange: u32, event: HttpEvent) {
        self.ledger.see_exchange(exchange, event);
    }

    /// Body data of an exchange came.
    pub(super) fn came(&mut self, exchange: u32, bytes: u64) {
        self.ledger.came(exchange, bytes);
    }

    /// Records that the connection was never made.
    pub fn connect_failed(&mut self, error: &io::Error) {
        let error = failure::failure(error);
        // Nothing but a time-out says more than that there is no connection.
        self.end = Some(if error == Failure::TimedOut { End::TimedOut } else { End::Refused });
        self.see(Seen::ConnectFailed { error });
        self.settle(false);
    }

    /// Records a handshake that failed; the connection is over.
    pub fn handshake_failed(&mut self, mesh: bool, error: &io::Error) {
        self.end = Some(failure::end(failure::failure(error)));
        self.see(Seen::HandshakeFailed { mesh, error: error.to_string() });
        if let Some(what) = failure::beyond(error) {
            self.see(Seen::Beyond { what: what.to_owned() });
        }
        self.settle(false);
    }

    /// Records a failure; the connection is over.
    pub(super) fn failed(&mut self, error: &io::Error) {
        let error = failure::failure(error);
        // What was seen first says how the other end went: after its FIN, a failed write is this end's own trouble.
        let own_doing = error == Failure::BrokenPipe && self.half_closed;
        if !own_doing {
            self.end.get_or_insert(failure::end(error));
        }
        self.see(Seen::Failed { error });
        self.settle(false);
    }

    /// Records that the other side takes no more, after `after` bytes of this `send`.
    pub(super) fn blocked(&mut self, after: u64) {
        self.blocked = true;
        self.see(Seen::Blocked { after });
    }

    /// Records the totals, once a step, and lets the connection go.
    fn settle(&mut self, done: bool) {
        self.conn = None;
        self.ledger.totals(self.end.unwrap_or(End::Closed), done);
    }

    /// Lets the connection go as a drop does, for one that others still hold.
    pub(super) fn abandon(&mut self) {
        self.conn = None;
        self.ledger.totals(self.end.unwrap_or(End::Open), false);
    }

    /// The script ended and the connection stays: its totals so far.
    pub fn hold(&mut self) {
        self.ledger.totals(self.end.unwrap_or(End::Open), true);
    }
}

impl<S: Stream> Line<S> {
    /// The socket stands: shakes hands with the mesh, if the pod does so itself. Whether the connection still stands.
    pub async fn set_up(&mut self, socket: S, mesh: Option<&MeshIdentity>) -> bool {
        let Some(mesh) = mesh else {
            self.attach(Base::Raw(socket));
            return true;
        };
        match mesh.handshake(self.side, socket).await {
            Ok((base, facts)) => {
                self.attach(base);
                self.see(Seen::MeshHandshake(facts));
                true
            }
            Err(error) => {
                self.handshake_failed(true, &error);
                false
            }
        }
    }

    /// Puts the app's own TLS on the connection, in the role that this end has.
    pub(super) async fn start_tls(&mut self, configs: &Configs, options: &TlsOptions) -> Result<(), Stop> {
        let made = self.handshake(configs, options).await;
        match made {
            Ok((conn, facts)) => {
                self.conn = Some(conn);
                self.see(Seen::Handshake(facts));
                Ok(())
            }
            Err(error) => {
                self.handshake_failed(false, &error);
                Err(Stop::Recorded)
            }
        }
    }

    async fn handshake(
        &mut self,
        configs: &Configs,
        options: &TlsOptions,
    ) -> io::Result<(Conn<S>, HandshakeFacts)> {
        let Some(Conn::Plain(mut tap)) = self.conn.take() else {
            return Err(io::Error::other("TLS is on already"));
        };
        self.ledger.tls_begins();
        let conn = match self.side {
            Side::Client => {
                let (config, name) = configs.client(options).map_err(io::Error::other)?;
                if let Some(bytes) = options.hello_chunk {
                    tap.split_first_flight(bytes);
                }
                Conn::Client(Box::new(tokio_rustls::TlsConnector::from(config).connect(name, tap).await?))
            }
            Side::Server => {
                let config = configs.server(options).map_err(io::Error::other)?;
                Conn::Server(Box::new(tokio_rustls::TlsAcceptor::from(config).accept(tap).await?))
            }
        };
        let facts = conn.session().map(|(session, sni)| facts(session, sni)).unwrap_or_default();
        Ok((conn, facts))
    }

    fn conn(&mut self) -> io::Result<Pin<&mut Conn<S>>> {
        self.conn.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Reads into `buf`, which is empty; nothing means that the other end closed its direction. After that it stays at nothing.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let n = self.ahead.len().min(buf.remaining());
            buf.put_slice(&self.ahead.split_to(n));
            return Poll::Ready(Ok(()));
        }
        self.poll_fresh(cx, buf)
    }

    /// What was read and not yet taken. The script takes from its front.
    pub(super) fn ahead(&mut self) -> &mut BytesMut {
        &mut self.ahead
    }

    /// Reads at most `limit` bytes more (and at most a piece) behind [`Line::ahead`]; how many. None: the other end closed its direction.
    pub(super) fn poll_ahead(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<io::Result<usize>> {
        let mut space = [MaybeUninit::uninit(); PIECE];
        let mut buf = ReadBuf::uninit(&mut space[..limit.clamp(1, PIECE)]);
        ready!(self.poll_fresh(cx, &mut buf))?;
        self.ahead.extend_from_slice(buf.filled());
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// Reads from the connection.
    fn poll_fresh(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.end == Some(End::Eof) {
            return Poll::Ready(Ok(()));
        }
        if let Err(error) = ready!(self.conn()?.poll_read(cx, buf)) {
            // Never this end's own trouble, whatever it is called: a reset that follows a FIN may read as a broken pipe.
            self.end.get_or_insert(failure::end(failure::failure(&error)));
            return Poll::Ready(Err(error));
        }
        if buf.filled().is_empty() {
            if self.end == Some(End::Reset) {
                // A write heard of the reset. The kernel tells of it once; what is read then only seems to be an end.
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            self.end = Some(End::Eof);
            self.see(Seen::Eof);
        } else {
            self.ledger.passed(false, buf.filled());
        }
        Poll::Ready(Ok(()))
    }

    /// Writes some of `data`, which is not empty.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let n = ready!(self.conn()?.poll_write(cx, data)).inspect_err(|error| self.heard(error))?;
        if n == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.blocked = false;
        self.ledger.passed(true, &data[..n]);
        Poll::Ready(Ok(n))
    }

    /// Moves to the socket what TLS still has.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(self.conn()?.poll_flush(cx));
        Poll::Ready(flushed.inspect_err(|error| self.heard(error)))
    }

    /// Keeps what a failed write says of the other end.
    fn heard(&mut self, error: &io::Error) {
        if failure::failure(error) == Failure::Reset {
            self.end.get_or_insert(End::Reset);
        }
    }

    /// Closes this end's direction: close_notify in each TLS layer, then FIN.
    pub(super) fn poll_half_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.half_closed {
            ready!(self.conn()?.poll_shutdown(cx))?;
            self.half_closed = true;
            self.see(Seen::HalfClosed);
        }
        Poll::Ready(Ok(()))
    }

    /// Whether the other end closed its direction.
    pub(super) fn at_eof(&self) -> bool {
        self.end == Some(End::Eof)
    }

    /// Closes the connection; the script is done.
    pub async fn close(&mut self) {
        poll_fn(|cx| self.poll_close(cx)).await;
    }

    /// As [`Line::close`], for a line that is shared.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Once blocked, the other side may never take a goodbye.
        ready!(self.poll_goodbye(cx, !self.blocked));
        self.settle(true);
        Poll::Ready(())
    }

    /// Closes the connection at once, as the script says. Never pending.
    pub(super) fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.poll_goodbye(cx, false));
        self.settle(true);
        Poll::Ready(())
    }

    /// Closes the connection in the middle of its script.
    pub(super) async fn give_up(&mut self) {
        poll_fn(|cx| self.poll_give_up(cx)).await;
    }

    /// As [`Line::give_up`], for a line that is shared. Never pending.
    pub(super) fn poll_give_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.poll_goodbye(cx, false));
        self.settle(false);
        Poll::Ready(())
    }

    /// close_notify in each TLS layer, and FIN. A goodbye that fails changes nothing: the connection goes.
    fn poll_goodbye(&mut self, cx: &mut Context<'_>, patient: bool) -> Poll<()> {
        if self.half_closed {
            return Poll::Ready(());
        }
        match self.conn.as_mut().map(|conn| Pin::new(conn).poll_shutdown(cx)) {
            Some(Poll::Pending) if patient => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }

    /// Resets the connection; the script is done.
    pub(super) fn reset(&mut self) {
        if let Some(conn) = self.conn.take() {
            conn.into_socket().reset();
        }
        self.settle(true);
    }
}

impl<S> Drop for Line<S> {
    fn drop(&mut self) {
        self.ledger.totals(self.end.unwrap_or(End::Open), false);
    }
}
