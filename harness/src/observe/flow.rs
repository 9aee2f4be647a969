//! One direction of a connection: its bytes in order, whatever pieces they came in.
//!
//! [`Reassembly`] puts TCP segments in order, [`Stream`] is what comes out, [`Cursor`] reads it. Payloads are shared, never copied, so that a
//! 16 MiB flow of which the first bytes matter costs no more than a short one.

use std::collections::BTreeMap;

use bytes::Bytes;

/// Bytes in order, and the reason why they end early, if they do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stream {
    pieces: Vec<Piece>,
    cut: Option<String>,
}

/// Some bytes, and when they came.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    /// Place in the order of both directions' packets.
    stamp: u64,
    bytes: Bytes,
}

impl Stream {
    /// Adds bytes at the end. `stamp` orders them against those of the other direction. Nothing can be added behind a cut.
    pub fn push(&mut self, stamp: u64, bytes: Bytes) {
        if self.cut.is_none() && !bytes.is_empty() {
            self.pieces.push(Piece { stamp, bytes });
        }
    }

    /// Marks that more bytes followed, which are not here; the first reason given stays.
    pub fn cut(&mut self, why: impl Into<String>) {
        self.cut.get_or_insert_with(|| why.into());
    }

    /// Why the bytes end early.
    #[must_use]
    pub fn why_cut(&self) -> Option<&str> {
        self.cut.as_deref()
    }

    /// Whether there is not one byte, as far as is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The first bytes, at most `max`.
    #[must_use]
    pub fn head(&self, max: usize) -> Vec<u8> {
        let mut head = Vec::new();
        for piece in &self.pieces {
            let room = max - head.len();
            if room == 0 {
                break;
            }
            head.extend_from_slice(&piece.bytes[..room.min(piece.bytes.len())]);
        }
        head
    }

    /// The stamp of the last of the first `len` bytes; of the last byte, if there are fewer.
    #[must_use]
    pub fn stamp_at(&self, len: usize) -> u64 {
        let mut end = 0;
        let mut ends = self.pieces.iter().map(|piece| {
            end += piece.bytes.len();
            (end, piece.stamp)
        });
        let found = ends.find(|(end, _)| *end >= len).map(|(_, stamp)| stamp);
        found.or_else(|| self.pieces.last().map(|piece| piece.stamp)).unwrap_or_default()
    }

    /// Reads from the first byte on.
    #[must_use]
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor { stream: self, piece: 0, offset: 0, position: 0 }
    }
}

/// A place in a [`Stream`].
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    stream: &'a Stream,
    piece: usize,
    offset: usize,
    position: u64,
}

impl<'a> Cursor<'a> {
    /// Takes exactly `n` bytes and the stamp of the last of them; with fewer left, takes none.
    pub fn take(&mut self, n: usize) -> Option<(u64, Vec<u8>)> {
        let mut ahead = self.clone();
        let mut taken = Vec::with_capacity(n.min(1 << 15));
        let mut stamp = 0;
        while taken.len() < n {
            let piece = ahead.stream.pieces.get(ahead.piece)?;
            let rest = &piece.bytes[ahead.offset..];
            let now = rest.len().min(n - taken.len());
            taken.extend_from_slice(&rest[..now]);
            stamp = piece.stamp;
            ahead.offset += now;
            if ahead.offset == piece.bytes.len() {
                ahead.piece += 1;
                ahead.offset = 0;
            }
        }
        ahead.position += n as u64;
        *self = ahead;
        Some((stamp, taken))
    }

    /// Whether no byte is left.
    #[must_use]
    pub fn at_end(&self) -> bool {
        self.piece >= self.stream.pieces.len()
    }

    /// Bytes taken so far.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The stream it reads.
    #[must_use]
    pub fn stream(&self) -> &'a Stream {
        self.stream
    }
}

/// Puts the segments of one direction in order.
#[derive(Debug, Clone)]
pub struct Reassembly {
    /// Sequence number of the first payload byte.
    first: u32,
    /// Payload bytes that are in order, those behind a cut included.
    next: u64,
    /// Segments that came before their turn, by offset.
    early: BTreeMap<u64, Segment>,
    stream: Stream,
}

#[derive(Debug, Clone)]
struct Segment {
    stamp: u64,
    len: u64,
    payload: Bytes,
}

impl Reassembly {
    /// Of the direction whose SYN has this sequence number.
    #[must_use]
    pub fn new(syn: u32) -> Self {
        Self { first: syn.wrapping_add(1), next: 0, early: BTreeMap::new(), stream: Stream::default() }
    }

    /// Takes a segment: `len` bytes on the wire from sequence number `seq` on, of which `payload` is kept.
    pub fn push(&mut self, stamp: u64, seq: u32, len: u32, payload: &Bytes) {
        if len == 0 {
            return;
        }
        let Some(at) = self.offset(seq) else { return };
        let segment = Segment { stamp, len: u64::from(len), payload: payload.clone() };
        if at > self.next {
            let known = self.early.get(&at).is_some_and(|held| held.len >= segment.len);
            if !known {
                self.early.insert(at, segment);
            }
            return;
        }
        self.append(at, &segment);
        self.release();
    }

    /// Payload bytes seen, each counted once.
    #[must_use]
    pub fn total(&self) -> u64 {
        let mut total = self.next;
        let mut reached = self.next;
        for (at, segment) in &self.early {
            let end = at + segment.len;
            total += end.saturating_sub(reached.max(*at));
            reached = reached.max(end);
        }
        total
    }

    /// Payload bytes in order.
    #[must_use]
    pub fn in_order(&self) -> u64 {
        self.next
    }

