//! Plants one bug after the other and tells what came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Instant;

use super::build::{BuildError, Cargo};
use super::judge::{self, JudgeError, Report};
use super::options::Options;
use super::patch::{self, Claim, Expects, Patch, PatchError};
use super::proven::{self, Proven};
use super::select::select;
use super::tree::{Tree, TreeError};

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A patch file is unusable.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// The copy cannot be made.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The project without a bug does not build.
    #[error("without any bug: {0}")]
    Build(#[from] BuildError),
    /// The project without a bug cannot be judged.
    #[error("without any bug: {0}")]
    Judge(#[from] JudgeError),
    /// The test of determinism fails without a bug.
    #[error("without any bug the test of determinism fails: {0}")]
    Determinism(String),
    /// PROVEN or standard output cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Why a planted bug counts as unnoticed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Judge(#[from] JudgeError),
    #[error("{}", .0.join("; "))]
    Unnoticed(Vec<String>),
}

/// What a bug turned red.
struct Noticed {
    red: String,
    others: BTreeMap<String, Vec<String>>,
}

impl fmt::Display for Noticed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.red)?;
        for (clause, scenarios) in &self.others {
            write!(f, "\n          also {clause} in {}", scenarios.join(", "))?;
        }
        Ok(())
    }
}

/// Runs the patches that the options ask for; whether each was noticed.
///
/// # Errors
/// Nothing can be said, see [`RunError`].
pub fn run(root: &Path, options: &Options) -> Result<bool, RunError> {
    let folder = root.join("tests/planted");
    let patches = patch::all(&folder)?;
    let names: Vec<_> = patches.iter().map(|patch| patch.name.clone()).collect();
    let mut proven = Proven::load(&folder.join("PROVEN"))?;
    let chosen = select(patches, options, |patch| proven.holds(patch, &proven::digest(root, patch)))?;
    if options.list {
        return list(&chosen).map(|()| true);
    }
    let tree = Tree::new(root);
    let cargo = Cargo::new(&tree.folder, &root.join("target/planted/target"), options.jobs);
    let mut runner = Runner { options, tree, cargo, began: Instant::now(), baseline: Report::default() };
    proven.keep(&names);
    let counts = runner.run_all(&chosen, |patch, noticed| {
        if noticed {
            proven.note(&patch.name, proven::digest(root, patch));
        } else {
            proven.forget(&patch.name);
        }
        // After each one: a run of all takes an hour, and may be stopped.
        if options.record { proven.save(&folder.join("PROVEN")) } else { Ok(()) }
    })?;
    Ok(counts.failed == 0)
}

