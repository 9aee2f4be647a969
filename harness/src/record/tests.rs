//! A run that was recorded is judged as it was.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::dataplane::declared::KnownFailure;
use crate::dataplane::reference::Reference;
use crate::language::Scenario;
use crate::requirements::Requirements;
use crate::scenario;
use crate::sim::run::Config;
use crate::suite::{CaseResult, Suite};

/// Ends, bytes, both TLS layers, HTTP on the wire, metrics, sockets, times: all that a record must hold. `$x` is where expectations go wrong.
const CASES: &str = r#"
about: All that can be looked at.
for: {mtls: [strict, disabled], x: [right, wrong]}
mesh: {mtls: $mtls}
pods:
  web: {}
  backend: {protocol: tcp, app: {tls: {certificate: backend.example, alpn: [h2], respond: echo}}}
  shop: {protocol: http, app: {http: {"GET /": {status: 200, body: right}}}}
steps:
  - {id: hello, from: web, to: backend, tls: {sni: backend.example, alpn: [h2], send: right}}
  - {id: get, from: web, to: shop, http: {get: /}, expect: [{client: {status: 200, body: $x}, took: 0s..1s, proves: [HTTP-1]}]}
expect:
  - {client: {step: hello, certificate: backend.example, alpn: h2, received: $x}, proves: [TLS-1]}
  - {bytes: {step: hello, app_got: identical, client_got: identical}, proves: [TLS-2]}
  - {wire: {link: web.proxy->backend.proxy, outer: mesh-tls, inner: tls, inner_sni: backend.example}, when: {mtls: strict}, proves: [TLS-3]}
  - {wire: {link: web.proxy->shop.proxy, inner: http/2, headers: {":path": /}}, when: {mtls: strict}, proves: [HTTP-2]}
  - {wire: {link: web.proxy->shop.proxy, outer: http/2, requests: 1}, when: {mtls: disabled}, proves: [HTTP-3]}
  - {metrics: {at: shop.proxy, http.requests: 1}, proves: [MET-1]}
  - {quiet: {at: [web], connections: {at_most: 9}}}
"#;

fn cases(text: &str) -> Vec<Scenario> {
    scenario::parse("t/case", Path::new("scenarios/t/case.yaml"), text)
        .unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn suite() -> Suite {
    Suite::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), "reference").expect("the suite")
}

/// Plays a case and records it.
fn recorded(below: &Path, suite: &Suite, case: &Scenario) -> (CaseResult, PathBuf) {
    let result = suite.run(case, Arc::new(Reference), &Config { seed: 3, ..Config::default() });
    let folder = write(below, suite, case, &result).expect("a record");
    (result, folder)
}

fn judged(folder: &Path) -> Result<CaseResult, RecordError> {
    let contract = Requirements::bundled().unwrap_or_else(|error| panic!("{error}"));
    Record::read(folder).map(|record| record.judge(contract))
}

#[test]
fn a_record_is_judged_as_the_run_was() {
    let below = TempDir::new().expect("a folder");
    let mut suite = suite();
    for case in cases(CASES) {
        let (result, folder) = recorded(below.path(), &suite, &case);
        let again = judged(&folder).unwrap_or_else(|wrong| panic!("{wrong}"));
        let fails = case.name.contains("wrong");
        assert_eq!(
            result.verdict.verdict,
            if fails { Verdict::Fail } else { Verdict::Pass },
            "{:#?}",
            result.verdict
        );
        assert_eq!(again.verdict, result.verdict);
        assert_eq!((again.seed, &again.target), (3, &result.target));
        assert_eq!(again.case.expect("a case").hash, result.case.expect("a case").hash);
    }
    assert_eq!(find(below.path()).expect("records").len(), 4);
    // What the dataplane declared counts as it was then.
    suite.declared.features = Some(vec!["http".into()]);
    suite.declared.known_failures = vec![KnownFailure {
        clause: "HTTP-1".into(),
        cases: "t/*x=wrong]".into(),
        reason: "It is known.".into(),
        link: None,
        versions: None,
        as_peer: false,
        may_hold: false,
    }];
    for case in cases(CASES) {
        let (result, folder) = recorded(below.path(), &suite, &case);
        let known = matches!(result.verdict.verdict, Verdict::KnownFailure(_));
        assert_eq!(known, case.name.contains("wrong"), "{:#?}", result.verdict);
        assert_eq!(judged(&folder).unwrap_or_else(|wrong| panic!("{wrong}")).verdict, result.verdict);
    }
}

