//! Whether what came is what should have come: by totals where a connection has ended, else by what was shown of it.

use sha2::{Digest, Sha256};

use super::scene::Connection;
use super::words;
use crate::language::value::{BytesMatch, Count, Payload};
use crate::observe::Seen;

/// What is known of the bytes received.
struct Known {
    bytes: u64,
    /// Digest of all of them, hexadecimal; `None` before the end.
    sha256: Option<String>,
    /// The first ones.
    head: Vec<u8>,
    /// Where this was seen.
    at: Option<usize>,
}

/// `None` when it holds; else what was found, and the observation that shows it.
pub(super) fn received(wanted: &BytesMatch, connection: &Connection<'_>) -> Option<(String, Option<usize>)> {
    let known = known(connection);
    let holds = match wanted {
        BytesMatch::Count(Count::Absent) => known.bytes == 0,
        BytesMatch::Count(count) => count.allows(Some(known.bytes)),
        BytesMatch::StartsWith(start) => known.head.starts_with(start),
        BytesMatch::Equal(payload) => equal(payload, &known),
    };
    (!holds).then(|| (describe(&known), known.at))
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
    known.sha256.as_deref() == Some(&digest(payload))
}

fn known(connection: &Connection<'_>) -> Known {
    if let Some((index, ended)) = connection.ended() {
        let flow = &ended.received;
        // Written by our own tap; should a saved run be spoilt, an empty head matches nothing.
        let head = hex::decode(&flow.head).unwrap_or_default();
        return Known { bytes: flow.bytes, sha256: Some(flow.sha256.clone()), head, at: Some(index) };
    }
    let mut known = Known { bytes: 0, sha256: None, head: Vec::new(), at: connection.last() };
    for (_, observation) in &connection.seen {
        if let Seen::Received { bytes, head } = &observation.seen {
            // Heads join up as long as each shows all that came.
            if known.head.len() as u64 == known.bytes {
                known.head.extend_from_slice(head.as_bytes());
            }
            known.bytes += bytes;
        }
    }
    known
}

fn describe(known: &Known) -> String {
    match known.bytes {
        0 => "nothing".into(),
        bytes if known.head.len() as u64 == bytes && bytes <= 64 => words::quote(&known.head),
        bytes => format!("{bytes} bytes, first {}", words::quote(&known.head)),
    }
}

/// SHA-256 of a payload, hexadecimal.
fn digest(payload: &Payload) -> String {
    let mut sha = Sha256::new();
    let mut offset = 0;
    let mut piece = vec![0; 64 * 1024];
    while offset < payload.len() {
        let n = payload.fill(offset, &mut piece);
        sha.update(&piece[..n]);
        offset += n as u64;
    }
    hex::encode(sha.finalize())
}
