//! Checks: pure functions from what was seen to findings, one file a check.
//!
//! An expectation of a scenario holds typed arguments of one or more checks and the clauses it proves. Adding a check costs its own file, one
//! field in `scenario::file`, one variant here.

mod app;
mod bytes;
mod dictionaries;
mod ends;
mod fields;
mod http;
pub(crate) mod judge;
pub mod metrics;
pub(crate) mod quiet;
mod received;
pub(crate) mod scene;
mod slack;
#[cfg(test)]
pub(crate) mod testing;
mod took;
pub mod wire;
pub(crate) mod words;

pub use dictionaries::Dictionaries;
pub(crate) use scene::{steps, target_pod};
pub use slack::Slack;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::language::Scenario;
use crate::observe::Nanos;
use crate::observe::Observation;

/// All that was seen in one run.
#[derive(Debug, Clone)]
pub struct Run {
    /// What was run.
    pub scenario: Scenario,
    /// What apps, clients and the world saw, in order of time.
    pub observations: Vec<Observation>,
    /// Connections over links, read from their packets.
    pub wire: Vec<crate::observe::wire::WireConnection>,
    /// Metrics, as scraped at each moment that needs them.
    pub scrapes: Vec<Scrape>,
    /// Sockets of each host at each moment that needs them.
    pub sockets: Vec<SocketCount>,
}

/// The text that a sidecar answered to a scrape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scrape {
    /// When.
    pub at: Nanos,
    /// Which moment: a step's id, or `None` for the bottom.
    pub step: Option<String>,
    /// `POD.proxy`.
    pub host: String,
    /// The body, or why there is none.
    pub body: Result<String, String>,
}

/// Sockets of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketCount {
    /// When.
    pub at: Nanos,
    /// Which moment: a step's id, or `None` for the bottom.
    pub step: Option<String>,
    /// `POD` or `POD.proxy`.
    pub host: String,
    /// Sockets by state, e.g. `ESTABLISHED: 2`.
    pub by_state: BTreeMap<String, u32>,
}

/// The moment at which an expectation is judged, and what a check may look at.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// All that was seen.
    pub run: &'a Run,
    /// The step the expectation nests in; `None` at the bottom.
    pub step: Option<&'a str>,
    /// Nothing after this counts: the step's end, or the time when all was quiet.
    pub until: Nanos,
    /// Signals to metrics, by sidecar.
    pub dictionaries: &'a Dictionaries,
    /// By how much times may miss a span.
    pub slack: Slack,
}

/// Something that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which argument, as in the file: `client.received`.
    pub what: String,
    /// What was expected, in words.
    pub expected: String,
    /// What was found, in words.
    pub found: String,
    /// Index into [`Run::observations`] of the one it points at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observation: Option<usize>,
}

/// The answer of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Judged; no finding means that it holds.
    Judged(Vec<Finding>),
    /// Could not be judged, with the reason; never a pass.
    NotRun(String),
}
