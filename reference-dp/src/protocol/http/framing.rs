//! Where requests begin and end on an HTTP/1.1 connection, read as strictly as RFC 9112 is written.
//!
//! The parser behind this is lenient where two readers may differ, and tells nothing of it (a content-length beside a transfer-encoding vanishes).
//! Whatever is refused here is refused there too: from the refused byte on it gets [`POISON`] instead.

use std::mem::take;

/// Bytes that are an error wherever a head, a chunk or a trailer is read, and that end it.
pub(super) const POISON: &[u8] = b"\0\n\r\n\r\n";

/// Largest head of a request, with its request line (seen 1, 4: 60 KiB, as Envoy's default).
pub(super) const HEAD_BYTES_MAX: usize = 60 * 1024;

/// Longest line that announces a chunk, with its extensions.
const CHUNK_LINE_MAX: usize = 4 * 1024;

/// Follows the bytes of one connection.
#[derive(Debug, Default)]
pub(super) struct Framing {
    state: State,
    /// The line that is being read, without its end.
    line: Vec<u8>,
    /// Bytes of the head, or of the trailers, so far.
    size: usize,
    head: Head,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    RequestLine,
    Field,
    /// Bytes of a body that are still to come.
    Sized(u64),
    ChunkLine,
    Chunk(u64),
    ChunkEnd,
    Trailer,
    /// A head that is too large: the parser behind refuses it, by the same limit.
    TooLarge,
}

/// What the fields of a head say about the body.
#[derive(Debug, Default, Clone, Copy)]
struct Head {
    old: bool,
    length: Option<u64>,
    chunked: bool,
}

/// A byte at which the connection cannot be followed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused {
    /// How many bytes before it are good.
    pub(super) at: usize,
}

impl Framing {
    /// Follows the next bytes.
    ///
    /// # Errors
    /// From some byte on they are no request, or one that two readers may read differently.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            at += match self.state {
                State::TooLarge => return Ok(()),
                State::Sized(left) => self.skip(rest, left, State::Sized, State::RequestLine),
                State::Chunk(left) => self.skip(rest, left, State::Chunk, State::ChunkEnd),
                _ => {
                    let (taken, whole) = self.take_line(rest).ok_or(Refused { at })?;
                    if whole {
                        // The line's end is not passed on with a line that is refused.
                        self.line_ends().ok_or(Refused { at: at + taken - 1 })?;
                    }
                    taken
                }
            };
        }
        Ok(())
    }

    fn skip(&mut self, rest: &[u8], left: u64, within: fn(u64) -> State, then: State) -> usize {
        let taken = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
        let left = left - taken as u64;
        self.state = if left == 0 { then } else { within(left) };
        taken
    }

    /// Whether a head has begun and is not whole.
    pub(super) fn in_head(&self) -> bool {
        self.state == State::Field || self.state == State::RequestLine && !self.line.is_empty()
    }

    /// Takes up to the end of a line: how many bytes, and whether that end is there. `None`: too many.
    fn take_line(&mut self, rest: &[u8]) -> Option<(usize, bool)> {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(rest.len(), |end| end + 1);
        self.size += taken;
        if self.size > HEAD_BYTES_MAX {
            let head = matches!(self.state, State::RequestLine | State::Field);
            self.state = State::TooLarge;
            return head.then_some((rest.len(), false));
        }
        self.line.extend_from_slice(&rest[..end.unwrap_or(taken)]);
        Some((taken, end.is_some()))
    }

    /// A whole line came. `None`: it is refused.
    fn line_ends(&mut self) -> Option<()> {
        let mut line = take(&mut self.line);
        let accepted = self.accept(line.strip_suffix(b"\r")?);
        line.clear();
        self.line = line;
        accepted
    }

    fn accept(&mut self, line: &[u8]) -> Option<()> {
        if line.contains(&b'\r') {
            return None;
        }
        match self.state {
            // Empty lines before a request are left-overs of an older one (RFC 9112 2.2).
            State::RequestLine if line.is_empty() => self.size = 0,
            State::RequestLine => {
                self.head = Head { old: is_old(line)?, ..Head::default() };
                self.state = State::Field;
            }
            State::Field if line.is_empty() => self.begin_body()?,
            State::Field => self.head.field(line)?,
            State::ChunkLine => self.begin_chunk(line)?,
            State::ChunkEnd => {
                self.state = line.is_empty().then_some(State::ChunkLine)?;
                self.size = 0;
            }
            State::Trailer if line.is_empty() => self.next_request(),
            State::Trailer => {
                name(line)?;
            }
            State::Sized(_) | State::Chunk(_) | State::TooLarge => {}
        }
        Some(())
    }

    fn begin_body(&mut self) -> Option<()> {
        self.size = 0;
        match self.head {
            Head { chunked: true, length: Some(_), .. } | Head { chunked: true, old: true, .. } => {
                return None;
            }
            Head { chunked: true, .. } => self.state = State::ChunkLine,
            Head { length: Some(length @ 1..), .. } => self.state = State::Sized(length),
            Head { .. } => self.next_request(),
        }
        Some(())
    }

    fn begin_chunk(&mut self, line: &[u8]) -> Option<()> {
        if line.len() > CHUNK_LINE_MAX {
            return None;
        }
        let digits = line.split(|byte| *byte == b';').next()?;
        if digits.is_empty() || digits.len() > 15 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let length = u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
        self.size = 0;
        self.state = if length == 0 { State::Trailer } else { State::Chunk(length) };
        Some(())
    }

    fn next_request(&mut self) {
        (self.state, self.size) = (State::RequestLine, 0);
    }
}

impl Head {
    fn field(&mut self, line: &[u8]) -> Option<()> {
        let name = name(line)?;
        let value = line[name.len() + 1..].trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = length(value)?;
            if self.length.replace(length).is_some_and(|other| other != length) {
                return None;
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding")
            && (!value.eq_ignore_ascii_case(b"chunked") || std::mem::replace(&mut self.chunked, true))
        {
            return None;
        }
        Some(())
    }
}

/// Whether a request line, which must be one, is of HTTP/1.0.
fn is_old(line: &[u8]) -> Option<bool> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (method, target, version) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || method.is_empty() || target.is_empty() {
        return None;
    }
    match version {
        b"HTTP/1.1" => Some(false),
        b"HTTP/1.0" => Some(true),
        _ => None,
    }
}

/// The name of a field line. None has blanks in it or before it (RFC 9112 5.1, 5.2).
fn name(line: &[u8]) -> Option<&[u8]> {
    let name = line.split(|byte| *byte == b':').next().filter(|name| name.len() < line.len())?;
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    (!name.is_empty() && name.iter().all(token)).then_some(name)
}

fn length(value: &[u8]) -> Option<u64> {
    // Longer ones are not numbers of bytes but attempts at readers that count otherwise.
    let digits = (1..=19).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

#[cfg(test)]
mod tests;
