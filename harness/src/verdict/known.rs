//! Known failures: what a dataplane says of itself that it does not keep, as far as it is so.

use super::judge::{Judged, Terms};
use super::{ALWAYS, AlwaysVerdict, Verdict};
use crate::dataplane::declared::{Declared, KnownFailure};
use crate::expect::{Finding, words};
use crate::language::Scenario;
use crate::requirements::Requirements;

/// Turns failures that are known into [`Verdict::KnownFailure`], and those that are known and do not fail into [`Verdict::Fail`].
pub(super) fn apply(name: &str, judged: &mut [Judged], always: &mut [AlwaysVerdict], terms: &Terms<'_>) {
    let holds_for =
        |known: &&KnownFailure| !known.as_peer && known.covers(name) && known.is_of(terms.version);
    for known in terms.declared.known_failures.iter().filter(holds_for) {
        for check in always.iter_mut().filter(|check| check.name == known.clause) {
            excuse(known, &mut [(&mut check.verdict, &mut check.findings)]);
        }
        let mut named: Vec<_> = judged.iter_mut().filter_map(|judged| judged.of(&known.clause)).collect();
        excuse(known, &mut named);
    }
}

/// Verdicts on the clause of an entry in one case, each with the findings beside it.
fn excuse(known: &KnownFailure, verdicts: &mut [(&mut Verdict, &mut Vec<Finding>)]) {
    let fails = |verdict: &Verdict| matches!(verdict, Verdict::Fail | Verdict::Warn);
    // Already known by another entry.
    let is_known = |verdict: &Verdict| matches!(verdict, Verdict::KnownFailure(_));
    if verdicts.iter().any(|(verdict, _)| fails(verdict) || is_known(verdict)) {
        for (verdict, _) in verdicts.iter_mut().filter(|(verdict, _)| fails(verdict)) {
            **verdict = Verdict::KnownFailure(known.told());
        }
        return;
    }
    // What could not be judged may be what fails.
    if !known.may_hold
        && verdicts.iter().all(|(verdict, _)| **verdict == Verdict::Pass)
        && let Some((verdict, findings)) = verdicts.first_mut()
    {
        let expected = format!("{} to fail, as adapter.yaml says: {}", known.clause, known.told());
        let found = format!("it holds: take its entry for `{}` out of adapter.yaml", known.cases);
        findings.push(words::finding("known failure", expected, found, None));
        **verdict = Verdict::Fail;
    }
}

/// Entries that are about nothing in the whole suite, each in words; `cases` are all there are, whatever their world.
#[must_use]
pub fn stale(declared: &Declared, requirements: &Requirements, cases: &[Scenario]) -> Vec<String> {
    let mut told = Vec::new();
    for known in &declared.known_failures {
        let always = ALWAYS.contains(&known.clause.as_str());
        let (clause, pattern) = (&known.clause, &known.cases);
        if !always && requirements.get(clause).is_none() {
            let checks = ALWAYS.join("`, `");
            told.push(format!(
                "known failure `{clause}` of `{pattern}`: neither a clause of the contract nor one of `{checks}`"
            ));
        } else if !cases.iter().any(|case| known.covers(&case.name)) {
            told.push(format!("known failure {clause}: no case is called like `{pattern}`"));
        } else if !always
            && !cases.iter().any(|case| known.covers(&case.name) && case.clauses().contains(&clause.as_str()))
        {
            told.push(format!("known failure {clause}: no case like `{pattern}` names the clause"));
        }
    }
    told
}
