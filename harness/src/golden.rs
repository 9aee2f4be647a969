//! Golden hashes: what each case's packets were when last looked at, with seed 0. One line a case, `NAME PACKETS-HASH SCHEDULE-HASH COUNT`, sorted by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::sim::capture::TraceHash;
use crate::sim::run::select_is_seeded;
use crate::suite::CaseResult;
use crate::verdict::Verdict;

/// The seed that golden hashes are of.
pub const SEED: u64 = 0;
/// Where they stand, below the project's folder.
pub const PATH: &str = "tests/golden.txt";
/// How to write them anew.
pub const BLESS: &str = "CONFORM_BLESS=1 cargo test -p tests --test determinism";

/// Hexadecimal digits of a digest.
const DIGITS: usize = 64;

/// Golden hashes of cases, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Golden(BTreeMap<String, TraceHash>);

/// Why golden hashes cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum GoldenError {
    /// The file cannot be read.
    #[error("reading {path}: {source}\nhelp: make it with `{BLESS}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("writing {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is not of the shape.
    #[error("line {line} is not `NAME PACKETS-HASH SCHEDULE-HASH COUNT`: {text}")]
    Line {
        /// From 1.
        line: usize,
        /// As it stands.
        text: String,
    },
    /// A line does not come after the one before it.
    #[error("line {line}: {name} does not come after the name before it")]
    Order {
        /// From 1.
        line: usize,
        /// The case.
        name: String,
    },
}

/// A case whose packets are not as they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// No line tells of the case.
    New {
        /// The case.
        name: String,
        /// What its packets are.
        found: TraceHash,
    },
    /// Other packets, or the same at other times.
    Changed {
        /// The case.
        name: String,
        /// What its packets were.
        golden: TraceHash,
        /// What they are.
        found: TraceHash,
    },
    /// The case could not be played to its end.
    Broken {
        /// The case.
        name: String,
        /// Why.
        reason: String,
    },
}

/// What came of looking at all results.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Cases that are not as they were.
    pub differences: Vec<Difference>,
    /// Cases that have a line but were not played: to be gone, if all were to be played.
    pub unplayed: Vec<String>,
}

