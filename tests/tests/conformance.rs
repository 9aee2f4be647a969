//! Each case of scenarios/ against the reference dataplane in the simulator, with seed 0: one test a case.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use harness::dataplane::reference::Reference;
use harness::language::World;
use harness::report::pretty;
use harness::scenario::{self, Scenario};
use harness::sim::run::Config;
use harness::suite::Suite;
use harness::verdict::Verdict;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = trials().unwrap_or_else(|complaint| {
        // Shown as a test that fails, so that every runner of tests shows it.
        vec![Trial::test("scenarios_can_be_read", move || Err(complaint.into()))]
    });
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// One a case.
fn trials() -> Result<Vec<Trial>, String> {
    let suite = Arc::new(Suite::open(&root(), "reference").map_err(|error| error.to_string())?);
    let cases = scenario::find(&suite.scenarios(), &[]).map_err(|diagnostics| diagnostics.render(false))?;
    if cases.is_empty() {
        return Err(format!("{} has no scenarios", suite.scenarios().display()));
    }
    let trial = |case: Scenario| {
        let suite = Arc::clone(&suite);
        Trial::test(case.name.clone(), move || judge(&suite, &case))
    };
    Ok(cases.into_iter().map(trial).collect())
}

fn judge(suite: &Suite, case: &Scenario) -> Result<(), Failed> {
    let result = suite.run(case, Arc::new(Reference), &Config::default());
    match result.verdict.verdict {
        Verdict::Pass | Verdict::Warn => Ok(()),
        // The simulator shows all there is, and the reference dataplane has no excuse: a case that cannot be judged with them can be judged
        // nowhere, unless it says so.
        _ if case.runs_in(World::Sim).is_err() => Ok(()),
        Verdict::Fail
        | Verdict::KnownFailure(_)
        | Verdict::Unsupported(_)
        | Verdict::NotRun(_)
        | Verdict::Broken(_) => {
            let report = pretty::case(&result, Some(case));
            Err(anstream::adapter::strip_str(&report).to_string().into())
        }
    }
}

/// The project's folder.
fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}
