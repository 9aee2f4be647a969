//! Bodies on their way to and from an endpoint.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;

use super::{download, http1};
use crate::protocol::http::failure::Failure;

/// The body of a request, whoever made it.
pub(super) type Upload = UnsyncBoxBody<Bytes, BodyError>;

/// The body of a request broke off: its caller is gone. The endpoint is made to see that it is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request's body broke off")]
pub(crate) struct BodyError;

/// The body of an endpoint's answer, as it comes. Dropped before its end, it is cancelled: HTTP/2 with `RST_STREAM`, HTTP/1.1 by closing the connection.
pub(crate) struct AnswerBody(Answer);

enum Answer {
    Http1(http1::Answer),
    Http2(download::Answer),
}

impl From<http1::Answer> for AnswerBody {
    fn from(answer: http1::Answer) -> Self {
        Self(Answer::Http1(answer))
    }
}

impl From<download::Answer> for AnswerBody {
    fn from(answer: download::Answer) -> Self {
        Self(Answer::Http2(answer))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match &mut self.0 {
            Answer::Http1(answer) => Pin::new(answer).poll_frame(cx),
            Answer::Http2(answer) => Pin::new(answer).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Answer::Http1(answer) => answer.is_end_stream(),
            Answer::Http2(answer) => answer.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Answer::Http1(answer) => answer.size_hint(),
            Answer::Http2(answer) => answer.size_hint(),
        }
    }
}
