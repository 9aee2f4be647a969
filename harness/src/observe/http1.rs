//! HTTP/1.1 as its bytes show it (RFC 9112): heads by httparse, framing by the RFC's rules.
//!
//! A head counts once it is complete; its body may be cut anywhere. Where the bytes are no HTTP the reading ends, and [`Reading::rest`] says so.

/// A request or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its first line.
    pub start: Start,
    /// Minor version: 1 of `HTTP/1.1`.
    pub minor: u8,
    /// Header fields in order; names in lower case, values as lossy text without the space around them.
    pub fields: Vec<(String, String)>,
    /// How the end of its body is known.
    pub framing: Framing,
    /// Offset in the direction behind its head.
    pub head_end: usize,
    /// The bytes of its body that are there, chunk framing left out.
    pub body: Vec<u8>,
    /// Trailer fields, as `fields`.
    pub trailers: Vec<(String, String)>,
    /// Whether its end is there. Never with [`Framing::UntilClose`]: then it is whole if the connection ended in order, which bytes don't tell.
    pub whole: bool,
}

/// The first line of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// `GET /path HTTP/1.1`.
    Request {
        /// `GET`.
        method: String,
        /// As written: path and query, absolute URI, authority or `*`.
        target: String,
    },
    /// `HTTP/1.1 200 OK`.
    Response {
        /// `200`; interim ones are messages too.
        status: u16,
    },
}

/// How the end of a body is known (RFC 9112 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    Bodiless,
    /// By `Content-Length`.
    Length(u64),
    /// By the last chunk.
    Chunked,
    /// By the end of the connection.
    UntilClose,
    /// What follows is no HTTP: `CONNECT`, `101 Switching Protocols`.
    Tunnel,
}

/// What a direction holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Its messages in order; only the last may lack its end.
    pub messages: Vec<Message>,
    /// What follows them.
    pub rest: Rest,
}

/// What follows the last message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Nothing.
    Nothing,
    /// The beginning of a head, not all of it.
    Begun,
    /// Bytes from this offset on that are no HTTP/1.1, or whose framing is broken.
    Foreign(usize),
}

/// Most field lines of a head that are read; one with more is foreign.
const MOST_FIELDS: usize = 256;

/// The requests among the bytes that a client sent.
#[must_use]
pub fn requests(bytes: &[u8]) -> Vec<Message> {
    read_requests(bytes).messages
}

/// The answers among the bytes that a server sent, interim ones too. `methods` are those of the requests, in order: an answer to HEAD has no body,
/// whatever its head says. Where they are missing, none was HEAD.
#[must_use]
pub fn responses(bytes: &[u8], methods: &[&str]) -> Vec<Message> {
    read_responses(bytes, methods).messages
}

/// As [`requests`], with what follows them.
#[must_use]
pub fn read_requests(bytes: &[u8]) -> Reading {
    read(bytes, |bytes| {
        let (head, len) = request_head(bytes)?;
        let framing = request_framing(&head);
        Ok((head, len, framing))
    })
}

/// As [`responses`], with what follows them.
#[must_use]
pub fn read_responses(bytes: &[u8], methods: &[&str]) -> Reading {
    let mut methods = methods.iter();
    read(bytes, |bytes| {
        let (head, len, status) = response_head(bytes)?;
        // Interim answers belong to the request that the next one answers.
        let method = if (100..200).contains(&status) { None } else { methods.next() };
        let framing = response_framing(&head, status, method.copied());
        Ok((head, len, framing))
    })
}

/// Whether the first line is a request's, and there to its end.
#[must_use]
pub fn begins_with_request(bytes: &[u8]) -> bool {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return false };
    // A head of that line alone: what httparse takes is a request line.
    let line = [&bytes[..=end], b"\r\n"].concat();
    request_head(&line).is_ok()
}

/// Why no head could be read.
enum NoHead {
    /// Its end is not there.
    Begun,
    /// It is none.
    Foreign,
}

/// Framing can't be told where this is returned in its place.
struct Unframed;

/// Reads messages until the bytes end or are foreign.
fn read(
    bytes: &[u8],
    mut head: impl FnMut(&[u8]) -> Result<(Message, usize, Result<Framing, Unframed>), NoHead>,
) -> Reading {
    let mut messages = Vec::new();
    let mut at = 0;
    let rest = loop {
        // RFC 9112 2.2: empty lines before a message are none of it.
        let empty = bytes[at..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        at += empty;
        if at == bytes.len() {
            break Rest::Nothing;
        }
        let (mut message, len, framing) = match head(&bytes[at..]) {
            Ok(read) => read,
            Err(NoHead::Begun) => break Rest::Begun,
            Err(NoHead::Foreign) => break Rest::Foreign(at),
        };
        at += len;
        message.head_end = at;
        let taken = framing.and_then(|framing| {
            message.framing = framing;
            body(&bytes[at..], &mut message)
        });
        let whole = message.whole;
        messages.push(message);
        match taken {
            Ok(taken) => at += taken,
            Err(Unframed) => break Rest::Foreign(at),
        }
        let tunnel = messages.last().is_some_and(|message: &Message| message.framing == Framing::Tunnel);
        if tunnel && at < bytes.len() {
            break Rest::Foreign(at);
        }
        if !whole {
            break Rest::Nothing;
        }
    };
    Reading { messages, rest }
}

fn message(start: Start, minor: Option<u8>, fields: &[httparse::Header<'_>]) -> Message {
    Message {
        start,
        minor: minor.unwrap_or(1),
        fields: texts(fields),
        framing: Framing::Bodiless,
        head_end: 0,
        body: Vec::new(),
        trailers: Vec::new(),
        whole: false,
    }
}

fn texts(fields: &[httparse::Header<'_>]) -> Vec<(String, String)> {
    let text = |field: &httparse::Header<'_>| {
        (field.name.to_ascii_lowercase(), String::from_utf8_lossy(field.value).into_owned())
    };
    fields.iter().map(text).collect()
}

fn request_head(bytes: &[u8]) -> Result<(Message, usize), NoHead> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut head = httparse::Request::new(&mut fields);
    match head.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => {
            let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
            let start = Start::Request { method: text(head.method), target: text(head.path) };
            Ok((message(start, head.version, head.headers), len))
        }
        Ok(httparse::Status::Partial) => Err(NoHead::Begun),
        Err(_) => Err(NoHead::Foreign),
    }
}

