//! `conform run`: plays scenarios and judges them.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};

use super::record::record;
use super::seeds::Seeds;
use super::{BAD_INPUT, BROKEN, FAILED, OK, colours, complain};
use crate::dataplane::reference::Reference;
use crate::golden;
use crate::language::Scenario;
use crate::report::{Summary, json, pretty};
use crate::scenario::{self};
use crate::sim::run::Config;
use crate::suite::{CaseResult, Suite};
use crate::verdict::Verdict;

/// Payload bytes kept a flow and direction when a run is recorded.
const RECORD_BOUND: u64 = 16 << 20;

/// Arguments of `conform run`.
#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// Scenario files or folders, or parts of case names [default: all scenarios]
    #[arg(value_name = "PATH|FILTER")]
    wanted: Vec<String>,
    /// Seed of chance: with the same one, the same packets
    #[arg(long, value_name = "N", default_value = "0", conflicts_with = "seeds")]
    seed: u64,
    /// Run each case with each of these seeds (`0..200`, both ends included; cases marked large: the first four)
    #[arg(long, value_name = "A..B")]
    seeds: Option<Seeds>,
    /// Cases at once [default: the number of cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
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
}

impl Run {
    pub(super) fn main(&self, root: &Path) -> u8 {
        let suite = match Suite::open(root, "reference") {
            Ok(suite) => suite,
            Err(error) => return complain(&error.to_string(), BROKEN),
        };
        let cases = match scenario::find(&suite.scenarios(), &self.wanted) {
            Ok(cases) if cases.is_empty() => {
                return complain("no scenario's name or path matches what was asked for", BAD_INPUT);
            }
            Ok(cases) => cases,
            Err(diagnostics) => {
                // Without a standard error there is nobody to tell.
                let _ = write!(anstream::stderr().lock(), "{}", diagnostics.render(colours()));
                return BAD_INPUT;
            }
        };
        match self.run_all(&suite, &cases) {
            Ok((summary, results)) => {
                let golden = if self.golden { self.compare(root, &results) } else { OK };
                summary.exit_code().max(golden)
            }
            Err(error) => complain(&error.to_string(), BROKEN),
        }
    }

    /// Compares traces with those on record.
    fn compare(&self, root: &Path, results: &[CaseResult]) -> u8 {
        let whole = self.wanted.is_empty();
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
        let work: VecDeque<(usize, u64)> = cases
            .iter()
            .enumerate()
            .flat_map(|(i, case)| seeds.of(case.large).map(move |seed| (i, seed)))
            .collect();
        let bar = progress(work.len());
        let results = self.play(suite, cases, work, &bar)?;
        bar.finish_and_clear();
        let summary = Summary::of(cases, &results);
        self.report(cases, &results, &summary)?;
        Ok((summary, results))
    }

    /// Plays all of `work` on some threads; results in the order of `work`.
    fn play(
        &self,
        suite: &Suite,
        cases: &[Scenario],
        work: VecDeque<(usize, u64)>,
        bar: &ProgressBar,
    ) -> io::Result<Vec<CaseResult>> {
        let jobs = self.jobs.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let total = work.len();
        let queue = Mutex::new(work.into_iter().enumerate());
        let (done, finished) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..jobs.min(total) {
                let (queue, done) = (&queue, done.clone());
                scope.spawn(move || {
                    loop {
                        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                        let Some((place, (case, seed))) = next else { return };
                        let scenario = &cases[case];
                        let result = self.play_one(suite, scenario, seed);
                        if done.send((place, result)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(done);
            let mut results: Vec<Option<CaseResult>> = (0..total).map(|_| None).collect();
            for (place, result) in finished {
                bar.inc(1);
                results[place] = Some(result?);
            }
            Ok(results.into_iter().flatten().collect())
        })
    }

    fn play_one(&self, suite: &Suite, scenario: &Scenario, seed: u64) -> io::Result<CaseResult> {
        let mut config = Config { seed, ..Config::default() };
        if self.record.is_some() {
            config.capture_bound = RECORD_BOUND;
        }
        let mut result = suite.run(scenario, Arc::new(Reference), &config);
        if let Some(folder) = &self.record {
            record(folder, &result)?;
        }
        if result.verdict.verdict == Verdict::Pass {
            // Thousands of seeds fit into memory only without their packets.
            if let Some(case) = &mut result.case {
                case.forget();
            }
        }
        Ok(result)
    }

    fn report(&self, cases: &[Scenario], results: &[CaseResult], summary: &Summary) -> io::Result<()> {
        let text = match self.format {
            Format::Pretty => pretty::report(cases, results, summary),
            Format::Json => json::report(results, summary)?,
        };
        match &self.output {
            Some(path) => fs::write(path, anstream::adapter::strip_str(&text).to_string()),
            None => anstream::stdout().lock().write_all(text.as_bytes()),
        }
    }
}

/// A bar on a terminal, nothing elsewhere.
fn progress(total: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(total).unwrap_or(u64::MAX));
    if let Ok(style) = ProgressStyle::with_template("{bar:40.cyan/dim} {pos}/{len} cases  {elapsed}") {
        bar.set_style(style.progress_chars("━━─"));
    }
    bar
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
