//! What a dataplane says of itself, and what that does to verdicts.

use super::*;
use crate::dataplane::declared::KnownFailure;
use crate::language::{Link, Mtls, Scenario, WireCheck};

/// A proxy that declares one feature of the contract, and no more.
fn proxy() -> Declared {
    Declared { features: Some(vec!["own".into()]), ..Declared::default() }
}

fn knows(clause: &str, cases: &str) -> Declared {
    let known = KnownFailure {
        clause: clause.into(),
        cases: cases.into(),
        reason: "It never does.".into(),
        link: Some("https://example.com/1".into()),
        versions: Some(">=1.38, <1.41".parse().expect("a range")),
        as_peer: false,
        may_hold: false,
    };
    Declared { known_failures: vec![known], ..Declared::reference() }
}

const WHY: &str = "It never does. (https://example.com/1)";

fn known() -> Verdict {
    Verdict::KnownFailure(WHY.into())
}

fn good(proves: &[&str]) -> Expectation {
    expectation(vec![ends(End::Eof)], proves)
}

fn bad(proves: &[&str]) -> Expectation {
    expectation(vec![ends(End::Reset)], proves)
}

fn is_unsupported(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Unsupported(_))
}

#[test]
fn what_is_not_declared_is_not_judged() {
    for (clause, reason) in [
        ("G-1", "feature `other` is not declared"),
        ("A-1", "nothing stands for kuma-dp beside it"),
        ("C-1", "it resolves no Kuma resources itself"),
    ] {
        let judged = judged_by(&story(vec![bad(&[clause]), good(&["M-1"])]), &proxy(), None);
        assert_eq!(judged.clauses[clause], Verdict::Unsupported(reason.into()));
        assert_eq!(judged.expectations[0].verdict, judged.clauses[clause]);
        assert_eq!(judged.expectations[0].findings, []);
        assert_eq!(judged.verdict, Verdict::Pass, "{clause}");
        // The reference dataplane owes them all.
        assert_eq!(verdict_of(&story(vec![bad(&[clause])])).verdict, Verdict::Fail, "{clause}");
    }
}

#[test]
fn one_clause_that_is_declared_is_enough_to_be_judged() {
    let judged = judged_by(&story(vec![bad(&["G-1", "S-1"])]), &proxy(), None);
    assert_eq!(judged.clauses["S-1"], Verdict::Warn);
    assert!(is_unsupported(&judged.clauses["G-1"]));
    let expectation = &judged.expectations[0];
    assert_eq!((&expectation.verdict, expectation.level), (&Verdict::Warn, Level::Should));
    let judged = judged_by(&story(vec![good(&["G-1", "M-1"])]), &proxy(), None);
    assert_eq!((&judged.expectations[0].verdict, &judged.clauses["M-1"]), (&Verdict::Pass, &Verdict::Pass));
    // Clauses that the contract does not have, and expectations without any, bind.
    assert_eq!(judged_by(&story(vec![bad(&["NEW-1"])]), &proxy(), None).verdict, Verdict::Fail);
    assert_eq!(judged_by(&story(vec![bad(&[])]), &proxy(), None).verdict, Verdict::Fail);
}

#[test]
fn a_case_without_a_supported_clause_is_unsupported_as_a_whole() {
    let scenario = |proves: &[&str]| story(vec![good(proves)]).run.scenario;
    let ask = |proves: &[&str]| supported(&scenario(proves), &contract(), &proxy());
    assert_eq!(ask(&["G-1", "M-1"]), Ok(()));
    assert_eq!(ask(&[]), Ok(()));
    assert_eq!(ask(&["NEW-1"]), Ok(()));
    let why = "feature `other` is not declared; it resolves no Kuma resources itself";
    assert_eq!(ask(&["G-1", "C-1"]), Err(why.into()));
    let why = Verdict::Unsupported(why.into());
    let unplayed = CaseVerdict::unplayed(&scenario(&["G-1", "C-1"]), &why);
    assert_eq!((&unplayed.verdict, &unplayed.clauses["C-1"]), (&why, &why));
    let judged = judged_by(&story(vec![bad(&["G-1"])]), &proxy(), None);
    assert!(is_unsupported(&judged.verdict), "{judged:?}");
}

