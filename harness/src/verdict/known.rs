//! Known failures: what a dataplane says of itself that it does not keep, as far as it is so.

use super::judge::{Judged, Terms};
use super::{ALWAYS, AlwaysVerdict, Verdict};
use crate::dataplane::declared::{Declared, KnownFailure};
use crate::expect::{Finding, words};
use crate::language::Scenario;
use crate::requirements::Requirements;
use crate::scenario::nearest;

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

/// Entries that are about nothing in the whole suite, each in words, with what is near; `cases` are all there are, whatever their world.
#[must_use]
pub fn stale(declared: &Declared, requirements: &Requirements, cases: &[Scenario]) -> Vec<String> {
    let told = |known: &KnownFailure| {
        let why = about_nothing(known, requirements, cases)?;
        Some(format!("known failure `{}` of `{}`: {why}", known.clause, known.cases))
    };
    declared.known_failures.iter().filter_map(told).collect()
}

/// Why an entry is about nothing, if it is.
fn about_nothing(known: &KnownFailure, requirements: &Requirements, cases: &[Scenario]) -> Option<String> {
    let always = ALWAYS.contains(&known.clause.as_str());
    if !always && requirements.get(&known.clause).is_none() {
        return Some(format!("neither a clause of the contract nor one of `{}`", ALWAYS.join("`, `")));
    }
    let covered: Vec<_> = cases.iter().filter(|case| known.covers(&case.name)).collect();
    if covered.is_empty() {
        let near = near(&known.cases, cases).map(|name| format!("; did you mean `{name}`?"));
        return Some(format!("no case is called like this{}", near.unwrap_or_default()));
    }
    let mut named: Vec<&str> = covered.iter().flat_map(|case| case.clauses()).collect();
    if always || named.contains(&known.clause.as_str()) {
        return None;
    }
    named.sort_unstable();
    named.dedup();
    let named = if named.is_empty() { "none".to_owned() } else { named.join(", ") };
    Some(format!("no such case names the clause, only {named}"))
}

/// The pattern that was meant by one that no case has: with the name of a scenario, or with brackets, which most names end with.
fn near(pattern: &str, cases: &[Scenario]) -> Option<String> {
    let (base, values) = pattern.split_once('[').map_or((pattern, None), |(base, rest)| (base, Some(rest)));
    let name = nearest(base, cases.iter().map(Scenario::base_name))?;
    let values = values.filter(|_| name != base).unwrap_or("*]");
    let has_values = cases.iter().any(|case| case.base_name() == name && case.name != name);
    Some(if has_values { format!("{name}[{values}") } else { name.to_owned() })
}
