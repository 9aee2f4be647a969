//! `conform run`: plays scenarios and judges them.

use std::env;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::play::Play;
use super::seeds::Seeds;
use super::select::Select;
use super::shard::Shard;
use super::target::{Bench, Target};
use super::tell::Tell;
use super::{BAD_INPUT, BROKEN, FAILED, OK, complain};
use crate::golden;
use crate::language::Scenario;
use crate::report::Summary;
use crate::scenario;
use crate::suite::{CaseResult, Suite};
use crate::verdict;

/// Names the folder of records of failures.
const RECORDS: &str = "CONFORM_RECORDS";

/// Arguments of `conform run`.
#[derive(Debug, clap::Args)]
pub(super) struct Run {
    #[command(flatten)]
    select: Select,
    #[command(flatten)]
    target: Target,
    /// One of several parts of the cases (`2/4`), the same on every machine; all of them together are the whole
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Seed of chance: with the same one, the same packets
    #[arg(long, value_name = "N", default_value = "0", conflicts_with = "seeds")]
    seed: u64,
    /// Run each case with each of these seeds (`0..200`, both ends included; cases marked large: the first four)
    #[arg(long, value_name = "A..B")]
    seeds: Option<Seeds>,
    /// Cases at once [default: one a core; in real time, where they mostly wait, twelve]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Begin nothing after the first failure
    #[arg(long, conflicts_with = "golden")]
    fail_fast: bool,
    #[command(flatten)]
    tell: Tell,
    /// Compare packet traces with tests/golden.txt, on record for seed 0
    #[arg(long, conflicts_with_all = ["seed", "seeds"])]
    golden: bool,
    /// Record each run below this folder: all that `conform judge` needs, and a packet capture with TLS secrets for Wireshark. Failures are
    /// recorded without being asked for, in target/conform or the folder that CONFORM_RECORDS names (empty: nowhere)
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
}

impl Run {
    pub(super) fn main(&self, root: &Path) -> u8 {
        self.run(root).unwrap_or_else(|code| code)
    }

    fn run(&self, root: &Path) -> Result<u8, u8> {
        let bench = self.target.open(root)?;
        let suite = &bench.suite;
        if self.golden && !suite.target.is_usual() {
            let why = "packet traces are on record for the reference dataplane in the simulator alone";
            return Err(complain(why, BAD_INPUT));
        }
        let all = self.select.cases(&suite.scenarios(), suite.requirements)?;
        no_stale(suite)?;
        let cases = match self.shard {
            Some(shard) => shard.of(all),
            None => all,
        };
        let broken = |error: io::Error| complain(&error.to_string(), BROKEN);
        let (summary, results) = self.run_all(&bench, &cases).map_err(broken)?;
        let golden = if self.golden { self.compare(root, &results) } else { OK };
        Ok(summary.exit_code().max(golden))
    }

    /// Compares traces with those on record.
    fn compare(&self, root: &Path, results: &[CaseResult]) -> u8 {
        let whole = self.select.is_whole() && self.shard.is_none();
        match golden::check(root, results) {
            Ok(report) if report.holds(whole) => {
                let said = writeln!(anstream::stdout().lock(), "packet traces are those on record");
                if said.is_ok() { OK } else { BROKEN }
            }
            Ok(report) => complain(&report.words(whole), FAILED),
            Err(error) => complain(&error.to_string(), BROKEN),
        }
    }

    fn run_all(&self, bench: &Bench, cases: &[Scenario]) -> io::Result<(Summary, Vec<CaseResult>)> {
        let seeds = self.seeds.clone().unwrap_or(Seeds(self.seed..=self.seed));
        let each = cases.iter().enumerate();
        let work: Vec<_> =
            each.flat_map(|(i, case)| seeds.of(case.large).map(move |seed| (i, seed))).collect();
        let wanted = work.len();
        let play = Play {
            jobs: self.jobs,
            record: self.record.clone(),
            failures: failures(&bench.suite.root),
            fail_fast: self.fail_fast,
            lean: !self.golden && !self.tell.tells_traces(),
        };
        let results = play.all(bench, cases, work)?;
        let mut summary = Summary::of(cases, &results);
        summary.left_out = wanted - results.len();
        self.tell.report(cases, &results, &summary)?;
        Ok((summary, results))
    }
}

/// Known failures that are about none of all cases, whichever are to be played, are told.
fn no_stale(suite: &Suite) -> Result<(), u8> {
    if suite.declared.known_failures.is_empty() {
        return Ok(());
    }
    // A broken scenario is told to those who ask for it.
    let Ok(all) = scenario::find(&suite.scenarios(), &[]) else { return Ok(()) };
    let stale = verdict::stale(&suite.declared, suite.requirements, &all);
    let told = stale.iter().map(|words| complain(words, BAD_INPUT)).max();
    told.map_or(Ok(()), Err)
}

/// Where failures are recorded: where the environment says (empty: nowhere), else in the project's target folder.
fn failures(root: &Path) -> Option<PathBuf> {
    match env::var_os(RECORDS) {
        Some(folder) => (!folder.is_empty()).then(|| folder.into()),
        None => Some(root.join("target/conform")),
    }
}
