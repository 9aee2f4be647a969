//! What is read, and what is refused with which words. Expectations come from scenarios/README.md's grammar, not from what the reader prints.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::language::Check;
use crate::language::TlsVersion;
use crate::language::script::{Action, Read};
use crate::language::value::{BytesMatch, Count, Match, Payload};

#[path = "tests/http.rs"]
mod http;
#[path = "tests/worlds.rs"]
mod worlds;

/// A file that is right, with steps and expectations to be filled in.
fn with(steps: &str, expect: &str) -> String {
    format!(
        "about: A test.\nmesh: {{mtls: strict}}\npods:\n  web: {{}}\n  backend: {{protocol: tcp, app: {{tcp: echo}}}}\n  liar: {{proxy: none, identity: expired}}\nsteps:\n{steps}\nexpect:\n{expect}\n"
    )
}

const HELLO: &str = "  - {id: hello, from: web, to: backend, tcp: hello}";
const QUIET: &str = "  - {quiet: {connections: 0}}";

fn read(text: &str) -> Vec<Scenario> {
    parse("t", Path::new("t.yaml"), text).unwrap_or_else(|errors| panic!("{errors}\nin\n{text}"))
}

fn one(text: &str) -> Scenario {
    let mut cases = read(text);
    assert_eq!(cases.len(), 1);
    cases.remove(0)
}

fn refused(text: &str) -> Diagnostics {
    match parse("t", Path::new("t.yaml"), text) {
        Ok(cases) => panic!("accepted: {cases:#?}"),
        Err(errors) => errors,
    }
}

/// The one error: its kind, and the text of the file that its caret begins at.
#[track_caller]
fn error_at(text: &str, kind: Kind, marked: &str) -> Diagnostic {
    let errors = refused(text);
    assert_eq!(errors.items().len(), 1, "{errors}");
    let error = errors.items()[0].clone();
    assert_eq!(error.kind, kind, "{errors}");
    let line = text.lines().nth(error.line as usize - 1).unwrap_or_default();
    let at: String = line.chars().skip(error.column as usize - 1).collect();
    assert!(at.starts_with(marked), "the caret stands at `{at}`\n{errors}");
    // The line itself, the place and the kind are shown.
    let shown = errors.to_string();
    assert!(shown.starts_with(&format!("error[{}]: ", kind.name())), "{shown}");
    assert!(shown.contains(&format!("--> t.yaml:{}:{}", error.line, error.column)), "{shown}");
    assert!(line.len() > 120 || shown.contains(line.trim()), "{shown}");
    error
}

#[track_caller]
fn suggests(error: &Diagnostic, name: &str) {
    assert!(error.help.iter().any(|help| help == &format!("did you mean `{name}`?")), "{:?}", error.help);
}

#[test]
fn a_short_file_is_read_with_its_defaults() {
    let case = one(&with(
        HELLO,
        "  - {client: {step: hello, received: hello, end: eof}, proves: [TCP-1], level: should}",
    ));
    assert_eq!((case.name.as_str(), case.about.as_str(), case.large), ("t", "A test.", false));
    assert_eq!(case.deadline, Duration::from_secs(26 * 3600));
    assert_eq!(case.mesh, Mesh { mtls: Mtls::Strict, permissions: None });
    let pods: Vec<&str> = case.pods.iter().map(|pod| pod.name.as_str()).collect();
    assert_eq!(pods, ["web", "backend", "liar"]);
    assert_eq!(case.pods[2].identity, Some(PodIdentity::Expired));
    let Verb::Talk { from, to, client, times: 1, hold: false } = &case.steps[0].verb else {
        panic!("{:?}", case.steps);
    };
    assert_eq!((from.as_str(), to), ("web", &Target::Service("backend".into())));
    assert_eq!(client.connections, 1);
    let [Action::Send(send), Action::HalfClose, Action::Read(rest)] =
        client.talk.script().expect("actions on bytes").0.as_slice()
    else {
        panic!("{client:?}");
    };
    assert_eq!(send.payload, Payload::Literal("hello".into()));
    assert_eq!(rest, &Read::default());
    let expectation = &case.expect[0];
    assert_eq!((expectation.proves.as_slice(), expectation.line), (["TCP-1".to_owned()].as_slice(), 10));
    let Check::Client(client) = &expectation.checks[0] else {
        panic!("{expectation:?}");
    };
    assert_eq!(client.received, Some(BytesMatch::Equal(Payload::Literal("hello".into()))));
    assert_eq!(client.end, Some(Match::Any(vec![crate::language::End::Eof])));
}

