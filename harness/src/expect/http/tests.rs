mod counted;

use bytes::Bytes;

use super::*;
use crate::expect::Answer;
use crate::expect::testing::{Story, accepted, connected, flow, only, received, totals, whats};
use crate::language::EndCheck;
use crate::language::value::BytesMatch;
use crate::language::value::{Payload, Span};
use crate::observe::Seen;
use crate::observe::observation::{End, Ended, HttpEvent, RequestHead, ResponseHead};

fn exactly(n: u64) -> Option<Count> {
    Some(Count::Within(vec![(n, n)]))
}

fn word(word: &str) -> Option<Match<String>> {
    Some(Match::Any(vec![word.into()]))
}

fn millis(from: u64, to: u64) -> Span {
    let time = std::time::Duration::from_millis;
    Span { from: time(from), to: time(to) }
}

fn text(text: &'static str) -> Option<BytesMatch> {
    Some(BytesMatch::Equal(Payload::Literal(Bytes::from_static(text.as_bytes()))))
}

fn status(code: u16) -> Option<Match<StatusMatch>> {
    Some(Match::Any(vec![StatusMatch::Code(code)]))
}

fn field(name: &str, wanted: FieldMatch) -> IndexMap<String, FieldMatch> {
    IndexMap::from([(name.to_owned(), wanted)])
}

fn values(values: &[&str]) -> FieldMatch {
    FieldMatch::Values(values.iter().map(|value| (*value).to_owned()).collect())
}

fn of(exchange: u32, event: HttpEvent) -> Seen {
    Seen::Http { exchange, event }
}

fn request(method: &str, path: &str) -> HttpEvent {
    HttpEvent::Request(RequestHead {
        protocol: "HTTP/1.1".into(),
        method: method.into(),
        path: path.into(),
        authority: Some("backend:80".into()),
        headers: vec![("x-id".into(), "7".into())],
    })
}

fn response(status: u16) -> HttpEvent {
    let headers = vec![("x-a".into(), "one".into()), ("x-a".into(), "two".into())];
    HttpEvent::Response(ResponseHead { protocol: "HTTP/1.1".into(), status, headers })
}

fn facts(bytes: &[u8], whole: bool) -> BodyFacts {
    BodyFacts { flow: flow(bytes), trailers: vec![("x-sum".into(), "abc".into())], whole }
}

/// One exchange in step `call`: asked at 0 ms, at the app at 5 ms, answered from 10 ms to 30 ms.
fn one() -> Story {
    let mut story = Story::new(&["call"]).with_http();
    story.begin("call");
    exchange(&mut story, "call", 0, 200);
    story.end("call");
    story
}

fn exchange(story: &mut Story, step: &str, number: u32, status: u16) {
    story.client(step, 0, connected());
    story.client(step, 0, of(number, request("POST", "/a?b")));
    story.app(0, accepted());
    story.wait(5);
    story.app(0, of(number, request("POST", "/a?b")));
    story.app(0, of(number, HttpEvent::Piece { bytes: 3 }));
    story.app(0, of(number, HttpEvent::RequestBody(facts(b"ask", true))));
    story.wait(5);
    story.client(step, 0, of(number, HttpEvent::Interim { status: 100 }));
    story.client(step, 0, of(number, response(status)));
    story.wait(10);
    story.client(step, 0, of(number, HttpEvent::Piece { bytes: 1 }));
    story.client(step, 0, of(number, HttpEvent::Piece { bytes: 1 }));
    story.wait(10);
    story.client(step, 0, of(number, HttpEvent::Piece { bytes: 1 }));
    story.client(step, 0, of(number, HttpEvent::ResponseBody(facts(b"abc", true))));
}

fn client(story: &Story, http: HttpCheck) -> Answer {
    EndCheck { http, ..EndCheck::default() }.judge_client(&story.moment(Some("call")))
}

