//! Hand-made runs; each argument passes and fails.

use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, SanType, date_time_ymd};

use super::*;
use crate::expect::Dictionaries;
use crate::expect::{Run, Slack};
use crate::language::TlsVersion;
use crate::language::value::Span;
use crate::language::{Expectation, Link, Mesh, Mtls, Scenario, Step, Verb};
use crate::observe::Observation;
use crate::observe::wire::{Layer, TlsView};

const WEB: &str = "spiffe://default/web";
const BACKEND: &str = "spiffe://default/backend";

/// A certificate with these URIs, valid for one day.
fn certificate(uris: &[&str]) -> Option<Vec<u8>> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.subject_alt_names =
        uris.iter().map(|uri| SanType::URI((*uri).try_into().expect("ASCII"))).collect();
    params.not_before = date_time_ymd(2030, 1, 1);
    params.not_after = date_time_ymd(2030, 1, 2);
    Some(params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate").der().to_vec())
}

fn view(client: Option<Vec<u8>>, server: Option<Vec<u8>>, inner: Result<Layer, String>) -> TlsView {
    TlsView {
        sni: Some("backend".into()),
        alpn: vec!["kuma".into(), "h2".into()],
        version: Some(TlsVersion::V1_3),
        client_certificate: client,
        server_certificate: server,
        resumed: false,
        inner,
        alerts: Vec::new(),
    }
}

/// TLS of which no certificate is the mesh's.
pub(super) fn tls_of(inner: Result<Layer, String>) -> Layer {
    tls(view(None, None, inner))
}

fn tls(view: TlsView) -> Layer {
    Layer::Tls(Box::new(view))
}

pub(super) fn mesh(inner: Result<Layer, String>) -> Layer {
    tls(view(certificate(&[WEB, "kuma://x/y"]), certificate(&[BACKEND]), inner))
}

pub(super) fn plain(forward: &str) -> Layer {
    Layer::Plain { forward: forward.into(), back: Vec::new() }
}

fn link() -> Link {
    Link { from: "web.proxy".into(), to: "backend.proxy".into() }
}

pub(super) fn connection(opened: Nanos, layer: Layer) -> WireConnection {
    WireConnection { link: link(), opened, established: true, syns: 1, bytes: 10, bytes_back: 20, layer }
}

fn run(wire: Vec<WireConnection>) -> Run {
    let world = |at, seen| Observation {
        at,
        pod: "web".into(),
        role: Role::World,
        step: Some("hello".into()),
        conn: None,
        seen,
    };
    Run {
        scenario: Scenario {
            name: "tcp/x".into(),
            file: "x.yaml".into(),
            about: String::new(),
            source: "".into(),
            large: false,
            worlds: None,
            deadline: Duration::from_secs(1),
            mesh: Mesh { mtls: Mtls::Strict, permissions: None },
            pods: Vec::new(),
            resources: Vec::new(),
            steps: Vec::new(),
            expect: Vec::new(),
        },
        observations: vec![world(100, Seen::StepBegan), world(200, Seen::StepEnded)],
        wire,
        scrapes: Vec::new(),
        sockets: Vec::new(),
    }
}

fn check() -> WireCheck {
    WireCheck::on(link())
}

fn judge(wire: Vec<WireConnection>, set: impl FnOnce(&mut WireCheck)) -> Answer {
    judge_until(wire, 1000, set)
}

/// Judges on what was seen until a moment.
pub(super) fn judge_until(
    wire: Vec<WireConnection>,
    until: Nanos,
    set: impl FnOnce(&mut WireCheck),
) -> Answer {
    let mut check = check();
    set(&mut check);
    let dictionaries = Dictionaries::default();
    check.judge(&Moment {
        run: &run(wire),
        step: None,
        until,
        dictionaries: &dictionaries,
        slack: Slack::NONE,
    })
}

fn is(text: &str) -> Option<Match<String>> {
    Some(Match::Any(vec![text.into()]))
}

