//! Plays cases on some threads.

use std::cmp::Reverse;
use std::env;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::target::Bench;
use crate::language::{Scenario, World};
use crate::record;
use crate::sim::run::{Config, Watched};
use crate::suite::CaseResult;
use crate::verdict::exit_code;

/// Payload bytes kept a flow and direction when a run is recorded.
const RECORD_BOUND: u64 = 16 << 20;

/// How cases are played.
#[derive(Debug, Default)]
pub(super) struct Play {
    /// Cases at once; as many as there are cores without.
    pub(super) jobs: Option<NonZeroUsize>,
    /// Where runs are recorded, whatever comes of them, if they are.
    pub(super) record: Option<PathBuf>,
    /// Where failures are recorded if not all runs are; nowhere without.
    pub(super) failures: Option<PathBuf>,
    /// Nothing is begun after the first failure.
    pub(super) fail_fast: bool,
    /// Nobody asks for digests of packets, or for packets of runs that pass.
    pub(super) lean: bool,
}

impl Play {
    /// Plays all of `work` (a case's place, a seed); results in its order. If failing fast they end with the first failure, whatever was
    /// played beside it.
    pub(super) fn all(
        &self,
        bench: &Bench,
        cases: &[Scenario],
        work: Vec<(usize, u64)>,
    ) -> io::Result<Vec<CaseResult>> {
        let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let world = bench.suite.target.world;
        let jobs = self.jobs.map_or_else(|| cores() * per_core(world), NonZeroUsize::get);
        let total = work.len();
        let bar = progress(total);
        let mut queue: Vec<_> = work.into_iter().enumerate().collect();
        if !self.fail_fast {
            // The long ones first, so that in the end nobody waits for one of them.
            queue.sort_by_key(|(_, (case, _))| Reverse((cases[*case].large, weight(&cases[*case], world))));
        }
        // In real time the large ones follow each other, beside the others.
        let (large, queue): (Vec<_>, Vec<_>) =
            queue.into_iter().partition(|(_, (case, _))| world == World::Live && cases[*case].large);
        let (large, queue) = (Mutex::new(large.into_iter()), Mutex::new(queue.into_iter()));
        let enough = AtomicBool::new(false);
        let (done, finished) = mpsc::channel();
        let mut results: Vec<Option<CaseResult>> = (0..total).map(|_| None).collect();
        thread::scope(|scope| {
            for job in 0..jobs.min(total) {
                let (large, queue, enough, done) = (&large, &queue, &enough, done.clone());
                scope.spawn(move || {
                    while !enough.load(Ordering::Relaxed) {
                        let next = (job == 0).then(|| take(large)).flatten().or_else(|| take(queue));
                        let Some((place, (case, seed))) = next else { return };
                        let result = self.one(bench, &cases[case], seed);
                        let failed = result.as_ref().is_ok_and(fails);
                        enough.fetch_or(self.fail_fast && failed, Ordering::Relaxed);
                        if done.send((place, result)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(done);
            for (place, result) in finished {
                bar.inc(1);
                results[place] = Some(result?);
            }
            Ok::<_, io::Error>(())
        })?;
        bar.finish_and_clear();
        let mut results: Vec<_> = results.into_iter().flatten().collect();
        if self.fail_fast
            && let Some(first) = results.iter().position(fails)
        {
            results.truncate(first + 1);
        }
        Ok(results)
    }

    fn one(&self, bench: &Bench, scenario: &Scenario, seed: u64) -> io::Result<CaseResult> {
        let mut config = Config { seed, ..Config::default() };
        if self.record.is_some() {
            config.capture_bound = RECORD_BOUND;
        }
        let lean = self.lean && self.record.is_none() && bench.suite.target.world == World::Sim;
        if lean {
            config.watched = Watched::Links(Arc::default());
        }
        let mut result = bench.suite.play(&*bench.player, scenario, &config);
        if lean && fails(&result) {
            // The same once more, with all that a record has.
            config.watched = Watched::Everything;
            result = bench.suite.play(&*bench.player, scenario, &config);
        }
        let write = |below: &Path| record::write(below, &bench.suite, scenario, &result);
        let written = match (&self.record, &self.failures) {
            // Whoever asks for records has no use for a run without.
            (Some(below), _) => Some(Ok(write(below)?)),
            // A failure is worth its record wherever there is room for it; its verdict stands without one.
            (None, Some(below)) if fails(&result) => {
                Some(write(below).or_else(|_| write(&env::temp_dir().join("conform"))))
            }
            (None, _) => None,
        };
        match written {
            Some(Ok(folder)) => result.record = Some(folder),
            Some(Err(error)) => result.unrecorded = Some(error.to_string()),
            None => {}
        }
        result.forget_if_passed();
        Ok(result)
    }
}

/// Cases at once, a core: those in real time mostly wait.
fn per_core(world: World) -> usize {
    match world {
        World::Sim => 1,
        World::Live => 12,
    }
}

/// How long a case will take beside others, roughly; nothing in virtual time.
fn weight(case: &Scenario, world: World) -> Duration {
    match world {
        World::Sim => Duration::ZERO,
        World::Live => case.at_least(),
    }
}

fn take<T>(queue: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).next()
}

fn fails(result: &CaseResult) -> bool {
    exit_code([&result.verdict.verdict]) != 0
}

/// A bar on a terminal, nothing elsewhere.
fn progress(total: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(total).unwrap_or(u64::MAX));
    if let Ok(style) = ProgressStyle::with_template("{bar:40.cyan/dim} {pos}/{len} cases  {elapsed}") {
        bar.set_style(style.progress_chars("━━─"));
    }
    bar
}
