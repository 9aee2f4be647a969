//! A clause of the contract, as `conform explain` tells it.

use std::collections::BTreeMap;
use std::path::Path;

use super::pretty::{BAD, FAINT, GOOD, SO_SO, STRONG};
use super::text::{put, wrapped};
use crate::language::Scenario;
use crate::planted::Bug;
use crate::requirements::{Basis, Binding, Clause, Requirements, Subject};

/// Cases that are named where an expectation proves a clause; the others are counted.
const CASES_MAX: usize = 3;

/// All that is known of a clause, with ANSI styles.
#[must_use]
pub fn clause(contract: &Requirements, clause: &Clause, cases: &[Scenario], bugs: &[Bug]) -> String {
    let mut text = String::new();
    let title = contract.areas().find(|(area, _)| *area == clause.area).map_or("", |(_, title)| title);
    put(&mut text, format_args!("{STRONG}{}{STRONG:#}  {FAINT}{title}{FAINT:#}\n", clause.id));
    text.push_str(&wrapped(&clause.text, 2));
    text.push('\n');
    facts(&mut text, clause);
    heading(&mut text, "What Envoy was seen to do");
    match &clause.seen {
        Some(seen) => text.push_str(&wrapped(seen, 4)),
        None => text.push_str("    nothing is on record\n"),
    }
    proofs(&mut text, clause, cases);
    planted(&mut text, clause, bugs);
    text
}

fn heading(text: &mut String, words: &str) {
    put(text, format_args!("\n  {FAINT}{words}{FAINT:#}\n"));
}

fn facts(text: &mut String, clause: &Clause) {
    let level = match clause.level {
        Binding::Must => "must: a dataplane that breaks it failed",
        Binding::Should => "should: a dataplane that breaks it gets a warning",
        Binding::May => "may: a dataplane that breaks it gets a remark",
    };
    let basis = match clause.basis {
        Basis::Page => "page: the documentation page promises it",
        Basis::Kuma => "kuma: it follows from what Kuma configures",
        Basis::Protocol => "protocol: an RFC or protocol specification asks for it",
        Basis::Envoy => "envoy: only seen on Envoy, so that it is never a must",
    };
    let core = if clause.core {
        "yes: every dataplane that claims the feature owes it"
    } else {
        "no: an extended clause of its feature"
    };
    let subject = match clause.subject {
        Subject::Proxy => "the proxy",
        Subject::Agent => "kuma-dp beside the proxy",
        Subject::ControlPlane => "Kuma's control plane (here: reference-dp's own resolver)",
    };
    let profile = clause.profile.as_deref().unwrap_or("all");
    for (name, value) in [
        ("level", level),
        ("basis", basis),
        ("core", core),
        ("feature", &clause.feature),
        ("subject", subject),
        ("profile", profile),
        ("source", &clause.source),
    ] {
        put(text, format_args!("  {FAINT}{name:<8}{FAINT:#} {value}\n"));
    }
}

/// Expectations that name it: file and line, checks, cases.
fn proofs(text: &mut String, clause: &Clause, cases: &[Scenario]) {
    heading(text, "Proven by");
    // A matrix gives the same place once a case.
    let mut places: BTreeMap<(&Path, u32), (String, Vec<&str>)> = BTreeMap::new();
    for case in cases {
        for expectation in case.expectations() {
            if !expectation.proves.contains(&clause.id) {
                continue;
            }
            let checks =
                || expectation.checks.iter().map(|check| check.name()).collect::<Vec<_>>().join(", ");
            let place = places.entry((&case.file, expectation.line));
            place.or_insert_with(|| (checks(), Vec::new())).1.push(&case.name);
        }
    }
    if places.is_empty() {
        put(text, format_args!("    {SO_SO}no case yet{SO_SO:#}\n"));
    }
    for ((file, line), (checks, names)) in places {
        put(text, format_args!("    {}:{line}  {checks}\n", file.display()));
        let more = match names.len().saturating_sub(CASES_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let names: Vec<_> = names.into_iter().take(CASES_MAX).collect();
        text.push_str(&wrapped(&format!("{}{more}", names.join(" ")), 6));
    }
}

/// Bugs that turn it red.
fn planted(text: &mut String, clause: &Clause, bugs: &[Bug]) {
    heading(text, "Turned red by");
    let bugs: Vec<_> = bugs.iter().filter(|bug| bug.names(&clause.id)).collect();
    if bugs.is_empty() {
        put(text, format_args!("    {SO_SO}no planted bug yet{SO_SO:#}\n"));
    }
    for bug in bugs {
        let (style, word) = if bug.proven { (GOOD, "") } else { (BAD, "  (not on record as seen)") };
        put(text, format_args!("    tests/planted/{}.patch{style}{word}{style:#}\n", bug.name));
        text.push_str(&wrapped(&bug.about, 6));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted::Claim;

    #[test]
    fn places_are_told_once_with_their_cases() {
        let contract = Requirements::bundled().unwrap_or_else(|error| panic!("{error}"));
        let text = "about: x\nfor: {mtls: [strict, disabled]}\nmesh: {mtls: $mtls}\npods:\n  web: {}\n  backend: {app: {tcp: echo}}\nsteps:\n  - {id: a, from: web, to: backend, tcp: x}\nexpect:\n  - {client: {step: a, received: x}, proves: [TCP-1]}\n";
        let cases = crate::scenario::parse("t/case", Path::new("case.yaml"), text)
            .unwrap_or_else(|wrong| panic!("{wrong}"));
        assert_eq!(cases.len(), 2);
        let claims = vec![Claim { scenario: "t/case".into(), clauses: vec!["TCP-1".into()] }];
        let bug = Bug { name: "cut".into(), about: "Bytes are lost.".into(), claims, proven: false };
        let tell = |id: &str| {
            let told =
                contract.get(id).map(|found| clause(contract, found, &cases, std::slice::from_ref(&bug)));
            anstream::adapter::strip_str(&told.unwrap_or_default()).to_string()
        };
        let told = tell("TCP-1");
        assert_eq!(told.matches("case.yaml:10  client").count(), 1, "{told}");
        for words in [
            "t/case[",
            "bytes pass unchanged",
            "page: the documentation",
            "cut.patch  (not on record",
            "Bytes are lost.",
        ] {
            assert!(told.contains(words), "{words} is missing:\n{told}");
        }
        let told = tell("TCP-2");
        assert!(told.contains("no case yet") && told.contains("no planted bug yet"), "{told}");
        assert!(tell("HTTP-11").contains("426 Upgrade Required"));
    }
}
