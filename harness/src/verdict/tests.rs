use std::collections::BTreeMap;

use super::*;
use crate::dataplane::declared::Declared;
use crate::expect::Dictionaries;
use crate::expect::SocketCount;
use crate::expect::testing::{Story, connected, expectation, totals};
use crate::language::value::{Count, Match};
use crate::language::{Check, ClientScript, EndCheck, Expectation, MetricsCheck, Talk, Target, Verb, World};
use crate::observe::Seen;
use crate::observe::dictionary::Dictionary;
use crate::observe::observation::{End, Ended, HttpEvent};
use crate::requirements::Requirements;

mod declared;

fn ends(end: End) -> Check {
    let end = Some(Match::Any(vec![end]));
    Check::Client(EndCheck { step: Some("call".into()), end, ..EndCheck::default() })
}

fn unjudged() -> Check {
    let at = "web.proxy".into();
    Check::Metrics(MetricsCheck { at, valid: Some(true), signals: IndexMap::new() })
}

/// A contract of clauses of each level, of two features and of each subject.
fn contract() -> Requirements {
    let clauses = [
        "id: M-1, level: must",
        "id: M-2, level: must",
        "id: S-1, level: should",
        "id: Y-1, level: may",
        "id: G-1, level: must, feature: other",
        "id: A-1, level: must, subject: agent",
        "id: C-1, level: must, subject: control-plane",
    ];
    let clauses = clauses.map(|clause| format!("  - {{{clause}, basis: page, text: t, source: s}}\n"));
    let text = format!("- area: X\n  title: x\n  feature: own\n  clauses:\n{}", clauses.concat());
    Requirements::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn judged_by(story: &Story, declared: &Declared, version: Option<&str>) -> CaseVerdict {
    judged_with(story, declared, version, &Dictionaries::default())
}

fn judged_with(
    story: &Story,
    declared: &Declared,
    version: Option<&str>,
    dictionaries: &Dictionaries,
) -> CaseVerdict {
    let requirements = contract();
    let terms = Terms { requirements: &requirements, dictionaries, declared, version, world: World::Sim };
    judge(&story.run, &[], &terms)
}

fn verdict_of(story: &Story) -> CaseVerdict {
    judged_by(story, &Declared::reference(), None)
}

/// A call that went well, with these expectations at the bottom.
fn story(expect: Vec<Expectation>) -> Story {
    let mut story = Story::new(&["call"]);
    story.whole_call("call", b"ping", b"pong");
    story.run.scenario.expect = expect;
    story
}

#[test]
fn all_is_well() {
    let verdict = verdict_of(&story(vec![expectation(vec![ends(End::Eof)], &["M-1", "S-1"])]));
    assert_eq!(verdict.verdict, Verdict::Pass);
    assert_eq!(verdict.took, 20_000_000);
    assert_eq!(verdict.clauses["M-1"], Verdict::Pass);
    assert_eq!(verdict.expectations[0].checks, "client");
    assert_eq!(verdict.expectations[0].line, 7);
}

#[test]
fn a_clause_fails_or_warns_by_its_level() {
    let broken = |proves: &[&str]| expectation(vec![ends(End::Reset)], proves);
    for (proves, verdict, level) in [
        (&["M-1"][..], Verdict::Fail, Level::Must),
        (&["S-1"], Verdict::Warn, Level::Should),
        (&["Y-1"], Verdict::Warn, Level::May),
        (&["UNKNOWN-1"], Verdict::Fail, Level::Must),
        (&[], Verdict::Fail, Level::Must),
        (&["Y-1", "S-1"], Verdict::Warn, Level::Should),
    ] {
        let judged = verdict_of(&story(vec![broken(proves)]));
        assert_eq!((judged.verdict, judged.expectations[0].level), (verdict, level), "{proves:?}");
    }
    let judged = verdict_of(&story(vec![broken(&["M-1", "S-1"])]));
    assert_eq!((&judged.clauses["M-1"], &judged.clauses["S-1"]), (&Verdict::Fail, &Verdict::Warn));
    let lenient = Expectation { level: Some(Level::Should), ..broken(&["M-1"]) };
    assert_eq!(verdict_of(&story(vec![lenient])).verdict, Verdict::Warn);
}

#[test]
fn a_clause_is_as_good_as_its_worst_expectation() {
    let good = expectation(vec![ends(End::Eof)], &["M-1"]);
    let bad = expectation(vec![ends(End::Reset)], &["M-1", "M-2"]);
    let judged = verdict_of(&story(vec![bad, good]));
    assert_eq!(judged.clauses["M-1"], Verdict::Fail);
}

#[test]
fn what_could_not_be_judged_is_never_a_pass() {
    let good = || expectation(vec![ends(End::Eof)], &["M-2"]);
    let judged = verdict_of(&story(vec![expectation(vec![unjudged(), ends(End::Eof)], &["M-1"]), good()]));
    assert!(matches!(judged.clauses["M-1"], Verdict::NotRun(_)));
    assert_eq!(judged.verdict, Verdict::Pass);
    let judged = verdict_of(&story(vec![expectation(vec![unjudged()], &["M-1"])]));
    assert!(matches!(judged.verdict, Verdict::NotRun(_)));
    // A finding beside it counts.
    let judged = verdict_of(&story(vec![expectation(vec![unjudged(), ends(End::Reset)], &["M-1"])]));
    assert_eq!(judged.verdict, Verdict::Fail);
}

#[test]
fn nested_expectations_are_judged_at_their_steps_end() {
    let mut story = Story::new(&["call"]);
    story.begin("call");
    story.client("call", 0, connected());
    story.end("call");
    story.wait(5);
    story.client("call", 0, Seen::Ended(Ended { end: End::Reset, ..totals(b"", b"") }));
    story.run.scenario.steps[0].expect = vec![expectation(vec![ends(End::Open)], &[])];
    story.run.scenario.expect = vec![expectation(vec![ends(End::Reset)], &[])];
    let judged = verdict_of(&story);
    assert_eq!(judged.verdict, Verdict::Pass);
    assert_eq!(judged.expectations[0].step.as_deref(), Some("call"));
    assert_eq!(judged.expectations[1].step, None);
}

#[test]
fn what_comes_after_the_quiet_does_not_count() {
    let mut story = Story::new(&["call"]);
    story.begin("call");
    story.client("call", 0, connected());
    story.end("call");
    story.world(QUIET);
    story.wait(1);
    story.client("call", 0, Seen::Ended(Ended { end: End::Reset, ..totals(b"", b"") }));
    story.run.scenario.expect = vec![expectation(vec![ends(End::Open)], &[])];
    assert_eq!(verdict_of(&story).verdict, Verdict::Pass);
}

fn always<'a>(judged: &'a CaseVerdict, name: &str) -> &'a Verdict {
    &judged.always.iter().find(|always| always.name == name).unwrap().verdict
}

