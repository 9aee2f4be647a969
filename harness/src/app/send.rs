//! `send` and `half_close`: the writing side of a connection, polled so that it can run beside the reading side.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use reference_dp::net::Stream;
use tokio::time::{Sleep, sleep};

use super::line::{Line, PIECE, Stop};
use crate::language::script::{Action, Send};
use crate::language::value::Payload;

/// Writing actions in a row.
pub(super) struct Writes<'a> {
    left: std::collections::VecDeque<&'a Action>,
    sending: Option<Sending<'a>>,
}

impl<'a> Writes<'a> {
    pub(super) fn new() -> Self {
        Self { left: std::collections::VecDeque::new(), sending: None }
    }

    /// Whether `action` may stand in such a row. `send: {until: blocked}` stands alone: nothing is to be read meanwhile.
    pub(super) fn takes(action: &Action) -> bool {
        matches!(action, Action::Send(Send { until_blocked: None, .. }) | Action::HalfClose)
    }

    pub(super) fn push(&mut self, action: &'a Action) {
        self.left.push_back(action);
    }

    pub(super) fn poll<S: Stream>(
        &mut self,
        cx: &mut Context<'_>,
        line: &mut Line<S>,
    ) -> Poll<Result<(), Stop>> {
        loop {
            if let Some(sending) = &mut self.sending {
                ready!(sending.poll(cx, line))?;
                self.sending = None;
            }
            match self.left.front() {
                None => return Poll::Ready(Ok(())),
                Some(Action::Send(send)) => self.sending = Some(Sending::new(send)),
                Some(_) => ready!(line.poll_half_close(cx))?,
            }
            self.left.pop_front();
        }
    }
}

/// One `send` in progress.
pub(super) struct Sending<'a> {
    send: &'a Send,
    /// Bytes that went.
    sent: u64,
    /// Bytes left of the write that `chunk` asks for.
    piece: u64,
    /// Until the next write may start.
    pause: Option<Pin<Box<Sleep>>>,
    /// Since the other side takes no more (with `until_blocked`).
    stuck: Option<Pin<Box<Sleep>>>,
}

impl<'a> Sending<'a> {
    pub(super) fn new(send: &'a Send) -> Self {
        Self { send, sent: 0, piece: 0, pause: None, stuck: None }
    }

    pub(super) fn poll<S: Stream>(
        &mut self,
        cx: &mut Context<'_>,
        line: &mut Line<S>,
    ) -> Poll<Result<(), Stop>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            if self.left() == 0 {
                return line.poll_flush(cx).map_err(Stop::Failed);
            }
            let written = match self.write(cx, line) {
                Poll::Ready(written) => written?,
                Poll::Pending => return self.poll_stuck(cx, line).map(Ok),
            };
            self.stuck = None;
            self.sent += written;
            self.piece -= written;
            if self.piece == 0
                && self.left() > 0
                && let Some(every) = self.send.every
            {
                // What went must be on its way before the pause, not after it.
                let _ = line.poll_flush(cx)?;
                self.pause = Some(Box::pin(sleep(every)));
            }
        }
    }

    /// Bytes still to send; never none while the other side has to block first.
    fn left(&self) -> u64 {
        let len = self.send.payload.len();
        match self.send.until_blocked {
            Some(_) if len > 0 => u64::MAX,
            _ => len - self.sent,
        }
    }

    /// One write, which may take less than offered.
    fn write<S: Stream>(&mut self, cx: &mut Context<'_>, line: &mut Line<S>) -> Poll<Result<u64, Stop>> {
        if self.piece == 0 {
            self.piece = self.left().min(self.send.chunk.unwrap_or(PIECE as u64).max(1));
        }
        let limit = usize::try_from(self.piece).unwrap_or(PIECE).min(PIECE);
        let offset = self.sent % self.send.payload.len();
        let n = match &self.send.payload {
            Payload::Literal(bytes) => {
                let rest = &bytes[usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len())..];
                ready!(line.poll_write(cx, &rest[..limit.min(rest.len())]))?
            }
            payload @ Payload::Pattern { .. } => {
                // Made anew when a write was refused: cheaper than a buffer for each idle connection.
                let mut space = [0; PIECE];
                let n = payload.fill(offset, &mut space[..limit]);
                ready!(line.poll_write(cx, &space[..n]))?
            }
        };
        Poll::Ready(Ok(n as u64))
    }

    /// Nothing could be written: with `until_blocked`, for how long already?
    fn poll_stuck<S: Stream>(&mut self, cx: &mut Context<'_>, line: &mut Line<S>) -> Poll<()> {
        let Some(patience) = self.send.until_blocked else { return Poll::Pending };
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stuck.as_mut().poll(cx));
        line.blocked(self.sent);
        Poll::Ready(())
    }
}

/// `until_blocked` alone, as a future.
pub(super) async fn until_blocked<S: Stream>(line: &mut Line<S>, send: &Send) -> Result<(), Stop> {
    let mut sending = Sending::new(send);
    std::future::poll_fn(|cx| sending.poll(cx, line)).await
}
