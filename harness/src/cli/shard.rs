//! `--shard I/N`: one of several parts of the cases, for machines that share a suite.

use std::num::NonZeroUsize;
use std::str::FromStr;

use crate::language::Scenario;

/// One of some parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard {
    /// Which, from 0.
    index: usize,
    /// Of how many.
    count: NonZeroUsize,
}

impl Shard {
    /// The cases of this part, in their order. Dealt out by their names in order, so that each case is in one part, whoever asks, and the parts differ
    /// by one case at most; cases of one matrix may come into several.
    pub(super) fn of(self, cases: Vec<Scenario>) -> Vec<Scenario> {
        let mut names: Vec<_> = cases.iter().map(|case| case.name.clone()).collect();
        names.sort_unstable();
        let is_ours = |name: &String| {
            names.binary_search(name).is_ok_and(|place| place % self.count.get() == self.index)
        };
        cases.into_iter().filter(|case| is_ours(&case.name)).collect()
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("`{text}` is no part of some: write the second of four parts as `2/4`");
        let (index, count) = text.split_once('/').ok_or_else(form)?;
        let (index, count) = (index.parse::<usize>(), count.parse::<NonZeroUsize>());
        let (Ok(index), Ok(count)) = (index, count) else { return Err(form()) };
        match index.checked_sub(1).filter(|index| *index < count.get()) {
            Some(index) => Ok(Self { index, count }),
            None => Err(format!("there is no part {index} of {count}: they are 1 to {count}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn shard(text: &str) -> Shard {
        text.parse().unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "1", "0/3", "4/3", "1/0", "-1/3", "a/b", "1/2/3", " 1/2", "1.0/2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
        assert_eq!("0/3".parse::<Shard>(), Err("there is no part 0 of 3: they are 1 to 3".to_owned()));
    }

    #[test]
    fn parts_are_even_and_each_case_is_in_one() {
        let text = "about: x\nfor: {n: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}\nmesh: {mtls: disabled}\npods: {web: {}}\nsteps:\n  - {wait: 1s}\nexpect:\n  - {quiet: {connections: 0}, when: {n: [1, 2]}}\n";
        let cases =
            crate::scenario::parse("t", Path::new("t.yaml"), text).unwrap_or_else(|wrong| panic!("{wrong}"));
        let mut all: Vec<_> = cases.iter().map(|case| case.name.clone()).collect();
        let names = |text: &str, cases: Vec<Scenario>| -> Vec<String> {
            shard(text).of(cases).into_iter().map(|case| case.name).collect()
        };
        let parts = ["1/3", "2/3", "3/3"].map(|text| names(text, cases.clone()));
        assert_eq!(parts.each_ref().map(Vec::len), [4, 4, 3]);
        let backwards: Vec<_> = cases.iter().rev().cloned().collect();
        let mut again = names("2/3", backwards);
        again.reverse();
        assert_eq!(again, parts[1], "their order does not matter");
        let mut together = parts.concat();
        together.sort();
        all.sort();
        assert_eq!(together, all);
        assert_eq!(names("12/12", cases), Vec::<String>::new());
    }
}