fn app(story: &Story, http: HttpCheck) -> Answer {
    EndCheck { http, ..EndCheck::default() }.judge_app(&story.moment(Some("call")))
}

type Pair = (&'static str, HttpCheck, HttpCheck);

/// Arguments of both ends: name, one that holds of [`one`], one that does not.
fn of_client() -> Vec<Pair> {
    let no = HttpCheck::default;
    vec![
        ("requests", HttpCheck { requests: exactly(1), ..no() }, HttpCheck { requests: exactly(2), ..no() }),
        ("answers", HttpCheck { answers: exactly(1), ..no() }, HttpCheck { answers: exactly(0), ..no() }),
        ("status", HttpCheck { status: status(200), ..no() }, HttpCheck { status: status(201), ..no() }),
        (
            "status",
            HttpCheck {
                status: Some(Match::Any(vec![StatusMatch::Class(5), StatusMatch::Class(2)])),
                ..no()
            },
            HttpCheck { status: Some(Match::Absent), ..no() },
        ),
        (
            "statuses",
            HttpCheck { statuses: Some(vec![200]), ..no() },
            HttpCheck { statuses: Some(vec![]), ..no() },
        ),
        (
            "interim",
            HttpCheck { interim: Some(vec![100]), ..no() },
            HttpCheck { interim: Some(vec![]), ..no() },
        ),
        (
            "headers.x-a",
            HttpCheck { headers: field("x-a", values(&["one", "t*"])), ..no() },
            HttpCheck { headers: field("x-a", FieldMatch::Once), ..no() },
        ),
        (
            "headers.x-b",
            HttpCheck { headers: field("x-b", FieldMatch::Absent), ..no() },
            HttpCheck { headers: field("x-b", FieldMatch::Present), ..no() },
        ),
        (
            "trailers.x-sum",
            HttpCheck { trailers: field("x-sum", values(&["abc"])), ..no() },
            HttpCheck { trailers: field("x-sum", FieldMatch::Absent), ..no() },
        ),
        ("body", HttpCheck { body: text("abc"), ..no() }, HttpCheck { body: text("abC"), ..no() }),
        ("whole", HttpCheck { whole: Some(true), ..no() }, HttpCheck { whole: Some(false), ..no() }),
        ("wholes", HttpCheck { wholes: exactly(1), ..no() }, HttpCheck { wholes: exactly(0), ..no() }),
        (
            "protocol",
            HttpCheck { protocol: word("HTTP/1.1"), ..no() },
            HttpCheck { protocol: word("HTTP/2"), ..no() },
        ),
        ("pieces", HttpCheck { pieces: exactly(2), ..no() }, HttpCheck { pieces: exactly(3), ..no() }),
        (
            "head_at",
            HttpCheck { head_at: Some(millis(10, 10)), ..no() },
            HttpCheck { head_at: Some(millis(0, 9)), ..no() },
        ),
        (
            "body_at",
            HttpCheck { body_at: Some(millis(20, 20)), ..no() },
            HttpCheck { body_at: Some(millis(0, 19)), ..no() },
        ),
        (
            "over_at",
            HttpCheck { over_at: Some(millis(30, 30)), ..no() },
            HttpCheck { over_at: Some(millis(31, 40)), ..no() },
        ),
    ]
}

fn of_app() -> Vec<Pair> {
    let no = HttpCheck::default;
    vec![
        ("requests", HttpCheck { requests: exactly(1), ..no() }, HttpCheck { requests: exactly(0), ..no() }),
        ("method", HttpCheck { method: word("POST"), ..no() }, HttpCheck { method: word("GET"), ..no() }),
        ("path", HttpCheck { path: word("/a?b"), ..no() }, HttpCheck { path: word("/a"), ..no() }),
        (
            "authority",
            HttpCheck { authority: word("backend:80"), ..no() },
            HttpCheck { authority: Some(Match::Absent), ..no() },
        ),
        (
            "headers.x-id",
            HttpCheck { headers: field("x-id", FieldMatch::SameAsApp("backend".into())), ..no() },
            HttpCheck { headers: field("x-id", FieldMatch::SameAsApp("web".into())), ..no() },
        ),
        ("body", HttpCheck { body: text("ask"), ..no() }, HttpCheck { body: text(""), ..no() }),
        ("whole", HttpCheck { whole: Some(true), ..no() }, HttpCheck { whole: Some(false), ..no() }),
        (
            "head_at",
            HttpCheck { head_at: Some(millis(5, 5)), ..no() },
            HttpCheck { head_at: Some(millis(6, 9)), ..no() },
        ),
        (
            "gaps",
            HttpCheck { gaps: Some(vec![]), ..no() },
            HttpCheck { gaps: Some(vec![millis(0, 9)]), ..no() },
        ),
    ]
}

#[test]
fn each_argument_holds_when_it_should_and_is_found_when_not() {
    let story = one();
    for (name, holds, fails) in of_client() {
        assert_eq!(client(&story, holds), Answer::Judged(Vec::new()), "{name}");
        let finding = only(client(&story, fails));
        assert_eq!(finding.what, format!("client.{name}"));
        assert!(finding.observation.is_some(), "{name} points at an observation");
    }
    for (name, holds, fails) in of_app() {
        assert_eq!(app(&story, holds), Answer::Judged(Vec::new()), "{name}");
        let finding = only(app(&story, fails));
        assert_eq!(finding.what, format!("app.{name}"));
    }
}

/// Counts of nothing and what is said to be absent hold; everything else needs an exchange.
#[test]
fn nothing_holds_for_want_of_an_exchange() {
    let mut unreached = Story::new(&["call"]).with_http();
    unreached.begin("call");
    unreached.end("call");
    let mut silent = Story::new(&["call"]).with_http();
    silent.begin("call");
    silent.client("call", 0, connected());
    silent.app(0, accepted());
    silent.end("call");
    for story in [&unreached, &silent] {
        for (name, holds, _) in of_client() {
            assert_eq!(whats(&client(story, holds)), [format!("client.{name}")]);
        }
        for (name, holds, _) in of_app().into_iter().filter(|(name, ..)| *name != "gaps") {
            assert_eq!(whats(&app(story, holds)), [format!("app.{name}")]);
        }
        let nothing = HttpCheck {
            requests: exactly(0),
            answers: exactly(0),
            wholes: exactly(0),
            statuses: Some(vec![]),
            status: Some(Match::Absent),
            ..HttpCheck::default()
        };
        assert_eq!(whats(&client(story, nothing.clone())), [""; 0]);
        assert_eq!(whats(&app(story, nothing)), [""; 0]);
        for end in [client, app] {
            assert_eq!(whats(&end(story, HttpCheck { whole: Some(false), ..HttpCheck::default() })).len(), 1);
            assert_eq!(
                whats(&end(story, HttpCheck { interim: Some(vec![]), ..HttpCheck::default() })).len(),
                1
            );
            assert_eq!(whats(&end(story, HttpCheck { pieces: exactly(0), ..HttpCheck::default() })).len(), 1);
            let absent = field("x-kuma-tags", FieldMatch::Absent);
            assert_eq!(whats(&end(story, HttpCheck { headers: absent, ..HttpCheck::default() })).len(), 1);
        }
    }
}

#[test]
fn an_exchange_that_failed_says_why() {
    let mut story = Story::new(&["call"]).with_http();
    story.begin("call");
    story.client("call", 0, of(0, request("GET", "/")));
    story.wait(10);
    story.client("call", 0, of(0, HttpEvent::Failed { error: "connection closed".into() }));
    story.end("call");
    let found = |http| only(client(&story, http)).found;
    assert_eq!(
        found(HttpCheck { status: status(200), ..HttpCheck::default() }),
        "no answer: connection closed"
    );
    assert_eq!(
        found(HttpCheck { whole: Some(true), ..HttpCheck::default() }),
        "no answer: connection closed"
    );
    let held = HttpCheck {
        status: Some(Match::Absent),
        whole: Some(false),
        over_at: Some(millis(10, 10)),
        requests: exactly(1),
        ..HttpCheck::default()
    };
    assert_eq!(whats(&client(&story, held)), [""; 0]);
}

#[test]
fn an_answer_that_was_cut_is_not_whole() {
    let mut story = Story::new(&["call"]).with_http();
    story.begin("call");
    story.client("call", 0, of(0, request("GET", "/")));
    story.client("call", 0, of(0, response(200)));
    story.client("call", 0, of(0, HttpEvent::ResponseBody(facts(b"ab", false))));
    story.client("call", 0, of(0, HttpEvent::Failed { error: "reset".into() }));
    story.end("call");
    let finding = only(client(&story, HttpCheck { whole: Some(true), ..HttpCheck::default() }));
    assert_eq!((finding.expected.as_str(), finding.found.as_str()), ("whole", "not whole: reset"));
    let cut = HttpCheck { whole: Some(false), body: text("ab"), wholes: exactly(0), ..HttpCheck::default() };
    assert_eq!(whats(&client(&story, cut)), [""; 0]);
}

#[test]
fn every_exchange_is_judged_and_named() {
    let mut story = Story::new(&["call"]).with_http();
    story.begin("call");
    exchange(&mut story, "call", 0, 503);
    story.wait(20);
    exchange(&mut story, "call", 1, 200);
    story.end("call");
    let finding = only(client(&story, HttpCheck { status: status(200), ..HttpCheck::default() }));
    assert_eq!(finding.what, "client.status (connection 0, exchange 0)");
    assert_eq!((finding.expected.as_str(), finding.found.as_str()), ("200", "503"));
    let all = HttpCheck { statuses: Some(vec![503, 200]), wholes: exactly(2), ..HttpCheck::default() };
    assert_eq!(whats(&client(&story, all)), [""; 0]);
    let gap = |from, to| HttpCheck { gaps: Some(vec![millis(from, to)]), ..HttpCheck::default() };
    assert_eq!(whats(&app(&story, gap(50, 50))), [""; 0]);
    assert_eq!(only(app(&story, gap(0, 49))).found, "50ms");
    // One of two clients that got nothing is one too many.
    story.run.observations.insert(1, {
        let mut other = story.run.observations[1].clone();
        other.conn = Some(1);
        other
    });
    let finding = only(client(&story, HttpCheck { protocol: word("HTTP/1.1"), ..HttpCheck::default() }));
    assert_eq!(
        (finding.what.as_str(), finding.found.as_str()),
        ("client.protocol (connection 1, exchange 0)", "no request")
    );
}

#[test]
fn a_request_belongs_to_the_step_in_which_it_came() {
    let mut story = Story::new(&["first", "second"]).with_http();
    for (number, step) in ["first", "second"].into_iter().enumerate() {
        story.begin(step);
        if number == 0 {
            story.app(0, accepted());
        }
        let path = format!("/{step}");
        story.app(0, of(number as u32, request("GET", &path)));
        story.wait(1);
        story.end(step);
        story.wait(1);
    }
    for step in ["first", "second"] {
        let http = |path: &str| HttpCheck { requests: exactly(1), path: word(path), ..HttpCheck::default() };
        let judge = |path: &str| {
            let check = EndCheck { step: Some(step.into()), http: http(path), ..EndCheck::default() };
            whats(&check.judge_app(&story.moment(None))).len()
        };
        assert_eq!(judge(&format!("/{step}")), 0, "{step}");
        assert_eq!(judge("/other"), 1);
    }
    let all = EndCheck {
        pod: Some("backend".into()),
        http: HttpCheck { requests: exactly(2), ..HttpCheck::default() },
        ..EndCheck::default()
    };
    assert_eq!(whats(&all.judge_app(&story.moment(None))), [""; 0]);
}

/// What a client and an app that are scripted in bytes said to each other.
fn scripted(asked: &[u8], answered: &[u8]) -> Story {
    let mut story = Story::new(&["call"]);
    story.whole_call("call", asked, answered);
    story
}

#[test]
fn bytes_are_read_as_http() {
    let story = scripted(
        b"PUT /x HTTP/1.1\r\nHost: shop\r\nX-A: 1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: shop\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-B: b\r\n\r\nokHTTP/1.1 503 No\r\nX-B: b\r\n\r\nto the end",
    );
    let asked = HttpCheck {
        requests: exactly(2),
        answers: exactly(2),
        authority: word("shop"),
        protocol: word("HTTP/1.1"),
        whole: Some(true),
        statuses: Some(vec![200, 503]),
        method: Some(Match::Any(vec!["PUT".into(), "GET".into()])),
        ..HttpCheck::default()
    };
    assert_eq!(whats(&app(&story, asked)), [""; 0]);
    let answered = HttpCheck {
        requests: exactly(2),
        wholes: exactly(2),
        statuses: Some(vec![200, 503]),
        headers: field("x-b", values(&["b"])),
        body: Some(BytesMatch::Count(Count::Within(vec![(2, 2), (10, 10)]))),
        ..HttpCheck::default()
    };
    assert_eq!(whats(&client(&story, answered)), [""; 0]);
    let interim = HttpCheck { interim: Some(vec![100]), ..HttpCheck::default() };
    assert_eq!(whats(&client(&story, interim)), ["client.interim (connection 0, exchange 1)"]);
    let finding = only(client(&story, HttpCheck { head_at: Some(millis(0, 1000)), ..HttpCheck::default() }));
    assert_eq!(finding.found, "no instant: it is read from bytes");
}

#[test]
fn bytes_that_are_no_http_are_no_exchange() {
    for (asked, answered) in [
        (&b"\x16\x03\x01"[..], &b"no"[..]),
        (b"", b""),
        // HTTP/2's preface is no request.
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", b"\0\0\0\x04\0\0\0\0\0"),
    ] {
        let story = scripted(asked, answered);
        assert_eq!(
            whats(&client(&story, HttpCheck { answers: exactly(0), ..HttpCheck::default() })),
            [""; 0]
        );
        assert_eq!(whats(&app(&story, HttpCheck { requests: exactly(0), ..HttpCheck::default() })), [""; 0]);
        assert_eq!(
            whats(&client(&story, HttpCheck { status: status(200), ..HttpCheck::default() })).len(),
            1
        );
    }
}

#[test]
fn a_connection_of_bytes_that_has_not_ended_is_read_as_far_as_it_shows() {
    let mut story = Story::new(&["call"]);
    story.begin("call");
    story.client("call", 0, connected());
    story.client("call", 0, received(b"HTTP/1.1 204 No\r\n"));
    story.client("call", 0, received(b"\r\n"));
    story.end("call");
    assert_eq!(whats(&client(&story, HttpCheck { status: status(204), ..HttpCheck::default() })), [""; 0]);
}

#[test]
fn a_body_until_the_close_is_whole_only_if_it_came_in_order() {
    let mut story = Story::new(&["call"]);
    story.begin("call");
    story.client("call", 0, connected());
    let answer = b"HTTP/1.1 200 OK\r\n\r\nabc";
    story.client(
        "call",
        0,
        Seen::Ended(Ended { end: End::Reset, ..totals(b"GET / HTTP/1.1\r\n\r\n", answer) }),
    );
    story.end("call");
    let whole = |whole| HttpCheck { whole: Some(whole), ..HttpCheck::default() };
    assert_eq!(whats(&client(&story, whole(false))), [""; 0]);
    assert_eq!(only(client(&story, whole(true))).found, "not whole");
}