fn list(patches: &[Patch]) -> Result<(), RunError> {
    for patch in patches {
        let expects = match &patch.expects {
            Expects::Determinism(tests) => format!("determinism {}", tests.join(" ")),
            Expects::Clauses(claims) => claims
                .iter()
                .map(|claim| format!("{} {}", claim.scenario, claim.clauses.join(" ")))
                .collect::<Vec<_>>()
                .join(", "),
        };
        say(&format!("{:<34} {expects}", patch.name))?;
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

#[derive(Debug, Default)]
struct Counts {
    passed: usize,
    failed: usize,
    not_started: usize,
}

struct Runner<'a> {
    options: &'a Options,
    tree: Tree,
    cargo: Cargo,
    began: Instant,
    baseline: Report,
}

impl Runner<'_> {
    fn run_all(
        &mut self,
        patches: &[Patch],
        mut done: impl FnMut(&Patch, bool) -> io::Result<()>,
    ) -> Result<Counts, RunError> {
        let mut counts = Counts::default();
        if !patches.is_empty() {
            self.baseline(patches)?;
            say(&format!("without a bug: {:.1} s", self.began.elapsed().as_secs_f64()))?;
        }
        for patch in patches {
            if self.options.limit.is_some_and(|limit| self.began.elapsed() >= limit) {
                counts.not_started += 1;
                continue;
            }
            let began = Instant::now();
            let outcome = self.one(patch);
            let took = began.elapsed().as_secs_f64();
            let (word, what) = match &outcome {
                Ok(noticed) => ("ok", noticed.to_string()),
                Err(failure) => ("FAILED", failure.to_string()),
            };
            say(&format!("{word:<7} {:<34} {took:>6.1} s  {what}", patch.name))?;
            *if outcome.is_ok() { &mut counts.passed } else { &mut counts.failed } += 1;
            done(patch, outcome.is_ok())?;
        }
        // The next one to build here finds the project as it is.
        self.tree.reset()?;
        self.summary(&counts)?;
        Ok(counts)
    }

    fn summary(&self, counts: &Counts) -> io::Result<()> {
        let Counts { passed, failed, not_started } = counts;
        let mut line = format!("{passed} passed, {failed} failed");
        if *not_started > 0 {
            let limit = humantime::format_duration(self.options.limit.unwrap_or_default());
            line += &format!(", {not_started} not started: the limit of {limit} is over");
        }
        say(&format!("{line} ({:.0} s)", self.began.elapsed().as_secs_f64()))
    }

    /// Sees that the project without a bug is green where bugs are to turn it red.
    fn baseline(&mut self, patches: &[Patch]) -> Result<(), RunError> {
        self.tree.reset()?;
        let mut scenarios: Vec<_> = patches.iter().flat_map(Patch::scenarios).collect();
        scenarios.sort_unstable();
        scenarios.dedup();
        // One that is gone is the failure of the patches that name it, not of all.
        let is_there = |scenario: &&str| self.tree.folder.join(patch::scenario_file(scenario)).is_file();
        scenarios.retain(is_there);
        if !scenarios.is_empty() {
            let conform = self.cargo.conform()?;
            self.baseline = judge::report(&conform, &self.tree.folder, &scenarios, self.options.jobs)?;
        }
        if patches.iter().any(|patch| matches!(patch.expects, Expects::Determinism(_))) {
            self.cargo.determinism()?;
            // No bug is claimed to be found by these two, and they take their time.
            let tested = self.cargo.test_determinism(&["--skip", "golden", "--skip", "seeds"])?;
            if !tested.status.success() {
                let text = String::from_utf8_lossy(&tested.stdout).into_owned();
                return Err(RunError::Determinism(text.chars().take(2000).collect()));
            }
        }
        Ok(())
    }

    fn one(&self, patch: &Patch) -> Result<Noticed, Failure> {
        self.tree.reset()?;
        self.tree.plant(patch)?;
        match &patch.expects {
            Expects::Clauses(claims) => self.clauses(patch, claims),
            Expects::Determinism(tests) => self.determinism(tests),
        }
    }

    fn clauses(&self, patch: &Patch, claims: &[Claim]) -> Result<Noticed, Failure> {
        let problems: Vec<_> = claims.iter().flat_map(|claim| self.baseline.not_green(claim)).collect();
        if !problems.is_empty() {
            return Err(Failure::Unnoticed(problems));
        }
        let conform = self.cargo.conform()?;
        let report =
            |scenarios: &[&str]| judge::report(&conform, &self.tree.folder, scenarios, self.options.jobs);
        let named = report(&patch.scenarios())?;
        let green: Vec<_> = claims.iter().flat_map(|claim| named.still_green(claim)).collect();
        if !green.is_empty() {
            return Err(Failure::Unnoticed(green));
        }
        let red = claims.iter().map(|claim| {
            let (red, all) = named.red_cases(claim);
            format!("{} red in {} ({red} of {all} cases)", claim.clauses.join(" "), claim.scenario)
        });
        let red = red.collect::<Vec<_>>().join(", ");
        let others = if self.options.whole { report(&[])?.other_reds(claims) } else { BTreeMap::default() };
        Ok(Noticed { red, others })
    }

    fn determinism(&self, tests: &[String]) -> Result<Noticed, Failure> {
        self.cargo.determinism()?;
        let mut green = Vec::new();
        for test in tests {
            let tested = self.cargo.test_determinism(&[test, "--exact"])?;
            // Exit code 101 is a test that failed; anything else is no answer.
            if tested.status.code() != Some(101) {
                green.push(format!("{test} does not fail ({})", tested.status));
            }
        }
        if !green.is_empty() {
            return Err(Failure::Unnoticed(green));
        }
        Ok(Noticed { red: format!("determinism: {} red", tests.join(" ")), others: BTreeMap::default() })
    }
}
