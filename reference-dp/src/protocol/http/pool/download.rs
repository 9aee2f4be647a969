//! The body of an answer over an HTTP/2 stream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::Response;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;

use super::http2::Held;
use super::{fault, length};
use crate::protocol::http::failure::Failure;

/// The body of an answer.
pub(super) struct Answer {
    stream: RecvStream,
    /// What is still to come, if that was said.
    left: Option<u64>,
    /// Dropped once it is whole or broke off; the rest of the request is then not wanted any more.
    held: Option<(Held, oneshot::Sender<()>)>,
    data_over: bool,
}

impl Answer {
    /// `caller` is dropped when the answer is.
    pub(super) fn of(
        response: Response<RecvStream>,
        held: Held,
        caller: oneshot::Sender<()>,
    ) -> Response<Self> {
        let left = length(response.headers());
        response.map(|stream| {
            let mut answer = Self { stream, left, held: Some((held, caller)), data_over: false };
            answer.look_for_end();
            answer
        })
    }

    fn look_for_end(&mut self) {
        if self.stream.is_end_stream() {
            self.over();
        }
    }

    fn over(&mut self) {
        self.left = Some(0);
        self.held = None;
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        while !self.data_over {
            match ready!(self.stream.poll_data(cx)) {
                None => self.data_over = true,
                Some(Ok(data)) => {
                    // Whoever asks for more has room for it.
                    let released = self.stream.flow_control().release_capacity(data.len());
                    let ended = self.stream.is_end_stream();
                    if !data.is_empty() || released.is_err() {
                        return Poll::Ready(Some(released.map(|()| data)));
                    }
                    self.data_over = ended;
                }
                // All that the endpoint had to say; it only wants no more of the request (RFC 9113 8.1).
                Some(Err(error)) if error.is_remote() && error.reason() == Some(Reason::NO_ERROR) => {
                    self.data_over = true;
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            }
        }
        Poll::Ready(None)
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let polled = match ready!(self.poll_data(cx)) {
            Some(data) => Some(data.map(Frame::data)),
            None => ready!(self.stream.poll_trailers(cx))
                .map(|trailers| trailers.map(Frame::trailers))
                .transpose(),
        };
        match &polled {
            Some(Ok(frame)) => {
                let read = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.left = self.left.map(|left| left.saturating_sub(read));
                self.look_for_end();
            }
            Some(Err(_)) | None => self.over(),
        }
        Poll::Ready(polled.map(|frame| frame.map_err(|error| fault::of_http2(&error))))
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
