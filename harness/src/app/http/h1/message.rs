//! Heads of messages: RFC 9112, sections 2 to 5.

use bytes::Buf;
use reference_dp::net::Stream;

use super::Broken;
use crate::app::http::fields::{text, values};
use crate::app::http::shared::SharedLine;
use crate::language::http::Fields;
use crate::observe::observation::{RequestHead, ResponseHead};

/// A head is at most so long.
const HEAD_MAX: usize = 256 * 1024;
/// And has at most so many fields.
const FIELDS_MAX: usize = 512;
/// The one protocol that is spoken here.
pub(super) const HTTP_1_1: &str = "HTTP/1.1";

/// Reads the head of a request; none if the other end closed its direction before one began.
pub(super) async fn read_request<S: Stream>(line: &SharedLine<S>) -> Result<Option<RequestHead>, Broken> {
    loop {
        if let Some(head) = take(line, parse_request)? {
            return Ok(Some(head));
        }
        if line.read_ahead().await? == 0 {
            let begun = !line.lock().ahead().is_empty();
            return if begun { Err(Broken::Ended("a request's head")) } else { Ok(None) };
        }
    }
}

/// Reads the head of an answer.
pub(super) async fn read_response<S: Stream>(line: &SharedLine<S>) -> Result<ResponseHead, Broken> {
    loop {
        if let Some(head) = take(line, parse_response)? {
            return Ok(head);
        }
        if line.read_ahead().await? == 0 {
            let begun = !line.lock().ahead().is_empty();
            return Err(Broken::Ended(if begun { "an answer's head" } else { "a wait for an answer" }));
        }
    }
}

/// What a parser found, and how many bytes it took; nothing yet, if the head has not come whole.
type Parsed<T> = Result<Option<(T, usize)>, Broken>;

fn take<S: Stream, T>(line: &SharedLine<S>, parse: fn(&[u8]) -> Parsed<T>) -> Result<Option<T>, Broken> {
    let mut line = line.lock();
    let ahead = line.ahead();
    if let Some((head, length)) = parse(ahead)? {
        ahead.advance(length);
        return Ok(Some(head));
    }
    if ahead.len() > HEAD_MAX {
        return Err(Broken::Malformed(format!("no end of a head in {} bytes", ahead.len())));
    }
    Ok(None)
}

fn parse_request(bytes: &[u8]) -> Parsed<RequestHead> {
    let mut space = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut space);
    let httparse::Status::Complete(length) = request.parse(bytes).map_err(malformed)? else {
        return Ok(None);
    };
    let mut headers = fields(request.headers);
    let hosts: Vec<String> = values(&headers, "host").map(str::to_owned).collect();
    if request.version == Some(1) && hosts.len() != 1 {
        return Err(Broken::Malformed(format!("{} host fields", hosts.len())));
    }
    headers.retain(|(name, _)| name != "host");
    let head = RequestHead {
        protocol: protocol(request.version),
        method: request.method.unwrap_or_default().to_owned(),
        path: request.path.unwrap_or_default().to_owned(),
        authority: hosts.into_iter().next(),
        headers,
    };
    Ok(Some((head, length)))
}

fn parse_response(bytes: &[u8]) -> Parsed<ResponseHead> {
    let mut space = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut space);
    let httparse::Status::Complete(length) = response.parse(bytes).map_err(malformed)? else {
        return Ok(None);
    };
    let head = ResponseHead {
        protocol: protocol(response.version),
        status: response.code.unwrap_or_default(),
        headers: fields(response.headers),
    };
    Ok(Some((head, length)))
}

/// Reads trailer fields, if all have come.
pub(super) fn parse_trailers(bytes: &[u8]) -> Parsed<Fields> {
    let mut space = [httparse::EMPTY_HEADER; FIELDS_MAX];
    match httparse::parse_headers(bytes, &mut space).map_err(malformed)? {
        httparse::Status::Complete((length, found)) => Ok(Some((fields(found), length))),
        httparse::Status::Partial if bytes.len() > HEAD_MAX => {
            Err(Broken::Malformed("no end of trailers".into()))
        }
        httparse::Status::Partial => Ok(None),
    }
}

fn malformed(error: httparse::Error) -> Broken {
    Broken::Malformed(error.to_string())
}

fn protocol(minor: Option<u8>) -> String {
    if minor == Some(0) { "HTTP/1.0".into() } else { HTTP_1_1.into() }
}

fn fields(headers: &[httparse::Header<'_>]) -> Fields {
    headers.iter().map(|header| (header.name.to_ascii_lowercase(), text(header.value))).collect()
}

/// A head as it goes out: its first line, then its fields as they are written.
pub(super) fn head(first: &str, fields: &Fields) -> Result<Vec<u8>, Broken> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(first.as_bytes());
    out.extend_from_slice(b"\r\n");
    write_fields(fields, &mut out)?;
    out.extend_from_slice(b"\r\n");
    Ok(out)
}

/// Fields as lines. An end that behaves well makes no two lines of one.
pub(super) fn write_fields(fields: &Fields, out: &mut Vec<u8>) -> Result<(), Broken> {
    for (name, value) in fields {
        let torn = |text: &str| text.contains(['\r', '\n', '\0']);
        if torn(name) || torn(value) || name.is_empty() || name.contains([':', ' ']) {
            return Err(Broken::Unsendable(format!("field `{}` cannot be sent", name.escape_debug())));
        }
        for part in [name.as_str(), ": ", value, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    Ok(())
}
