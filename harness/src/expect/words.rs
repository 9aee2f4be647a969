//! Expected values in words.

use std::fmt::Display;
use std::time::Duration;

use super::Finding;
use crate::language::value::{BytesMatch, Count, Match, Payload, Span};
use crate::observe::Nanos;

/// A finding on argument `what`.
pub(crate) fn finding(
    what: impl Into<String>,
    expected: impl Into<String>,
    found: impl Into<String>,
    observation: Option<usize>,
) -> Finding {
    Finding { what: what.into(), expected: expected.into(), found: found.into(), observation }
}

/// Whether a number that is always known is allowed; `absent` then means none at all.
pub(super) fn allows(wanted: &Count, n: u64) -> bool {
    wanted.allows(Some(n)) || (n == 0 && *wanted == Count::Absent)
}

/// Whether a number may only be zero.
pub(super) fn is_none(wanted: &Count) -> bool {
    match wanted {
        Count::Absent => true,
        Count::Within(ranges) => ranges.iter().all(|(_, most)| *most == 0),
    }
}

pub(super) fn count(count: &Count) -> String {
    match count {
        Count::Absent => "absent".into(),
        Count::Within(ranges) => {
            let words: Vec<_> = ranges
                .iter()
                .map(|range| match range {
                    (from, to) if from == to => from.to_string(),
                    (0, to) => format!("at most {to}"),
                    (from, u64::MAX) => format!("at least {from}"),
                    (from, to) => format!("{from}..{to}"),
                })
                .collect();
            words.join(" or ")
        }
    }
}

pub(super) fn choice<T>(wanted: &Match<T>, word: impl Fn(&T) -> String) -> String {
    match wanted {
        Match::Absent => "absent".into(),
        Match::Any(values) => values.iter().map(word).collect::<Vec<_>>().join(" or "),
    }
}

pub(super) fn span(span: &Span) -> String {
    if span.from == span.to { time(span.from) } else { format!("{}..{}", time(span.from), time(span.to)) }
}

pub(super) fn time(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

pub(crate) fn nanos(time: Nanos) -> String {
    self::time(Duration::from_nanos(time))
}

pub(super) fn payload(payload: &Payload) -> String {
    match payload {
        Payload::Literal(bytes) if bytes.is_empty() => "nothing".into(),
        Payload::Literal(bytes) => whole(bytes),
        Payload::Pattern { len, seed } => format!("{len} bytes of pattern {seed}"),
    }
}

pub(super) fn bytes(wanted: &BytesMatch) -> String {
    match wanted {
        BytesMatch::Equal(wanted) => payload(wanted),
        BytesMatch::Count(wanted) => format!("{} bytes", count(wanted)),
        BytesMatch::StartsWith(start) => format!("{}, then anything", quote(start)),
    }
}

/// A value, or that there is none.
pub(super) fn or_none(value: Option<impl Display>) -> String {
    value.map_or_else(|| "none".into(), |value| value.to_string())
}

/// Text of a few lines is quoted whole: that is what a person compares. The longest fields (`x-forwarded-client-cert`) fit.
pub(super) const WHOLE: usize = 400;

/// Bytes quoted, whole up to [`WHOLE`].
pub(super) fn whole(bytes: &[u8]) -> String {
    quote_up_to(WHOLE, bytes)
}

pub(super) use crate::app::{quote, quote_up_to};
