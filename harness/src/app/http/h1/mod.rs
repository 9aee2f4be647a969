//! HTTP/1.1 by hand: `message` — heads; `body` — bodies that come; `outgoing` — messages that go; `client` and `server` — one exchange each.

mod body;
mod client;
mod message;
mod outgoing;
mod server;
#[cfg(test)]
mod tests;

pub(super) use body::has_body;
pub(super) use client::{Left, exchange};
pub(super) use server::{BEFORE_RESET, serve};

use std::io;

/// Why a message did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The connection failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The other end closed its direction.
    #[error("the connection ended in the middle of {0}")]
    Ended(&'static str),
    /// What came is no HTTP/1.1 message.
    #[error("malformed: {0}")]
    Malformed(String),
    /// This end went away, as its script says.
    #[error("aborted by the script")]
    Aborted,
    /// The other end went away before this one had finished.
    #[error("the other end went away")]
    Gone,
    /// The script asks for what cannot be sent.
    #[error("{0}")]
    Unsendable(String),
}
