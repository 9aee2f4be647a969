//! Small values of the scenario language: sizes, payloads, matchers.

use std::time::Duration;

use bytes::Bytes;

/// A number of bytes: `512`, `64KiB`, `16MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Bytes to send or to expect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// These bytes: `hello` or `{hex: "16 03 01"}`.
    Literal(Bytes),
    /// `{size: 16MiB}` or `{size: 16MiB, seed: 7}`: `len` bytes of a pattern that never repeats within a run, so that a lost, doubled or
    /// swapped block changes the digest. Byte `i` is a pure function of `(seed, i)`; see [`pattern`].
    Pattern {
        /// How many bytes.
        len: u64,
        /// Which pattern.
        seed: u64,
    },
}

impl Payload {
    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Literal(bytes) => bytes.len() as u64,
            Self::Pattern { len, .. } => *len,
        }
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the bytes from `offset` on into `into` and returns how many there were.
    pub fn fill(&self, offset: u64, into: &mut [u8]) -> usize {
        let left = usize::try_from(self.len().saturating_sub(offset)).unwrap_or(usize::MAX);
        let n = left.min(into.len());
        match self {
            Self::Literal(bytes) => {
                let start = bytes.len() - left.min(bytes.len());
                into[..n].copy_from_slice(&bytes[start..start + n]);
            }
            Self::Pattern { seed, .. } => pattern(*seed, offset, &mut into[..n]),
        }
        n
    }
}

/// Fills `into` with the bytes of pattern `seed` that start at `offset`: each 8-byte word is the SplitMix64 hash of its index.
pub fn pattern(seed: u64, offset: u64, into: &mut [u8]) {
    let mut at = offset;
    let mut rest = into;
    while !rest.is_empty() {
        let mut z = (at / 8)
            .wrapping_add(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
            .wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let word = (z ^ (z >> 31)).to_le_bytes();
        let skip = usize::try_from(at % 8).unwrap_or(0);
        let n = (8 - skip).min(rest.len());
        let (head, tail) = rest.split_at_mut(n);
        head.copy_from_slice(&word[skip..skip + n]);
        rest = tail;
        at += n as u64;
    }
}

/// A set of allowed values: a scalar means equal, `{any: [a, b]}` one of them, `absent` that there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match<T> {
    /// One of these.
    Any(Vec<T>),
    /// Nothing was seen.
    Absent,
}

/// Allowed numbers: `3`, `1..6` (both ends included), `{any: [0, 3]}`, `{at_least: 3}`, `{at_most: 8MiB}`, `absent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// Within one of these inclusive ranges.
    Within(Vec<(u64, u64)>),
    /// There is no such number.
    Absent,
}

impl Count {
    /// Whether `value` is allowed.
    #[must_use]
    pub fn allows(&self, value: Option<u64>) -> bool {
        match (self, value) {
            (Self::Within(ranges), Some(v)) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&v)),
            (Self::Absent, None) => true,
            _ => false,
        }
    }
}

/// Allowed durations, both ends included: `5s`, `0s..10ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Shortest.
    pub from: Duration,
    /// Longest.
    pub to: Duration,
}

/// What bytes must look like: `hello`; `{hex: ..}`; `{size: 3}` (a pattern payload, all of it); `{bytes: 1..6}` (only their number);
/// `{starts: hel}`; `""` or `nothing`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BytesMatch {
    /// Exactly this.
    Equal(Payload),
    /// This many, whatever they are.
    Count(Count),
    /// This, then anything.
    StartsWith(Bytes),
}
