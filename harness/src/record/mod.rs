//! Records of runs: a folder each, with all that is needed to judge the run again without playing it.
//!
//! | file | holds |
//! | --- | --- |
//! | `record.json` | what was run, with which seed, against whom; what the dataplane declared; panics |
//! | `scenario.yaml` | the scenario file, as it was |
//! | `observations.jsonl` | what apps, clients and the world saw |
//! | `wire.json` | connections on links, as far as they could be read |
//! | `scrapes.json`, `sockets.json` | metrics as scraped, sockets as counted |
//! | `verdict.json` | how it was judged; for people, not read again |
//! | `capture.pcapng` | packets with their TLS secrets; for Wireshark, not read again |
//! | `sidecars/` | of real processes: the folder of each, with its configuration and output; for people, not read again |
//!
//! What is not in a record is the contract and the checks: a record is judged by those of the build that judges it.
//!
//! * [`write()`] — makes a record. [`Record::read`], [`Record::judge`] — judges it again. [`find`] — records below a folder.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::dataplane::declared::Declared;
use crate::expect::Dictionaries;
use crate::scenario::Diagnostics;
use crate::sim::capture::TraceHash;
use crate::suite::Target;
use crate::verdict::Verdict;

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{Record, find};
pub use write::write;

/// Version of the format; a build reads its own alone.
pub const VERSION: u32 = 1;

/// What makes a folder a record.
const HEAD: &str = "record.json";
const SCENARIO: &str = "scenario.yaml";
const OBSERVATIONS: &str = "observations.jsonl";
const WIRE: &str = "wire.json";
const SCRAPES: &str = "scrapes.json";
const SOCKETS: &str = "sockets.json";
const VERDICT: &str = "verdict.json";
const CAPTURE: &str = "capture.pcapng";
const SIDECARS: &str = "sidecars";

/// `record.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    /// [`VERSION`].
    version: u32,
    /// Version of the harness that made it; for people.
    harness: String,
    /// The case's name, matrix values and all.
    case: String,
    /// The scenario file it came from, as messages name it.
    file: PathBuf,
    /// The seed.
    seed: u64,
    /// Who was judged.
    target: Target,
    /// Why there is nothing to judge: the case broke, or was not played.
    unjudged: Option<Verdict>,
    /// Digests of its packets.
    hash: Option<TraceHash>,
    /// Panics in tasks of the dataplane, with their backtraces.
    panics: Vec<String>,
    /// What the dataplane said of itself.
    declared: Declared,
    /// Signals to metrics, by sidecar.
    dictionaries: Dictionaries,
}

/// Why a record cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// There is no record at or right below a folder.
    #[error("{0} is no record, and has none right below it: a record is a folder with a {HEAD}")]
    None(PathBuf),
    /// A file of it cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was made by a build with another format.
    #[error("{path} is a record of version {found}; this build reads version {VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// A file of it does not hold what it should.
    #[error("{path} is malformed: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why, with the line where that is known.
        reason: String,
    },
    /// Its scenario is none.
    #[error("{0}")]
    Scenario(Diagnostics),
    /// Its scenario file makes no such case.
    #[error("{path} makes no case `{case}`")]
    Case {
        /// The file.
        path: PathBuf,
        /// The case that was run.
        case: String,
    },
}

/// The folder of a run's record: the case's name with `/` as `.` and without what shells dislike; with the target's, if that is not the usual one.
#[must_use]
pub fn folder(below: &Path, name: &str, seed: u64, target: &Target) -> PathBuf {
    let plain = |c: char| match c {
        '/' => '.',
        '[' | ',' => '+',
        ']' => ' ',
        other => other,
    };
    let name: String = name.chars().map(plain).filter(|c| *c != ' ').collect();
    let target = if target.is_usual() { String::new() } else { format!("-{}", target.slug()) };
    below.join(format!("{name}{target}-seed-{seed}"))
}