#[test]
fn an_app_beside_a_client_is_judged_in_the_same_step() {
    let case =
        one(&with(HELLO, "  - {client: {step: hello, end: eof}, app: {connections: 1}, proves: [TCP-1]}"));
    let [Check::Client(_), Check::App(app)] = case.expect[0].checks.as_slice() else { panic!("{case:?}") };
    assert_eq!((app.step.as_deref(), &app.pod), (Some("hello"), &None));
    error_at(&with(HELLO, "  - {app: {connections: 1}}"), Kind::Check, "app");
    one(&with(HELLO, "  - {app: {pod: backend, connections: 1}}"));
}

#[test]
fn every_action_of_the_grammar_is_read() {
    let script = "[{send: {hex: \"16 03 01\"}}, {send: {size: 64KiB, seed: 7, chunk: 1, every: 10ms}}, {send: {size: 1MiB, until_blocked: 5s}}, {expect: {text: nothing}}, {read: {bytes: 10, rate: 64KiB}}, {pause: 10s}, {starttls: {sni: a.example, versions: [1.2]}}, {repeat: {times: 10, do: [{send: x}, echo]}}, half_close, close, reset, stall]";
    let case = one(&with(
        &format!("  - {{from: web, to: backend.proxy, raw: {script}, connections: 3, times: 2}}"),
        QUIET,
    ));
    let Verb::Talk { to, client, times, .. } = &case.steps[0].verb else {
        panic!("{:?}", case.steps);
    };
    assert_eq!((to, *times, client.connections), (&Target::Inbound("backend".into()), 2, 3));
    assert_eq!(client.talk.script().expect("actions on bytes").0.len(), 12);
    let Action::Send(first) = &client.talk.script().expect("actions on bytes").0[0] else {
        panic!("{client:?}")
    };
    assert_eq!(first.payload, Payload::Literal(bytes::Bytes::from_static(&[0x16, 3, 1])));
    let Action::Send(second) = &client.talk.script().expect("actions on bytes").0[1] else {
        panic!("{client:?}")
    };
    assert_eq!(
        (&second.payload, second.chunk, second.every),
        (&Payload::Pattern { len: 65_536, seed: 7 }, Some(1), Some(Duration::from_millis(10)))
    );
    let Action::StartTls(tls) = &client.talk.script().expect("actions on bytes").0[6] else {
        panic!("{client:?}")
    };
    assert_eq!(tls.versions, [TlsVersion::V1_2]);
    assert_eq!(case.steps[0].id, "step-1");
}

#[test]
fn every_fault_of_the_grammar_is_read() {
    let all = [
        ("latency: 5ms", Condition::Latency(Latency::Fixed(Duration::from_millis(5))), When::Now),
        (
            "latency: {from: 1ms, to: 9ms}",
            Condition::Latency(Latency::Range(Duration::from_millis(1), Duration::from_millis(9))),
            When::Now,
        ),
        (
            "latency: {tail: {p50: 1ms, p99: 200ms}}",
            Condition::Latency(Latency::Tail {
                p50: Duration::from_millis(1),
                p99: Duration::from_millis(200),
            }),
            When::Now,
        ),
        ("loss: 5", Condition::Loss(5), When::Now),
        ("segment: 1, after: 3s", Condition::Segment(1), When::After(Duration::from_secs(3))),
        ("bandwidth: 1MiB", Condition::Bandwidth(1 << 20), When::Now),
        ("blackhole: true", Condition::Blackhole, When::Now),
        ("refuse: true", Condition::Refuse, When::Now),
        ("reset: now", Condition::Reset, When::Now),
        ("reset: {after_bytes: 100}", Condition::Reset, When::AfterBytes(100)),
        ("hold: {after: 3s}", Condition::Hold, When::After(Duration::from_secs(3))),
        ("hold: true, after_bytes: 1KiB", Condition::Hold, When::AfterBytes(1024)),
    ];
    for (text, condition, when) in all {
        let case = one(&with(
            &format!("  - {{fault: {{link: web.proxy->backend.proxy, direction: back, {text}}}}}"),
            QUIET,
        ));
        let link = Link { from: "web.proxy".into(), to: "backend.proxy".into() };
        assert_eq!(
            case.steps[0].verb,
            Verb::Fault(Fault { link, direction: Direction::Back, condition, when }),
            "{text}"
        );
    }
}

