//! The bytes of one connection, counted, and what they tell of its end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Transport;
use crate::telemetry::request::{HttpObserver, UpstreamEvent};

/// What is known of a connection's bytes, whoever holds the connection.
#[derive(Debug, Default)]
pub(super) struct Line {
    heard: AtomicBool,
    ended: AtomicBool,
    reset: AtomicBool,
}

impl Line {
    /// Whether the endpoint ever sent a byte.
    pub(super) fn heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// Whether the endpoint ended the connection.
    pub(super) fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// The connection shall end with a TCP reset when it is dropped.
    pub(super) fn reset_when_dropped(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }
}

/// A connection to an endpoint as an HTTP codec reads and writes it.
///
/// An endpoint may answer and close without having read all of a request. A write that fails then must not lose the answer, which may still wait to
/// be read: writing goes on in vain, and reading tells the truth.
pub(super) struct Io {
    // `None` only once it is dropped.
    transport: Option<Box<dyn Transport>>,
    observer: Arc<dyn HttpObserver>,
    line: Arc<Line>,
    deaf: bool,
}

impl Io {
    pub(super) fn new(transport: Box<dyn Transport>, observer: Arc<dyn HttpObserver>) -> Self {
        Self { transport: Some(transport), observer, line: Arc::default(), deaf: false }
    }

    pub(super) fn line(&self) -> Arc<Line> {
        self.line.clone()
    }

    fn transport(&mut self) -> io::Result<Pin<&mut Box<dyn Transport>>> {
        self.transport.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// What became of a write: one that failed is taken for done.
    fn wrote<T>(&mut self, result: Poll<io::Result<T>>, in_vain: T) -> Poll<io::Result<T>> {
        match result {
            Poll::Ready(Err(error)) => {
                tracing::debug!(%error, "an endpoint takes no more");
                self.deaf = true;
                Poll::Ready(Ok(in_vain))
            }
            other => other,
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = std::task::ready!(self.transport()?.poll_read(cx, buf));
        let read = buf.filled().len() - before;
        if read > 0 || buf.remaining() == 0 {
            self.line.heard.store(true, Ordering::Relaxed);
            self.observer.upstream(&UpstreamEvent::Read(read));
            return Poll::Ready(result);
        }
        self.line.ended.store(true, Ordering::Relaxed);
        // The kernel tells of a reset once. If it was told to a write, this only seems to be an orderly end.
        if result.is_ok() && self.deaf {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Poll::Ready(result)
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.deaf {
            return Poll::Ready(Ok(buf.len()));
        }
        let result = self.transport()?.poll_write(cx, buf);
        if let Poll::Ready(Ok(written)) = result {
            self.observer.upstream(&UpstreamEvent::Wrote(written));
        }
        self.wrote(result, buf.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deaf {
            return Poll::Ready(Ok(()));
        }
        let result = self.transport()?.poll_flush(cx);
        self.wrote(result, ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deaf {
            return Poll::Ready(Ok(()));
        }
        let result = self.transport()?.poll_shutdown(cx);
        self.wrote(result, ())
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        if let Some(transport) = self.transport.take()
            && self.line.reset.load(Ordering::Relaxed)
        {
            transport.reset();
        }
    }
}
