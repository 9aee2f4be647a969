//! Both ends against a few frames as RFC 9113 has them, and against each other.

use std::time::Duration;

use crate::app::http::testing::*;
use crate::app::testing::{pattern, read_eof, script, send, text};
use crate::language::http::{
    Abort, Act, Cut, Framing, HttpScript, HttpVersion, Request, Response, ResponseBody,
};
use crate::language::script::{Action, Script, Send};
use crate::language::value::{Payload, parse_hex};
use crate::language::{ClientScript, Talk};
use crate::observe::Role;
use crate::observe::observation::End;

const V2: HttpVersion = HttpVersion::V2;
const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `SETTINGS` without a word, and the acknowledgement of the other's.
const SETTINGS: &str = "000000 04 00 00000000  000000 04 01 00000000";

fn bytes(hex: &str) -> Action {
    send(Payload::Literal(parse_hex(hex).unwrap()))
}

fn soon() -> Action {
    Action::Pause(Duration::from_millis(10))
}

fn got(scene: &Scene, role: Role) -> String {
    scene.notes.totals(role)[0].received.head.clone()
}

fn frames(hex: &str) -> String {
    hex.split_whitespace().collect()
}

/// A peer that takes what comes as HTTP/2, and sends these frames, 10 ms apart.
fn sends<const N: usize>(answers: [&str; N]) -> Script {
    let mut actions = vec![bytes(SETTINGS)];
    actions.extend(answers.into_iter().flat_map(|frames| [soon(), bytes(frames)]));
    actions.push(read_eof());
    Script(actions)
}