pub(super) fn exactly(n: u64) -> Option<Count> {
    Some(Count::Within(vec![(n, n)]))
}

fn passes(layer: &Layer, set: impl FnOnce(&mut WireCheck)) {
    assert_eq!(judge(vec![connection(0, layer.clone())], set), Answer::Judged(Vec::new()));
}

/// Fails with one finding about this argument, and returns what was found.
#[track_caller]
fn fails(layer: &Layer, what: &str, set: impl FnOnce(&mut WireCheck)) -> String {
    match judge(vec![connection(0, layer.clone())], set) {
        Answer::Judged(findings) if findings.len() == 1 && findings[0].what == what => {
            findings[0].found.clone()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn outer_layers_are_told_apart() {
    let foreign = tls(view(certificate(&["spiffe://other/web"]), certificate(&[BACKEND]), Ok(Layer::Empty)));
    let one_sided = tls(view(None, certificate(&[BACKEND]), Ok(Layer::Empty)));
    let all = [
        ("plain", plain("GET / HTTP/1.1")),
        ("none", Layer::Empty),
        ("mesh-tls", mesh(Ok(Layer::Empty))),
        ("tls", foreign),
        ("tls", one_sided),
    ];
    for (kind, layer) in &all {
        for wanted in ["plain", "none", "mesh-tls", "tls"] {
            if wanted == *kind {
                passes(layer, |check| check.outer = is(wanted));
            } else {
                fails(layer, "wire.outer", |check| check.outer = is(wanted));
            }
        }
    }
    let found = fails(&all[0].1, "wire.outer", |check| check.outer = is("mesh-tls"));
    assert_eq!(found, "plain bytes \"GET / HTTP/1.1\" (opened at 0ns)");
}

#[test]
fn inner_layers_are_told_apart() {
    let app = tls(view(None, None, Err("no secrets".into())));
    for (kind, layer) in [("plain", plain("x")), ("none", Layer::Empty), ("tls", app)] {
        let outer = mesh(Ok(layer));
        for wanted in ["plain", "none", "tls"] {
            if wanted == kind {
                passes(&outer, |check| check.inner = is(wanted));
            } else {
                fails(&outer, "wire.inner", |check| check.inner = is(wanted));
            }
        }
    }
    fails(&plain("x"), "wire.inner", |check| check.inner = is("plain"));
}

#[test]
fn names_protocols_and_versions() {
    let mut app = view(None, None, Ok(Layer::Empty));
    app.sni = Some("app.example".into());
    app.alpn = Vec::new();
    let layer = mesh(Ok(tls(app)));
    passes(&layer, |check| {
        check.sni = is("backend");
        check.alpn = is("kuma,h2");
        check.version = is("1.3");
        check.inner_sni = is("app.example");
        check.inner_alpn = Some(Match::Absent);
    });
    fails(&layer, "wire.sni", |check| check.sni = is("other"));
    fails(&layer, "wire.sni", |check| check.sni = Some(Match::Absent));
    fails(&layer, "wire.alpn", |check| check.alpn = is("kuma"));
    fails(&layer, "wire.version", |check| check.version = is("1.2"));
    fails(&layer, "wire.inner_sni", |check| check.inner_sni = is("backend"));
    let found = fails(&layer, "wire.inner_alpn", |check| check.inner_alpn = is("h2"));
    assert!(found.starts_with("none; the connection is TLS 1.3, SNI backend"), "{found}");
    fails(&plain("x"), "wire.sni", |check| check.sni = is("backend"));
}

#[test]
fn certificates_and_their_lifetime() {
    let layer = mesh(Ok(Layer::Empty));
    let day = Duration::from_secs(86_400);
    passes(&layer, |check| {
        check.client_uris = vec![WEB.into(), "kuma://x/y".into()];
        check.server_uris = vec![BACKEND.into()];
        check.lifetime = Some(Span { from: day, to: day });
    });
    fails(&layer, "wire.client_uris", |check| check.client_uris = vec![WEB.into(), BACKEND.into()]);
    let found = fails(&layer, "wire.server_uris", |check| check.server_uris = vec![WEB.into()]);
    assert!(found.starts_with(BACKEND), "{found}");
    let hour = Duration::from_secs(3600);
    fails(&layer, "wire.lifetime", |check| check.lifetime = Some(Span { from: hour, to: hour }));
    fails(&plain("x"), "wire.client_uris", |check| check.client_uris = vec![WEB.into()]);
    fails(&plain("x"), "wire.lifetime", |check| check.lifetime = Some(Span { from: hour, to: hour }));
}

#[test]
fn a_resumed_session_has_the_ends_of_its_first() {
    let mut resumed = view(None, None, Ok(Layer::Empty));
    resumed.resumed = true;
    let again = connection(5, tls(resumed));
    let first = connection(0, mesh(Ok(Layer::Empty)));
    let set = |check: &mut WireCheck| {
        check.outer = is("mesh-tls");
        check.client_uris = vec![WEB.into()];
    };
    assert_eq!(judge(vec![first, again.clone()], set), Answer::Judged(Vec::new()));
    assert!(matches!(judge(vec![again.clone()], set), Answer::NotRun(_)));
    let other = connection(0, tls(view(None, certificate(&[]), Ok(Layer::Empty))));
    let Answer::Judged(findings) = judge(vec![other, again], set) else { panic!("judged") };
    assert_eq!(findings.len(), 2);
    assert!(findings[0].found.contains("2 of 2 connections"), "{findings:?}");
}

#[test]
fn why_secrets_are_missing_is_told_with_what_they_hide() {
    let hidden = tls(view(None, None, Err("no secrets".into())));
    let judged = |host: &str| {
        let mut run = run(vec![connection(0, hidden.clone())]);
        let seen = Seen::SecretsLost { host: host.into(), why: "no such file".into() };
        let world = run.observations[0].clone();
        run.observations.push(Observation { step: None, seen, ..world });
        let dictionaries = Dictionaries::default();
        let moment =
            Moment { run: &run, step: None, until: 1000, dictionaries: &dictionaries, slack: Slack::NONE };
        WireCheck { inner: is("tls"), ..check() }.judge(&moment)
    };
    assert_eq!(judged("other.proxy"), Answer::NotRun("no secrets".into()));
    let told = Answer::NotRun("no secrets (backend.proxy: no such file)".into());
    assert_eq!(judged("backend.proxy"), told);
}

#[test]
fn without_secrets_nothing_is_claimed() {
    let hidden = tls(view(None, None, Err("no secrets".into())));
    let judge = |set: fn(&mut WireCheck)| judge(vec![connection(0, hidden.clone())], set);
    let not_run = Answer::NotRun("no secrets".into());
    assert_eq!(judge(|check| check.outer = is("mesh-tls")), not_run);
    assert_eq!(judge(|check| check.outer = is("tls")), not_run);
    assert_eq!(judge(|check| check.inner = is("tls")), not_run);
    assert_eq!(judge(|check| check.inner_sni = Some(Match::Absent)), not_run);
    assert_eq!(judge(|check| check.client_uris = vec![WEB.into()]), not_run);
    // What can be told is judged all the same.
    assert_eq!(judge(|check| check.sni = is("backend")), Answer::Judged(Vec::new()));
    let both = Match::Any(vec!["tls".into(), "mesh-tls".into()]);
    passes(&hidden, |check| check.outer = Some(both));
    fails(&hidden, "wire.outer", |check| check.outer = is("plain"));
    let Answer::Judged(findings) = judge(|check| {
        check.sni = is("other");
        check.inner = is("tls");
    }) else {
        panic!("judged")
    };
    assert_eq!(findings.len(), 1);
    // TLS 1.2 shows certificates in clear, whatever the secrets.
    let mut clear = view(certificate(&[WEB]), certificate(&[BACKEND]), Err("no secrets".into()));
    clear.version = Some(TlsVersion::V1_2);
    passes(&tls(clear), |check| check.outer = is("mesh-tls"));
}

#[test]
fn counts() {
    let mut refused = connection(1, Layer::Empty);
    refused.established = false;
    refused.bytes = 0;
    let wire = || vec![connection(0, plain("x")), refused.clone(), connection(2, plain("x"))];
    let all = |attempts, connections, bytes, back| {
        move |check: &mut WireCheck| {
            check.attempts = exactly(attempts);
            check.connections = exactly(connections);
            check.bytes = exactly(bytes);
            check.bytes_back = exactly(back);
        }
    };
    assert_eq!(judge(wire(), all(3, 2, 20, 40)), Answer::Judged(Vec::new()));
    let Answer::Judged(findings) = judge(wire(), all(2, 3, 21, 41)) else { panic!("judged") };
    let seen: Vec<_> =
        findings.iter().map(|f| (f.what.as_str(), f.expected.as_str(), f.found.as_str())).collect();
    assert_eq!(
        seen,
        [
            ("wire.attempts", "2", "3"),
            ("wire.connections", "3", "2"),
            ("wire.bytes", "21", "20"),
            ("wire.bytes_back", "41", "40")
        ]
    );
}

#[test]
fn only_connections_of_link_step_and_time_count() {
    let mut other_way = connection(150, plain("x"));
    other_way.link = Link { from: "backend.proxy".into(), to: "web.proxy".into() };
    let late = connection(1001, plain("x"));
    let wire = vec![connection(99, Layer::Empty), connection(100, plain("x")), other_way, late];
    let count = |step: Option<&str>, n| {
        judge(wire.clone(), |check| {
            check.step = step.map(str::to_owned);
            check.connections = exactly(n);
        })
    };
    assert_eq!(count(None, 2), Answer::Judged(Vec::new()));
    assert_eq!(count(Some("hello"), 1), Answer::Judged(Vec::new()));
    assert_eq!(count(Some("other"), 1), Answer::NotRun("step `other` never began".into()));
}

#[test]
fn nothing_after_the_moment_counts() {
    let mut check = check();
    check.step = Some("hello".into());
    check.connections = exactly(1);
    let wire = [120, 160].map(|opened| connection(opened, plain("x"))).to_vec();
    let (run, dictionaries) = (run(wire), Dictionaries::default());
    let moment =
        |until| Moment { run: &run, step: None, until, dictionaries: &dictionaries, slack: Slack::NONE };
    assert_eq!(check.judge(&moment(150)), Answer::Judged(Vec::new()));
    assert_ne!(check.judge(&moment(500)), Answer::Judged(Vec::new()));
}

#[test]
fn no_connection_is_a_finding_where_one_is_described() {
    let Answer::Judged(findings) = judge(Vec::new(), |check| check.outer = is("mesh-tls")) else {
        panic!("judged")
    };
    assert_eq!(findings[0].found, "no connection crossed the link");
    assert_eq!(judge(Vec::new(), |check| check.connections = exactly(0)), Answer::Judged(Vec::new()));
}

#[test]
fn links_that_are_looked_at() {
    let expect = || Expectation {
        checks: vec![Check::Wire(check())],
        proves: Vec::new(),
        level: None,
        line: 1,
        not_run: None,
    };
    let step = |verb, expect| Step { id: "step".into(), after: Duration::ZERO, verb, expect };
    let plain = || run(Vec::new()).scenario;
    assert_eq!(looked_at(&plain()), []);
    let (mut bottom, mut nested, mut deeper) = (plain(), plain(), plain());
    bottom.expect = vec![expect()];
    nested.steps = vec![step(Verb::Nothing, vec![expect()])];
    deeper.steps = vec![step(Verb::Parallel(nested.steps.clone()), Vec::new())];
    for scenario in [bottom, nested, deeper] {
        assert_eq!(looked_at(&scenario), [link()]);
    }
}
