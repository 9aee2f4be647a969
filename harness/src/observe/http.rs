//! Requests and answers on a connection, whatever the version of HTTP.

use serde::{Deserialize, Serialize};

use super::Nanos;
use super::flow::Stream;
use super::http1::{self, Framing, Message, Start};
use super::http2;

pub use super::http2::Fields;

/// What an HTTP connection carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpView {
    /// Which HTTP.
    pub version: Version,
    /// Requests with their answers, in order; a head that came counts.
    pub exchanges: Vec<Exchange>,
    /// Why there may be more requests than `exchanges` has.
    pub requests_cut: Option<String>,
    /// Why there may be more answers.
    pub answers_cut: Option<String>,
}

/// Versions of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Version {
    /// HTTP/1.0 and HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// A request and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// When the request's head was complete.
    pub at: Nanos,
    /// The request's fields, as HTTP/2 has them: `:method`, `:path`, `:authority` first.
    pub request: Fields,
    /// The final answer's, `:status` first.
    pub answer: Option<Answer>,
}

/// The head of a final answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// When it was complete.
    pub at: Nanos,
    /// Its fields.
    pub fields: Fields,
}

/// Bytes read of each direction.
pub(super) const ENOUGH: usize = 1 << 20;
/// Bytes in which a request line is looked for.
const LINE: usize = 8 << 10;

/// Which HTTP the bytes that a client sent begin as, if any.
#[must_use]
pub fn version(forward: &Stream) -> Option<Version> {
    let head = forward.head(LINE);
    if http2::begins_with_preface(&head) {
        Some(Version::Http2)
    } else {
        http1::begins_with_request(&head).then_some(Version::Http1)
    }
}

/// Whether the first bytes of either direction may be HTTP's, so that more of them is worth reading.
pub(super) fn may_be(stream: &Stream) -> bool {
    let begins_with_settings = |head: &[u8]| matches!(head, [_, _, _, 4, _, 0, 0, 0, 0]);
    version(stream).is_some() || stream.head(7) == b"HTTP/1." || begins_with_settings(&stream.head(9))
}

/// Reads both directions. Times are the stamps of the streams.
#[must_use]
pub fn read(version: Version, forward: &Stream, back: &Stream) -> HttpView {
    let (client, server) = (forward.head(ENOUGH), back.head(ENOUGH));
    let (exchanges, foreign) = match version {
        Version::Http1 => exchanges_of_1(&client, &server, forward, back),
        Version::Http2 => exchanges_of_2(&client, &server, forward, back),
    };
    let why_cut = |stream: &Stream, read: usize| {
        let more = || (read == ENOUGH).then(|| format!("read up to {ENOUGH}"));
        stream.why_cut().map(str::to_owned).or_else(more)
    };
    HttpView {
        version,
        exchanges,
        requests_cut: foreign.0.or_else(|| why_cut(forward, client.len())),
        answers_cut: foreign.1.or_else(|| why_cut(back, server.len())),
    }
}

impl HttpView {
    /// Turns stamps into times.
    pub(super) fn date(&mut self, time: &impl Fn(Nanos) -> Nanos) {
        for exchange in &mut self.exchanges {
            exchange.at = time(exchange.at);
            if let Some(answer) = &mut exchange.answer {
                answer.at = time(answer.at);
            }
        }
    }
}

/// Why each direction was not understood to its end.
type Foreign = (Option<String>, Option<String>);

fn exchanges_of_1(client: &[u8], server: &[u8], forward: &Stream, back: &Stream) -> (Vec<Exchange>, Foreign) {
    let requests = http1::read_requests(client);
    let methods: Vec<&str> = requests.messages.iter().map(method).collect();
    let answers = http1::read_responses(server, &methods);
    let tunnelled = |reading: &http1::Reading| {
        reading.messages.last().is_some_and(|message| message.framing == Framing::Tunnel)
    };
    // Behind a tunnel's begin nothing is HTTP, and no request is missed.
    let tunnel = tunnelled(&requests) || tunnelled(&answers);
    let foreign = |reading: &http1::Reading| match reading.rest {
        http1::Rest::Foreign(at) if !tunnel => Some(format!("no HTTP/1.1 at byte {at}")),
        _ => None,
    };
    let foreign = (foreign(&requests), foreign(&answers));
    let mut finals = answers
        .messages
        .iter()
        .filter(|message| !is_interim(message))
        .map(|message| Answer { at: back.stamp_at(message.head_end), fields: answer_fields(message) });
    let exchanges = requests.messages.iter().map(|message| Exchange {
        at: forward.stamp_at(message.head_end),
        request: request_fields(message),
        answer: finals.next(),
    });
    (exchanges.collect(), foreign)
}

fn exchanges_of_2(client: &[u8], server: &[u8], forward: &Stream, back: &Stream) -> (Vec<Exchange>, Foreign) {
    let mut read = http2::read(client, server);
    let foreign = |direction: &http2::Direction| match &direction.rest {
        http2::Rest::Foreign(at, why) => Some(format!("no HTTP/2 at byte {at}: {why}")),
        _ => None,
    };
    let foreign = (foreign(&read.client), foreign(&read.server));
    let answers = &mut read.server.streams;
    let exchanges = read.client.streams.into_iter().filter_map(|(id, half)| {
        let answer = answers
            .remove(&id)
            .and_then(|half| Some(Answer { at: back.stamp_at(half.head_end), fields: half.head? }));
        Some(Exchange { at: forward.stamp_at(half.head_end), request: half.head?, answer })
    });
    (exchanges.collect(), foreign)
}

fn method(message: &Message) -> &str {
    match &message.start {
        Start::Request { method, .. } => method,
        Start::Response { .. } => "",
    }
}

/// 101 is the last of its connection, and so no interim answer.
fn is_interim(message: &Message) -> bool {
    matches!(message.start, Start::Response { status: 100 | 102..200 })
}

/// A request's fields with those that HTTP/2 would have in place of the request line. `host` stays, as it is on the wire.
fn request_fields(message: &Message) -> Fields {
    let Start::Request { method, target } = &message.start else { return message.fields.clone() };
    let host = message.fields.iter().find(|(name, _)| name == "host").map(|(_, value)| value.as_str());
    let (authority, path) = if method == "CONNECT" {
        (Some(target.as_str()), None)
    } else if let Some((_, rest)) = target.split_once("://").filter(|_| !target.starts_with('/')) {
        // RFC 9112 3.2.2: an absolute URI says more than Host.
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        (Some(authority), Some(if path.is_empty() { "/" } else { path }))
    } else {
        (host, Some(target.as_str()))
    };
    let pseudo = [(":method", Some(method.as_str())), (":path", path), (":authority", authority)];
    let pseudo = pseudo.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    pseudo.chain(message.fields.iter().cloned()).collect()
}

fn answer_fields(message: &Message) -> Fields {
    let status = match message.start {
        Start::Response { status } => Some((":status".to_owned(), status.to_string())),
        Start::Request { .. } => None,
    };
    status.into_iter().chain(message.fields.iter().cloned()).collect()
}

#[cfg(test)]
mod tests;
