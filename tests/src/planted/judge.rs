//! What `conform` says about the copy, and whether that is what was expected.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use super::build::{self, BuildError};
use super::patch::Claim;

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// `conform` does not start.
    #[error(transparent)]
    Start(#[from] BuildError),
    /// `conform` refuses the scenarios.
    #[error("conform says: {0}")]
    Refused(String),
    /// `conform` writes something else than expected.
    #[error("conform's report: {0}")]
    Report(#[from] serde_json::Error),
}

/// The part of `conform`'s report that counts here.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Report {
    cases: Vec<Case>,
}

#[derive(Debug, Clone, Deserialize)]
struct Case {
    name: String,
    verdict: Verdict,
    clauses: BTreeMap<String, Verdict>,
}

/// As in harness's report, but read from its text: what is judged here is what others see.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Pass,
    Warn,
    Fail,
    NotRun(String),
    Broken(String),
}

impl Verdict {
    /// Whether it says that the dataplane broke a clause.
    fn is_red(&self) -> bool {
        matches!(self, Self::Warn | Self::Fail)
    }
}

/// Runs scenarios (none: all) with the `conform` of the copy in `folder`.
///
/// # Errors
/// There is no report.
pub fn report(
    conform: &Path,
    folder: &Path,
    scenarios: &[&str],
    jobs: Option<NonZeroUsize>,
) -> Result<Report, JudgeError> {
    let mut command = Command::new(conform);
    command.args(["run", "--format", "json"]).args(scenarios).arg("--root").arg(folder).current_dir(folder);
    // Failures are what is looked for; nobody looks at their records.
    command.env("CONFORM_RECORDS", "");
    if let Some(jobs) = jobs {
        command.args(["--jobs", &jobs.to_string()]);
    }
    let done = build::output(command)?;
    if done.stdout.is_empty() {
        let why = String::from_utf8_lossy(&done.stderr);
        let ended = || format!("nothing ({})", done.status);
        return Err(JudgeError::Refused(why.lines().next().map_or_else(ended, str::to_owned)));
    }
    Ok(serde_json::from_slice(&done.stdout)?)
}

impl Report {
    /// What keeps the claim's scenario from being green, without a bug.
    #[must_use]
    pub fn not_green(&self, claim: &Claim) -> Vec<String> {
        let mut problems = Vec::new();
        for clause in &claim.clauses {
            let mut named = false;
            for case in self.cases.iter().filter(|case| claim.covers(&case.name)) {
                match case.clauses.get(clause) {
                    Some(Verdict::Pass) => named = true,
                    Some(other) => {
                        named = true;
                        problems.push(format!("{clause} in {} is {other:?} without the bug", case.name));
                    }
                    None => {}
                }
            }
            if !named {
                problems.push(format!("{} says nothing about {clause}", claim.scenario));
            }
        }
        problems
    }

    /// Clauses of the claim that no case of its scenario turned red, each with what it is instead.
    #[must_use]
    pub fn still_green(&self, claim: &Claim) -> Vec<String> {
        let cases = || self.cases.iter().filter(|case| claim.covers(&case.name));
        let red =
            |clause: &&String| cases().any(|case| case.clauses.get(*clause).is_some_and(Verdict::is_red));
        let mut green: Vec<_> = claim
            .clauses
            .iter()
            .filter(|clause| !red(clause))
            .map(|clause| format!("{clause} stays green in {}", claim.scenario))
            .collect();
        if !green.is_empty() {
            // A case that broke judges nothing: that is why.
            green.extend(cases().filter_map(|case| match &case.verdict {
                Verdict::Broken(why) => Some(format!("{} is broken: {}", case.name, one_line(why))),
                _ => None,
            }));
        }
        green
    }

