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
    // Whole words apart from the ends: they are stored as such, not byte by byte.
    let skip = usize::try_from(offset % 8).unwrap_or(0);
    let lead = if skip == 0 { 0 } else { (8 - skip).min(into.len()) };
    let (head, rest) = into.split_at_mut(lead);
    let mut index = offset / 8;
    if lead > 0 {
        head.copy_from_slice(&word(seed, index)[skip..skip + lead]);
        index += 1;
    }
    let (words, tail) = rest.as_chunks_mut::<8>();
    for into in words {
        *into = word(seed, index);
        index += 1;
    }
    tail.copy_from_slice(&word(seed, index)[..tail.len()]);
}

/// The word of a pattern at this index.
fn word(seed: u64, index: u64) -> [u8; 8] {
    let mut z =
        index.wrapping_add(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)).to_le_bytes()
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

/// A word that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not {expected}")]
pub struct Invalid {
    /// The word.
    pub found: String,
    /// What it should be, with its article.
    pub expected: &'static str,
}

impl Invalid {
    fn new(found: &str, expected: &'static str) -> Self {
        Self { found: found.to_owned(), expected }
    }
}

/// Longest duration a scenario may name; keeps sums of them far from overflow.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Reads a duration: `5ms`, `10s`, `30m`, `1h`, `1h 30m`.
///
/// # Errors
/// If the text is none, or longer than 366 days.
pub fn parse_duration(text: &str) -> Result<Duration, Invalid> {
    let invalid = || Invalid::new(text, "a duration such as 5ms, 10s, 30m or 1h");
    // Without this `0` and `1M` (a month) would pass.
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase() || b == b' ');
    if !plain || !text.ends_with(|c: char| c.is_ascii_lowercase()) {
        return Err(invalid());
    }
    let duration = humantime::parse_duration(text).map_err(|_| invalid())?;
    if duration > LONGEST {
        return Err(Invalid::new(text, "a duration up to 366d"));
    }
    Ok(duration)
}

/// Reads hexadecimal digits, with blanks between bytes or without.
///
/// # Errors
/// If there is another character or half a byte.
pub fn parse_hex(text: &str) -> Result<Bytes, Invalid> {
    let digits: String = text.split_whitespace().collect();
    hex::decode(digits).map(Bytes::from).map_err(|_| Invalid::new(text, "pairs of hexadecimal digits"))
}

impl std::str::FromStr for Size {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new(text, "a size such as 512, 64KiB or 16MiB");
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let unit: u64 = match &text[digits..] {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(invalid()),
        };
        let number: u64 = text[..digits].parse().map_err(|_| invalid())?;
        number.checked_mul(unit).map(Self).ok_or_else(invalid)
    }
}

impl std::str::FromStr for Count {
    type Err = Invalid;

    /// Reads `3`, `64KiB`, `1..6`, `absent`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "absent" {
            return Ok(Self::Absent);
        }
        let size = |word: &str| {
            let size: Result<Size, Invalid> = word.parse();
            size.map(|size| size.0)
                .map_err(|_| Invalid::new(text, "a number such as 3, 64KiB or 1..6, or `absent`"))
        };
        let (from, to) = match text.split_once("..") {
            Some((from, to)) => (size(from)?, size(to)?),
            None => (size(text)?, size(text)?),
        };
        if from > to {
            return Err(Invalid::new(text, "a range whose first number is the smaller one"));
        }
        Ok(Self::Within(vec![(from, to)]))
    }
}

impl std::str::FromStr for Span {
    type Err = Invalid;

    /// Reads `5s`, `0s..10ms`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (from, to) = match text.split_once("..") {
            Some((from, to)) => (parse_duration(from)?, parse_duration(to)?),
            None => (parse_duration(text)?, parse_duration(text)?),
        };
        if from > to {
            return Err(Invalid::new(text, "a range whose first duration is the shorter one"));
        }
        Ok(Self { from, to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_two() {
        assert_eq!("64KiB".parse(), Ok(Size(65_536)));
        assert_eq!("16MiB".parse(), Ok(Size(16_777_216)));
        assert_eq!("0".parse(), Ok(Size(0)));
        for bad in ["", "KiB", "64KB", "-1", "1.5MiB", "99999999999GiB", "18446744073709551616", "1 KiB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_include_both_ends_and_are_not_reversed() {
        let count: Count = "1..6".parse().unwrap_or(Count::Absent);
        assert!(
            count.allows(Some(1)) && count.allows(Some(6)) && !count.allows(Some(7)) && !count.allows(None)
        );
        assert!("6..1".parse::<Count>().is_err());
        assert!("1..".parse::<Count>().is_err());
        assert_eq!("absent".parse(), Ok(Count::Absent));
        assert_eq!("0s..10ms".parse(), Ok(Span { from: Duration::ZERO, to: Duration::from_millis(10) }));
        assert!("2s..1s".parse::<Span>().is_err());
    }

    #[test]
    fn durations_have_a_unit_and_an_end() {
        assert_eq!(parse_duration("30m"), Ok(Duration::from_secs(1800)));
        for bad in ["", "0", "5", "1M", "5 bananas", "-1s", "1000years"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pattern_is_the_same_from_any_offset() {
        let mut whole = [0; 40];
        pattern(7, 0, &mut whole);
        for from in 0..whole.len() {
            for to in from..=whole.len() {
                let mut part = vec![0; to - from];
                pattern(7, from as u64, &mut part);
                assert_eq!(part, whole[from..to], "{from}..{to}");
            }
        }
    }
}
