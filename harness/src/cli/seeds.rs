//! `--seed N` and `--seeds A..B`, both ends included.

use std::ops::RangeInclusive;
use std::str::FromStr;

/// Which seeds to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seeds(pub(super) RangeInclusive<u64>);

/// Cases marked large run over this many seeds at most.
const LARGE_MAX: u64 = 4;

impl Seeds {
    /// The seeds of a case.
    pub(super) fn of(&self, large: bool) -> RangeInclusive<u64> {
        let (first, last) = (*self.0.start(), *self.0.end());
        if large { first..=last.min(first.saturating_add(LARGE_MAX - 1)) } else { first..=last }
    }
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| {
            part.trim().parse::<u64>().map_err(|_| format!("`{part}` is no number; write it as `0..200`"))
        };
        let (first, last) = match text.split_once("..") {
            Some((first, last)) => (number(first)?, number(last.trim_start_matches('='))?),
            None => (number(text)?, number(text)?),
        };
        if first > last {
            return Err(format!("{first} comes after {last}"));
        }
        Ok(Self(first..=last))
    }
}

#[cfg(test)]
mod tests {
    use super::Seeds;

    #[test]
    fn both_ends_are_included() {
        assert_eq!("0..200".parse(), Ok(Seeds(0..=200)));
        assert_eq!("7".parse(), Ok(Seeds(7..=7)));
        assert!("9..2".parse::<Seeds>().is_err());
        assert!("a..2".parse::<Seeds>().is_err());
    }

    #[test]
    fn large_cases_run_over_few() {
        let seeds = Seeds(0..=200);
        assert_eq!(seeds.of(true), 0..=3);
        assert_eq!(seeds.of(false), 0..=200);
        assert_eq!(Seeds(7..=7).of(true), 7..=7);
    }
}
