//! What was seen, as a table around the place a finding points at.

use std::fmt::Write as _;

use super::text::hung;
use crate::expect::Run;
use crate::observe::observation::{BodyFacts, HttpEvent};
use crate::observe::{Nanos, Observation, Role, Seen};

/// Rows shown before and after the place.
const BEFORE: usize = 6;
const AFTER: usize = 4;

/// A table of the observations around `places` (indices), each of them marked; the end of the run if there is none.
pub(super) fn table(run: &Run, places: &[usize]) -> String {
    let last = run.observations.len();
    let shown = |index: usize| match places {
        [] => index + BEFORE + AFTER >= last,
        places => places.iter().any(|place| index + BEFORE >= *place && index <= place + AFTER),
    };
    let mut text = String::new();
    let mut gap = false;
    let rows = run.observations.iter().enumerate().filter(|(index, _)| shown(*index));
    let width = rows.map(|(_, observation)| who(observation).chars().count()).max().unwrap_or(0);
    for (index, observation) in run.observations.iter().enumerate() {
        if !shown(index) {
            gap = true;
            continue;
        }
        if std::mem::take(&mut gap) {
            text.push_str("        ⋮\n");
        }
        let mark = if places.contains(&index) { "▶" } else { " " };
        let (time, who, what) = (seconds(observation.at), who(observation), what(&observation.seen));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    {mark} {time:>11}  {who:<width$}  {what}");
        if places.contains(&index) {
            for line in closer(&observation.seen) {
                let _ = writeln!(text, "{:22}{}", "", hung(&line, 24));
            }
        }
    }
    text
}

/// Virtual time: `12.345 s`.
pub(super) fn seconds(at: Nanos) -> String {
    let ms = at / 1_000_000;
    format!("{}.{:03} s", ms / 1000, ms % 1000)
}

fn who(observation: &Observation) -> String {
    let role = match observation.role {
        Role::Client => "client",
        Role::App => "app",
        Role::Proxy => "sidecar",
        Role::World => return observation.step.as_ref().map_or("·".to_owned(), |step| format!("· {step}")),
    };
    let conn = observation.conn.map(|conn| format!(" #{conn}")).unwrap_or_default();
    let step = observation.step.as_ref().map(|step| format!(" {step}")).unwrap_or_default();
    format!("{} {role}{step}{conn}", observation.pod)
}

/// An observation in words.
fn what(seen: &Seen) -> String {
    match seen {
        Seen::Connected { peer } => format!("connected to {peer}"),
        Seen::ConnectFailed { error } => format!("could not connect: {error:?}").to_lowercase(),
        Seen::Accepted { peer } => format!("accepted a connection from {peer}"),
        Seen::Handshake(facts) => format!("TLS {} handshake{}", facts.version, names(&facts.peer)),
        Seen::MeshHandshake(facts) => format!("mesh TLS {} handshake{}", facts.version, names(&facts.peer)),
        Seen::HandshakeFailed { mesh, error } => {
            format!("{} handshake failed: {error}", if *mesh { "mesh TLS" } else { "TLS" })
        }
        Seen::Died { how } => format!("its sidecar ended by itself: {how}"),
        Seen::Beyond { what } => format!("the harness cannot play on: {what}"),
        Seen::Sent { bytes, head } => format!("sent {bytes} bytes  {}", quoted(head)),
        Seen::Received { bytes, head } => format!("received {bytes} bytes  {}", quoted(head)),
        Seen::Mismatch { expected, found } => format!("wanted {expected}, got {found}"),
        Seen::Blocked { after } => format!("blocked after {after} bytes"),
        Seen::Http { exchange, event } => format!("{exchange}: {}", http(event)),
        Seen::Eof => "the other end closed".to_owned(),
        Seen::HalfClosed => "closed its direction".to_owned(),
        Seen::Failed { error } => format!("failed: {error:?}").to_lowercase(),
        Seen::Ended(ended) => {
            let end = format!("{:?}", ended.end).to_lowercase();
            format!("over ({end}): sent {} bytes, received {}", ended.sent.bytes, ended.received.bytes)
        }
        Seen::StepBegan => "step began".to_owned(),
        Seen::StepEnded => "step ended".to_owned(),
        Seen::StepSettled => "came to rest".to_owned(),
        Seen::RefusedUnseen => "refused calls leave no trace here".to_owned(),
        Seen::Undrainable { host, why }
        | Seen::NotDrained { host, why }
        | Seen::Uncounted { host, why }
        | Seen::SecretsLost { host, why } => format!("{host}: {why}"),
        Seen::Did { what } => what.clone(),
    }
}

/// A part of an exchange in words.
fn http(event: &HttpEvent) -> String {
    let over = |what: &str, body: &BodyFacts| {
        let how = if body.whole { "whole" } else { "cut" };
        let head = hex::decode(&body.flow.head).unwrap_or_default();
        let head = if head.is_empty() { String::new() } else { format!("  {}", quoted(&text(&head))) };
        format!("{what} {how}, {} bytes{head}", body.flow.bytes)
    };
    match event {
        HttpEvent::Request(head) => format!("{} {} {}", head.method, head.path, head.protocol),
        HttpEvent::Piece { bytes } => format!("{bytes} bytes of a body"),
        HttpEvent::RequestBody(body) => over("request", body),
        HttpEvent::Interim { status } => format!("interim {status}"),
        HttpEvent::Response(head) => format!("{} {}", head.protocol, head.status),
        HttpEvent::ResponseBody(body) => over("answer", body),
        HttpEvent::Failed { error } => format!("failed: {error}"),
        HttpEvent::Malformed { what } => format!("no HTTP: {what}"),
    }
}

/// What a person wants to see of the observation that a finding points at: the fields of a head, the beginning of a body.
fn closer(seen: &Seen) -> Vec<String> {
    const LINES: usize = 24;
    const MOST: usize = 400;
    let Seen::Http { event, .. } = seen else { return Vec::new() };
    let line = |(name, value): &(String, String)| format!("{name}: {}", cut(value, MOST));
    let mut lines: Vec<String> = match event {
        HttpEvent::Request(head) => {
            let authority = head.authority.iter().map(|authority| format!("(authority) {authority}"));
            authority.chain(head.headers.iter().map(line)).collect()
        }
        HttpEvent::Response(head) => head.headers.iter().map(line).collect(),
        HttpEvent::RequestBody(body) | HttpEvent::ResponseBody(body) => {
            let head = text(&hex::decode(&body.flow.head).unwrap_or_default());
            let head = (head.chars().count() > QUOTED).then(|| format!("\"{}\"", cut(&head, MOST)));
            head.into_iter().chain(body.trailers.iter().map(line)).collect()
        }
        _ => Vec::new(),
    };
    if let Some(more) = lines.len().checked_sub(LINES).filter(|more| *more > 0) {
        lines.truncate(LINES);
        lines.push(format!("… and {more} more"));
    }
    lines
}

fn names(peer: &[String]) -> String {
    if peer.is_empty() { String::new() } else { format!(", the other end is {}", peer.join(", ")) }
}

/// Characters that a row shows of what was sent.
const QUOTED: usize = 24;

/// The first characters, on one line.
fn quoted(head: &str) -> String {
    format!("\"{}\"", cut(head, QUOTED))
}

/// The first `most` characters, with escapes.
fn cut(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().take(most).collect::<String>().escape_debug().to_string();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
