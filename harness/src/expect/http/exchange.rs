//! Exchanges of one end: as an HTTP end recorded them, or read from the bytes of one that is scripted in bytes.

use std::collections::BTreeMap;

use crate::expect::received;
use crate::expect::scene::Connection;
use crate::expect::words;
use crate::observe::http1::{self, Framing, Message, Reading, Rest, Start};
use crate::observe::observation::{BodyFacts, End, Flow, HttpEvent, RequestHead, ResponseHead};
use crate::observe::{Nanos, Seen};

/// Something seen of an exchange.
#[derive(Debug, Clone)]
pub(super) struct Sight<T> {
    /// Index of the observation that shows it.
    pub(super) index: Option<usize>,
    /// When; unknown of what is read from bytes.
    pub(super) at: Option<Nanos>,
    /// What.
    pub(super) what: T,
}

/// A request and its answers, as far as they were seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Exchange {
    /// The number of its connection.
    pub(super) connection: u32,
    /// Its number on the connection.
    pub(super) number: u32,
    pub(super) request: Option<Sight<RequestHead>>,
    pub(super) request_body: Option<Sight<BodyFacts>>,
    /// Statuses of interim answers.
    pub(super) interim: Vec<u16>,
    pub(super) response: Option<Sight<ResponseHead>>,
    pub(super) response_body: Option<Sight<BodyFacts>>,
    /// When parts of the body that came to this end did; unknown of what is read from bytes.
    pub(super) pieces: Option<Vec<Nanos>>,
    pub(super) failed: Option<Sight<String>>,
    /// What came to this end at its place, or after its head, and is no HTTP.
    pub(super) foreign: Option<String>,
    /// Index of the first observation of it.
    pub(super) first: Option<usize>,
    /// Index of the last observation of it, or of its connection.
    pub(super) last: Option<usize>,
}

/// What an HTTP end recorded of a connection.
pub(super) fn recorded(connection: &Connection<'_>) -> Vec<Exchange> {
    let mut exchanges = BTreeMap::<u32, Exchange>::new();
    for (index, observation) in &connection.seen {
        let Seen::Http { exchange: number, event } = &observation.seen else { continue };
        let exchange = exchanges.entry(*number).or_insert_with(|| Exchange {
            connection: connection.number,
            number: *number,
            pieces: Some(Vec::new()),
            first: Some(*index),
            ..Exchange::default()
        });
        exchange.last = Some(*index);
        exchange.see(*index, observation.at, event);
    }
    exchanges.into_values().collect()
}

impl Exchange {
    fn see(&mut self, index: usize, at: Nanos, event: &HttpEvent) {
        fn sight<T: Clone>(index: usize, at: Nanos, what: &T) -> Option<Sight<T>> {
            Some(Sight { index: Some(index), at: Some(at), what: what.clone() })
        }
        match event {
            HttpEvent::Request(head) => self.request = sight(index, at, head),
            HttpEvent::RequestBody(body) => self.request_body = sight(index, at, body),
            HttpEvent::Interim { status } => self.interim.push(*status),
            HttpEvent::Response(head) => self.response = sight(index, at, head),
            HttpEvent::ResponseBody(body) => self.response_body = sight(index, at, body),
            HttpEvent::Piece { .. } => self.pieces.get_or_insert_default().push(at),
            HttpEvent::Failed { error } => self.failed = sight(index, at, error),
            HttpEvent::Malformed { what } => {
                self.failed = sight(index, at, what);
                self.foreign = Some(what.clone());
            }
        }
    }
}