    /// How many of the claim's cases are red in one of its clauses, and how many there are.
    #[must_use]
    pub fn red_cases(&self, claim: &Claim) -> (usize, usize) {
        let cases: Vec<_> = self.cases.iter().filter(|case| claim.covers(&case.name)).collect();
        let red = |case: &&&Case| {
            claim.clauses.iter().any(|clause| case.clauses.get(clause).is_some_and(Verdict::is_red))
        };
        (cases.iter().filter(red).count(), cases.len())
    }

    /// All red clauses that no claim names, each with the scenarios in which they are.
    #[must_use]
    pub fn other_reds(&self, claims: &[Claim]) -> BTreeMap<String, Vec<String>> {
        let mut reds: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for case in &self.cases {
            let expected = |clause: &String| {
                claims.iter().any(|claim| claim.covers(&case.name) && claim.clauses.contains(clause))
            };
            let base = case.name.split('[').next().unwrap_or_default();
            for (clause, _) in case.clauses.iter().filter(|(_, verdict)| verdict.is_red()) {
                let scenarios = reds.entry(clause.clone()).or_default();
                if !expected(clause) && !scenarios.iter().any(|scenario| scenario == base) {
                    scenarios.push(base.to_owned());
                }
            }
        }
        reds.retain(|_, scenarios| !scenarios.is_empty());
        reds
    }
}

/// The first line, not too long.
fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(160).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str) -> Report {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn claim(scenario: &str, clauses: &[&str]) -> Claim {
        let clauses = clauses.iter().map(|clause| (*clause).to_owned()).collect();
        Claim { scenario: scenario.to_owned(), clauses }
    }

    const MIXED: &str = r#"{"cases": [
        {"name": "tcp/a[m=1]", "seed": 0, "verdict": "pass", "clauses": {"TCP-1": "pass", "TCP-2": {"not_run": "x"}}},
        {"name": "tcp/a[m=2]", "seed": 0, "verdict": "fail", "clauses": {"TCP-1": "fail", "TCP-3": "warn"}},
        {"name": "tcp/b", "seed": 0, "verdict": {"broken": "it\nbroke"}, "clauses": {}},
        {"name": "tcp/c", "seed": 0, "verdict": "fail", "clauses": {"TCP-1": "fail"}}
    ]}"#;

    #[test]
    fn red_is_a_fail_or_a_warning_and_nothing_else() {
        let mixed = report(MIXED);
        assert_eq!(mixed.still_green(&claim("tcp/a", &["TCP-1", "TCP-3"])), Vec::<String>::new());
        assert_eq!(mixed.red_cases(&claim("tcp/a", &["TCP-1"])), (1, 2));
        assert_eq!(mixed.still_green(&claim("tcp/a", &["TCP-2", "TCP-9"])).len(), 2);
        assert_eq!(mixed.still_green(&claim("tcp/a[m=1]", &["TCP-1"])).len(), 1);
        assert_eq!(
            mixed.still_green(&claim("tcp/b", &["TCP-1"])),
            ["TCP-1 stays green in tcp/b", "tcp/b is broken: it"]
        );
    }

    #[test]
    fn green_means_that_the_clause_was_judged_and_passed_everywhere() {
        let mixed = report(MIXED);
        assert_eq!(mixed.not_green(&claim("tcp/a[m=1]", &["TCP-1"])), Vec::<String>::new());
        for (scenario, clause) in
            [("tcp/a", "TCP-1"), ("tcp/a", "TCP-2"), ("tcp/a", "TCP-9"), ("tcp/b", "TCP-1")]
        {
            assert_eq!(mixed.not_green(&claim(scenario, &[clause])).len(), 1, "{scenario} {clause}");
        }
    }

    #[test]
    fn other_reds_are_those_that_nobody_claimed() {
        let reds = report(MIXED).other_reds(&[claim("tcp/a", &["TCP-1"])]);
        let expected =
            [("TCP-1".to_owned(), vec!["tcp/c".to_owned()]), ("TCP-3".to_owned(), vec!["tcp/a".to_owned()])];
        assert_eq!(reds, BTreeMap::from(expected));
    }
}