impl Golden {
    /// Reads a file of golden hashes.
    ///
    /// # Errors
    /// It cannot be read, or is not of the shape, or not sorted.
    pub fn load(path: &Path) -> Result<Self, GoldenError> {
        let text =
            fs::read_to_string(path).map_err(|source| GoldenError::Read { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// Reads golden hashes.
    ///
    /// # Errors
    /// A line is not of the shape, or not in its place.
    pub fn parse(text: &str) -> Result<Self, GoldenError> {
        let mut all: BTreeMap<String, TraceHash> = BTreeMap::new();
        for (line, text) in (1..).zip(text.lines()) {
            let Some((name, hash)) = parse_line(text) else {
                return Err(GoldenError::Line { line, text: text.to_owned() });
            };
            if all.last_key_value().is_some_and(|(last, _)| *last >= name) {
                return Err(GoldenError::Order { line, name });
            }
            all.insert(name, hash);
        }
        Ok(Self(all))
    }

    /// Notes what a case's packets are.
    pub fn set(&mut self, name: &str, hash: TraceHash) {
        self.0.insert(name.to_owned(), hash);
    }

    /// Compares a case's packets with what they were.
    #[must_use]
    pub fn compare(&self, name: &str, found: &TraceHash) -> Option<Difference> {
        let (name, found) = (name.to_owned(), found.clone());
        match self.0.get(&name) {
            None => Some(Difference::New { name, found }),
            Some(golden) if *golden == found => None,
            Some(golden) => Some(Difference::Changed { name, golden: golden.clone(), found }),
        }
    }

    /// Compares what the packets of all these cases are with what they were.
    #[must_use]
    pub fn report<'a>(&self, found: impl IntoIterator<Item = (&'a str, &'a TraceHash)>) -> Report {
        let mut report = Report::default();
        let mut unplayed: BTreeSet<&str> = self.0.keys().map(String::as_str).collect();
        for (name, hash) in found {
            unplayed.remove(name);
            report.differences.extend(self.compare(name, hash));
        }
        report.unplayed = unplayed.into_iter().map(str::to_owned).collect();
        report
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), GoldenError> {
        fs::write(path, self.to_string())
            .map_err(|source| GoldenError::Write { path: path.to_owned(), source })
    }
}

/// Compares results with the golden hashes of the project at `root`; those of other seeds than [`SEED`] do not count.
///
/// # Errors
/// The golden hashes cannot be read.
pub fn check(root: &Path, results: &[CaseResult]) -> Result<Report, GoldenError> {
    let golden = Golden::load(&root.join(PATH))?;
    let results = || results.iter().filter(|result| result.seed == SEED);
    let mut report = golden.report(
        results().filter_map(|result| Some((result.verdict.name.as_str(), &result.case.as_ref()?.hash))),
    );
    // What is played elsewhere has no packets here, and no golden hash.
    let is_broken = |result: &&CaseResult| result.case.is_none() && result.verdict.verdict.is_judged();
    for broken in results().filter(is_broken) {
        let name = &broken.verdict.name;
        report.unplayed.retain(|unplayed| unplayed != name);
        report
            .differences
            .push(Difference::Broken { name: name.clone(), reason: reason(&broken.verdict.verdict) });
    }
    Ok(report)
}

impl Report {
    /// Whether all is as it was; with `whole`, all cases were to be played, and none may be gone.
    #[must_use]
    pub fn holds(&self, whole: bool) -> bool {
        self.differences.is_empty() && (!whole || self.unplayed.is_empty())
    }

    /// What is not as it was, in words, and what to do; `whole` as for [`Report::holds`].
    #[must_use]
    pub fn words(&self, whole: bool) -> String {
        let mut lines: Vec<String> = self.differences.iter().map(Difference::to_string).collect();
        if whole {
            lines.extend(self.unplayed.iter().map(|name| format!("{name}: has golden hashes, but is gone")));
        }
        if !lines.is_empty() {
            lines.push(format!("help: if that is as it should be, say why in the commit, and: {BLESS}"));
            if !select_is_seeded() {
                lines.push(
                    "note: this build does not seed the order of `select!` (it lacks `--cfg tokio_unstable`): golden hashes may not hold"
                        .to_owned(),
                );
            }
        }
        lines.join("\n")
    }
}

impl fmt::Display for Golden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, hash) in &self.0 {
            writeln!(f, "{name} {} {} {}", hash.packets, hash.schedule, hash.count)?;
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New { name, found } => {
                write!(
                    f,
                    "{name}: has no golden hashes; its {} packets are {}",
                    found.count,
                    short(&found.packets)
                )
            }
            Self::Changed { name, golden, found } if golden.schedule == found.schedule => write!(
                f,
                "{name}: the same {} packets at the same times, but other bytes: {}, golden {}",
                found.count,
                short(&found.packets),
                short(&golden.packets)
            ),
            Self::Changed { name, golden, found } => write!(
                f,
                "{name}: other packets, or at other times: {} packets, schedule {}; golden {} packets, schedule {}",
                found.count,
                short(&found.schedule),
                golden.count,
                short(&golden.schedule)
            ),
            Self::Broken { name, reason } => write!(f, "{name}: was not played to its end: {reason}"),
        }
    }
}

/// `NAME PACKETS-HASH SCHEDULE-HASH COUNT`; only the name may have spaces.
fn parse_line(text: &str) -> Option<(String, TraceHash)> {
    let mut parts = text.rsplitn(4, ' ');
    let count = parts.next()?.parse().ok()?;
    let mut digest = || parts.next().filter(|digest| is_digest(digest)).map(str::to_owned);
    let (schedule, packets) = (digest()?, digest()?);
    let name = parts.next().filter(|name| !name.trim().is_empty())?;
    Some((name.to_owned(), TraceHash { packets, schedule, count }))
}

fn is_digest(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Enough of a digest to tell it from others.
fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

fn reason(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Broken(reason) => reason.clone(),
        other => format!("{other:?}").to_lowercase(),
    }
}

#[cfg(test)]
mod tests;