#[test]
fn held_connections_go_on_until_they_are_let_go() {
    let steps = "  - {id: a, from: web, to: backend, tcp: [{send: x}], hold: true}\n  - {on: a, tcp: [{send: y}], hold: true}\n  - {on: a, tcp: [{read: eof}]}";
    let case = one(&with(steps, QUIET));
    assert!(matches!(&case.steps[1].verb, Verb::GoOn { on, hold: true, .. } if on == "a"));
    let again = format!("{steps}\n  - {{on: a, tcp: [close]}}");
    error_at(&with(&again, QUIET), Kind::Name, "a, tcp: [close]");
}

#[test]
fn counts_of_metrics_are_read_in_file_order() {
    let expect = "  - {metrics: {at: backend.proxy, valid: true, tcp.connections: 1..6, http.*: absent, tcp.bytes: {at_most: 8MiB}}, proves: [MET-7]}";
    let case = one(&with(HELLO, expect));
    let Check::Metrics(metrics) = &case.expect[0].checks[0] else { panic!("{case:?}") };
    let signals: Vec<(&str, &Count)> =
        metrics.signals.iter().map(|(name, count)| (name.as_str(), count)).collect();
    let most = Count::Within(vec![(0, 8 << 20)]);
    assert_eq!(
        signals,
        [("tcp.connections", &Count::Within(vec![(1, 6)])), ("http.*", &Count::Absent), ("tcp.bytes", &most)]
    );
}

#[test]
fn a_matrix_makes_a_case_for_each_combination_in_order() {
    let text = with(HELLO, "  - {client: {step: hello, received: \"${what}!\"}, when: {mtls: [strict]}}")
        .replace("mtls: strict}", "mtls: $mtls}");
    let cases = read(&format!("for: {{mtls: [strict, disabled], what: [1.30, b]}}\n{text}"));
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "t[mtls=strict,what=1.30]",
            "t[mtls=strict,what=b]",
            "t[mtls=disabled,what=1.30]",
            "t[mtls=disabled,what=b]"
        ]
    );
    assert_eq!(cases[2].mesh.mtls, Mtls::Disabled);
    assert_eq!((cases[1].expect.len(), cases[2].expect.len()), (1, 0));
    let Check::Client(client) = &cases[0].expect[0].checks[0] else { panic!("{cases:?}") };
    assert_eq!(client.received, Some(BytesMatch::Equal(Payload::Literal("1.30!".into()))));
}

