//! What a run means: each expectation, each clause, the case. Pure: a saved run can be judged again.
//!
//! * [`judge`] — evaluates all expectations at their moments, and what always holds (`always`, `agree`).
//! * [`Verdict`] — the words of the answer, and what they mean to the shell ([`exit_code`]).

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::expect::{Answer, Finding, Moment, Run, scene};
use crate::language::{Expectation, Level};
use crate::observe::dictionary::Dictionary;
use crate::observe::{Nanos, Seen};

mod agree;
mod always;
#[cfg(test)]
mod tests;

/// The `step` of socket counts taken after everything was drained and all apps and clients are gone: then no host may have a socket left.
pub const AFTER_DRAIN: &str = "after-drain";
/// What the world `Did` when the deadline came before the end.
pub const DEADLINE: &str = "deadline";
/// What the world `Did` when all was quiet, before it takes everything down: later observations do not count at the bottom.
pub const QUIET: &str = "quiet";

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
    /// It could not be judged, with the reason.
    NotRun(String),
    /// The harness or the set-up failed, with the reason; says nothing about the dataplane.
    Broken(String),
}

impl Verdict {
    /// How much it matters beside others: the greater hides the smaller.
    pub(crate) fn weight(&self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::NotRun(_) => 1,
            Self::Warn => 2,
            Self::Fail => 3,
            Self::Broken(_) => 4,
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
    /// What is not as expected.
    pub findings: Vec<Finding>,
}

/// What came of one of the checks that are always on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlwaysVerdict {
    /// `no hang`, `no leak`, `no mismatch`, `agree`.
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
    /// The case as a whole: the worst of what was judged. Not run only if nothing could be judged.
    pub verdict: Verdict,
    /// Nanoseconds of the run's clock at the last observation.
    pub took: Nanos,
    /// In file order: those of steps, then those at the bottom.
    pub expectations: Vec<ExpectationVerdict>,
    /// Checks that are always on.
    pub always: Vec<AlwaysVerdict>,
    /// Clause by clause, in order of their first expectation: the worst of all expectations that name it.
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
}

/// What a set of verdicts means to the shell: 3 if one is broken, else 1 if one fails, else 0.
#[must_use]
pub fn exit_code<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> u8 {
    verdicts
        .into_iter()
        .map(|verdict| match verdict {
            Verdict::Broken(_) => 3,
            Verdict::Fail => 1,
            Verdict::Pass | Verdict::Warn | Verdict::NotRun(_) => 0,
        })
        .max()
        .unwrap_or(0)
}

/// Judges a run. `levels` gives a clause's level; an unknown clause binds like a must.
#[must_use]
pub fn judge(run: &Run, dictionary: &Dictionary, levels: &dyn Fn(&str) -> Option<Level>) -> CaseVerdict {
    let mut expectations = Vec::new();
    let mut clauses = IndexMap::new();
    for (moment, expectation) in moments(run, dictionary) {
        let (findings, not_run) = evaluate(&moment, expectation);
        let verdict_at = |level| match &not_run {
            _ if !findings.is_empty() => Verdict::of(level),
            Some(reason) => Verdict::NotRun(reason.clone()),
            None => Verdict::Pass,
        };
        let own = |clause: &String| expectation.level.or_else(|| levels(clause)).unwrap_or(Level::Must);
        for clause in &expectation.proves {
            worsen(clauses.entry(clause.clone()).or_insert(Verdict::Pass), verdict_at(own(clause)));
        }
        let strongest = expectation.proves.iter().map(own).min_by_key(|level| strength(*level));
        let level = strongest.or(expectation.level).unwrap_or(Level::Must);
        let verdict = verdict_at(level);
        expectations.push(ExpectationVerdict {
            step: moment.step.map(str::to_owned),
            line: expectation.line,
            checks: expectation.checks.iter().map(|check| check.name()).collect::<Vec<_>>().join(", "),
            proves: expectation.proves.clone(),
            level,
            verdict,
            findings,
        });
    }
    let mut always = always::judge(run);
    always.push(agree::judge(run, dictionary));
    let verdict = overall(
        expectations.iter().map(|expectation| &expectation.verdict),
        always.iter().map(|always| &always.verdict),
    );
    let took = run.observations.iter().map(|observation| observation.at).max().unwrap_or(0);
    CaseVerdict { name: run.scenario.name.clone(), verdict, took, expectations, always, clauses }
}

/// All expectations with the moments at which they are judged.
fn moments<'a>(run: &'a Run, dictionary: &'a Dictionary) -> Vec<(Moment<'a>, &'a Expectation)> {
    let at = |step: Option<&'a str>, until| Moment { run, step, until, dictionary };
    let mut all = Vec::new();
    for step in scene::steps(&run.scenario) {
        let seen = |wanted: Seen| {
            time_of(run, |observation| {
                observation.seen == wanted && observation.step.as_deref() == Some(&step.id)
            })
        };
        // A step that never ended is judged on everything: what it misses shows there.
        let until = match seen(Seen::StepSettled) {
            Nanos::MAX => seen(Seen::StepEnded),
            settled => settled,
        };
        all.extend(step.expect.iter().map(|expectation| (at(Some(&step.id), until), expectation)));
    }
    let quiet = time_of(run, |observation| matches!(&observation.seen, Seen::Did { what } if what == QUIET));
    all.extend(run.scenario.expect.iter().map(|expectation| (at(None, quiet), expectation)));
    all
}

/// When it was seen; the end of time if never.
fn time_of(run: &Run, wanted: impl Fn(&crate::observe::Observation) -> bool) -> Nanos {
    run.observations
        .iter()
        .find(|observation| wanted(observation))
        .map_or(Nanos::MAX, |observation| observation.at)
}

/// Findings of all checks, and the first reason why one could not be judged.
fn evaluate(moment: &Moment<'_>, expectation: &Expectation) -> (Vec<Finding>, Option<String>) {
    let mut findings = Vec::new();
    let mut not_run = None;
    for check in &expectation.checks {
        match check.judge(moment) {
            Answer::Judged(more) => findings.extend(more),
            Answer::NotRun(reason) => {
                not_run.get_or_insert(format!("{}: {reason}", check.name()));
            }
        }
    }
    (findings, not_run)
}

fn worsen(so_far: &mut Verdict, other: Verdict) {
    if other.weight() > so_far.weight() {
        *so_far = other;
    }
}

/// Smaller is stronger.
fn strength(level: Level) -> u8 {
    match level {
        Level::Must => 0,
        Level::Should => 1,
        Level::May => 2,
    }
}

/// The worst of what was judged; what could not be judged shows only when no expectation was.
fn overall<'a>(
    expectations: impl Iterator<Item = &'a Verdict>,
    always: impl Iterator<Item = &'a Verdict>,
) -> Verdict {
    let (unjudged, judged): (Vec<_>, Vec<_>) =
        expectations.partition(|verdict| matches!(verdict, Verdict::NotRun(_)));
    let mut worst = match unjudged.first() {
        Some(reason) if judged.is_empty() => (*reason).clone(),
        _ => Verdict::Pass,
    };
    let always = always.filter(|verdict| !matches!(verdict, Verdict::NotRun(_)));
    for verdict in judged.into_iter().chain(always) {
        worsen(&mut worst, verdict.clone());
    }
    worst
}