#[test]
fn a_step_that_never_ends_is_a_hang() {
    let mut hung = Story::new(&["call"]);
    hung.begin("call");
    assert_eq!(always(&verdict_of(&hung), "no hang"), &Verdict::Fail);
    assert_eq!(verdict_of(&hung).verdict, Verdict::Fail);
    let mut late = story(Vec::new());
    assert_eq!(always(&verdict_of(&late), "no hang"), &Verdict::Pass);
    late.world(DEADLINE);
    assert_eq!(always(&verdict_of(&late), "no hang"), &Verdict::Fail);
}

#[test]
fn sockets_left_after_the_drain_are_leaks() {
    let count = |step: Option<&str>, states: &[(&str, u32)]| SocketCount {
        at: 0,
        step: step.map(Into::into),
        host: "web.proxy".into(),
        by_state: states.iter().map(|(state, n)| ((*state).into(), *n)).collect::<BTreeMap<_, _>>(),
    };
    let mut story = story(Vec::new());
    assert!(matches!(always(&verdict_of(&story), "no leak"), Verdict::NotRun(_)));
    story.run.sockets = vec![
        count(None, &[("ESTABLISHED", 1)]),
        count(Some(AFTER_DRAIN), &[("ESTABLISHED", 0), ("TIME_WAIT", 3)]),
    ];
    assert_eq!(always(&verdict_of(&story), "no leak"), &Verdict::Pass);
    story.run.sockets.push(count(Some(AFTER_DRAIN), &[("FIN_WAIT2", 1)]));
    let judged = verdict_of(&story);
    assert_eq!(always(&judged, "no leak"), &Verdict::Fail);
    assert_eq!(judged.verdict, Verdict::Fail);
}