#[tokio::test(start_paused = true)]
async fn a_client_begins_with_the_preface_takes_an_answer_and_says_goodbye() {
    // HEADERS with END_STREAM and END_HEADERS; `:status: 200` is entry 8 of the static table (RFC 7541, A).
    let mut scene = scene(raw([sends(["000001 01 05 00000001 88"])])).await;
    scene.run(http(V2, [ask("GET", "/a?b")])).await;
    let got = got(&scene, Role::App);
    assert!(got.starts_with(&hex::encode(PREFACE)), "{got}");
    // GOAWAY: no stream of the other's, no error.
    assert!(got.ends_with(&frames("000008 07 00 00000000 00000000 00000000")), "{got}");
    assert_eq!(scene.story(Role::Client), ["0.0 GET /a?b", "0.0 asked 0", "0.0 200", "0.0 answered 0"]);
    let [head] = scene.requests(Role::Client).try_into().unwrap();
    assert_eq!((head.protocol.as_str(), head.authority.as_deref()), ("HTTP/2", Some("127.0.0.1:80")));
    assert!(head.headers.is_empty(), "{head:?}");
    let total = scene.notes.total(Role::Client);
    assert!(total.done);
    assert_eq!(scene.notes.total(Role::App).end, End::Eof);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_reset_fails_and_the_next_goes_on_the_same_connection() {
    // RST_STREAM with INTERNAL_ERROR, then an answer on the next stream.
    let peer = sends(["000004 03 00 00000001 00000002", "000001 01 05 00000003 88"]);
    let mut scene = scene(raw([peer])).await;
    scene.run(http(V2, [ask("GET", "/a"), ask("GET", "/b")])).await;
    let story = scene.story(Role::Client);
    assert!(story[2].starts_with("0.0 failed: ") && story[2].contains("internal error"), "{story:?}");
    assert_eq!(story[3..], ["0.1 GET /b", "0.1 asked 0", "0.1 200", "0.1 answered 0"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_cancels_its_stream() {
    // HEADERS and two bytes of DATA, no end.
    let peer = sends(["000001 01 04 00000001 88  000002 00 00 00000001 6869"]);
    for abort in [Abort::AfterBytes(1), Abort::After(Duration::from_secs(1))] {
        let mut scene = scene(raw([peer.clone()])).await;
        scene.run(http(V2, [Request { abort: Some(abort), ..ask("GET", "/") }])).await;
        let story = scene.story(Role::Client);
        assert_eq!(
            story[2..],
            ["0.0 200", "0.0 +2", "0.0 answered 2 cut", "0.0 failed: aborted by the script"]
        );
        // RST_STREAM with CANCEL.
        assert!(got(&scene, Role::App).contains(&frames("000004 03 00 00000001 00000008")));
        assert!(scene.notes.total(Role::Client).done);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_dies_under_a_request_ends_the_script() {
    let peer = script([bytes(SETTINGS), soon(), Action::Reset]);
    let mut scene = scene(raw([peer])).await;
    scene.run(http(V2, [ask("GET", "/a"), ask("GET", "/never")])).await;
    let story = scene.story(Role::Client);
    assert_eq!(story.len(), 3, "{story:?}");
    assert!(story[2].starts_with("0.0 failed: "), "{story:?}");
    let total = scene.notes.total(Role::Client);
    assert_eq!((total.end, total.done), (End::Reset, false));
}

#[tokio::test(start_paused = true)]
async fn an_app_answers_frames() {
    // HEADERS: GET http / and `:authority: shop`, by the static table; END_STREAM and END_HEADERS.
    let get = "000009 01 05 00000001 82 86 84 41 04 73686f70";
    let client =
        script([send(text(PREFACE)), bytes(SETTINGS), bytes(get), soon(), Action::HalfClose, read_eof()]);
    let mut scene = scene(answers(V2, Response { status: 204, ..ok() })).await;
    scene.run(Talk::Bytes(client)).await;
    // `:status: 204` is entry 9.
    let got = got(&scene, Role::Client);
    assert!(got.contains(&frames("000001 01 05 00000001 89")), "{got}");
    assert_eq!(scene.story(Role::App), ["0.0 GET /", "0.0 asked 0", "0.0 204", "0.0 answered 0"]);
    assert_eq!(scene.requests(Role::App)[0].authority.as_deref(), Some("shop"));
    assert!(scene.notes.total(Role::App).done);
}

#[tokio::test(start_paused = true)]
async fn fields_bodies_and_trailers_pass_both_ways() {
    let request = Request {
        headers: fields([("x-a", "1"), ("x-a", "2")]),
        authority: Some("shop".into()),
        body: body(text("hello")),
        trailers: fields([("x-t", "3")]),
        ..ask("POST", "/echo?a=b")
    };
    let response = Response {
        headers: fields([("set-cookie", "a=1"), ("set-cookie", "b=2")]),
        body: ResponseBody::Echo,
        trailers: fields([("x-sum", "abc")]),
        ..ok()
    };
    let mut scene = scene(answers(V2, response)).await;
    scene.run(http(V2, [request])).await;
    let asked = scene.requests(Role::App).remove(0);
    assert_eq!(asked.headers, fields([("x-a", "1"), ("x-a", "2"), ("content-length", "5")]));
    assert_eq!((asked.authority.as_deref(), asked.path.as_str()), (Some("shop"), "/echo?a=b"));
    let answered = scene.responses(Role::Client).remove(0);
    let expected = fields([("set-cookie", "a=1"), ("set-cookie", "b=2"), ("content-length", "5")]);
    assert_eq!(answered.headers, expected);
    for role in [Role::App, Role::Client] {
        let story = scene.story(role);
        for line in ["0.0 asked 5 x-t=3", "0.0 answered 5 x-sum=abc"] {
            assert!(story.contains(&line.into()), "{role:?}: {story:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn requests_at_once_share_a_connection() {
    let delay = Duration::from_secs(1);
    let mut scene = scene(answers(V2, Response { delay, body: said("ok"), ..ok() })).await;
    let requests = vec![Request { times: 150, ..ask("GET", "/") }];
    scene.run(Talk::Http(HttpScript { version: V2, requests, at_once: true })).await;
    assert_eq!(scene.notes.totals(Role::App).len(), 1);
    let whole: Vec<_> =
        scene.times(Role::Client).into_iter().filter(|(_, event)| event == "answered 2").collect();
    assert_eq!(whole.len(), 150);
    assert!(whole.iter().all(|(at, _)| *at == 1000), "{whole:?}");
}

#[tokio::test(start_paused = true)]
async fn an_app_dies_as_its_script_says() {
    let cut = |reset| {
        let body = ResponseBody::Send(body(text("0123456789")).unwrap());
        Act::Respond(Box::new(Response { body, cut: Some(Cut { after: 4, reset }), ..ok() }))
    };
    let cases = [
        (Act::Close, false, End::Eof, "closed by the script"),
        (Act::Reset, false, End::Reset, "reset by the script"),
        (cut(false), true, End::Eof, "closed by the script"),
        (cut(true), true, End::Reset, "reset by the script"),
    ];
    for (act, begun, end, words) in cases {
        let mut scene = scene(app(V2, act.clone())).await;
        scene.run(http(V2, [ask("GET", "/")])).await;
        let (client, at_app) = (scene.story(Role::Client), scene.story(Role::App));
        assert_eq!(client.contains(&"0.0 answered 4 cut".into()), begun, "{act:?}: {client:?}");
        assert!(client.last().unwrap().starts_with("0.0 failed: "), "{act:?}: {client:?}");
        assert!(at_app.contains(&format!("0.0 failed: {words}")), "{act:?}: {at_app:?}");
        assert_eq!(scene.notes.total(Role::Client).end, end, "{act:?}");
        assert!(scene.notes.total(Role::App).done);
    }
}

#[tokio::test(start_paused = true)]
async fn an_app_sees_a_stream_cancelled() {
    let mut scene = scene(app(V2, Act::Stall)).await;
    scene
        .run(http(V2, [Request { abort: Some(Abort::After(Duration::from_secs(2))), ..ask("GET", "/") }]))
        .await;
    let words = "failed: the other end reset the stream, or the connection ended".to_owned();
    assert_eq!(scene.times(Role::App), [(0, "GET /".into()), (0, "asked 0".into()), (2000, words)]);
}

#[tokio::test(start_paused = true)]
async fn after_the_last_answer_comes_another_connection() {
    let mut scene = scene(answers(V2, Response { last: true, body: said("bye"), ..ok() })).await;
    scene.run(http(V2, [Request { times: 2, ..ask("GET", "/") }])).await;
    let whole: Vec<_> =
        scene.story(Role::Client).into_iter().filter(|line| line.ends_with("answered 3")).collect();
    assert_eq!(whole, ["0.0 answered 3", "1.0 answered 3"]);
    assert!(scene.notes.totals(Role::Client).iter().all(|total| total.done));
}

#[tokio::test(start_paused = true)]
async fn an_early_answer_leaves_the_body_unread() {
    let mut scene = scene(answers(V2, Response { status: 413, early: true, ..ok() })).await;
    scene
        .run(http(V2, [Request { body: body(pattern(1 << 20)), ..ask("POST", "/") }, ask("GET", "/next")]))
        .await;
    let story = scene.story(Role::App);
    assert!(story.contains(&"0.0 asked 0 cut".into()), "{story:?}");
    let story = scene.story(Role::Client);
    assert!(story.contains(&"0.0 413".into()) && story.contains(&"0.1 413".into()), "{story:?}");
}

#[tokio::test(start_paused = true)]
async fn held_connections_take_the_requests_of_a_later_step() {
    let mut scene = scene(answers(V2, Response { body: said("ok"), ..ok() })).await;
    let held = scene.run_held(http(V2, [ask("GET", "/a")]), true).await;
    let script = ClientScript { tls: None, talk: http(V2, [ask("GET", "/b")]), connections: 1 };
    let held = scene.client.go_on(held, &script, true).await;
    assert_eq!(held.len(), 1);
    let heads: Vec<_> = scene.story(Role::App).into_iter().filter(|line| line.contains("GET")).collect();
    assert_eq!(heads, ["0.0 GET /a", "0.1 GET /b"]);
    // Whoever lets go of them closes them.
    drop(held);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.notes.total(Role::App).end, End::Eof);
}

#[tokio::test(start_paused = true)]
async fn pieces_of_a_body_are_told_as_they_come() {
    let second = Duration::from_secs(1);
    let slow = Send { payload: pattern(30), chunk: Some(10), every: Some(second), until_blocked: None };
    let response = Response { body: ResponseBody::Echo, framing: Framing::Chunked, ..ok() };
    let mut scene = scene(answers(V2, response)).await;
    scene.run(http(V2, [Request { body: Some(slow), framing: Framing::Chunked, ..ask("POST", "/") }])).await;
    for role in [Role::App, Role::Client] {
        let pieces: Vec<_> =
            scene.times(role).into_iter().filter(|(_, event)| event.starts_with('+')).collect();
        assert_eq!(pieces, [(0, "+10".into()), (1000, "+10".into()), (2000, "+10".to_owned())], "{role:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn megabytes_pass_both_ways_at_once() {
    let mut scene = scene(answers(V2, Response { body: ResponseBody::Echo, ..ok() })).await;
    scene.run(http(V2, [Request { body: body(pattern(5 << 20)), ..ask("POST", "/") }])).await;
    let [asked, answered] = scene.bodies(Role::Client).try_into().unwrap();
    assert!(answered.whole && asked.whole);
    assert_eq!((asked.flow.bytes, &asked.flow), (5 << 20, &answered.flow));
}
