//! Bodies as they are to be sent: made as they go, never held whole.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::{Sleep, sleep};

use crate::app::line::PIECE;
use crate::language::script::Send;
use crate::language::value::Payload;

/// A body in progress.
#[derive(Debug)]
pub(super) struct Source {
    payload: Payload,
    /// Bytes between pauses.
    chunk: u64,
    every: Option<Duration>,
    gone: u64,
    /// Bytes left until the next pause.
    left: u64,
    pause: Option<Pin<Box<Sleep>>>,
    /// Each piece is a write of its own.
    apart: bool,
}

impl Source {
    /// A body without bytes.
    pub(super) fn nothing() -> Self {
        let payload = Payload::Literal(Bytes::new());
        Self::new(&Send { payload, chunk: None, every: None, until_blocked: None })
    }

    pub(super) fn new(send: &Send) -> Self {
        let chunk = send.chunk.unwrap_or(u64::MAX).max(1);
        let (payload, every) = (send.payload.clone(), send.every);
        Self { payload, chunk, every, gone: 0, left: chunk, pause: None, apart: send.chunk.is_some() }
    }

    /// Whether all is gone.
    pub(super) fn is_over(&self) -> bool {
        self.gone >= self.payload.len()
    }

    /// Whether each piece is to be a write of its own.
    pub(super) fn apart(&self) -> bool {
        self.apart
    }

    /// The next piece.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.is_over() {
            return Poll::Ready(None);
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let limit = self.left.min(self.payload.len() - self.gone);
        let limit = usize::try_from(limit).unwrap_or(PIECE).min(PIECE);
        let mut piece = BytesMut::zeroed(limit);
        self.payload.fill(self.gone, &mut piece);
        self.gone += limit as u64;
        self.left -= limit as u64;
        if self.left == 0 {
            self.left = self.chunk;
            self.pause = self.every.map(|every| Box::pin(sleep(every)));
        }
        Poll::Ready(Some(piece.freeze()))
    }
}
