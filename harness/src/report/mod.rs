//! Reports: pure functions from results to text.
//!
//! * [`pretty`] — for people. [`json`] — for programs, virtual times only. [`junit`] — for CI servers.
//! * [`list`], [`explain`], [`mod@coverage`] — cases, a clause, the whole contract.
//! * `observations` — what was seen around a finding, as a table. `reasons` — why things are as they are, each once.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::language::Scenario;
use crate::suite::CaseResult;
use crate::verdict::{Verdict, exit_code};

pub mod coverage;
pub mod explain;
pub mod json;
pub mod junit;
pub mod list;
mod observations;
pub mod pretty;
mod reasons;
mod text;

/// At least this share of a case's seeds must give schedules of their own, in percent, if it has [`PACKETS_MIN`] packets or more.
pub const DISTINCT_PERCENT: u64 = 95;
/// Cases with fewer packets have few schedules: twenty of their own, and some thirty of the scrapes that end each case, whose link is even.
pub const PACKETS_MIN: u64 = 50;

/// Counts over all results.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Cases that passed (each seed counts).
    pub passed: usize,
    /// Cases in which a must failed.
    pub failed: usize,
    /// Cases in which a should failed.
    pub warned: usize,
    /// Cases that fail, and are known to.
    pub known_failures: usize,
    /// Cases about what the dataplane does not declare.
    pub unsupported: usize,
    /// Cases that could not be judged, or are played elsewhere.
    pub not_run: usize,
    /// Cases in which the harness failed.
    pub broken: usize,
    /// Runs that were asked for and not begun, after a failure.
    pub left_out: usize,
    /// By area (the first folder).
    pub areas: IndexMap<String, Area>,
    /// Clauses with their worst verdict; that a case could not judge one says nothing against a case that did.
    pub clauses: BTreeMap<String, Verdict>,
    /// By case, if it ran with several seeds: distinct schedules, seeds, packets of the first.
    pub schedules: IndexMap<String, (u64, u64, u64)>,
    /// Virtual time of all cases together, in nanoseconds.
    pub virtual_ns: u64,
    /// Packets of all cases together.
    pub packets: u64,
}

/// Counts over the results of one area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Area {
    /// Cases that passed.
    pub passed: usize,
    /// Cases in which a must failed, or the harness.
    pub failed: usize,
    /// Cases that were not judged, not run among them.
    pub unjudged: usize,
    /// Those of them that could not be judged, or are played elsewhere.
    pub not_run: usize,
    /// All.
    pub all: usize,
}

impl Summary {
    /// Counts `results` of `cases`.
    #[must_use]
    pub fn of(cases: &[Scenario], results: &[CaseResult]) -> Self {
        let mut summary = Self::default();
        for result in results {
            summary.add(result);
        }
        for case in cases {
            summary.count_schedules(&case.name, results);
        }
        summary
    }

    /// What all results mean to the shell: 3 if one is broken, else 1 if one fails, else 0.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.broken > 0 { 3 } else { u8::from(self.failed > 0) }
    }

    fn add(&mut self, result: &CaseResult) {
        let passed = match &result.verdict.verdict {
            Verdict::Pass => &mut self.passed,
            Verdict::Warn => &mut self.warned,
            Verdict::Fail => &mut self.failed,
            Verdict::KnownFailure(_) => &mut self.known_failures,
            Verdict::Unsupported(_) => &mut self.unsupported,
            Verdict::NotRun(_) => &mut self.not_run,
            Verdict::Broken(_) => &mut self.broken,
        };
        *passed += 1;
        let area = result.verdict.name.split('/').next().unwrap_or_default().to_owned();
        let area = self.areas.entry(area).or_default();
        area.passed += usize::from(result.verdict.verdict == Verdict::Pass);
        area.failed += usize::from(exit_code([&result.verdict.verdict]) != 0);
        area.unjudged += usize::from(!result.verdict.verdict.is_judged());
        area.not_run += usize::from(matches!(result.verdict.verdict, Verdict::NotRun(_)));
        area.all += 1;
        for (id, verdict) in &result.verdict.clauses {
            let worst = self.clauses.entry(id.clone()).or_insert_with(|| verdict.clone());
            if verdict.weight_among_cases() > worst.weight_among_cases() {
                *worst = verdict.clone();
            }
        }
        self.virtual_ns = self.virtual_ns.saturating_add(result.verdict.took);
        self.packets += result.case.as_ref().map_or(0, |case| case.hash.count);
    }

    fn count_schedules(&mut self, name: &str, results: &[CaseResult]) {
        let hashes = || {
            results
                .iter()
                .filter(|result| result.verdict.name == name)
                .filter_map(|result| result.case.as_ref())
                .map(|case| &case.hash)
        };
        let (seeds, packets) = (hashes().count() as u64, hashes().next().map_or(0, |hash| hash.count));
        if seeds < 2 {
            return;
        }
        let distinct: std::collections::BTreeSet<_> = hashes().map(|hash| &hash.schedule).collect();
        self.schedules.insert(name.to_owned(), (distinct.len() as u64, seeds, packets));
    }

    /// Cases whose seeds give too few schedules: (name, distinct, seeds).
    pub fn dull(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        self.schedules
            .iter()
            .filter(|(_, (distinct, seeds, packets))| {
                *packets >= PACKETS_MIN && distinct * 100 < seeds * DISTINCT_PERCENT
            })
            .map(|(name, (distinct, seeds, _))| (name.as_str(), *distinct, *seeds))
    }
}
