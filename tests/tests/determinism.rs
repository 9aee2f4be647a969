//! Same scenario, same seed: the same packets, observations, metrics, sockets and verdict — twice in a row, after all others, in another
//! process, and as they were when `golden.txt` was written. Other seeds: other schedules.

use std::env;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use harness::dataplane::reference::Reference;
use harness::golden::{self, Golden};
use harness::replay::{Difference, Trail, compare};
use harness::report::{DISTINCT_PERCENT, PACKETS_MIN, Summary, pretty};
use harness::scenario::{self, Scenario};
use harness::sim::run::{Config, select_is_seeded};
use harness::suite::{CaseResult, Suite};
use harness::verdict::Verdict;
use libtest_mimic::{Arguments, Failed, Trial};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Set in the other process: the folder that its trails go to.
const OTHER: &str = "CONFORM_TRAILS_INTO";
/// File in that folder: what is expected of each case, then what came of it.
const FINGERPRINTS: &str = "fingerprints.json";
/// Set to write `golden.txt` anew.
const BLESS: &str = "CONFORM_BLESS";
/// The last seed of the test of seeds; all of the contract with `200`.
const SEEDS: &str = "CONFORM_SEEDS";
/// The last seed when nothing is said: what fits into a minute in debug.
const SEEDS_DEFAULT: u64 = 20;
/// Cases with more packets run with seeds up to [`LONG_LAST`] unless asked otherwise.
const LONG: u64 = 20_000;
const LONG_LAST: u64 = 3;
/// Differences that are shown whole; the rest is counted.
const SHOWN_MAX: usize = 3;