fn response_head(bytes: &[u8]) -> Result<(Message, usize, u16), NoHead> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    match head.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => {
            let status = head.code.unwrap_or_default();
            Ok((message(Start::Response { status }, head.version, head.headers), len, status))
        }
        Ok(httparse::Status::Partial) => Err(NoHead::Begun),
        Err(_) => Err(NoHead::Foreign),
    }
}

fn request_framing(head: &Message) -> Result<Framing, Unframed> {
    if matches!(&head.start, Start::Request { method, .. } if method == "CONNECT") {
        return Ok(Framing::Tunnel);
    }
    let has_length = head.fields.iter().any(|(name, _)| name == "content-length");
    match (transfer_codings(head).last(), length(head)?) {
        // RFC 9112 6.1: whoever says both lets two readers see two ends; no dataplane may pass that on.
        (Some(_), _) if has_length => Err(Unframed),
        (Some(last), _) if last == "chunked" => Ok(Framing::Chunked),
        // RFC 9112 6.3: of a request in another coding the end can't be told.
        (Some(_), _) => Err(Unframed),
        (None, Some(0) | None) => Ok(Framing::Bodiless),
        (None, Some(length)) => Ok(Framing::Length(length)),
    }
}

fn response_framing(head: &Message, status: u16, method: Option<&str>) -> Result<Framing, Unframed> {
    let tunnel = status == 101 || (method == Some("CONNECT") && (200..300).contains(&status));
    if tunnel {
        return Ok(Framing::Tunnel);
    }
    if method == Some("HEAD") || matches!(status, 100..200 | 204 | 304) {
        return Ok(Framing::Bodiless);
    }
    match (transfer_codings(head).last(), length(head)?) {
        (Some(last), _) if last == "chunked" => Ok(Framing::Chunked),
        (Some(_), _) | (None, None) => Ok(Framing::UntilClose),
        (None, Some(0)) => Ok(Framing::Bodiless),
        (None, Some(length)) => Ok(Framing::Length(length)),
    }
}

/// The elements of a field's lists, all lines together.
fn elements<'a>(head: &'a Message, name: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = head.fields.iter().filter(move |(other, _)| other == name);
    lines.flat_map(|(_, value)| value.split(',')).map(str::trim)
}

fn transfer_codings(head: &Message) -> Vec<String> {
    elements(head, "transfer-encoding").map(str::to_ascii_lowercase).collect()
}

/// `Content-Length`, which counts only where nothing says that it is chunked. Several must agree.
fn length(head: &Message) -> Result<Option<u64>, Unframed> {
    if head.fields.iter().any(|(name, _)| name == "transfer-encoding") {
        return Ok(None);
    }
    let mut length = None;
    for element in elements(head, "content-length") {
        // `u64::from_str` would take a sign.
        let digits = element.bytes().all(|byte| byte.is_ascii_digit());
        let this = element.parse().ok().filter(|_| digits).ok_or(Unframed)?;
        if *length.get_or_insert(this) != this {
            return Err(Unframed);
        }
    }
    Ok(length)
}

/// Reads a body, and returns how many bytes it took.
fn body(bytes: &[u8], message: &mut Message) -> Result<usize, Unframed> {
    match message.framing {
        Framing::Bodiless | Framing::Tunnel => {
            message.whole = true;
            Ok(0)
        }
        Framing::Length(length) => {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let taken = length.min(bytes.len());
            message.body.extend_from_slice(&bytes[..taken]);
            message.whole = taken == length;
            Ok(taken)
        }
        Framing::UntilClose => {
            message.body.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        Framing::Chunked => chunks(bytes, message),
    }
}

/// Reads chunks and trailers (RFC 9112 7.1).
fn chunks(bytes: &[u8], message: &mut Message) -> Result<usize, Unframed> {
    let mut at = 0;
    loop {
        let (line, size) = match httparse::parse_chunk_size(&bytes[at..]) {
            Ok(httparse::Status::Complete(read)) => read,
            Ok(httparse::Status::Partial) => return Ok(bytes.len()),
            Err(_) => return Err(Unframed),
        };
        at += line;
        if size == 0 {
            return trailers(&bytes[at..], message).map(|taken| at + taken);
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let taken = size.min(bytes.len() - at);
        message.body.extend_from_slice(&bytes[at..at + taken]);
        at += taken;
        match &bytes[at..] {
            [b'\r', b'\n', ..] if taken == size => at += 2,
            [] | [b'\r'] => return Ok(bytes.len()),
            _ => return Err(Unframed),
        }
    }
}

fn trailers(bytes: &[u8], message: &mut Message) -> Result<usize, Unframed> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    match httparse::parse_headers(bytes, &mut fields) {
        Ok(httparse::Status::Complete((taken, fields))) => {
            message.trailers = texts(fields);
            message.whole = true;
            Ok(taken)
        }
        Ok(httparse::Status::Partial) => Ok(bytes.len()),
        Err(_) => Err(Unframed),
    }
}

#[cfg(test)]
mod tests;