#[test]
fn resources_are_taken_as_they_are_one_a_document() {
    let text = with(HELLO, QUIET);
    let case = one(&format!("resources: |\n  type: MeshTimeout\n  ---\n  type: MeshRetry\n{text}"));
    assert_eq!(case.resources, ["type: MeshTimeout\n", "type: MeshRetry\n"]);
    let case = one(&format!("resources:\n  - {{type: MeshTimeout, port: 80, on: true}}\n{text}"));
    assert_eq!(case.resources, [r#"{"type":"MeshTimeout","port":80,"on":true}"#]);
}

#[test]
fn an_unknown_key_is_named_with_the_one_that_was_meant() {
    let error = error_at(&with(HELLO, "  - {client: {step: hello, recieved: hello}}"), Kind::Key, "recieved");
    suggests(&error, "received");
    let error = error_at(&with(HELLO, "  - {metrics: {at: backend.proxy, vaild: true}}"), Kind::Key, "vaild");
    suggests(&error, "valid");
}

#[test]
fn words_of_later_steps_are_told_from_mistakes() {
    let error = error_at(
        &with("  - {from: web, to: backend, grpc: {get: /}}", QUIET).replace("expect:", "expect: #"),
        Kind::Key,
        "grpc",
    );
    assert!(error.help[0].contains("later"), "{error:?}");
    let error =
        error_at(&with(HELLO, QUIET).replace("mtls: strict", "mtls: permissive"), Kind::Value, "permissive");
    assert!(error.help[0].contains("later"), "{error:?}");
}

#[test]
fn an_identity_may_be_any_uri_and_nothing_else() {
    let with_identity = |identity: &str| with(HELLO, QUIET).replace("identity: expired", identity);
    let case = one(&with_identity("identity: {uri: 'spiffe://elsewhere/web'}"));
    assert_eq!(case.pods[2].identity, Some(PodIdentity::Uri("spiffe://elsewhere/web".into())));
    for bad in ["{uri: elsewhere}", "{uri: 'spiffe://é/web'}", "{uri: 'a://b', service: web}"] {
        error_at(&with_identity(&format!("identity: {bad}")), Kind::Value, bad);
    }
}

#[test]
fn a_wrong_type_is_named() {
    error_at(&with("  - {wait: [1s]}", QUIET), Kind::Type, "[1s]");
    error_at(
        &with(HELLO, QUIET)
            .replace("steps:\n  - {id: hello, from: web, to: backend, tcp: hello}", "steps: none"),
        Kind::Type,
        "none",
    );
    error_at(&with("  - {from: web, to: backend, tcp: hello, hold: maybe}", QUIET), Kind::Type, "maybe");
}

#[test]
fn a_boolean_where_text_is_wanted_is_to_be_quoted() {
    let error = error_at(&with(HELLO, QUIET).replace("A test.", "true"), Kind::Type, "true");
    assert!(error.help[0].contains("\"true\""), "{error:?}");
}

#[test]
fn an_unknown_pod_is_named_wherever_it_stands() {
    let error = error_at(&with("  - {from: web, to: backnd, tcp: hello}", QUIET), Kind::Name, "backnd");
    suggests(&error, "backend");
    error_at(&with("  - {from: nobody, to: backend, tcp: hello}", QUIET), Kind::Name, "nobody");
    error_at(&with(HELLO, "  - {quiet: {at: [web.proxy, moon], connections: 0}}"), Kind::Name, "moon");
    error_at(
        &with(HELLO, QUIET).replace("mtls: strict", "mtls: strict, permissions: [moon]"),
        Kind::Name,
        "moon",
    );
}

#[test]
fn what_a_pod_lacks_cannot_be_called() {
    error_at(&with("  - {from: backend, to: web, tcp: hello}", QUIET), Kind::Name, "web");
    error_at(&with("  - {from: liar, to: backend, tcp: hello}", QUIET), Kind::Name, "liar");
    error_at(&with("  - {proxy: {pod: liar, do: crash}}", QUIET), Kind::Name, "liar");
    error_at(&with(HELLO, "  - {metrics: {at: backend, tcp.connections: 1}}"), Kind::Name, "backend");
}

#[test]
fn an_unknown_step_is_named() {
    let error = error_at(&with(HELLO, "  - {client: {step: helo, received: hello}}"), Kind::Name, "helo");
    suggests(&error, "hello");
    // A step that is yet to come can't be gone on with.
    error_at(
        &with(
            "  - {on: hello, tcp: [close]}\n  - {id: hello, from: web, to: backend, tcp: [echo], hold: true}",
            QUIET,
        ),
        Kind::Name,
        "hello",
    );
}

#[test]
fn a_step_that_does_not_hold_cannot_be_gone_on_with() {
    let error =
        error_at(&with(&format!("{HELLO}\n  - {{on: hello, tcp: [close]}}"), QUIET), Kind::Name, "hello");
    assert!(error.help[0].contains("hold: true"), "{error:?}");
}

#[test]
fn bad_arguments_of_checks_are_named() {
    error_at(&with(HELLO, "  - {client: {step: hello, end: eoff}}"), Kind::Value, "eoff");
    error_at(&with(HELLO, "  - {client: {received: hello}}"), Kind::Check, "client");
    error_at(&with(HELLO, "  - {client: {step: hello}}"), Kind::Check, "client");
    error_at(&with(HELLO, "  - {proves: [TCP-1]}"), Kind::Check, "{proves");
    error_at(&with(HELLO, "  - {took: 5s}"), Kind::Check, "took");
    error_at(&with(HELLO, "  - {quiet: {at: [web]}}"), Kind::Check, "quiet");
    error_at(&with(HELLO, "  - {metrics: {at: web.proxy}}"), Kind::Check, "metrics");
    error_at(&with(HELLO, "  - {wire: {link: web->backend, step: hello}}"), Kind::Check, "wire");
    error_at(&with(HELLO, "  - {bytes: {step: hello, app_got: same}}"), Kind::Value, "same");
    error_at(&with("  - {id: w, wait: 1s}", "  - {client: {step: w, received: x}}"), Kind::Check, "w");
}

#[test]
fn an_empty_file_is_no_scenario() {
    for text in ["", "  \n", "# only this\n", "---\n"] {
        let errors = refused(text);
        assert_eq!(errors.items()[0].kind, Kind::Yaml, "{errors}");
    }
}

#[test]
fn a_binary_file_is_no_scenario() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    for (bytes, kind) in [(&b"\x89PNG\r\n\x1a\n\xff"[..], Kind::Encoding), (b"about: \0", Kind::Encoding)] {
        let path = folder.path().join("x.yaml");
        assert!(std::fs::write(&path, bytes).is_ok());
        let errors = load(&path).expect_err("binary");
        assert_eq!(errors.items()[0].kind, kind, "{errors}");
    }
}

#[test]
fn ten_megabytes_are_not_read() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let path = folder.path().join("x.yaml");
    assert!(std::fs::write(&path, "a".repeat(10 << 20)).is_ok());
    let errors = load(&path).expect_err("too big");
    assert_eq!(errors.items()[0].kind, Kind::Limit, "{errors}");
    assert_eq!(refused(&"#\n".repeat(5 << 20)).items().len(), 1);
}