fn wire(change: impl FnOnce(&mut WireCheck)) -> Check {
    let mut wire = WireCheck::on(Link { from: "web.proxy".into(), to: "backend.proxy".into() });
    change(&mut wire);
    Check::Wire(wire)
}

fn word(word: &str) -> Option<Match<String>> {
    Some(Match::Any(vec![word.into()]))
}

#[test]
fn what_an_expectation_looks_at_must_be_claimed_whatever_it_proves() {
    let strict = |expect| {
        let mut story = story(expect);
        story.run.scenario.mesh.mtls = Mtls::Strict;
        story
    };
    let with = |feature: &str| Declared { features: Some(vec!["own".into(), feature.into()]), ..proxy() };
    for (check, feature) in [
        (unjudged(), "metrics"),
        (wire(|wire| wire.outer = word("mesh-tls")), "mtls"),
        (wire(|wire| wire.inner = word("http/2")), "mtls"),
        (wire(|wire| wire.inner_sni = Some(Match::Absent)), "mtls"),
        (wire(|wire| wire.inner_alpn = word("h2")), "mtls"),
        (wire(|wire| wire.client_uris = vec!["spiffe://default/web".into()]), "mtls"),
        (wire(|wire| wire.server_uris = vec!["spiffe://default/web".into()]), "mtls"),
        (wire(|wire| wire.sni = word("backend")), "mtls"),
        (wire(|wire| wire.alpn = word("kuma")), "mtls"),
        (wire(|wire| wire.version = word("1.3")), "mtls"),
    ] {
        let why = Verdict::Unsupported(format!("feature `{feature}` is not declared"));
        for proves in [&["M-1"][..], &[]] {
            let judged = judged_by(&strict(vec![expectation(vec![check.clone()], proves)]), &proxy(), None);
            assert_eq!(judged.expectations[0].verdict, why, "{check:?}");
            assert_eq!(judged.clauses.get("M-1"), (!proves.is_empty()).then_some(&why));
            for declared in [with(feature), Declared::default()] {
                let story = strict(vec![expectation(vec![check.clone()], proves)]);
                let judged = judged_by(&story, &declared, None);
                assert!(!is_unsupported(&judged.expectations[0].verdict), "{check:?}");
            }
        }
    }
}

#[test]
fn tls_that_is_no_sidecars_needs_no_feature() {
    let app = Link { from: "web".into(), to: "web.proxy".into() };
    for (mtls, check) in [
        (Mtls::Disabled, wire(|wire| wire.sni = word("backend"))),
        (Mtls::Strict, wire(|wire| (wire.link, wire.alpn) = (app, word("h2")))),
        (Mtls::Strict, wire(|wire| wire.alpn = Some(Match::Absent))),
        (Mtls::Strict, wire(|wire| wire.outer = word("plain"))),
        (Mtls::Strict, wire(|wire| wire.outer = Some(Match::Any(vec!["mesh-tls".into(), "plain".into()])))),
        (Mtls::Strict, wire(|wire| wire.bytes = Some(Count::Within(vec![(1, 2)])))),
    ] {
        let mut story = story(vec![expectation(vec![check.clone()], &["M-1"])]);
        story.run.scenario.mesh.mtls = mtls;
        let judged = judged_by(&story, &proxy(), None);
        assert!(!is_unsupported(&judged.expectations[0].verdict), "{check:?}");
    }
}

