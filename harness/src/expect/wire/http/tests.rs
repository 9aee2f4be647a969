//! Hand-made exchanges; each argument passes and fails.

use super::super::tests::{connection, exactly, judge_until, mesh, plain, tls_of};
use super::*;
use crate::expect::Answer;
use crate::language::value::Match;
use crate::observe::http::{self, Exchange, HttpView, Version};
use crate::observe::wire::Layer;

fn fields(lines: &[(&str, &str)]) -> Fields {
    lines.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A request at this time, answered one later.
fn exchange(at: Nanos, path: &str, status: &str) -> Exchange {
    let request = fields(&[(":method", "GET"), (":path", path), ("x-a", "one"), ("x-a", "two")]);
    let answer = http::Answer { at: at + 1, fields: fields(&[(":status", status), ("server", "envoy")]) };
    Exchange { at, request, answer: Some(answer) }
}

fn http(version: Version, exchanges: &[Exchange]) -> HttpView {
    HttpView { version, exchanges: exchanges.to_vec(), requests_cut: None, answers_cut: None }
}

fn two() -> HttpView {
    http(Version::Http2, &[exchange(10, "/", "200"), exchange(20, "/b", "503")])
}

fn values(values: &[&str]) -> FieldMatch {
    FieldMatch::Values(values.iter().map(|value| (*value).to_owned()).collect())
}

fn judge(layers: &[Layer], set: impl FnOnce(&mut WireCheck)) -> Answer {
    judge_until(layers.iter().map(|layer| connection(0, layer.clone())).collect(), 1000, set)
}

fn header(name: &str, wanted: FieldMatch) -> impl Fn(&mut WireCheck) {
    let name = name.to_owned();
    move |check| {
        check.headers.insert(name.clone(), wanted.clone());
    }
}

fn answer_header(name: &str, wanted: FieldMatch) -> impl Fn(&mut WireCheck) {
    let name = name.to_owned();
    move |check| {
        check.answer_headers.insert(name.clone(), wanted.clone());
    }
}

const PASSES: Answer = Answer::Judged(Vec::new());

/// What was found by the only finding, which is about this argument.
#[track_caller]
fn found(answer: Answer, what: &str) -> String {
    match answer {
        Answer::Judged(findings) if findings.len() == 1 && findings[0].what == what => {
            findings[0].found.clone()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn versions_are_kinds_of_layers() {
    for (version, word, other) in
        [(Version::Http1, "http/1.1", "http/2"), (Version::Http2, "http/2", "http/1.1")]
    {
        let layer = Layer::Http(http(version, &[exchange(10, "/", "200")]));
        let is = |word: &str| Some(Match::Any(vec![word.to_owned()]));
        let (inside, clear) = (&[mesh(Ok(layer.clone()))], &[layer]);
        assert_eq!(judge(clear, |check| check.outer = is(word)), PASSES);
        assert_eq!(judge(inside, |check| check.inner = is(word)), PASSES);
        for other in [other, "plain", "tls", "none"] {
            let said = found(judge(clear, |check| check.outer = is(other)), "wire.outer");
            assert_eq!(said, format!("{word}, 1 requests (opened at 0ns)"));
            found(judge(inside, |check| check.inner = is(other)), "wire.inner");
        }
    }
}

#[test]
fn requests_of_all_connections_count() {
    let clear = Layer::Http(two());
    for layers in
        [&[clear.clone(), plain("hello"), Layer::Empty][..], &[mesh(Ok(clear)), mesh(Ok(plain("x")))]]
    {
        assert_eq!(judge(layers, |check| check.requests = exactly(2)), PASSES);
        assert_eq!(found(judge(layers, |check| check.requests = exactly(3)), "wire.requests"), "2");
    }
    assert_eq!(judge(&[], |check| check.requests = exactly(0)), PASSES);
    assert_eq!(found(judge(&[], |check| check.requests = exactly(1)), "wire.requests"), "0");
}

#[test]
fn requests_after_the_moment_do_not_count() {
    let wire = || vec![connection(0, Layer::Http(two()))];
    assert_eq!(judge_until(wire(), 10, |check: &mut WireCheck| check.requests = exactly(1)), PASSES);
    assert_eq!(judge_until(wire(), 20, |check: &mut WireCheck| check.requests = exactly(2)), PASSES);
    assert_eq!(judge_until(wire(), 10, header(":path", values(&["/"]))), PASSES);
    assert_eq!(judge_until(wire(), 20, answer_header(":status", values(&["200"]))), PASSES);
    found(judge_until(wire(), 21, answer_header(":status", values(&["200"]))), "wire.answer_headers.:status");
}

#[test]
fn fields_of_each_request() {
    let layers = [Layer::Http(two())];
    let fits = |name, wanted| judge(&layers, header(name, wanted));
    assert_eq!(fits(":method", values(&["GET"])), PASSES);
    assert_eq!(fits("x-a", values(&["one", "two"])), PASSES);
    assert_eq!(fits("x-kuma-tags", FieldMatch::Absent), PASSES);
    assert_eq!(
        found(fits(":path", values(&["/"])), "wire.headers.:path"),
        "\"/b\" (1 of 2 requests; the first of them at 20ns)"
    );
    assert_eq!(
        found(fits("x-kuma-tags", FieldMatch::Present), "wire.headers.x-kuma-tags"),
        "none (2 of 2 requests; the first of them at 10ns)"
    );
    // What no app saw is not the same.
    found(fits("x-a", FieldMatch::SameAsApp("backend".into())), "wire.headers.x-a");
}

#[test]
fn fields_of_each_answer() {
    let layers = [mesh(Ok(Layer::Http(http(Version::Http1, &[exchange(10, "/", "200")]))))];
    let fits = |name, wanted| judge(&layers, answer_header(name, wanted));
    assert_eq!(fits(":status", values(&["200"])), PASSES);
    assert_eq!(fits("server", FieldMatch::Once), PASSES);
    let said = found(fits("server", FieldMatch::Absent), "wire.answer_headers.server");
    assert_eq!(said, "\"envoy\" (answer at 11ns)");
    let mut unanswered = exchange(10, "/", "200");
    unanswered.answer = None;
    let layers = [Layer::Http(http(Version::Http1, &[unanswered]))];
    let said =
        found(judge(&layers, answer_header("server", FieldMatch::Absent)), "wire.answer_headers.server");
    assert_eq!(said, "no answer crossed the link");
}

#[test]
fn absence_takes_a_request() {
    for layers in [&[][..], &[plain("hello")], &[mesh(Ok(Layer::Empty))]] {
        let answer = judge(layers, header("x-kuma-tags", FieldMatch::Absent));
        assert_eq!(found(answer, "wire.headers.x-kuma-tags"), "no request crossed the link");
    }
}

#[test]
fn what_can_not_be_read_is_not_judged() {
    let hidden = || mesh(Err("no secrets".into()));
    let not_run = |why: &str| Answer::NotRun(why.to_owned());
    assert_eq!(judge(&[hidden()], |check| check.requests = exactly(0)), not_run("no secrets"));
    assert_eq!(judge(&[hidden()], header("x-a", FieldMatch::Absent)), not_run("no secrets"));
    assert_eq!(judge(&[hidden()], answer_header("x-a", FieldMatch::Absent)), not_run("no secrets"));
    assert_eq!(
        judge(&[Layer::Http(two()), hidden()], |check| check.requests = exactly(2)),
        not_run("no secrets")
    );
    let within = mesh(Ok(tls_of(Ok(Layer::Http(two())))));
    assert!(matches!(judge(&[within], |check| check.requests = exactly(2)), Answer::NotRun(_)));
    assert_eq!(judge(&[plain("")], |check| check.requests = exactly(0)), not_run("capture cut at 0"));
    // What was seen and is wrong is wrong all the same.
    let both = [Layer::Http(two()), hidden()];
    found(judge(&both, header("x-a", FieldMatch::Absent)), "wire.headers.x-a");
}

#[test]
fn a_cut_capture_hides_requests_and_answers() {
    let mut cut = two();
    cut.requests_cut = Some("capture cut at 99".into());
    let layers = [Layer::Http(cut)];
    let not_run = Answer::NotRun("capture cut at 99".into());
    assert_eq!(judge(&layers, |check| check.requests = exactly(2)), not_run);
    assert_eq!(judge(&layers, header(":method", values(&["GET"]))), not_run);
    assert_eq!(judge(&layers, answer_header("server", FieldMatch::Once)), not_run);
    found(judge(&layers, header(":method", values(&["PUT"]))), "wire.headers.:method");
    let mut cut = two();
    cut.answers_cut = Some("read up to 9".into());
    let layers = [Layer::Http(cut)];
    assert_eq!(judge(&layers, |check| check.requests = exactly(2)), PASSES);
    assert_eq!(
        judge(&layers, answer_header("server", FieldMatch::Once)),
        Answer::NotRun("read up to 9".into())
    );
}
