//! Whether what came is what should have come: by totals where a connection has ended, else by what was shown of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::scene::Connection;
use super::words;
use crate::language::value::{BytesMatch, Count, Payload};
use crate::observe::Seen;
use crate::observe::observation::Flow;

/// What is known of the bytes received.
struct Known {
    bytes: u64,
    /// Digest of all of them, hexadecimal; `None` before the end.
    blake3: Option<String>,
    /// The first ones.
    head: Vec<u8>,
    /// Where this was seen.
    at: Option<usize>,
}

/// `None` when it holds; else what was found, and the observation that shows it.
pub(super) fn received(wanted: &BytesMatch, connection: &Connection<'_>) -> Option<(String, Option<usize>)> {
    let known = known(connection);
    (!holds(wanted, &known)).then(|| (describe(&known), known.at))
}

/// As [`received`], of a flow.
pub(super) fn differs(wanted: &BytesMatch, flow: &Flow) -> Option<String> {
    let known = of_flow(flow, None);
    (!holds(wanted, &known)).then(|| describe(&known))
}

/// The first bytes that came and that went, as far as they were kept.
pub(super) fn heads(connection: &Connection<'_>) -> (Vec<u8>, Vec<u8>) {
    let went = match connection.ended() {
        Some((_, ended)) => of_flow(&ended.sent, None).head,
        None => {
            shown(connection, |seen| match seen {
                Seen::Sent { bytes, head } => Some((*bytes, head)),
                _ => None,
            })
            .head
        }
    };
    (known(connection).head, went)
}

fn holds(wanted: &BytesMatch, known: &Known) -> bool {
    match wanted {
        BytesMatch::Count(Count::Absent) => known.bytes == 0,
        BytesMatch::Count(count) => count.allows(Some(known.bytes)),
        BytesMatch::StartsWith(start) => known.head.starts_with(start),
        BytesMatch::Equal(payload) => equal(payload, known),
    }
}

fn equal(payload: &Payload, known: &Known) -> bool {
    if payload.len() != known.bytes {
        return false;
    }
    if known.head.len() as u64 == known.bytes {
        let mut wanted = vec![0; known.head.len()];
        payload.fill(0, &mut wanted);
        return wanted == known.head;
    }
    known.blake3.as_deref() == Some(&digest(payload))
}

fn known(connection: &Connection<'_>) -> Known {
    match connection.ended() {
        Some((index, ended)) => of_flow(&ended.received, Some(index)),
        None => shown(connection, |seen| match seen {
            Seen::Received { bytes, head } => Some((*bytes, head)),
            _ => None,
        }),
    }
}

fn of_flow(flow: &Flow, at: Option<usize>) -> Known {
    // Written by our own tap; should a saved run be spoilt, an empty head matches nothing.
    let head = hex::decode(&flow.head).unwrap_or_default();
    Known { bytes: flow.bytes, blake3: Some(flow.blake3.clone()), head, at }
}

/// What single observations show of a direction that has no totals yet.
fn shown<'a>(connection: &Connection<'a>, of: impl Fn(&'a Seen) -> Option<(u64, &'a String)>) -> Known {
    let mut known = Known { bytes: 0, blake3: None, head: Vec::new(), at: connection.last() };
    for (bytes, head) in connection.seen.iter().filter_map(|(_, observation)| of(&observation.seen)) {
        // Heads join up as long as each shows all that came.
        if known.head.len() as u64 == known.bytes {
            known.head.extend_from_slice(head.as_bytes());
        }
        known.bytes += bytes;
    }
    known
}

fn describe(known: &Known) -> String {
    match known.bytes {
        0 => "nothing".into(),
        bytes if known.head.len() as u64 == bytes && bytes <= words::WHOLE as u64 => {
            words::whole(&known.head)
        }
        bytes => format!("{bytes} bytes, first {}", words::quote(&known.head)),
    }
}

/// BLAKE3 of a payload, hexadecimal.
fn digest(payload: &Payload) -> String {
    // Patterns are few, and large: each case of a matrix, and each seed, asks for the same ones.
    static KNOWN: Mutex<BTreeMap<(u64, u64), String>> = Mutex::new(BTreeMap::new());
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    match payload {
        Payload::Literal(_) => computed(payload),
        Payload::Pattern { len, seed } => {
            if let Some(digest) = known().get(&(*len, *seed)) {
                return digest.clone();
            }
            let digest = computed(payload);
            known().insert((*len, *seed), digest.clone());
            digest
        }
    }
}

fn computed(payload: &Payload) -> String {
    let mut hash = blake3::Hasher::new();
    let mut offset = 0;
    let mut piece = vec![0; 64 * 1024];
    while offset < payload.len() {
        let n = payload.fill(offset, &mut piece);
        hash.update(&piece[..n]);
        offset += n as u64;
    }
    hash.finalize().to_hex().to_string()
}
