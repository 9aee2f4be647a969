//! `conform run`: plays scenarios and judges them.

use std::fs;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::play::Play;
use super::seeds::Seeds;
use super::select::Select;
use super::{BROKEN, FAILED, OK, complain};
use crate::golden;
use crate::language::Scenario;
use crate::report::{Summary, json, junit, pretty};
use crate::suite::{CaseResult, Suite};
use crate::verdict;

/// Arguments of `conform run`.
#[derive(Debug, clap::Args)]
pub(super) struct Run {
    #[command(flatten)]
    select: Select,
    /// Seed of chance: with the same one, the same packets
    #[arg(long, value_name = "N", default_value = "0", conflicts_with = "seeds")]
    seed: u64,
    /// Run each case with each of these seeds (`0..200`, both ends included; cases marked large: the first four)
    #[arg(long, value_name = "A..B")]
    seeds: Option<Seeds>,
    /// Cases at once [default: the number of cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Begin nothing after the first failure
    #[arg(long, conflicts_with = "golden")]
    fail_fast: bool,
    /// How to tell what came of it
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
    /// Write the report here instead of to standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Compare packet traces with tests/golden.txt, on record for seed 0
    #[arg(long, conflicts_with_all = ["seed", "seeds"])]
    golden: bool,
    /// Write the observations and a packet capture (pcapng, with TLS secrets) of each run below this folder
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Pretty,
    /// For programs; the same bytes for the same cases and seeds
    Json,
    /// For CI servers: JUnit's XML, one test suite a folder of scenarios
    Junit,
}

impl Run {
    pub(super) fn main(&self, root: &Path) -> u8 {
        let suite = match Suite::open(root, "reference") {
            Ok(suite) => suite,
            Err(error) => return complain(&error.to_string(), BROKEN),
        };
        let cases = match self.select.cases(&suite.scenarios(), suite.requirements) {
            Ok(cases) => cases,
            Err(code) => return code,
        };
        match self.run_all(&suite, &cases) {
            Ok((summary, results)) => {
                let stale = if self.select.is_whole() { tell_stale(&suite, &cases) } else { OK };
                let golden = if self.golden { self.compare(root, &results) } else { OK };
                summary.exit_code().max(golden).max(stale)
            }
            Err(error) => complain(&error.to_string(), BROKEN),
        }
    }

    /// Compares traces with those on record.
    fn compare(&self, root: &Path, results: &[CaseResult]) -> u8 {
        let whole = self.select.is_whole();
        match golden::check(root, results) {
            Ok(report) if report.holds(whole) => {
                let said = writeln!(anstream::stdout().lock(), "packet traces are those on record");
                if said.is_ok() { OK } else { BROKEN }
            }
            Ok(report) => complain(&report.words(whole), FAILED),
            Err(error) => complain(&error.to_string(), BROKEN),
        }
    }

    fn run_all(&self, suite: &Suite, cases: &[Scenario]) -> io::Result<(Summary, Vec<CaseResult>)> {
        let seeds = self.seeds.clone().unwrap_or(Seeds(self.seed..=self.seed));
        let each = cases.iter().enumerate();
        let work: Vec<_> =
            each.flat_map(|(i, case)| seeds.of(case.large).map(move |seed| (i, seed))).collect();
        let wanted = work.len();
        let play = Play { jobs: self.jobs, record: self.record.clone(), fail_fast: self.fail_fast };
        let results = play.all(suite, cases, work)?;
        let mut summary = Summary::of(cases, &results);
        summary.left_out = wanted - results.len();
        self.report(cases, &results, &summary)?;
        Ok((summary, results))
    }

    fn report(&self, cases: &[Scenario], results: &[CaseResult], summary: &Summary) -> io::Result<()> {
        let text = match self.format {
            Format::Pretty => pretty::report(cases, results, summary),
            Format::Json => json::report(results, summary)?,
            Format::Junit => junit::report(cases, results).map_err(io::Error::other)?,
        };
        match &self.output {
            Some(path) => fs::write(path, anstream::adapter::strip_str(&text).to_string()),
            None => anstream::stdout().lock().write_all(text.as_bytes()),
        }
    }
}

/// Says which known failures are about none of the cases, which are all there are.
fn tell_stale(suite: &Suite, cases: &[Scenario]) -> u8 {
    let stale = verdict::stale(&suite.declared, &suite.requirements, cases);
    stale.iter().map(|words| complain(words, FAILED)).max().unwrap_or(OK)
}

impl Summary {
    fn exit_code(&self) -> u8 {
        if self.broken > 0 {
            BROKEN
        } else if self.failed > 0 {
            FAILED
        } else {
            OK
        }
    }
}