#[test]
fn a_missing_file_is_an_error_not_a_panic() {
    let errors = load(Path::new("/nonexistent/x.yaml")).expect_err("missing");
    assert_eq!(errors.items()[0].kind, Kind::Io, "{errors}");
    assert!(errors.to_string().contains("/nonexistent/x.yaml"), "{errors}");
}

#[test]
fn deep_nesting_is_stopped() {
    for text in [
        format!("about: {}", "[".repeat(10_000)),
        "- ".repeat(10_000),
        (0..1_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect(),
    ] {
        let errors = refused(&text);
        assert_eq!(errors.items()[0].kind, Kind::Limit, "{errors}");
    }
}

#[test]
fn an_alias_bomb_is_stopped() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..10 {
        bomb.push_str(&format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", ")));
    }
    let errors = refused(&bomb);
    assert_eq!(errors.items()[0].kind, Kind::Limit, "{errors}");
}

#[test]
fn aliases_that_are_no_bomb_work() {
    let text = with("  - &call {from: web, to: backend, tcp: hello}\n  - *call", QUIET);
    assert_eq!(one(&text).steps.len(), 2);
}

#[test]
fn a_duplicate_key_is_named() {
    error_at(&with(HELLO, QUIET).replace("mesh:", "about: Again.\nmesh:"), Kind::Duplicate, "about: Again");
    error_at(
        &with("  - {from: web, from: web, to: backend, tcp: hello}", QUIET),
        Kind::Duplicate,
        "from: web, to",
    );
}

