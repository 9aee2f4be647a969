use bytes::Bytes;

use super::*;
use crate::expect::testing::{Story, accepted, connected, only, received, totals, whats};
use crate::language::value::{BytesMatch, Count, Match, Payload, Span};
use crate::observe::HandshakeFacts;
use crate::observe::observation::{End, Ended, Failure};

fn exactly(n: u64) -> Option<Count> {
    Some(Count::Within(vec![(n, n)]))
}

fn word(word: &str) -> Option<Match<String>> {
    Some(Match::Any(vec![word.into()]))
}

fn millis(from: u64, to: u64) -> Option<Span> {
    let time = std::time::Duration::from_millis;
    Some(Span { from: time(from), to: time(to) })
}

fn literal(text: &'static str) -> Option<BytesMatch> {
    Some(BytesMatch::Equal(Payload::Literal(Bytes::from_static(text.as_bytes()))))
}

/// A call in which everything can be seen.
fn rich() -> Story {
    let mut story = Story::new(&["call"]).with_tls();
    story.begin("call");
    story.client("call", 0, connected());
    let facts = HandshakeFacts {
        version: "1.3".into(),
        alpn: Some("h2".into()),
        sni: Some("backend.example".into()),
        peer: vec!["backend.example".into(), "spiffe://default/backend".into()],
        resumed: true,
    };
    story.client("call", 0, Seen::Handshake(facts));
    story.wait(10);
    story.client("call", 0, received(b"hello"));
    story.client("call", 0, Seen::Blocked { after: 300 });
    story.wait(20);
    story.client("call", 0, Seen::Eof);
    story.client("call", 0, Seen::Ended(totals(b"ab", b"hello")));
    story.end("call");
    story
}

#[test]
fn each_argument_holds_when_it_should_and_is_found_when_not() {
    let story = rich();
    let no = EndCheck::default;
    let cases: Vec<(&str, EndCheck, EndCheck)> = vec![
        (
            "connections",
            EndCheck { connections: exactly(1), ..no() },
            EndCheck { connections: exactly(2), ..no() },
        ),
        ("done", EndCheck { done: Some(true), ..no() }, EndCheck { done: Some(false), ..no() }),
        (
            "received",
            EndCheck { received: literal("hello"), ..no() },
            EndCheck { received: literal("hellO"), ..no() },
        ),
        ("sent", EndCheck { sent: exactly(2), ..no() }, EndCheck { sent: exactly(3), ..no() }),
        (
            "end",
            EndCheck { end: Some(Match::Any(vec![End::Reset, End::Eof])), ..no() },
            EndCheck { end: Some(Match::Any(vec![End::Reset])), ..no() },
        ),
        (
            "handshake",
            EndCheck { handshake: word("ok"), ..no() },
            EndCheck { handshake: word("failed"), ..no() },
        ),
        (
            "certificate",
            EndCheck { certificate: word("spiffe://default/backend"), ..no() },
            EndCheck { certificate: word("other.example"), ..no() },
        ),
        ("alpn", EndCheck { alpn: word("h2"), ..no() }, EndCheck { alpn: Some(Match::Absent), ..no() }),
        ("sni", EndCheck { sni: word("backend.example"), ..no() }, EndCheck { sni: word("b"), ..no() }),
        ("version", EndCheck { version: word("1.3"), ..no() }, EndCheck { version: word("1.2"), ..no() }),
        ("resumed", EndCheck { resumed: exactly(1), ..no() }, EndCheck { resumed: exactly(0), ..no() }),
        (
            "blocked_after",
            EndCheck { blocked_after: exactly(300), ..no() },
            EndCheck { blocked_after: Some(Count::Absent), ..no() },
        ),
        (
            "first_byte",
            EndCheck { first_byte: millis(10, 10), ..no() },
            EndCheck { first_byte: millis(0, 9), ..no() },
        ),
        ("ended", EndCheck { ended: millis(0, 30), ..no() }, EndCheck { ended: millis(31, 40), ..no() }),
    ];
    for (argument, holds, fails) in cases {
        assert_eq!(holds.judge_client(&story.moment(Some("call"))), Answer::Judged(Vec::new()), "{argument}");
        let finding = only(fails.judge_client(&story.moment(Some("call"))));
        assert_eq!(finding.what, format!("client.{argument}"));
        assert!(finding.observation.is_some(), "{argument} points at an observation");
    }
}

#[test]
fn findings_speak_in_words() {
    let story = rich();
    let check = EndCheck { received: literal("hellO"), ended: millis(31, 40), ..EndCheck::default() };
    let Answer::Judged(findings) = check.judge_client(&story.moment(Some("call"))) else { panic!() };
    let words: Vec<_> = findings.iter().map(|f| (f.expected.as_str(), f.found.as_str())).collect();
    assert_eq!(words, [("\"hellO\"", "\"hello\""), ("31ms..40ms", "30ms")]);
}

#[test]
fn received_knows_all_its_forms() {
    let big: Vec<u8> = {
        let mut bytes = vec![0; 10_000];
        crate::language::value::pattern(3, 0, &mut bytes);
        bytes
    };
    let mut story = Story::new(&["call"]);
    story.whole_call("call", b"", &big);
    let holds = |received: BytesMatch| {
        let check = EndCheck { received: Some(received), ..EndCheck::default() };
        whats(&check.judge_client(&story.moment(None).with_step("call"))).is_empty()
    };
    assert!(holds(BytesMatch::Equal(Payload::Pattern { len: 10_000, seed: 3 })));
    assert!(!holds(BytesMatch::Equal(Payload::Pattern { len: 10_000, seed: 4 })));
    assert!(!holds(BytesMatch::Equal(Payload::Pattern { len: 9_999, seed: 3 })));
    assert!(holds(BytesMatch::StartsWith(Bytes::copy_from_slice(&big[..100]))));
    assert!(!holds(BytesMatch::StartsWith(Bytes::copy_from_slice(&big[1..100]))));
    assert!(holds(BytesMatch::Count(Count::Within(vec![(1, 10_000)]))));
    assert!(!holds(BytesMatch::Count(Count::Absent)));
}

