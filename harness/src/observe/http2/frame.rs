//! Frames as they stand on the wire (RFC 9113 4, 6).

/// `DATA`.
pub(super) const DATA: u8 = 0;
/// `HEADERS`.
pub(super) const HEADERS: u8 = 1;
/// `PRIORITY`.
pub(super) const PRIORITY: u8 = 2;
/// `RST_STREAM`.
pub(super) const RST_STREAM: u8 = 3;
/// `SETTINGS`.
pub(super) const SETTINGS: u8 = 4;
/// `PUSH_PROMISE`.
pub(super) const PUSH_PROMISE: u8 = 5;
/// `PING`.
pub(super) const PING: u8 = 6;
/// `GOAWAY`.
pub(super) const GOAWAY: u8 = 7;
/// `WINDOW_UPDATE`.
pub(super) const WINDOW_UPDATE: u8 = 8;
/// `CONTINUATION`.
pub(super) const CONTINUATION: u8 = 9;

/// `DATA`, `HEADERS`: the sender is done with the stream.
pub(super) const END_STREAM: u8 = 0x1;
/// `SETTINGS`, `PING`.
pub(super) const ACK: u8 = 0x1;
/// `HEADERS`, `PUSH_PROMISE`, `CONTINUATION`: the field block is over.
pub(super) const END_HEADERS: u8 = 0x4;
/// `DATA`, `HEADERS`, `PUSH_PROMISE`: padding follows.
const PADDED: u8 = 0x8;
/// `HEADERS`: five bytes of priority come first.
const HAS_PRIORITY: u8 = 0x20;

/// Length of a frame's header.
pub(super) const HEADER: usize = 9;
/// SETTINGS_MAX_FRAME_SIZE, if its receiver does not allow more.
pub(super) const USUAL_SIZE: usize = 1 << 14;
/// SETTINGS_MAX_FRAME_SIZE's number.
const MAX_FRAME_SIZE: u16 = 5;

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// Its type.
    pub(super) kind: u8,
    /// Its flags.
    pub(super) flags: u8,
    /// Its stream; 0 is the connection.
    pub(super) stream: u32,
    /// What follows its header.
    pub(super) payload: &'a [u8],
}

/// Takes the first frame: `None` if the bytes end before it does.
///
/// # Errors
/// It is longer than `most`, of a length that its type can't have, or on a stream on which its type can't be.
pub(super) fn next(bytes: &[u8], most: usize) -> Result<Option<Frame<'_>>, String> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else { return Ok(None) };
    let [high, middle, low, kind, flags, stream @ ..] = *header;
    let len = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
    let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
    if len > most {
        return Err(format!("frame of {len} bytes"));
    }
    let fits = match kind {
        PRIORITY => len == 5,
        RST_STREAM | WINDOW_UPDATE => len == 4,
        SETTINGS => len.is_multiple_of(6) && (flags & ACK == 0 || len == 0),
        PING => len == 8,
        GOAWAY => len >= 8,
        _ => true,
    };
    if !fits {
        return Err(format!("{} of {len} bytes", name(kind)));
    }
    let placed = match kind {
        DATA | HEADERS | PRIORITY | RST_STREAM | PUSH_PROMISE | CONTINUATION => stream != 0,
        SETTINGS | PING | GOAWAY => stream == 0,
        _ => true,
    };
    if !placed {
        return Err(format!("{} on stream {stream}", name(kind)));
    }
    Ok(rest.get(..len).map(|payload| Frame { kind, flags, stream, payload }))
}

impl<'a> Frame<'a> {
    /// The payload without padding and priority.
    ///
    /// # Errors
    /// There is less payload than those take.
    pub(super) fn content(&self) -> Result<&'a [u8], String> {
        let short = || format!("padding longer than its {}", name(self.kind));
        let mut content = self.payload;
        if self.has(PADDED) && matches!(self.kind, DATA | HEADERS | PUSH_PROMISE) {
            let (pad, rest) = content.split_first().ok_or_else(short)?;
            let len = rest.len().checked_sub(usize::from(*pad)).ok_or_else(short)?;
            content = &rest[..len];
        }
        let skipped = match self.kind {
            HEADERS if self.has(HAS_PRIORITY) => 5,
            // The promised stream.
            PUSH_PROMISE => 4,
            _ => 0,
        };
        content.get(skipped..).ok_or_else(short)
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Two numbers of a payload: those of `GOAWAY` are the last stream and the error, that of `RST_STREAM` is the error.
    pub(super) fn number(&self, index: usize) -> u32 {
        let bytes = self.payload.get(4 * index..).and_then(|rest| rest.first_chunk::<4>());
        bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }

    /// The longest frame that a `SETTINGS` allows the other side to send.
    pub(super) fn allowed_size(&self) -> usize {
        let mut allowed = self.payload.chunks_exact(6).filter_map(|setting| {
            let (id, value) = setting.split_first_chunk::<2>()?;
            let value = u32::from_be_bytes(*value.first_chunk()?);
            (u16::from_be_bytes(*id) == MAX_FRAME_SIZE).then(|| usize::try_from(value).ok()).flatten()
        });
        allowed.next_back().unwrap_or(USUAL_SIZE).clamp(USUAL_SIZE, (1 << 24) - 1)
    }
}

/// The name of a type.
pub(super) fn name(kind: u8) -> String {
    let name = match kind {
        DATA => "DATA",
        HEADERS => "HEADERS",
        PRIORITY => "PRIORITY",
        RST_STREAM => "RST_STREAM",
        SETTINGS => "SETTINGS",
        PUSH_PROMISE => "PUSH_PROMISE",
        PING => "PING",
        GOAWAY => "GOAWAY",
        WINDOW_UPDATE => "WINDOW_UPDATE",
        CONTINUATION => "CONTINUATION",
        other => return format!("frame of type {other}"),
    };
    name.to_owned()
}
