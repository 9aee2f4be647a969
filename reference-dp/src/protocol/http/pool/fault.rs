//! What errors of the two codecs mean.

use std::error::Error;

use super::BodyError;
use crate::protocol::http::failure::Failure;

/// Of an HTTP/1.1 connection.
pub(super) fn of_http1(error: &hyper::Error) -> Failure {
    if error.is_parse() {
        return Failure::ProtocolError;
    }
    if source::<BodyError>(error).is_some() {
        return Failure::BodyBroke;
    }
    // A body whose framing is no HTTP is told as an error of reading.
    match source::<std::io::Error>(error).map(std::io::Error::kind) {
        Some(std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput) => Failure::ProtocolError,
        _ => Failure::Terminated,
    }
}

/// Of an HTTP/2 stream or the connection under it.
pub(super) fn of_http2(error: &h2::Error) -> Failure {
    if error.is_go_away() && error.is_remote() {
        // Only streams that the endpoint says it will not process hear of its GOAWAY.
        Failure::Reset { refused: true }
    } else if error.is_reset() && error.is_remote() {
        Failure::Reset { refused: error.reason() == Some(h2::Reason::REFUSED_STREAM) }
    } else if error.is_library() {
        Failure::ProtocolError
    } else if error.is_reset() {
        // Of our own accord: because the request's body broke off.
        Failure::BodyBroke
    } else {
        Failure::Terminated
    }
}

fn source<E: Error + 'static>(error: &hyper::Error) -> Option<&E> {
    std::iter::successors(error.source(), |error| (*error).source()).find_map(|error| error.downcast_ref())
}
