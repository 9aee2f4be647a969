//! Bodies that come: RFC 9112, sections 6 and 7.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use reference_dp::net::Stream;

use super::Broken;
use super::message::parse_trailers;
use crate::app::http::fields::{lists, values};
use crate::app::line::Line;
use crate::language::http::Fields;

/// Bytes of a chunk's size and extensions.
const SIZE_LINE_MAX: usize = 4096;

/// A body that comes.
#[derive(Debug)]
pub(super) struct Incoming {
    state: State,
    trailers: Fields,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many bytes are left.
    Length(u64),
    /// Until the other end closes its direction.
    ToEnd,
    /// A chunk's size comes.
    Size,
    /// So many bytes of a chunk are left.
    Chunk(u64),
    /// The line end after a chunk comes.
    ChunkEnd,
    /// Trailers come.
    Trailers,
    Over,
}

impl Incoming {
    /// The body of a request with these header fields.
    pub(super) fn of_request(headers: &Fields) -> Result<Self, Broken> {
        Ok(match framing(headers)? {
            // Without either there is none.
            None => Self::new(State::Over),
            Some(state) => Self::new(state),
        })
    }

    /// The body of the answer with this status and header fields to a request with this method.
    pub(super) fn of_response(method: &str, status: u16, headers: &Fields) -> Result<Self, Broken> {
        if !has_body(method, status) {
            return Ok(Self::new(State::Over));
        }
        Ok(Self::new(framing(headers)?.unwrap_or(State::ToEnd)))
    }

    fn new(state: State) -> Self {
        let state = if state == State::Length(0) { State::Over } else { state };
        Self { state, trailers: Fields::new() }
    }

    /// Whether nothing of it is still to come.
    pub(super) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Whether only the connection's end ends it.
    pub(super) fn is_to_end(&self) -> bool {
        self.state == State::ToEnd
    }

    /// How long it is, if that is told.
    pub(super) fn length(&self) -> Option<u64> {
        match self.state {
            State::Length(length) => Some(length),
            State::Over => Some(0),
            _ => None,
        }
    }

    /// Its trailers, once it is over.
    pub(super) fn take_trailers(&mut self) -> Fields {
        std::mem::take(&mut self.trailers)
    }

    /// The next data, at most `limit` bytes; none once it is over.
    pub(super) fn poll_next<S: Stream>(
        &mut self,
        cx: &mut Context<'_>,
        line: &mut Line<S>,
        limit: usize,
    ) -> Poll<Result<Option<Bytes>, Broken>> {
        loop {
            if self.state == State::Over {
                return Poll::Ready(Ok(None));
            }
            if let Some(data) = self.step(line, limit)? {
                return Poll::Ready(Ok(Some(data)));
            }
            if self.state == State::Over {
                continue;
            }
            if ready!(line.poll_ahead(cx, limit)).map_err(Broken::Io)? == 0 {
                if self.state == State::ToEnd {
                    self.state = State::Over;
                    continue;
                }
                return Poll::Ready(Err(Broken::Ended("a body")));
            }
        }
    }

    /// Goes on with what has come: to data, to the end, or until more must come.
    fn step<S: Stream>(&mut self, line: &mut Line<S>, limit: usize) -> Result<Option<Bytes>, Broken> {
        let ahead = line.ahead();
        loop {
            match self.state {
                State::Over => return Ok(None),
                State::Length(left) | State::Chunk(left) => {
                    let n = usize::try_from(left).unwrap_or(usize::MAX).min(limit.max(1)).min(ahead.len());
                    let rest = left - n as u64;
                    self.state = match self.state {
                        State::Length(_) if rest == 0 => State::Over,
                        State::Length(_) => State::Length(rest),
                        _ if rest == 0 => State::ChunkEnd,
                        _ => State::Chunk(rest),
                    };
                    return Ok((n > 0).then(|| ahead.split_to(n).freeze()));
                }
                State::ToEnd => {
                    let n = ahead.len().min(limit.max(1));
                    return Ok((n > 0).then(|| ahead.split_to(n).freeze()));
                }
                State::Size => {
                    let Some(length) = ahead.iter().position(|byte| *byte == b'\n') else {
                        if ahead.len() > SIZE_LINE_MAX {
                            return Err(Broken::Malformed("no end of a chunk's size".into()));
                        }
                        return Ok(None);
                    };
                    let size = chunk_size(&ahead[..length])?;
                    ahead.advance(length + 1);
                    self.state = if size == 0 { State::Trailers } else { State::Chunk(size) };
                }
                State::ChunkEnd => {
                    if ahead.len() < 2 {
                        return Ok(None);
                    }
                    if !ahead.starts_with(b"\r\n") {
                        return Err(Broken::Malformed("a chunk longer than its size".into()));
                    }
                    ahead.advance(2);
                    self.state = State::Size;
                }
                State::Trailers => {
                    let Some((trailers, length)) = parse_trailers(ahead)? else { return Ok(None) };
                    ahead.advance(length);
                    self.trailers = trailers;
                    self.state = State::Over;
                }
            }
        }
    }
}

/// Whether an answer of this status to this method has a body at all.
pub(in crate::app::http) fn has_body(method: &str, status: u16) -> bool {
    method != "HEAD" && !matches!(status, 100..=199 | 204 | 304)
}

/// The size of a chunk: hexadecimal digits, perhaps with extensions behind a semicolon.
fn chunk_size(line: &[u8]) -> Result<u64, Broken> {
    let malformed = || Broken::Malformed(format!("chunk size {}", line.escape_ascii()));
    let line = line.strip_suffix(b"\r").ok_or_else(malformed)?;
    let size = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let digits = std::str::from_utf8(size).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
    digits.and_then(|text| u64::from_str_radix(text, 16).ok()).ok_or_else(malformed)
}

/// What the header fields say of the body's end; nothing, if they say nothing. Whoever says it twice may smuggle: RFC 9112, 6.3.
fn framing(headers: &Fields) -> Result<Option<State>, Broken> {
    let mut lengths = values(headers, "content-length");
    let length = lengths.next();
    if lengths.any(|other| Some(other) != length) {
        return Err(Broken::Malformed("two lengths".into()));
    }
    if values(headers, "transfer-encoding").next().is_some() {
        if length.is_some() {
            return Err(Broken::Malformed("content-length with transfer-encoding".into()));
        }
        if !lists(headers, "transfer-encoding", "chunked") {
            return Err(Broken::Malformed("a transfer-encoding other than chunked".into()));
        }
        return Ok(Some(State::Size));
    }
    let Some(length) = length else { return Ok(None) };
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    match length.parse() {
        Ok(number) if digits => Ok(Some(State::Length(number))),
        _ => Err(Broken::Malformed(format!("content-length `{}`", length.escape_debug()))),
    }
}

impl From<Broken> for io::Error {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Io(error) => error,
            other => Self::other(other.to_string()),
        }
    }
}
