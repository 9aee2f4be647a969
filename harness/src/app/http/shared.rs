//! A line that two directions use at once, or hyper's tasks.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use hyper::rt;
use reference_dp::net::Stream;
use tokio::io::ReadBuf;

use crate::app::line::{Line, PIECE};

/// Bytes kept of what comes while nobody reads.
const AHEAD_MAX: usize = 4 * PIECE;

/// A line in several hands. Never locked across a wait.
#[derive(Debug)]
pub(in crate::app) struct SharedLine<S>(Arc<Mutex<Line<S>>>);

impl<S> Clone for SharedLine<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> SharedLine<S> {
    pub(super) fn new(line: Line<S>) -> Self {
        Self(Arc::new(Mutex::new(line)))
    }

    /// The line, for a moment.
    pub(in crate::app) fn lock(&self) -> MutexGuard<'_, Line<S>> {
        // A panic elsewhere is reported there; what the line counted is still right.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The line, if nobody else has it.
    pub(in crate::app) fn into_line(self) -> Option<Line<S>> {
        let line = Arc::try_unwrap(self.0).ok()?;
        Some(line.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: Stream> SharedLine<S> {
    /// Writes all of `data`.
    pub(super) async fn write_all(&self, data: &[u8]) -> io::Result<()> {
        let mut gone = 0;
        poll_fn(|cx| {
            while gone < data.len() {
                gone += ready!(self.lock().poll_write(cx, &data[gone..]))?;
            }
            self.lock().poll_flush(cx)
        })
        .await
    }

    /// Reads more of what comes; how many bytes. None: the other end closed its direction.
    pub(super) async fn read_ahead(&self) -> io::Result<usize> {
        poll_fn(|cx| self.lock().poll_ahead(cx, PIECE)).await
    }

    /// Closes the connection; the script is done.
    pub(super) async fn close(&self) {
        poll_fn(|cx| self.lock().poll_close(cx)).await;
    }

    /// Closes the connection at once, as the script says.
    pub(super) async fn leave(&self) {
        poll_fn(|cx| self.lock().poll_leave(cx)).await;
    }

    /// Closes the connection in the middle of its script.
    pub(super) async fn give_up(&self) {
        poll_fn(|cx| self.lock().poll_give_up(cx)).await;
    }

    /// Whether the other end is gone, as far as is known by now.
    pub(super) async fn is_gone(&self) -> bool {
        for again in [true, false] {
            let read = poll_fn(|cx| Poll::Ready(self.lock().poll_ahead(cx, PIECE))).await;
            match read {
                Poll::Ready(Ok(0) | Err(_)) => return true,
                Poll::Ready(Ok(_)) => return false,
                // Sockets may say so for nothing, once.
                Poll::Pending if again => tokio::task::yield_now().await,
                Poll::Pending => {}
            }
        }
        false
    }

    /// Waits until the other end is gone. What comes meanwhile is kept, up to a bound; beyond it nothing is heard any more.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut line = self.lock();
        while line.ahead().len() < AHEAD_MAX {
            if ready!(line.poll_ahead(cx, PIECE))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }
}

/// A line as hyper reads and writes it. Where that fails the connection is over, and so recorded: hyper's errors do not tell.
#[derive(Debug)]
pub(super) struct HyperLine<S>(pub(super) SharedLine<S>);

impl<S: Stream> HyperLine<S> {
    fn tell<T>(&self, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &done {
            self.0.lock().failed(error);
        }
        done
    }
}

impl<S: Stream> rt::Read for HyperLine<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut space = [MaybeUninit::uninit(); PIECE];
        let limit = buf.remaining().min(PIECE);
        let mut piece = ReadBuf::uninit(&mut space[..limit]);
        let read = self.0.lock().poll_read(cx, &mut piece);
        ready!(self.tell(read))?;
        buf.put_slice(piece.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: Stream> rt::Write for HyperLine<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let written = self.0.lock().poll_write(cx, data);
        self.tell(written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.0.lock().poll_flush(cx);
        self.tell(flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A goodbye that fails changes nothing.
        self.0.lock().poll_half_close(cx)
    }
}