#[test]
fn a_clause_is_unsupported_only_if_no_expectation_is_judged() {
    let unseen = || expectation(vec![unjudged()], &["M-1", "M-2"]);
    for (other, verdict) in [(good(&["M-1"]), Verdict::Pass), (bad(&["M-1"]), Verdict::Fail)] {
        for expect in [vec![unseen(), other.clone()], vec![other, unseen()]] {
            let judged = judged_by(&story(expect), &proxy(), None);
            assert_eq!(judged.clauses["M-1"], verdict);
            assert!(is_unsupported(&judged.clauses["M-2"]));
        }
    }
}

#[test]
fn a_case_is_played_by_those_who_can_see_something_of_it_and_speak_its_protocols() {
    let ask = |scenario: &Scenario, declared: &Declared| supported(scenario, &contract(), declared);
    let mut scenario = story(vec![expectation(vec![unjudged()], &["M-1"])]).run.scenario;
    assert_eq!(ask(&scenario, &proxy()), Err("feature `metrics` is not declared".into()));
    scenario.expect.push(good(&["M-1"]));
    assert_eq!(ask(&scenario, &proxy()), Ok(()));
    // A plain relay passes TLS by.
    scenario.mesh.mtls = Mtls::Strict;
    assert_eq!(ask(&scenario, &proxy()), Ok(()));
    for (tag, feature) in [
        ("tcp", None),
        ("mysql", None),
        ("HTTP", Some("http")),
        ("grpc", Some("grpc")),
        ("kafka", Some("kafka")),
    ] {
        scenario.pods[1].protocol = Some(tag.into());
        let told = feature.map(|feature| format!("feature `{feature}` is not declared"));
        assert_eq!(ask(&scenario, &proxy()), told.map_or(Ok(()), Err), "{tag}");
        assert_eq!(ask(&scenario, &Declared::default()), Ok(()));
    }
}

#[test]
fn a_failure_that_is_known_is_no_failure() {
    let judged = |expect, clause| judged_by(&story(expect), &knows(clause, "test/*"), Some("1.40.2"));
    let some = judged(vec![good(&["M-1"]), bad(&["M-1", "M-2"])], "M-1");
    assert_eq!(some.clauses["M-1"], known());
    assert_eq!(some.clauses["M-2"], Verdict::Fail, "of that nobody knew");
    assert_eq!(some.expectations[0].verdict, Verdict::Pass);
    assert_eq!(some.expectations[1].verdict, Verdict::Fail);
    let all = judged(vec![good(&["M-2"]), bad(&["M-1"])], "M-1");
    assert_eq!((&all.verdict, &all.expectations[1].verdict), (&known(), &known()));
    assert_ne!(all.expectations[1].findings, []);
    assert_eq!(judged(vec![bad(&["S-1"])], "S-1").verdict, known(), "a warning is one, too");
}

#[test]
fn a_failure_is_known_in_its_cases_and_versions_alone() {
    for (cases, version, verdict) in [
        ("test/story", Some("1.40.2"), known()),
        ("test/other", Some("1.40.2"), Verdict::Fail),
        ("test/story", Some("1.41.0"), Verdict::Fail),
        ("test/story", None, Verdict::Fail),
    ] {
        let judged = judged_by(&story(vec![bad(&["M-1"])]), &knows("M-1", cases), version);
        assert_eq!(judged.verdict, verdict, "{cases} {version:?}");
    }
}

#[test]
fn a_known_failure_that_passes_fails() {
    let judged = judged_by(&story(vec![good(&["M-2"]), good(&["M-1"])]), &knows("M-1", "*"), Some("1.40"));
    assert_eq!((&judged.verdict, &judged.clauses["M-1"]), (&Verdict::Fail, &Verdict::Fail));
    assert_eq!(judged.clauses["M-2"], Verdict::Pass);
    let finding = &judged.expectations[1].findings[0];
    assert!(finding.expected.contains(WHY) && finding.found.contains("out of adapter.yaml"), "{finding:?}");
    // Elsewhere, in another version, or where the clause is not named or not judged, nothing is said.
    for (expect, declared, version) in [
        (good(&["M-1"]), knows("M-1", "test/other"), Some("1.40")),
        (good(&["M-1"]), knows("M-1", "*"), Some("1.41")),
        (good(&["M-2"]), knows("M-1", "*"), Some("1.40")),
        (expectation(vec![unjudged()], &["M-1"]), knows("M-1", "*"), Some("1.40")),
    ] {
        let judged = judged_by(&story(vec![expect]), &declared, version);
        assert!(!matches!(judged.verdict, Verdict::Fail | Verdict::KnownFailure(_)), "{judged:?}");
    }
    let undeclared = Declared { features: Some(vec!["own".into()]), ..knows("G-1", "*") };
    assert!(is_unsupported(&judged_by(&story(vec![good(&["G-1"])]), &undeclared, Some("1.40")).verdict));
}

