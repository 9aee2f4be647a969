//! The record layer as it stands on the wire (RFC 8446 5.1, RFC 5246 6.2.1).

use crate::observe::flow::Cursor;

/// `change_cipher_spec`.
pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
/// `alert`.
pub(super) const ALERT: u8 = 21;
/// `handshake`.
pub(super) const HANDSHAKE: u8 = 22;
/// `application_data`.
pub(super) const APPLICATION_DATA: u8 = 23;

/// Longest body that any version allows (TLS 1.2: 2^14 + 2048).
const LONGEST: usize = (1 << 14) + 2048;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Content type.
    pub(super) kind: u8,
    /// Header as sent; it is authenticated in TLS 1.3.
    pub(super) header: [u8; 5],
    /// What follows the header.
    pub(super) body: Vec<u8>,
    /// When its last byte came.
    pub(super) stamp: u64,
}

/// Takes the next record: `Ok(None)` at the end of the bytes, be it in the middle of a record; an error where there is none.
pub(super) fn next(cursor: &mut Cursor<'_>) -> Result<Option<Record>, String> {
    let at = cursor.position();
    let mut ahead = cursor.clone();
    let Some((_, bytes)) = ahead.take(5) else { return Ok(None) };
    let Ok(header) = <[u8; 5]>::try_from(bytes) else { return Ok(None) };
    let [kind, major, _, high, low] = header;
    let len = usize::from(u16::from_be_bytes([high, low]));
    if !(CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&kind) || major != 3 || len > LONGEST {
        return Err(format!("no TLS record at byte {at}"));
    }
    if len == 0 {
        *cursor = ahead;
        return Ok(Some(Record { kind, header, body: Vec::new(), stamp: 0 }));
    }
    let Some((stamp, body)) = ahead.take(len) else { return Ok(None) };
    *cursor = ahead;
    Ok(Some(Record { kind, header, body, stamp }))
}

/// Whether bytes begin as a client's first record does: a handshake record with a ClientHello, as far as they go (at least three bytes).
pub(super) fn begins_with_client_hello(head: &[u8]) -> bool {
    match head {
        [HANDSHAKE, 3, minor, rest @ ..] if *minor <= 4 => rest.get(2).is_none_or(|message| *message == 1),
        _ => false,
    }
}