fn main() -> ExitCode {
    if let Some(folder) = env::var_os(OTHER) {
        return other_process(Path::new(&folder));
    }
    let mut arguments = Arguments::from_args();
    // Each test takes all cores for itself.
    arguments.test_threads = Some(1);
    let trials = match World::open() {
        Ok(world) => trials(&Arc::new(world)),
        Err(complaint) => vec![Trial::test("scenarios_can_be_read", move || Err(complaint.into()))],
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials(world: &Arc<World>) -> Vec<Trial> {
    let tests: [(&str, Test); 7] = [
        ("select_is_seeded", select),
        ("another_seed_is_told_apart", another_seed),
        ("twice_in_a_row", twice_in_a_row),
        ("after_all_others", after_all_others),
        ("in_another_process", in_another_process),
        ("golden", golden),
        ("seeds", seeds),
    ];
    let trial = |(name, test): (&str, Test)| {
        let world = Arc::clone(world);
        Trial::test(name, move || test(&world))
    };
    tests.into_iter().map(trial).collect()
}

/// A test over all cases.
type Test = fn(&World) -> Result<(), Failed>;

/// All cases, and what they left when first played.
struct World {
    suite: Suite,
    cases: Vec<Scenario>,
    rows: OnceLock<Vec<Row>>,
}

/// A case played twice in a row; once only if it is large.
struct Row {
    first: Trail,
    /// Whether the second play was compared, and how it differs.
    again: Option<Option<Difference>>,
}

impl World {
    fn open() -> Result<Self, String> {
        let suite = Suite::open(&root(), "reference").map_err(|error| error.to_string())?;
        let mut cases =
            scenario::find(&suite.scenarios(), &[]).map_err(|diagnostics| diagnostics.render(false))?;
        cases.retain(|case| suite.plays(case).is_ok());
        if cases.is_empty() {
            return Err(format!("{} has no scenarios", suite.scenarios().display()));
        }
        Ok(Self { suite, cases, rows: OnceLock::new() })
    }

    fn run(&self, case: &Scenario, seed: u64) -> CaseResult {
        self.suite.run(case, Arc::new(Reference), &Config { seed, ..Config::default() })
    }

    /// Plays a case with the golden seed.
    fn play(&self, case: &Scenario) -> Trail {
        Trail::of(&self.run(case, golden::SEED))
    }

    /// All cases, twice in a row each; played when first asked for.
    fn rows(&self) -> &[Row] {
        self.rows.get_or_init(|| {
            at_once(&self.cases, |case| {
                let first = self.play(case);
                let again = (!case.large).then(|| compare(&first, &self.play(case)));
                Row { first, again }
            })
        })
    }
}

fn select(_: &World) -> Result<(), Failed> {
    if select_is_seeded() {
        return Ok(());
    }
    Err("this build does not seed the order of `select!`: build with `--cfg tokio_unstable` (.cargo/config.toml has it)".into())
}

/// What finds differences finds those of two seeds: the tests below could fail.
fn another_seed(world: &World) -> Result<(), Failed> {
    let case = &world.cases[0];
    let (first, other) = (Trail::of(&world.run(case, 0)), Trail::of(&world.run(case, 1)));
    let told = compare(&first, &other).map(|difference| difference.to_string()).unwrap_or_default();
    let kinds = ["  packet ", "  random draw ", "  observation "];
    match kinds.iter().find(|kind| !told.contains(**kind)) {
        None => Ok(()),
        Some(kind) => Err(format!("nothing is said of the first{kind}that differs:\n{told}").into()),
    }
}

fn twice_in_a_row(world: &World) -> Result<(), Failed> {
    tell(world.rows().iter().filter_map(|row| row.again.as_ref()))
}

/// After all others, in the other order, beside others than the first time.
fn after_all_others(world: &World) -> Result<(), Failed> {
    let backwards: Vec<_> = world.cases.iter().zip(world.rows()).rev().collect();
    let after = at_once(&backwards, |(case, row)| compare(&row.first, &world.play(case)));
    tell(after.iter())
}

fn in_another_process(world: &World) -> Result<(), Failed> {
    let rows = world.rows();
    let folder = tempfile::tempdir()?;
    let fingerprints: Vec<_> = rows.iter().map(|row| row.first.fingerprint()).collect();
    write(&folder.path().join(FINGERPRINTS), &fingerprints)?;
    let output = Command::new(env::current_exe()?).current_dir(&folder).env(OTHER, folder.path()).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the other process ended with {}\n{said}", output.status).into());
    }
    // It says of each case what it played, and hands over what differs.
    let theirs: Vec<String> = read(&folder.path().join(FINGERPRINTS))?;
    if theirs.len() != rows.len() {
        return Err(
            format!("the other process played {} cases, this one {}", theirs.len(), rows.len()).into()
        );
    }
    let differences = (0..rows.len()).map(|index| {
        if theirs[index] == fingerprints[index] {
            return Ok(None);
        }
        let other: Trail = read(&trail_file(folder.path(), index))?;
        Ok::<_, Failed>(compare(&rows[index].first, &other))
    });
    tell(differences.collect::<Result<Vec<_>, _>>()?.iter())
}

/// What the other process does: plays all cases, writes their fingerprints, and what those left that are not as expected.
fn other_process(folder: &Path) -> ExitCode {
    let done =
        World::open().and_then(|world| play_elsewhere(&world, folder).map_err(|error| error.to_string()));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            // Without a standard error the exit code alone tells.
            let _ = writeln!(io::stderr(), "{complaint}");
            ExitCode::FAILURE
        }
    }
}

fn play_elsewhere(world: &World, folder: &Path) -> io::Result<()> {
    let expected: Vec<String> = read(&folder.join(FINGERPRINTS))?;
    let work: Vec<_> = world.cases.iter().enumerate().collect();
    let fingerprints = at_once(&work, |(index, case)| {
        let trail = world.play(case);
        let fingerprint = trail.fingerprint();
        if expected.get(*index) != Some(&fingerprint) {
            write(&trail_file(folder, *index), &trail)?;
        }
        Ok(fingerprint)
    });
    write(&folder.join(FINGERPRINTS), &fingerprints.into_iter().collect::<io::Result<Vec<_>>>()?)
}

fn write<T: Serialize>(path: &Path, thing: &T) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    serde_json::to_writer(&mut file, thing)?;
    file.flush()
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    Ok(serde_json::from_reader(BufReader::new(File::open(path)?))?)
}

fn trail_file(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("{index}.json"))
}

fn golden(world: &World) -> Result<(), Failed> {
    let path = root().join(golden::PATH);
    let mut hashes = Vec::new();
    for Row { first, .. } in world.rows() {
        match &first.hash {
            Some(hash) => hashes.push((first.name.as_str(), hash)),
            None => {
                return Err(format!("{} was not played to its end:\n{}", first.name, first.verdict).into());
            }
        }
    }
    if env::var_os(BLESS).is_some_and(|value| !value.is_empty() && value != "0") {
        // What does not replay gets no golden hashes.
        twice_in_a_row(world)?;
        let mut now = Golden::default();
        hashes.into_iter().for_each(|(name, hash)| now.set(name, hash.clone()));
        return Ok(now.write(&path)?);
    }
    let report = Golden::load(&path)?.report(hashes);
    if report.holds(true) { Ok(()) } else { Err(report.words(true).into()) }
}