#[test]
fn checks_that_are_always_on_may_be_known_to_fail() {
    let mut hung = Story::new(&["call"]);
    hung.begin("call");
    let judged = judged_by(&hung, &knows("no hang", "test/*"), Some("1.40"));
    assert_eq!((always(&judged, "no hang"), &judged.verdict), (&known(), &known()));
    let judged = judged_by(&story(Vec::new()), &knows("no hang", "test/*"), Some("1.40"));
    assert_eq!((always(&judged, "no hang"), &judged.verdict), (&Verdict::Fail, &Verdict::Fail));
    // Nobody counted sockets.
    let judged = judged_by(&story(Vec::new()), &knows("no leak", "test/*"), Some("1.40"));
    assert!(matches!(always(&judged, "no leak"), Verdict::NotRun(_)));
    let mut names: Vec<_> = judged.always.iter().map(|always| always.name.as_str()).collect();
    names.sort_unstable();
    let mut all = ALWAYS;
    all.sort_unstable();
    assert_eq!(names, all);
}

#[test]
fn entries_about_nothing_are_told() {
    let cases = [story(vec![good(&["M-1"])]).run.scenario];
    let told = |clause, pattern| stale(&knows(clause, pattern), &contract(), &cases);
    assert_eq!(told("M-1", "test/*"), Vec::<String>::new());
    assert_eq!(told("no leak", "*story"), Vec::<String>::new());
    for (clause, pattern, words) in [
        ("M-1", "tests/*", "known failure `M-1` of `tests/*`: no case is called like this"),
        ("no leak", "test/stroy", "no case is called like this; did you mean `test/story`?"),
        ("M-1", "test/story[*]", "no case is called like this; did you mean `test/story`?"),
        ("M-2", "test/*", "no such case names the clause, only M-1"),
        ("M-99", "test/*", "neither a clause of the contract nor one of `no hang`"),
    ] {
        let told = told(clause, pattern);
        assert!(told.len() == 1 && told[0].contains(words), "{told:?}");
    }
}

#[test]
fn what_is_known_of_either_of_a_pair_may_fail_and_may_hold() {
    let pair = proxy().beside(&knows("M-1", "*"), Some("1.40.0"));
    assert_eq!(pair.features, proxy().features, "what the judged one declares");
    let judged = judged_by(&story(vec![bad(&["M-1"])]), &pair, None);
    assert_eq!(judged.clauses["M-1"], known());
    assert_eq!(judged_by(&story(vec![good(&["M-1"])]), &pair, None).clauses["M-1"], Verdict::Pass);
    // Of another version nothing is known.
    let other = proxy().beside(&knows("M-1", "*"), Some("1.41.0"));
    assert_eq!(judged_by(&story(vec![bad(&["M-1"])]), &other, None).clauses["M-1"], Verdict::Fail);
}

#[test]
fn a_run_in_which_the_harness_could_not_play_on_shows_nothing() {
    let mut story = story(vec![bad(&["M-1"]), good(&["M-1"])]);
    story.client("call", 0, Seen::Beyond { what: "magic".into() });
    let judged = verdict_of(&story);
    assert_eq!(judged.verdict, Verdict::NotRun("magic".into()));
    assert_eq!(judged.clauses["M-1"], Verdict::NotRun("magic".into()));
}
