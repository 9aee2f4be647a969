//! A connection as it is on the wire: plain, or inside mesh TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

use crate::net::Stream;
use crate::protocol::http::pool::Transport;

/// Most bytes a TLS session holds back for a slow peer.
pub(super) const TLS_BUFFER_BYTES: usize = 32 * 1024;

/// A connection, with or without mesh TLS.
pub(super) enum Wire<S> {
    Plain(S),
    Tls(Box<TlsStream<S>>),
}

impl<S: Stream> Wire<S> {
    /// Ends the connection with a TCP reset. No TLS alert goes before it: the peer must not take it for an end.
    pub(super) fn reset(self) {
        match self {
            Self::Plain(stream) => stream.reset(),
            Self::Tls(tls) => match *tls {
                TlsStream::Client(tls) => tls.into_inner().0.reset(),
                TlsStream::Server(tls) => tls.into_inner().0.reset(),
            },
        }
    }

    /// Says goodbye as far as that goes without waiting, and closes.
    pub(super) async fn close(mut self) {
        std::future::poll_fn(|cx| {
            // A peer that does not take even this is left to the kernel.
            let _ = Pin::new(&mut self).poll_shutdown(cx);
            Poll::Ready(())
        })
        .await;
    }
}

impl<S: Stream> Transport for Wire<S> {
    fn reset(self: Box<Self>) {
        Self::reset(*self);
    }
}

macro_rules! either {
    ($self:expr, $method:ident, $($arg:expr),*) => {
        match $self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).$method($($arg),*),
            Wire::Tls(stream) => Pin::new(&mut **stream).$method($($arg),*),
        }
    };
}

impl<S: Stream> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_read, cx, buf)
    }
}

impl<S: Stream> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, poll_write, cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_flush, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_shutdown, cx)
    }
}