#[test]
fn a_drain_that_cannot_be_or_does_not_end_shows() {
    let count = |host: &str, state: &str| SocketCount {
        at: 0,
        step: Some(AFTER_DRAIN.into()),
        host: host.into(),
        by_state: BTreeMap::from([(state.into(), 1)]),
    };
    let with = |seen: Seen, state| {
        let mut story = story(Vec::new());
        story.run.sockets = vec![count("web.proxy", state)];
        story.world_sees(seen);
        verdict_of(&story)
    };
    let (host, why) = ("web.proxy".to_owned(), "it says no way".to_owned());
    let cannot = Seen::Undrainable { host: host.clone(), why };
    let judged = with(cannot.clone(), "CLOSED");
    assert_eq!(always(&judged, "no leak"), &Verdict::NotRun("web.proxy: it says no way".into()));
    assert_eq!(judged.verdict, Verdict::Pass);
    // What is left of another one, or after the stop.
    assert_eq!(always(&with(cannot, "LISTEN"), "no leak"), &Verdict::Fail);
    let late = Seen::NotDrained { host, why: "it was not drained within 30 s".into() };
    let judged = with(late.clone(), "CLOSED");
    assert_eq!((&judged.verdict, always(&judged, "no leak")), (&Verdict::Warn, &Verdict::Warn));
    let leak = judged.always.iter().find(|always| always.name == "no leak").unwrap();
    assert!(leak.findings[0].found.contains("within 30 s") && leak.findings[0].observation.is_some());
    assert_eq!(always(&with(late, "LISTEN"), "no leak"), &Verdict::Fail);
}

#[test]
fn what_becomes_of_a_peer_is_not_blamed_on_who_is_judged() {
    let left = |host: &str| SocketCount {
        at: 0,
        step: Some(AFTER_DRAIN.into()),
        host: host.into(),
        by_state: BTreeMap::from([("LISTEN".into(), 1)]),
    };
    let pair = Dictionaries { peer: Some(Dictionary::default()), ..Dictionaries::default() };
    for (pod, dictionaries, expected) in [
        ("web", &pair, Verdict::Fail),
        ("backend", &pair, Verdict::Warn),
        ("backend", &Dictionaries::default(), Verdict::Fail),
    ] {
        let mut story = story(Vec::new());
        // The one that calls is judged.
        story.run.scenario.steps[0].verb = calls("web", Target::Service("backend".into()));
        story.run.sockets = vec![left(&format!("{pod}.proxy"))];
        let how = "exit status: 139; it wrote nothing".to_owned();
        story.world_sees(Seen::Died { how });
        story
            .run
            .observations
            .iter_mut()
            .filter(|seen| seen.pod == "world")
            .for_each(|seen| seen.pod = pod.into());
        let judged = judged_with(&story, &Declared::reference(), None, dictionaries);
        assert_eq!(always(&judged, "no leak"), &expected, "{pod}");
        assert_eq!(always(&judged, NO_PANIC), &expected, "{pod}");
        assert_eq!(judged.verdict, expected);
    }
}

/// A call of one byte.
fn calls(from: &str, to: Target) -> Verb {
    let talk = Talk::Bytes(crate::language::script::Script::default());
    let client = ClientScript { tls: None, talk, connections: 1 };
    Verb::Talk { from: from.into(), to, client, times: 1, hold: false }
}

