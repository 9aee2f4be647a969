//! Bodies on their way to and from an endpoint.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::protocol::http::failure::Failure;

/// The body of a request broke off: its caller is gone. The endpoint is made to see that it is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request's body broke off")]
pub(crate) struct BodyError;

/// The body of an endpoint's answer, as it comes. Dropped before its end, it is cancelled: HTTP/2 with `RST_STREAM`, HTTP/1.1 by closing the connection.
pub(crate) struct AnswerBody(());

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