#[test]
fn a_step_has_exactly_one_verb() {
    error_at(&with("  - {from: web, to: backend, tcp: hello, wait: 1s}", QUIET), Kind::Verb, "wait");
    error_at(&with("  - {id: nothing}", QUIET), Kind::Verb, "{id");
    error_at(&with("  - {wait: 1s, times: 2}", QUIET), Kind::Verb, "times");
    error_at(&with("  - {fault: {link: web.proxy->backend.proxy}}", QUIET), Kind::Verb, "fault");
    error_at(
        &with("  - {fault: {link: web.proxy->backend.proxy, loss: 1, refuse: true}}", QUIET),
        Kind::Verb,
        "refuse",
    );
    assert_eq!(one(&with("  - {expect: [{quiet: {connections: 0}}]}", QUIET)).steps[0].verb, Verb::Nothing);
}

#[test]
fn an_unknown_clause_is_named() {
    let error = error_at(
        &with(HELLO, "  - {client: {step: hello, received: hello}, proves: [TCP-1, TPC-2]}"),
        Kind::Clause,
        "TPC-2",
    );
    suggests(&error, "TCP-2");
}

#[test]
fn bad_small_values_are_named() {
    error_at(&with(HELLO, "  - {client: {step: hello, connections: 6..1}}"), Kind::Value, "6..1");
    error_at(&with(HELLO, "  - {client: {step: hello, sent: 64KB}}"), Kind::Value, "64KB");
    error_at(&with("  - {from: web, to: backend, tcp: [{send: {size: 64KB}}]}", QUIET), Kind::Value, "64KB");
    error_at(&with("  - {wait: 5}", QUIET), Kind::Value, "5");
    error_at(&with("  - {wait: 5 bananas}", QUIET), Kind::Value, "5 bananas");
    error_at(&with("  - {from: web, to: backend, tcp: hello, times: 0}", QUIET), Kind::Value, "0");
    error_at(&with("  - {from: web, to: backend, tcp: [{send: {hex: xyz}}]}", QUIET), Kind::Value, "");
    error_at(&with("  - {fault: {link: web.proxy->backend.proxy, loss: 101}}", QUIET), Kind::Value, "101");
}

#[test]
fn an_unknown_placeholder_is_named() {
    let text = with(HELLO, QUIET).replace("mtls: strict}", "mtls: $mlts}");
    let error = error_at(
        &format!("for: {{mtls: [strict]}}\n{text}# ${{mtls}}\n").replace("A test.", "A test ${mtls}."),
        Kind::Matrix,
        "$mlts",
    );
    suggests(&error, "mtls");
    error_at(&text, Kind::Matrix, "$mlts");
}

#[test]
fn a_matrix_that_makes_no_sense_is_named() {
    let text = with(HELLO, QUIET);
    error_at(&format!("for: {{x: [a, b]}}\n{text}"), Kind::Matrix, "x");
    error_at(&format!("for: {{x: []}}\n{}", text.replace("A test.", "$x")), Kind::Matrix, "[]");
    let when = with(HELLO, "  - {quiet: {connections: 0}, when: {x: c}}");
    error_at(&format!("for: {{x: [a, b]}}\n{when}"), Kind::Matrix, "c");
    error_at(&when, Kind::Matrix, "x");
}

#[test]
fn a_link_leads_from_a_host_to_another() {
    error_at(&with("  - {heal: web.proxy->moon.proxy}", QUIET), Kind::Name, "web.proxy->moon");
    error_at(&with("  - {heal: web.proxy}", QUIET), Kind::Name, "web.proxy");
    error_at(&with("  - {heal: web->web}", QUIET), Kind::Name, "web->web");
    error_at(&with("  - {heal: liar.proxy->web}", QUIET), Kind::Name, "liar.proxy");
}

#[test]
fn two_steps_do_not_share_an_id() {
    error_at(
        &with(&format!("{HELLO}\n{}", HELLO.replace("tcp: hello", "tcp: again")), QUIET),
        Kind::Duplicate,
        "hello, from: web, to: backend, tcp: again",
    );
}

#[test]
fn several_errors_come_in_one_go() {
    let form = with(
        "  - {wait: soon}\n  - {from: web, to: backend, tpc: hello}",
        "  - {clint: {received: x}, quiet: {}}\n  - {took: long}",
    );
    let errors = refused(&form);
    assert_eq!(errors.items().len(), 4, "{errors}");
}