#[test]
fn an_app_that_gets_no_http_is_the_business_of_the_sidecar_before_it() {
    let got = |protocol: &str, to: Target| {
        let mut story = story(Vec::new());
        story.run.scenario.pods[1].protocol = Some(protocol.into());
        story.run.scenario.steps[0].verb = calls("web", to);
        let event = HttpEvent::Malformed { what: "no host".into() };
        story.app(0, Seen::Http { exchange: 0, event });
        always(&verdict_of(&story), "no mismatch").clone()
    };
    let service = || Target::Service("backend".into());
    assert_eq!(got("http", service()), Verdict::Fail);
    assert_eq!(got("HTTP", Target::Inbound("backend".into())), Verdict::Fail);
    assert_eq!(got("tcp", service()), Verdict::Pass, "it passes what it gets");
    assert_eq!(got("http", Target::App("backend".into())), Verdict::Pass, "nobody stands between");
}

#[test]
fn sockets_that_cannot_be_counted_are_not_taken_for_none() {
    let mut story = story(Vec::new());
    let counted = BTreeMap::from([("TIME_WAIT".into(), 1)]);
    story.run.sockets =
        vec![SocketCount { at: 0, step: Some(AFTER_DRAIN.into()), host: "web".into(), by_state: counted }];
    assert_eq!(always(&verdict_of(&story), "no leak"), &Verdict::Pass);
    story.world_sees(Seen::Uncounted { host: "web.proxy".into(), why: "not permitted".into() });
    let unknown = Verdict::NotRun("web.proxy: not permitted".into());
    assert_eq!(always(&verdict_of(&story), "no leak"), &unknown);
}

#[test]
fn a_mismatch_that_nobody_reckons_with_fails() {
    let mismatch = || Seen::Mismatch { expected: "a".into(), found: "b".into() };
    let fails = |story: &Story| *always(&verdict_of(story), "no mismatch") == Verdict::Fail;
    let done =
        |done, step: &str| EndCheck { done: Some(done), step: Some(step.into()), ..EndCheck::default() };

    let mut at_client = story(Vec::new());
    at_client.client("call", 0, mismatch());
    assert!(fails(&at_client));
    at_client.run.scenario.expect = vec![expectation(vec![Check::App(done(false, "call"))], &[])];
    assert!(fails(&at_client), "the app's trouble is not the client's");
    at_client.run.scenario.expect = vec![expectation(vec![Check::Client(done(true, "call"))], &[])];
    assert!(fails(&at_client));
    at_client.run.scenario.expect = vec![expectation(vec![Check::Client(done(false, "call"))], &[])];
    assert!(!fails(&at_client));

    let mut at_app = story(Vec::new());
    at_app.app(0, mismatch());
    assert!(fails(&at_app));
    let nested = EndCheck { step: None, ..done(false, "call") };
    at_app.run.scenario.steps[0].expect = vec![expectation(vec![Check::App(nested)], &[])];
    assert!(!fails(&at_app));
    let elsewhere = EndCheck { pod: Some("web".into()), ..done(false, "call") };
    at_app.run.scenario.steps[0].expect = vec![expectation(vec![Check::App(elsewhere)], &[])];
    assert!(fails(&at_app));
}

#[test]
fn broken_wins_over_fail_in_the_exit_code() {
    let broken = || Verdict::Broken("no port".into());
    assert_eq!(exit_code(&[]), 0);
    assert_eq!(exit_code(&[Verdict::Pass, Verdict::Warn, Verdict::NotRun("secrets".into())]), 0);
    assert_eq!(exit_code(&[Verdict::KnownFailure("x".into()), Verdict::Unsupported("y".into())]), 0);
    assert_eq!(exit_code(&[Verdict::Pass, Verdict::Fail]), 1);
    assert_eq!(exit_code(&[broken(), Verdict::Fail]), 3);
    assert_eq!(CaseVerdict::broken("x", "no port").verdict, broken());
}

#[test]
fn a_verdict_survives_json() {
    let check = Check::Client(EndCheck { connections: Some(Count::Absent), ..EndCheck::default() });
    let judged = verdict_of(&story(vec![expectation(vec![check], &["M-1"])]));
    assert_eq!(judged.verdict, Verdict::Fail);
    let json = serde_json::to_string(&judged).unwrap();
    assert_eq!(serde_json::from_str::<CaseVerdict>(&json).unwrap(), judged);
}
