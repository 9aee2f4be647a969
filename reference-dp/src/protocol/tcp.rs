//! Opaque bytes: two connections made one.
//!
//! Bytes, half-closes and resets cross; a side that does not read stops the other; nothing moving for too long ends
//! both. Each direction has one buffer for its whole life.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::telemetry::exchange::{Cause, Event, Exchange, Side};

/// Bytes held for one direction. With what a TLS session holds on top, a hop stays within 64 KiB a direction.
const BUFFER_BYTES: usize = 16 * 1024;

/// How long what was already received may take, without progress, to reach one side after the other broke off.
const LINGER: Duration = Duration::from_secs(1);

/// Turns of one direction before the other, and other tasks, get theirs.
const TURNS: usize = 16;

/// A timer so far off that it never fires (tokio's own limit is beyond two years).
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Carries bytes both ways until both sides finished, one broke off, or nothing moved for `idle`. Both streams are
/// the caller's to close: [`Cause::Reset`] wants the other side reset.
pub(crate) async fn relay<D, U>(
    downstream: &mut D,
    upstream: &mut U,
    idle: Option<Duration>,
    exchange: &mut Exchange,
) -> Cause
where
    D: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let mut out = Direction::new(Side::Downstream);
    let mut back = Direction::new(Side::Upstream);
    let mut first = None;
    let mut activity = Activity { idle: idle.unwrap_or(NEVER), last: Instant::now() };
    let mut timer = pin!(sleep_until(activity.deadline()));
    poll_fn(|cx| {
        let mut moved = out.poll(cx, downstream, upstream, exchange);
        back.source_broke |= out.sink_broke();
        moved |= back.poll(cx, upstream, downstream, exchange);
        out.source_broke |= back.sink_broke();
        if first.is_none() {
            first = [&out, &back]
                .into_iter()
                .find(|direction| direction.saw_end())
                .map(|direction| direction.from);
        }
        if moved {
            activity.last = Instant::now();
        }
        if let Some(cause) = verdict(&out, &back, first) {
            return Poll::Ready(cause);
        }
        if let Some(by) = broken(&out).or_else(|| broken(&back)) {
            activity.idle = activity.idle.min(LINGER);
            // What is left may take its time only as long as it moves.
            if activity.expired(cx, timer.as_mut()) {
                Poll::Ready(Cause::Reset { by })
            } else {
                Poll::Pending
            }
        } else if activity.expired(cx, timer.as_mut()) {
            Poll::Ready(Cause::Idle)
        } else {
            Poll::Pending
        }
    })
    .await
}

/// How it ended, once nothing more can be delivered.
fn verdict(out: &Direction, back: &Direction, first: Option<Side>) -> Option<Cause> {
    match (out.state, back.state) {
        (State::Done, State::Done) => Some(Cause::Finished { first: first.unwrap_or(Side::Downstream) }),
        // A source that broke off needs nothing more, and what it sent before is delivered.
        (State::Broken { by }, _) if by == out.from => Some(Cause::Reset { by }),
        (_, State::Broken { by }) if by == back.from => Some(Cause::Reset { by }),
        // A side that takes nothing any more may still have something to say, until it ends.
        (State::Broken { by }, State::Done | State::Broken { .. }) | (State::Done, State::Broken { by }) => {
            Some(Cause::Reset { by })
        }
        _ => None,
    }
}

fn broken(direction: &Direction) -> Option<Side> {
    match direction.state {
        State::Broken { by } | State::Flushing { by } => Some(by),
        State::Open | State::Ended | State::Done => None,
    }
}

/// Notes when something last moved. The timer is only moved when it fires, not with each byte.
struct Activity {
    idle: Duration,
    last: Instant,
}

impl Activity {
    fn deadline(&self) -> Instant {
        self.last + self.idle
    }

    fn expired(&self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> bool {
        let deadline = self.deadline();
        // A shortened limit must not wait for the longer one to fire.
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if deadline <= Instant::now() {
                return true;
            }
            timer.as_mut().reset(deadline);
        }
        false
    }
}

