//! What a run means: each expectation, each clause, the case. Pure: a saved run can be judged again.
//!
//! * [`Verdict`] — the words of the answer, and what they mean to the shell ([`exit_code`]).
//! * [`judge()`] — evaluates all expectations at their moments, and what always holds (`always`, `agree`), by its [`Terms`].
//! * [`supported`] — whether a dataplane can be asked at all. [`stale`] — known failures that are about nothing.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::expect::Finding;
use crate::language::{Level, Scenario};
use crate::observe::Nanos;

mod agree;
mod always;
mod judge;
mod known;
mod needs;
mod support;
#[cfg(test)]
mod tests;

pub use judge::{Terms, judge};
pub use known::stale;
pub use support::supported;

/// The `step` of socket counts taken after everything was drained and all apps and clients are gone: then no host may have a socket left.
pub const AFTER_DRAIN: &str = "after-drain";
/// What the world `Did` when the deadline came before the end.
pub const DEADLINE: &str = "deadline";
/// What the world `Did` when all was quiet, before it takes everything down: later observations do not count at the bottom.
pub const QUIET: &str = "quiet";
/// Name of the always-on check that a dataplane's tasks do not panic.
const NO_PANIC: &str = "no panic";
/// Names of all checks that are always on; a known failure may name one of them.
pub const ALWAYS: [&str; 5] = ["no hang", "no leak", "no mismatch", agree::NAME, NO_PANIC];

/// How something came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Pass,
    /// A `should` (or `may`) does not hold.
    Warn,
    /// A `must` does not hold.
    Fail,
    /// It does not hold, and the dataplane's declaration says so, with the reason.
    KnownFailure(String),
    /// It is about a feature that the dataplane does not declare, or looks at one: which.
    Unsupported(String),
    /// It could not be judged, with the reason.
    NotRun(String),
    /// The harness or the set-up failed, with the reason; says nothing about the dataplane.
    Broken(String),
}

impl Verdict {
    /// How much it matters beside others of the same case: the greater hides the smaller.
    fn weight(&self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Unsupported(_) => 1,
            Self::NotRun(_) => 2,
            Self::KnownFailure(_) => 3,
            Self::Warn => 4,
            Self::Fail => 5,
            Self::Broken(_) => 6,
        }
    }

    /// How much it matters beside those of other cases: as [`Self::weight`], but that one case could not judge says nothing against another that
    /// did.
    pub(crate) fn weight_among_cases(&self) -> u8 {
        if *self == Self::Pass { 3 } else { self.weight() + u8::from(self.is_judged()) }
    }

    /// For people.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::KnownFailure(_) => "known failure",
            Self::Unsupported(_) => "unsupported",
            Self::NotRun(_) => "not run",
            Self::Broken(_) => "broken",
        }
    }

    /// Whether it says something of the dataplane, or of the harness.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        !matches!(self, Self::NotRun(_) | Self::Unsupported(_))
    }

    /// Why it is what it is, where that is told.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::KnownFailure(reason)
            | Self::Unsupported(reason)
            | Self::NotRun(reason)
            | Self::Broken(reason) => Some(reason),
            Self::Pass | Self::Warn | Self::Fail => None,
        }
    }

    /// What a broken expectation of this level means.
    fn of(level: Level) -> Self {
        match level {
            Level::Must => Self::Fail,
            Level::Should | Level::May => Self::Warn,
        }
    }
}

/// What came of one expectation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectationVerdict {
    /// The step it nests in; `None` at the bottom.
    pub step: Option<String>,
    /// Line of the scenario file, from 1.
    pub line: u32,
    /// Its checks, by their keys: `client, wire`.
    pub checks: String,
    /// Clauses it proves.
    pub proves: Vec<String>,
    /// The strongest level it is judged by.
    pub level: Level,
    /// How it came out.
    pub verdict: Verdict,
    /// What is not as expected; of a known failure too.
    pub findings: Vec<Finding>,
}

/// What came of one of the checks that are always on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlwaysVerdict {
    /// One of [`ALWAYS`].
    pub name: String,
    /// How it came out.
    pub verdict: Verdict,
    /// What is not as expected.
    pub findings: Vec<Finding>,
}

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseVerdict {
    /// The scenario's name.
    pub name: String,
    /// The case as a whole: the worst of what was judged. Not run or unsupported only if nothing was.
    pub verdict: Verdict,
    /// Nanoseconds of the run's clock at the last observation.
    pub took: Nanos,
    /// In file order: those of steps, then those at the bottom.
    pub expectations: Vec<ExpectationVerdict>,
    /// Checks that are always on.
    pub always: Vec<AlwaysVerdict>,
    /// Clause by clause, in order of their first expectation: the worst of all expectations that name it; unsupported if all are.
    pub clauses: IndexMap<String, Verdict>,
}

impl CaseVerdict {
    /// A case that the harness could not run or finish.
    #[must_use]
    pub fn broken(name: &str, reason: &str) -> Self {
        Self {
            name: name.to_owned(),
            verdict: Verdict::Broken(reason.to_owned()),
            took: 0,
            expectations: Vec::new(),
            always: Vec::new(),
            clauses: IndexMap::new(),
        }
    }

    /// A case that was not played, nor any of its clauses judged.
    #[must_use]
    pub fn unplayed(scenario: &Scenario, why: &Verdict) -> Self {
        let clauses = scenario.clauses().into_iter().map(|id| (id.to_owned(), why.clone()));
        Self { verdict: why.clone(), clauses: clauses.collect(), ..Self::broken(&scenario.name, "") }
    }
}

/// What a set of verdicts means to the shell: 3 if one is broken, else 1 if one fails, else 0.
#[must_use]
pub fn exit_code<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> u8 {
    verdicts
        .into_iter()
        .map(|verdict| match verdict {
            Verdict::Broken(_) => 3,
            Verdict::Fail => 1,
            Verdict::Pass
            | Verdict::Warn
            | Verdict::KnownFailure(_)
            | Verdict::Unsupported(_)
            | Verdict::NotRun(_) => 0,
        })
        .max()
        .unwrap_or(0)
}

/// Takes the other one if it matters more.
fn worsen(so_far: &mut Verdict, other: &Verdict) {
    if other.weight() > so_far.weight() {
        *so_far = other.clone();
    }
}