    /// The bytes. Where a segment never came, they end.
    #[must_use]
    pub fn finish(mut self) -> Stream {
        if !self.early.is_empty() {
            self.stream.cut(format!("bytes missing at {}", self.next));
        }
        self.stream
    }

    /// A sequence number as an offset: the one nearest to what comes next, as sequence numbers wrap. `None`: before the first byte.
    fn offset(&self, seq: u32) -> Option<u64> {
        let expected = self.first.wrapping_add(low_bits(self.next));
        let ahead = seq.wrapping_sub(expected);
        if ahead < 1 << 31 {
            Some(self.next + u64::from(ahead))
        } else {
            self.next.checked_sub(u64::from(ahead.wrapping_neg()))
        }
    }

    /// Appends what is new in a segment that does not lie ahead.
    fn append(&mut self, at: u64, segment: &Segment) {
        let old = self.next - at;
        if old >= segment.len {
            return;
        }
        let kept = segment.payload.len() as u64;
        if old < kept {
            let skip = usize::try_from(old).unwrap_or(usize::MAX);
            self.stream.push(segment.stamp, segment.payload.slice(skip..));
        }
        if kept < segment.len {
            self.stream.cut(format!("capture cut at {}", at + kept.max(old)));
        }
        self.next = at + segment.len;
    }

    /// Appends early segments whose turn has come.
    fn release(&mut self) {
        while let Some(entry) = self.early.first_entry() {
            if *entry.key() > self.next {
                return;
            }
            let (at, segment) = entry.remove_entry();
            self.append(at, &segment);
        }
    }
}

/// The low 32 bits.
fn low_bits(n: u64) -> u32 {
    u32::try_from(n & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(r: &mut Reassembly, seq: u32, payload: &'static [u8]) {
        r.push(0, seq, payload.len() as u32, &Bytes::from_static(payload));
    }

    #[test]
    fn retransmitted_and_overlapping_bytes_count_once() {
        let mut r = Reassembly::new(99);
        push(&mut r, 100, b"abc");
        push(&mut r, 100, b"abc");
        push(&mut r, 101, b"bcde");
        push(&mut r, 99, b"x");
        assert_eq!(r.total(), 5);
        assert_eq!(r.finish().head(100), b"abcde");
    }

    #[test]
    fn early_segments_wait_for_their_turn() {
        let mut r = Reassembly::new(99);
        push(&mut r, 104, b"ef");
        push(&mut r, 102, b"cd");
        assert_eq!((r.total(), r.in_order()), (4, 0));
        push(&mut r, 100, b"ab");
        assert_eq!(r.total(), 6);
        assert_eq!(r.finish().head(100), b"abcdef");
    }

    #[test]
    fn early_segments_may_overlap() {
        let mut r = Reassembly::new(99);
        push(&mut r, 110, b"klmno");
        push(&mut r, 110, b"kl");
        push(&mut r, 112, b"mnopq");
        assert_eq!(r.total(), 7);
        push(&mut r, 100, b"abcdefghij");
        assert_eq!(r.total(), 17);
        assert_eq!(r.finish().head(100), b"abcdefghijklmnopq");
    }

    #[test]
    fn a_longer_retransmission_brings_what_is_new() {
        let mut r = Reassembly::new(99);
        push(&mut r, 102, b"cdef");
        push(&mut r, 102, b"cd");
        push(&mut r, 100, b"ab");
        assert_eq!(r.finish().head(100), b"abcdef");
    }

    #[test]
    fn a_hole_ends_the_bytes() {
        let mut r = Reassembly::new(99);
        push(&mut r, 100, b"ab");
        push(&mut r, 103, b"d");
        let stream = r.finish();
        assert_eq!(stream.head(100), b"ab");
        assert_eq!(stream.why_cut(), Some("bytes missing at 2"));
    }

    #[test]
    fn sequence_numbers_wrap() {
        let mut r = Reassembly::new(u32::MAX - 2);
        push(&mut r, u32::MAX - 1, b"abcd");
        push(&mut r, 2, b"ef");
        assert_eq!(r.finish().head(100), b"abcdef");
    }

    #[test]
    fn a_cut_payload_counts_but_ends_the_bytes() {
        let mut r = Reassembly::new(99);
        push(&mut r, 100, b"ab");
        r.push(0, 102, 1000, &Bytes::new());
        push(&mut r, 1102, b"z");
        assert_eq!(r.total(), 1003);
        let stream = r.finish();
        assert_eq!(stream.head(100), b"ab");
        assert_eq!(stream.why_cut(), Some("capture cut at 2"));
    }

    #[test]
    fn bytes_are_stamped_by_their_pieces() {
        let mut stream = Stream::default();
        assert_eq!(stream.stamp_at(1), 0);
        stream.push(7, Bytes::from_static(b"ab"));
        stream.push(9, Bytes::from_static(b"cd"));
        assert_eq!([1, 2, 3, 4, 5].map(|len| stream.stamp_at(len)), [7, 7, 9, 9, 9]);
    }

    #[test]
    fn a_cursor_takes_all_or_nothing() {
        let mut stream = Stream::default();
        stream.push(1, Bytes::from_static(b"ab"));
        stream.push(2, Bytes::from_static(b"cd"));
        let mut cursor = stream.cursor();
        assert_eq!(cursor.take(3), Some((2, b"abc".to_vec())));
        assert_eq!(cursor.take(2), None);
        assert_eq!(cursor.take(1), Some((2, b"d".to_vec())));
        assert!(cursor.at_end());
        assert_eq!(cursor.position(), 4);
    }
}