#[test]
fn what_is_tampered_with_is_judged_so() {
    let below = TempDir::new().expect("a folder");
    let case = &cases(CASES)[0];
    for (file, from, to, clause) in [
        (OBSERVATIONS, "\"alpn\":\"h2\"", "\"alpn\":\"h3\"", "TLS-1"),
        (OBSERVATIONS, "\"status\":200", "\"status\":500", "HTTP-1"),
        (WIRE, "backend.example", "backend.exampel", "TLS-3"),
        (SCRAPES, "envoy_http_downstream_rq", "envoy_http_downstream_rx", "MET-1"),
        (SCENARIO, "http.requests: 1", "http.requests: 2", "MET-1"),
        (HEAD, "\"panics\": []", "\"panics\": [\"at the disco\"]", "no panic"),
        (SOCKETS, "\"by_state\": {}", "\"by_state\": {\"ESTABLISHED\": 1}", "no leak"),
    ] {
        let (result, folder) = recorded(below.path(), &suite(), case);
        assert_eq!(result.verdict.verdict, Verdict::Pass);
        let text = fs::read_to_string(folder.join(file)).expect("a file");
        assert!(text.contains(from), "{file} has no {from}:\n{text}");
        fs::write(folder.join(file), text.replace(from, to)).expect("tampered");
        let again = judged(&folder).unwrap_or_else(|wrong| panic!("{wrong}")).verdict;
        let always = again.always.iter().find(|always| always.name == clause).map(|always| &always.verdict);
        let found = again.clauses.get(clause).or(always);
        assert_eq!((found, &again.verdict), (Some(&Verdict::Fail), &Verdict::Fail), "{file}");
    }
}

#[test]
fn what_was_not_played_stays_so() {
    let below = TempDir::new().expect("a folder");
    let broken = CASES.replace(
        "steps:",
        "resources: [{type: MeshTimeout, mesh: default, name: x, spec: {nonsense: 1}}]\nsteps:",
    );
    let elsewhere = CASES.replace("steps:", "worlds: {only: live, because: asks the kernel}\nsteps:");
    for (text, judged_so) in [(&broken, "broken"), (&elsewhere, "not run")] {
        let (result, folder) = recorded(below.path(), &suite(), &cases(text)[0]);
        assert_eq!(result.verdict.verdict.word(), judged_so);
        let again = judged(&folder).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert_eq!(again.verdict, result.verdict);
        assert!(again.case.is_none() && !folder.join(OBSERVATIONS).exists());
    }
}

#[test]
fn a_record_that_is_none_is_told() {
    let below = TempDir::new().expect("a folder");
    let complaint = |folder: &Path| match judged(folder) {
        Ok(result) => panic!("judged: {result:?}"),
        Err(error) => error.to_string(),
    };
    assert!(find(below.path()).expect_err("none").to_string().contains("is no record"));
    assert!(find(&below.path().join("x")).expect_err("none").to_string().contains("cannot be read"));
    let case = &cases(CASES)[0];
    for (file, from, to, words) in [
        (HEAD, "\"version\": 1", "\"version\": 2", "a record of version 2; this build reads version 1"),
        (HEAD, "\"seed\"", "\"sead\"", "record.json is malformed: unknown field `sead`"),
        (HEAD, "mtls=strict", "mtls=loose", "makes no case `t/case[mtls=loose"),
        (OBSERVATIONS, "\n{\"at\"", "\n{\"ad\"", "observations.jsonl is malformed: line 2: "),
        (WIRE, "[", "", "wire.json is malformed"),
        (SCENARIO, "about:", "abut:", "scenario.yaml:2:1"),
    ] {
        let (_, folder) = recorded(below.path(), &suite(), case);
        let text = fs::read_to_string(folder.join(file)).expect("a file");
        assert!(text.contains(from), "{file} has no {from}:\n{text}");
        fs::write(folder.join(file), text.replacen(from, to, 1)).expect("tampered");
        assert!(complaint(&folder).contains(words), "{words} is missing: {}", complaint(&folder));
    }
    for file in [HEAD, OBSERVATIONS, WIRE, SCRAPES, SOCKETS, SCENARIO] {
        let (_, folder) = recorded(below.path(), &suite(), case);
        fs::remove_file(folder.join(file)).expect("a file");
        assert!(complaint(&folder).contains(&format!("{file} cannot be read")), "{}", complaint(&folder));
    }
}
