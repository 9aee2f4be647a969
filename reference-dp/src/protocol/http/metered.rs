//! A caller's connection as hyper reads and writes it: counted, and what is read of HTTP/1.1 followed strictly.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;
use super::framing::{Framing, POISON};
use super::head_clock::HeadClock;
use crate::telemetry::exchange::{Event, Exchange, Side};

/// Counts the bytes of a connection, and gives out first what was already read of it.
pub(super) struct Metered<'a, S> {
    stream: &'a mut S,
    exchange: &'a mut Exchange,
    activity: &'a Activity,
    /// Read before, and not yet given out.
    first: Bytes,
    /// `None`: the bytes are not HTTP/1.1.
    framing: Option<(Framing, Arc<HeadClock>)>,
    refused: bool,
    /// Whether the caller said its last.
    ended: &'a mut bool,
}

impl<'a, S> Metered<'a, S> {
    pub(super) fn new(
        stream: &'a mut S,
        exchange: &'a mut Exchange,
        activity: &'a Activity,
        first: Bytes,
        framing: Option<(Framing, Arc<HeadClock>)>,
        ended: &'a mut bool,
    ) -> Self {
        Self { stream, exchange, activity, first, framing, refused: false, ended }
    }

    /// Follows what is in `buf` from `start` on; what is refused of it is replaced.
    fn follow(&mut self, buf: &mut ReadBuf<'_>, start: usize) {
        let Some((framing, clock)) = &mut self.framing else { return };
        let followed = framing.follow(&buf.filled()[start..]);
        clock.set(framing.in_head() && followed.is_ok());
        if let Err(refused) = followed {
            buf.set_filled(start + refused.at);
            self.refused = true;
            self.first = Bytes::from_static(POISON);
            self.give_first(buf);
        }
    }

    fn give_first(&mut self, buf: &mut ReadBuf<'_>) {
        let given = self.first.len().min(buf.remaining());
        buf.put_slice(&self.first[..given]);
        self.first.advance(given);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<'_, S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let start = buf.filled().len();
        if !this.first.is_empty() {
            this.give_first(buf);
            if !this.refused {
                this.follow(buf, start);
            }
            return Poll::Ready(Ok(()));
        }
        loop {
            ready!(Pin::new(&mut *this.stream).poll_read(cx, buf))?;
            let read = buf.filled().len() - start;
            *this.ended = read == 0;
            if read > 0 {
                this.exchange.tell(&Event::Read(Side::Downstream, read));
                this.activity.moved();
            }
            if read == 0 || !this.refused {
                break;
            }
            // After what was refused nothing is believed but the end.
            buf.set_filled(start);
        }
        this.follow(buf, start);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<'_, S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.activity.unflushed(true);
        let written = ready!(Pin::new(&mut *this.stream).poll_write(cx, buf))?;
        this.activity.moved();
        this.exchange.tell(&Event::Wrote(Side::Downstream, written));
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut *this.stream).poll_flush(cx))?;
        // hyper flushes when it has written all it had.
        this.activity.unflushed(false);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper has written out all it held. Of HTTP/1.1 the end itself is left to whoever lends the stream, who lingers.
        if self.framing.is_some() {
            return self.poll_flush(cx);
        }
        Pin::new(&mut *self.get_mut().stream).poll_shutdown(cx)
    }
}
