//! JUnit's XML for CI servers: a test suite a folder of scenarios, a test case a run. Times are the runs' own.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::pretty;
use crate::language::Scenario;
use crate::suite::CaseResult;
use crate::verdict::Verdict;

/// The report of all results.
///
/// # Errors
/// Of serialisation: a bug.
pub fn report(cases: &[Scenario], results: &[CaseResult]) -> Result<String, SerializeError> {
    let mut suites: Vec<TestSuite> = Vec::new();
    for result in results {
        let area = result.verdict.name.split('/').next().unwrap_or_default();
        let scenario = cases.iter().find(|case| case.name == result.verdict.name);
        let case = test_case(area, result, scenario);
        match suites.iter_mut().find(|suite| suite.name.as_str() == area) {
            Some(suite) => {
                suite.add_test_case(case);
            }
            None => {
                let mut suite = TestSuite::new(area);
                suite.add_test_case(case);
                suites.push(suite);
            }
        }
    }
    for suite in &mut suites {
        let times = suite.test_cases.iter().filter_map(|case| case.time);
        suite.set_time(times.sum());
    }
    let mut report = Report::new("conform");
    report.set_time(suites.iter().filter_map(|suite| suite.time).sum());
    report.add_test_suites(suites);
    report.to_string()
}

fn test_case(area: &str, result: &CaseResult, scenario: Option<&Scenario>) -> TestCase {
    let told = || anstream::adapter::strip_str(&pretty::case(result, scenario)).to_string();
    let failed = |kind, message: String| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(message).set_description(told());
        status
    };
    let status = match &result.verdict.verdict {
        Verdict::Pass | Verdict::Warn => TestCaseStatus::success(),
        Verdict::Fail => failed(NonSuccessKind::Failure, what_failed(result)),
        Verdict::Broken(reason) => failed(NonSuccessKind::Error, reason.clone()),
        verdict
        @ (Verdict::NotRun(reason) | Verdict::Unsupported(reason) | Verdict::KnownFailure(reason)) => {
            let mut status = TestCaseStatus::skipped();
            status.set_type(verdict.word()).set_message(reason.clone());
            if matches!(verdict, Verdict::KnownFailure(_)) {
                status.set_description(told());
            }
            status
        }
    };
    let mut case = TestCase::new(format!("{} seed {}", result.verdict.name, result.seed), status);
    case.set_classname(area).set_time(Duration::from_nanos(result.verdict.took));
    case.add_property(Property::new("dataplane", result.target.to_string()));
    case.add_property(Property::new("seed", result.seed.to_string()));
    if result.verdict.verdict == Verdict::Warn {
        case.set_system_out(told());
    }
    case
}

/// Clauses, and checks that are always on, that failed.
fn what_failed(result: &CaseResult) -> String {
    let clauses = result.verdict.clauses.iter().filter(|(_, verdict)| **verdict == Verdict::Fail);
    let always = result.verdict.always.iter().filter(|always| always.verdict == Verdict::Fail);
    let mut words: Vec<_> = clauses.map(|(id, _)| id.clone()).collect();
    words.extend(always.map(|always| always.name.clone()));
    // An expectation may fail that names no clause.
    if words.is_empty() { "an expectation failed".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::verdict::CaseVerdict;

    #[test]
    fn each_verdict_has_its_form() {
        let result = |name: &str, verdict: Verdict| {
            let mut judged = CaseVerdict::broken(name, "");
            judged.took = 1_500_000_000;
            judged.clauses.insert("TCP-1".into(), verdict.clone());
            judged.verdict = verdict;
            CaseResult {
                seed: 7,
                target: Arc::default(),
                verdict: judged,
                case: None,
                record: None,
                unrecorded: None,
                files: None,
            }
        };
        let results = [
            result("tcp/a", Verdict::Pass),
            result("tcp/b", Verdict::Fail),
            result("tls/c", Verdict::NotRun("no secrets".into())),
            result("tls/d", Verdict::Broken("no port".into())),
            result("tls/e", Verdict::KnownFailure("it does not".into())),
            result("tls/f", Verdict::Unsupported("feature `x` is not declared".into())),
        ];
        let xml = report(&[], &results).expect("XML");
        for words in [
            r#"<testsuite name="tcp" tests="2" skipped="0" errors="0" failures="1" time="3.000">"#,
            r#"<testsuite name="tls" tests="4" skipped="3" errors="1" failures="0" time="6.000">"#,
            r#"<testcase name="tcp/b seed 7" classname="tcp" time="1.500">"#,
            r#"<property name="seed" value="7"/>"#,
            r#"<failure message="TCP-1">"#,
            r#"<skipped message="no secrets" type="not run"/>"#,
            r#"<skipped message="it does not" type="known failure">"#,
            r#"<skipped message="feature `x` is not declared" type="unsupported"/>"#,
            r#"<property name="dataplane" value="reference "#,
            r#"<error message="no port">"#,
            "cargo conform run &apos;tcp/b&apos; --seed 7",
        ] {
            assert!(xml.contains(words), "{words} is missing:\n{xml}");
        }
    }
}