#[test]
fn what_came_before_the_end_counts_already() {
    let mut story = Story::new(&["call"]);
    story.begin("call");
    story.app(0, accepted());
    story.app(0, received(b"hel"));
    story.app(0, received(b"lo"));
    story.end("call");
    story.wait(1);
    story.app(0, received(b" world"));
    let check = |text| EndCheck { received: literal(text), ..EndCheck::default() };
    assert_eq!(whats(&check("hello").judge_app(&story.moment(Some("call")))), [""; 0]);
    assert_eq!(whats(&check("hello world").judge_app(&story.moment(Some("call")))), ["app.received"]);
    let later = EndCheck { step: Some("call".into()), ..check("hello world") };
    assert_eq!(whats(&later.judge_app(&story.moment(None))), [""; 0]);
}

#[test]
fn absence_is_believed_only_of_a_step_that_ended() {
    let none = EndCheck { connections: exactly(0), received: literal(""), ..EndCheck::default() };
    let mut story = Story::new(&["call"]);
    assert_eq!(only(none.judge_app(&story.moment(Some("call")))).found, "it did not begin");
    story.begin("call");
    assert_eq!(only(none.judge_app(&story.moment(Some("call")))).found, "it began and did not end");
    assert_eq!(only(none.judge_client(&story.moment(Some("call")))).found, "it began and did not end");
    story.end("call");
    assert_eq!(none.judge_app(&story.moment(Some("call"))), Answer::Judged(Vec::new()));
    // Everything that only a connection could show is missing.
    let asks =
        EndCheck { received: literal("x"), done: Some(false), alpn: word("h2"), ..EndCheck::default() };
    assert_eq!(whats(&asks.judge_app(&story.moment(Some("call")))), ["app.received", "app.done", "app.alpn"]);
}

#[test]
fn an_app_connection_belongs_to_the_step_in_which_it_was_accepted() {
    let mut story = Story::new(&["first", "second"]);
    story.begin("first");
    story.app(0, accepted());
    story.end("first");
    // Late, but before the next step: the first one's.
    story.app(1, accepted());
    story.begin("second");
    story.app(2, accepted());
    story.end("second");
    let count = |step: Option<&str>, n| {
        let check = EndCheck {
            pod: Some("backend".into()),
            step: step.map(Into::into),
            connections: exactly(n),
            ..EndCheck::default()
        };
        whats(&check.judge_app(&story.moment(None))).is_empty()
    };
    assert!(count(Some("first"), 2) && count(Some("second"), 1) && count(None, 3));
    assert!(!count(Some("first"), 1));
}

#[test]
fn with_several_connections_each_must_match() {
    let mut story = Story::new(&["call"]);
    story.begin("call");
    for conn in 0..2 {
        story.client("call", conn, connected());
    }
    story.client("call", 0, Seen::Ended(totals(b"", b"hello")));
    story.client("call", 1, Seen::Failed { error: Failure::Reset });
    let broken = Ended { end: End::Reset, done: false, ..totals(b"", b"hello") };
    story.client("call", 1, Seen::Ended(broken));
    story.end("call");
    let check = EndCheck { done: Some(true), received: literal("hello"), ..EndCheck::default() };
    let finding = only(check.judge_client(&story.moment(Some("call"))));
    assert_eq!(finding.what, "client.done (connection 1)");
    assert_eq!(finding.found, "the connection failed: Reset");
}

#[test]
fn a_failed_handshake_is_no_absent_one() {
    let mut story = Story::new(&["call"]).with_tls();
    story.begin("call");
    story.client("call", 0, connected());
    story.client("call", 0, Seen::HandshakeFailed { mesh: false, error: "no".into() });
    story.end("call");
    let check = |handshake| EndCheck { handshake: Some(handshake), ..EndCheck::default() };
    let judge = |check: EndCheck| whats(&check.judge_client(&story.moment(Some("call")))).len();
    assert_eq!(judge(check(Match::Any(vec!["failed".into()]))), 0);
    assert_eq!(judge(check(Match::Any(vec!["ok".into()]))), 1);
    assert_eq!(judge(check(Match::Absent)), 1);
}

#[test]
fn mesh_tls_counts_where_there_is_no_other() {
    let facts = HandshakeFacts { peer: vec!["spiffe://default/backend".into()], ..HandshakeFacts::default() };
    for (own_tls, holds) in [(false, true), (true, false)] {
        let mut story = Story::new(&["call"]);
        if own_tls {
            story = story.with_tls();
        }
        story.begin("call");
        story.client("call", 0, connected());
        story.client("call", 0, Seen::MeshHandshake(facts.clone()));
        story.end("call");
        let check = EndCheck { certificate: word("spiffe://default/backend"), ..EndCheck::default() };
        assert_eq!(whats(&check.judge_client(&story.moment(Some("call")))).is_empty(), holds);
    }
}

impl<'a> Moment<'a> {
    /// The same moment, for a check that names no step of its own.
    fn with_step(self, step: &'a str) -> Self {
        Self { step: Some(step), ..self }
    }
}