#[test]
fn meant_errors_come_in_one_go() {
    let meant = with(
        "  - {from: web, to: backnd, tcp: x}\n  - {from: wep, to: backend, tcp: x}",
        "  - {quiet: {connections: 0}, proves: [TCP-0]}",
    );
    let kinds: Vec<Kind> = refused(&meant).items().iter().map(|error| error.kind).collect();
    assert_eq!(kinds, [Kind::Name, Kind::Name, Kind::Clause]);
}

#[test]
fn colours_only_when_asked_for() {
    let errors = refused("about: [");
    assert!(!errors.render(false).contains('\u{1b}') && errors.render(true).contains('\u{1b}'));
}

#[test]
fn no_prefix_of_a_file_panics() {
    let text = with(
        "  - {from: web, to: backend, tls: {sni: \"ä${x}\", versions: [1.3], send: hello}, expect: [{took: 0s..1s}]}",
        QUIET,
    );
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
        if let Err(errors) = parse("t", Path::new("t.yaml"), &text[..end]) {
            assert!(errors.to_string().starts_with("error["), "{errors}");
        }
    }
}

#[test]
fn no_byte_out_of_place_panics() {
    let text = with("  - {from: web, to: backend, tcp: [{send: {size: 1KiB}}], hold: true, times: 2}", QUIET);
    let others = ["", "{", "]", ":", "&a ", "*a ", "\"", "$", "\n", "\t", "é", "!!int ", "- ", "%"];
    for at in 0..text.len() {
        // Every place meets two of them; every one meets many places.
        for other in [others[at % others.len()], others[(at / 3) % others.len()]] {
            let text = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            if let Err(errors) = parse("t", Path::new("t.yaml"), &text) {
                assert!(errors.to_string().starts_with("error["), "{errors}");
            }
        }
    }
}

#[test]
fn a_byte_order_mark_moves_no_caret() {
    assert_eq!(read(&format!("\u{feff}{}", with(HELLO, QUIET))).len(), 1);
    let errors = refused(&format!("\u{feff}{}", with(HELLO, QUIET).replace("steps", "stepz")));
    let places: Vec<(Kind, u32, u32)> =
        errors.items().iter().map(|error| (error.kind, error.line, error.column)).collect();
    assert!(places.contains(&(Kind::Key, 7, 1)), "{errors}");
}

#[test]
fn steps_at_once_know_nothing_of_each_other() {
    let steps = |second: &str| {
        format!(
            "  - parallel:\n    - {{id: a, from: web, to: backend, tcp: [{{send: x}}], hold: true}}\n    - {second}"
        )
    };
    error_at(&with(&steps("{on: a, tcp: [close]}"), QUIET), Kind::Name, "a, tcp: [close]");
    error_at(&with(&steps("{id: a, wait: 1s}"), QUIET), Kind::Duplicate, "a, wait");
    let after = format!("{}\n  - {{on: a, tcp: [close]}}", steps("{wait: 1s}"));
    let case = one(&with(&after, QUIET));
    let Verb::Parallel(steps) = &case.steps[0].verb else { panic!("{case:?}") };
    assert_eq!(steps[1].id, "step-1-2");
}

#[test]
fn scenarios_are_found_by_path_and_by_part_of_the_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let found = |wanted: &[&str]| -> Result<Vec<String>, Diagnostics> {
        let wanted: Vec<String> = wanted.iter().map(|want| (*want).to_owned()).collect();
        find(&root, &wanted).map(|cases| cases.into_iter().map(|case| case.name).collect())
    };
    let all = found(&[]).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(
        all.iter().any(|name| name == "tls/passthrough")
            && all.iter().any(|name| name == "tcp/echo[mtls=strict,protocol=tcp]"),
        "{all:?}"
    );
    let tls = found(&["tls/"]).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(!tls.is_empty() && tls.iter().all(|name| name.starts_with("tls/")), "{tls:?}");
    let echo = found(&["tcp/echo.yaml", "echo[mtls=strict"]).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(echo.len(), 4, "{echo:?}");
    let none = found(&["tls/passthru"]).expect_err("no such case");
    suggests(&none.items()[0], "tls/passthrough");
}