/// Bytes on their way from one side to the other.
struct Direction {
    from: Side,
    buffer: Box<[u8]>,
    /// What of the buffer is still to be written.
    start: usize,
    end: usize,
    /// Whether the writer may hold bytes back.
    unflushed: bool,
    /// The source failed when it was written to. The kernel tells of a reset once, to whoever asks first: read now, the source would only seem
    /// to end.
    source_broke: bool,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Bytes may come.
    Open,
    /// The source finished; the end is to be passed on.
    Ended,
    /// The end was passed on.
    Done,
    /// The source broke off; what it sent is on its way.
    Flushing { by: Side },
    /// A side broke off and nothing can be delivered any more.
    Broken { by: Side },
}

impl Direction {
    fn new(from: Side) -> Self {
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        Self { from, buffer, start: 0, end: 0, unflushed: false, source_broke: false, state: State::Open }
    }

    const fn to(&self) -> Side {
        match self.from {
            Side::Downstream => Side::Upstream,
            Side::Upstream => Side::Downstream,
        }
    }

    /// Whether the side that this direction writes to broke off.
    fn sink_broke(&self) -> bool {
        matches!(self.state, State::Broken { by } if by == self.to())
    }

    fn saw_end(&self) -> bool {
        matches!(self.state, State::Ended | State::Done)
    }

    /// Moves what can be moved now; whether anything was.
    fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
        exchange: &mut Exchange,
    ) -> bool
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut moved = false;
        for _ in 0..TURNS {
            match self.turn(cx, reader, writer, exchange) {
                Poll::Ready(Turn::Moved) => moved = true,
                Poll::Ready(Turn::Over) | Poll::Pending => return moved,
            }
        }
        cx.waker().wake_by_ref();
        moved
    }

    fn turn<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
        exchange: &mut Exchange,
    ) -> Poll<Turn>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        if matches!(self.state, State::Done | State::Broken { .. }) {
            return Poll::Ready(Turn::Over);
        }
        if self.start < self.end {
            return self.write(cx, writer, exchange);
        }
        match self.state {
            State::Ended => match ready!(Pin::new(writer).poll_shutdown(cx)) {
                Ok(()) => self.state = State::Done,
                Err(_) => self.state = State::Broken { by: self.to() },
            },
            State::Flushing { by } => {
                // Whether or not it could be flushed, there is nothing more to do.
                let _ = ready!(Pin::new(writer).poll_flush(cx));
                self.state = State::Broken { by };
            }
            _ => return self.read(cx, reader, writer, exchange),
        }
        Poll::Ready(Turn::Moved)
    }

    fn write<W>(&mut self, cx: &mut Context<'_>, writer: &mut W, exchange: &mut Exchange) -> Poll<Turn>
    where
        W: AsyncWrite + Unpin,
    {
        match ready!(Pin::new(writer).poll_write(cx, &self.buffer[self.start..self.end])) {
            Ok(0) | Err(_) => self.state = State::Broken { by: self.to() },
            Ok(written) => {
                self.start += written;
                self.unflushed = true;
                exchange.tell(&Event::Wrote(self.to(), written));
            }
        }
        Poll::Ready(Turn::Moved)
    }

    fn read<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
        exchange: &mut Exchange,
    ) -> Poll<Turn>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut buffer = ReadBuf::new(&mut self.buffer);
        match Pin::new(reader).poll_read(cx, &mut buffer) {
            Poll::Pending => {
                // Nothing more for now: let the other side have all there is.
                if self.unflushed {
                    self.flushed(ready!(Pin::new(writer).poll_flush(cx)));
                }
                return Poll::Pending;
            }
            Poll::Ready(Err(_)) => self.state = State::Flushing { by: self.from },
            Poll::Ready(Ok(())) if buffer.filled().is_empty() && self.source_broke => {
                self.state = State::Flushing { by: self.from };
            }
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => self.state = State::Ended,
            Poll::Ready(Ok(())) => {
                (self.start, self.end) = (0, buffer.filled().len());
                exchange.tell(&Event::Read(self.from, self.end));
            }
        }
        Poll::Ready(Turn::Moved)
    }

    fn flushed(&mut self, result: io::Result<()>) {
        self.unflushed = false;
        if result.is_err() {
            self.state = State::Broken { by: self.to() };
        }
    }
}

enum Turn {
    Moved,
    Over,
}

#[cfg(test)]
mod tests;