/// What the bytes of a connection hold, as far as they were kept.
pub(super) fn scripted(connection: &Connection<'_>, is_client: bool) -> Vec<Exchange> {
    let (came, went) = received::heads(connection);
    let (asked, answered) = if is_client { (went, came) } else { (came, went) };
    let asked_read = http1::read_requests(&asked);
    let is_http2 = asked_read.messages.iter().any(is_preface);
    let requests: Vec<&Message> = asked_read.messages.iter().filter(|message| !is_preface(message)).collect();
    let methods: Vec<&str> = requests.iter().map(|message| method(message)).collect();
    let answered_read = http1::read_responses(&answered, &methods);
    let in_order = connection.end() == End::Eof;

    let mut exchanges: Vec<Exchange> = Vec::new();
    let blank = |number: usize| Exchange {
        connection: connection.number,
        number: u32::try_from(number).unwrap_or(u32::MAX),
        last: connection.last(),
        ..Exchange::default()
    };
    let sight = |what| Sight { index: connection.last(), at: None, what };
    for (number, message) in requests.iter().enumerate() {
        exchanges.push(Exchange {
            request: Some(Sight { index: connection.last(), at: None, what: request_head(message) }),
            request_body: Some(sight(body(message, false))),
            ..blank(number)
        });
    }
    let mut number = 0;
    for message in &answered_read.messages {
        let Start::Response { status } = message.start else { continue };
        if exchanges.len() <= number {
            exchanges.push(blank(number));
        }
        let exchange = &mut exchanges[number];
        if (100..200).contains(&status) && status != 101 {
            exchange.interim.push(status);
            continue;
        }
        exchange.response = Some(Sight {
            index: connection.last(),
            at: None,
            what: ResponseHead { protocol: protocol(message), status, headers: message.fields.clone() },
        });
        exchange.response_body = Some(sight(body(message, in_order)));
        number += 1;
    }
    let foreign = match is_client {
        _ if is_http2 => None,
        true => foreign(&answered, &answered_read).map(|what| (number, what)),
        false => foreign(&asked, &asked_read).map(|what| (requests.len(), what)),
    };
    if let Some((place, what)) = foreign {
        // Where a head came before it, it stands in that one's body.
        while exchanges.len() <= place.saturating_sub(1) {
            exchanges.push(blank(exchanges.len()));
        }
        exchanges[place.saturating_sub(1)].foreign = Some(what);
    }
    exchanges
}

/// Bytes that are no HTTP, or whose framing is broken. What a tunnel carries is its own business.
fn foreign(bytes: &[u8], read: &Reading) -> Option<String> {
    let Rest::Foreign(at) = read.rest else { return None };
    let tunnel = read.messages.last().is_some_and(|message| message.framing == Framing::Tunnel);
    (!tunnel).then(|| words::quote(bytes.get(at..).unwrap_or_default()))
}

/// The first bytes of HTTP/2 look like a request of HTTP/1.1 so that nobody takes them for one.
fn is_preface(message: &Message) -> bool {
    method(message) == "PRI"
}

fn method(message: &Message) -> &str {
    match &message.start {
        Start::Request { method, .. } => method,
        Start::Response { .. } => "",
    }
}

fn protocol(message: &Message) -> String {
    format!("HTTP/1.{}", message.minor)
}

fn request_head(message: &Message) -> RequestHead {
    let path = match &message.start {
        Start::Request { target, .. } => target.clone(),
        Start::Response { .. } => String::new(),
    };
    let host = message.fields.iter().find(|(name, _)| name == "host");
    RequestHead {
        protocol: protocol(message),
        method: method(message).to_owned(),
        path,
        authority: host.map(|(_, value)| value.clone()),
        headers: message.fields.iter().filter(|(name, _)| name != "host").cloned().collect(),
    }
}

fn body(message: &Message, ended_in_order: bool) -> BodyFacts {
    let bytes = &message.body;
    let flow = match bytes.len() {
        0 => Flow::default(),
        n => Flow {
            bytes: n as u64,
            blake3: blake3::hash(bytes).to_hex().to_string(),
            head: hex::encode(bytes),
        },
    };
    let whole = message.whole || (message.framing == Framing::UntilClose && ended_in_order);
    BodyFacts { flow, trailers: message.trailers.clone(), whole }
}