/// Seeds give schedules of their own, and all of them pass.
fn seeds(world: &World) -> Result<(), Failed> {
    let (last, all) = last_seed()?;
    let cases: Vec<Scenario> = world.cases.iter().filter(|case| !case.large).cloned().collect();
    let play = |case: &Scenario, seed| {
        let mut result = world.run(case, seed);
        if passed(&result)
            && let Some(case) = &mut result.case
        {
            case.forget();
        }
        result
    };
    let mut results = at_once(&cases, |case| play(case, 0));
    let last_of = |result: &CaseResult| {
        let long = result.case.as_ref().is_some_and(|case| case.hash.count > LONG);
        if long && !all { last.min(LONG_LAST) } else { last }
    };
    let work: Vec<(&Scenario, u64)> = cases
        .iter()
        .zip(&results)
        .flat_map(|(case, result)| (1..=last_of(result)).map(move |seed| (case, seed)))
        .collect();
    results.extend(at_once(&work, |(case, seed)| play(case, *seed)));

    let summary = Summary::of(&cases, &results);
    let mut complaints: Vec<String> = summary
        .dull()
        .map(|(name, distinct, seeds)| {
            format!("{name}: {seeds} seeds give {distinct} schedules; at least {DISTINCT_PERCENT} % must be distinct")
        })
        .collect();
    complaints.extend(cases.iter().filter_map(|case| failures(case, &results)));
    // Were all cases short, nothing would have been compared.
    if summary.schedules.values().all(|(_, _, packets)| *packets < PACKETS_MIN) {
        complaints.push(format!("no case has {PACKETS_MIN} packets or more"));
    }
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n").into()) }
}

fn passed(result: &CaseResult) -> bool {
    matches!(result.verdict.verdict, Verdict::Pass | Verdict::Warn)
}

/// The seeds with which a case fails, and the report of the first.
fn failures(case: &Scenario, results: &[CaseResult]) -> Option<String> {
    let failed: Vec<_> =
        results.iter().filter(|result| result.verdict.name == case.name && !passed(result)).collect();
    let seeds: Vec<_> = failed.iter().map(|result| result.seed.to_string()).collect();
    let report = pretty::case(failed.first()?, Some(case));
    Some(format!(
        "{} fails with seeds {}\n{}",
        case.name,
        seeds.join(", "),
        anstream::adapter::strip_str(&report)
    ))
}

/// The last seed, and whether it was asked for: then long cases run with all of them too.
fn last_seed() -> Result<(u64, bool), Failed> {
    match env::var(SEEDS) {
        Ok(last) => {
            let last =
                last.parse().map_err(|_| format!("{SEEDS}={last}: not the number of the last seed"))?;
            Ok((last, true))
        }
        Err(_) => Ok((SEEDS_DEFAULT, false)),
    }
}

/// Complains about all cases that differ.
fn tell<'a>(compared: impl Iterator<Item = &'a Option<Difference>>) -> Result<(), Failed> {
    let all: Vec<_> = compared.collect();
    let differences: Vec<_> = all.iter().filter_map(|difference| difference.as_ref()).collect();
    if all.is_empty() {
        return Err("nothing was compared".into());
    }
    if differences.is_empty() {
        return Ok(());
    }
    let mut text = format!("{} of {} cases differ\n\n", differences.len(), all.len());
    for difference in differences.iter().take(SHOWN_MAX) {
        text.push_str(&format!("{difference}\n"));
    }
    for difference in differences.iter().skip(SHOWN_MAX) {
        text.push_str(&format!("{}: differs too\n", difference.name));
    }
    Err(text.into())
}

/// Does some work for each of some things, on all cores; what comes of it in their order.
fn at_once<T: Sync, R: Send>(things: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let workers = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(things.len()));
    thread::scope(|scope| {
        for _ in 0..workers.min(things.len()) {
            scope.spawn(|| {
                while let Some((index, thing)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    things.get(index).map(|thing| (index, thing))
                } {
                    let result = work(thing);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The project's folder.
fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}
