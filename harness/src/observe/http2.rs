//! HTTP/2 as its bytes show it (RFC 9113): frames and field blocks of both directions, joined to streams.
//!
//! Frames are read here, blocks by loona-hpack; neither is what dataplanes stand on. A direction is read until its bytes end or break a rule
//! without which the rest can't be understood; [`Direction::rest`] says which. What only breaks a rule is no trouble.

mod block;
mod direction;
mod frame;
mod plain;

use std::collections::BTreeMap;

pub use block::Fields;
use frame::{SETTINGS, USUAL_SIZE};

/// What a client sends first (RFC 9113 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the two directions of a connection hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// What the client sent.
    pub client: Direction,
    /// What the server sent.
    pub server: Direction,
}

/// What one end sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Direction {
    /// What it sent of each stream on which it sent a head, by id. Clients take ids in rising order, so that it is theirs, too.
    pub streams: BTreeMap<u32, Half>,
    /// `RST_STREAM`: error codes by stream.
    pub resets: BTreeMap<u32, u32>,
    /// The last `GOAWAY`.
    pub goaway: Option<GoAway>,
    /// How its bytes end.
    pub rest: Rest,
}

/// What one end sent of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Half {
    /// Interim answers (1xx).
    pub interim: Vec<Fields>,
    /// The head; `None` after interim answers alone.
    pub head: Option<Fields>,
    /// Offset in the direction behind the head.
    pub head_end: usize,
    /// Trailer fields.
    pub trailers: Option<Fields>,
    /// Bytes of `DATA`, without padding.
    pub data: u64,
    /// Whether END_STREAM was sent.
    pub ended: bool,
}

/// `GOAWAY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoAway {
    /// The last stream that its sender did something for.
    pub last_stream: u32,
    /// Why; 0 is no error.
    pub error: u32,
}

/// How the bytes of a direction end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Rest {
    /// Behind a frame.
    #[default]
    Nothing,
    /// In the middle of the preface, a frame or a field block.
    Begun,
    /// From this offset on they were not understood, for this reason.
    Foreign(usize, String),
}

/// Whether the bytes that a client sent begin as HTTP/2 does.
#[must_use]
pub fn begins_with_preface(bytes: &[u8]) -> bool {
    bytes.starts_with(PREFACE)
}

/// Reads both directions.
#[must_use]
pub fn read(client: &[u8], server: &[u8]) -> Connection {
    let frames_of_client = client.strip_prefix(PREFACE);
    Connection {
        client: match frames_of_client {
            Some(_) => direction::read(client, PREFACE.len(), true, allowed_by(server)),
            None if PREFACE.starts_with(client) => Direction { rest: Rest::Begun, ..Direction::default() },
            None => Direction {
                rest: Rest::Foreign(0, "no connection preface".to_owned()),
                ..Direction::default()
            },
        },
        server: direction::read(server, 0, false, allowed_by(frames_of_client.unwrap_or_default())),
    }
}

/// The longest frame that an end takes, by the SETTINGS with which it begins.
fn allowed_by(frames: &[u8]) -> usize {
    match frame::next(frames, USUAL_SIZE) {
        Ok(Some(frame)) if frame.kind == SETTINGS => frame.allowed_size(),
        _ => USUAL_SIZE,
    }
}

#[cfg(test)]
mod tests;
