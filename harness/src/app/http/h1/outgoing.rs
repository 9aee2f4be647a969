//! Messages that go: a head, then a body as it comes into being.

use std::future::poll_fn;
use std::io::Write as _;
use std::task::{Context, Poll};

use bytes::Bytes;
use reference_dp::net::Stream;

use super::Broken;
use super::body::Incoming;
use super::message::write_fields;
use crate::app::http::exchange::BodyRecord;
use crate::app::http::shared::SharedLine;
use crate::app::http::source::Source;
use crate::app::line::PIECE;
use crate::language::http::Fields;

/// A message in progress. Head and first data go in one write if both are there.
pub(super) struct Outgoing<'a, S> {
    line: &'a SharedLine<S>,
    buffer: Vec<u8>,
    chunked: bool,
}

/// What a body is made of.
pub(super) enum Body<'a, S> {
    /// What a script says.
    Source(Source),
    /// What comes in another body, with that one's record.
    Echo(&'a mut Incoming, &'a mut BodyRecord<S>),
}

/// What is to be done next.
enum Next {
    Data(Bytes),
    /// Nothing comes for now: what there is must go.
    Flush,
    End,
}

impl<'a, S: Stream> Outgoing<'a, S> {
    /// A message with this head.
    pub(super) fn new(line: &'a SharedLine<S>, head: Vec<u8>, chunked: bool) -> Self {
        Self { line, buffer: head, chunked }
    }

    /// Sends what there is.
    pub(super) async fn flush(&mut self) -> Result<(), Broken> {
        self.line.write_all(&self.buffer).await?;
        self.buffer.clear();
        Ok(())
    }

    /// Sends the body, or its first `most` bytes, without its end.
    pub(super) async fn body(
        &mut self,
        body: &mut Body<'_, S>,
        record: &mut BodyRecord<S>,
        most: Option<u64>,
    ) -> Result<(), Broken> {
        let mut left = most.unwrap_or(u64::MAX);
        while left > 0 {
            match poll_fn(|cx| self.poll_next(cx, body)).await? {
                Next::Data(data) => {
                    let n = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
                    left -= n as u64;
                    self.push(&data[..n]);
                    record.sent(&data[..n]);
                    if body.is_apart() || self.buffer.len() >= PIECE {
                        self.flush().await?;
                    }
                }
                Next::Flush => self.flush().await?,
                Next::End => return Ok(()),
            }
        }
        self.flush().await
    }

    /// Sends the body's end.
    pub(super) async fn finish(&mut self, trailers: &Fields) -> Result<(), Broken> {
        if self.chunked {
            self.buffer.extend_from_slice(b"0\r\n");
            write_fields(trailers, &mut self.buffer)?;
            self.buffer.extend_from_slice(b"\r\n");
        }
        self.flush().await
    }

    fn poll_next(&self, cx: &mut Context<'_>, body: &mut Body<'_, S>) -> Poll<Result<Next, Broken>> {
        match body.poll_next(cx, self.line) {
            Poll::Pending if !self.buffer.is_empty() => Poll::Ready(Ok(Next::Flush)),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(Some(data))) => Poll::Ready(Ok(Next::Data(data))),
            Poll::Ready(Ok(None)) => Poll::Ready(Ok(Next::End)),
            Poll::Ready(Err(broken)) => Poll::Ready(Err(broken)),
        }
    }

    fn push(&mut self, data: &[u8]) {
        if self.chunked {
            // Writing to a vector cannot fail.
            let _ = write!(self.buffer, "{:x}\r\n", data.len());
        }
        self.buffer.extend_from_slice(data);
        if self.chunked {
            self.buffer.extend_from_slice(b"\r\n");
        }
    }
}

impl<S: Stream> Body<'_, S> {
    /// Whether each piece is a write of its own.
    fn is_apart(&self) -> bool {
        matches!(self, Self::Source(source) if source.apart())
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        line: &SharedLine<S>,
    ) -> Poll<Result<Option<Bytes>, Broken>> {
        match self {
            Self::Source(source) => source.poll_next(cx).map(Ok),
            Self::Echo(incoming, record) => {
                let next = incoming.poll_next(cx, &mut line.lock(), PIECE);
                match &next {
                    Poll::Ready(Ok(Some(data))) => record.came(data),
                    Poll::Ready(Ok(None)) => record.done(incoming.take_trailers()),
                    _ => {}
                }
                next
            }
        }
    }
}
