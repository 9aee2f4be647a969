//! Both ends against scripts of bytes, as RFC 9112 has them.

use std::time::Duration;

use crate::app::http::testing::*;
use crate::app::testing::{pattern, read_eof, script, send, text};
use crate::language::Talk;
use crate::language::http::{
    Abort, Act, Cut, Framing, HttpVersion, ReadAnswer, Request, Response, ResponseBody,
};
use crate::language::script::{Action, Read, Script, Send};
use crate::observe::observation::{End, Failure};
use crate::observe::{Role, Seen};

const V1: HttpVersion = HttpVersion::V1;

fn read_until(mark: &'static str) -> Action {
    Action::Read(Read { until: Some(mark.into()), ..Read::default() })
}

/// A peer that reads what ends with `mark`, and says `words`.
fn says(mark: &'static str, words: &str) -> Script {
    script([read_until(mark), send(text(words)), read_eof()])
}

/// What the peer of bytes got.
fn got(scene: &Scene, role: Role) -> String {
    let total = &scene.notes.totals(role)[0];
    String::from_utf8(hex::decode(&total.received.head).unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_request_goes_out_as_it_is_written_and_nothing_is_added() {
    let mut scene = scene(raw([says("\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n")])).await;
    let headers = fields([("X-B", "1"), ("accept", "*/*"), ("x-b", "2"), ("Accept", "text/html")]);
    let request = Request { headers, authority: Some("Shop:8".into()), ..ask("PURGE", "/a/../b?c=d%2F") };
    scene.run(http(V1, [request])).await;
    assert_eq!(
        got(&scene, Role::App),
        "PURGE /a/../b?c=d%2F HTTP/1.1\r\nhost: Shop:8\r\nX-B: 1\r\naccept: */*\r\nx-b: 2\r\nAccept: text/html\r\n\r\n"
    );
    assert_eq!(
        scene.story(Role::Client),
        ["0.0 PURGE /a/../b?c=d%2F", "0.0 asked 0", "0.0 204", "0.0 answered 0"]
    );
    let [head] = scene.requests(Role::Client).try_into().unwrap();
    assert_eq!(head.authority.as_deref(), Some("Shop:8"));
    assert_eq!(
        head.headers,
        fields([("x-b", "1"), ("accept", "*/*"), ("x-b", "2"), ("accept", "text/html")])
    );
    let total = scene.notes.total(Role::Client);
    assert!(total.done);
    assert_eq!(total.received.bytes, 27);
}

#[tokio::test(start_paused = true)]
async fn bodies_go_with_a_length_or_in_chunks_with_trailers() {
    let sized = Request { body: body(text("hello")), ..ask("PUT", "/") };
    let mut one = scene(raw([says("hello", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")])).await;
    one.run(http(V1, [sized.clone()])).await;
    assert_eq!(
        got(&one, Role::App),
        "PUT / HTTP/1.1\r\nhost: 127.0.0.1:80\r\ncontent-length: 5\r\n\r\nhello"
    );

    let body = Some(Send { chunk: Some(3), ..sized.body.clone().unwrap() });
    let chunked = Request { body, framing: Framing::Chunked, trailers: fields([("X-Sum", "7")]), ..sized };
    let mut two = scene(raw([says("7\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")])).await;
    two.run(http(V1, [chunked])).await;
    assert_eq!(
        got(&two, Role::App),
        "PUT / HTTP/1.1\r\nhost: 127.0.0.1:80\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 7\r\n\r\n"
    );
    assert!(two.story(Role::Client).contains(&"0.0 asked 5 x-sum=7".into()), "{:?}", two.story(Role::Client));
}

#[tokio::test(start_paused = true)]
async fn answers_are_read_in_every_framing() {
    let cases = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "answered 3"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nX-T: u\r\n\r\n",
            "answered 3 x-t=u",
        ),
        ("HTTP/1.1 200 OK\r\n\r\nabc", "answered 3"),
    ];
    for (answer, story) in cases {
        let peer = script([read_until("\r\n\r\n"), send(text(answer)), Action::HalfClose, read_eof()]);
        let mut scene = scene(raw([peer])).await;
        scene.run(http(V1, [ask("GET", "/")])).await;
        let expected = ["0.0 GET /", "0.0 asked 0", "0.0 200", "0.0 +3", &format!("0.0 {story}")];
        assert_eq!(scene.story(Role::Client), expected, "{answer}");
        // From Python's blake3.
        let abc = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
        assert_eq!(scene.bodies(Role::Client)[1].flow.blake3, abc);
        assert!(scene.notes.total(Role::Client).done);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_fails_in_words_and_ends_the_script() {
    let cases = [
        ("", "the connection ended in the middle of a wait for an answer"),
        ("HTTP/1.1 200", "the connection ended in the middle of an answer's head"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab", "the connection ended in the middle of a body"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd", "malformed: two lengths"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n", "malformed: chunk size -1\\r"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
            "malformed: a chunk longer than its size",
        ),
        ("SSH-2.0\r\n\r\n", "malformed: invalid HTTP version"),
    ];
    for (answer, words) in cases {
        let peer = script([read_until("\r\n\r\n"), send(text(answer)), Action::HalfClose, read_eof()]);
        let mut scene = scene(raw([peer])).await;
        scene.run(http(V1, [ask("GET", "/"), ask("GET", "/never")])).await;
        let story = scene.story(Role::Client);
        assert_eq!(story.last(), Some(&format!("0.0 failed: {words}")), "{answer}: {story:?}");
        assert!(!scene.notes.total(Role::Client).done);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_closed_after_a_whole_answer_is_followed_by_another() {
    let bye = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let told = script([read_until("\r\n\r\n"), send(text(bye))]);
    let silent = script([read_until("\r\n\r\n"), send(text(ok)), Action::Close]);
    let two =
        script([read_until("\r\n\r\n"), send(text(ok)), read_until("\r\n\r\n"), send(text(ok)), read_eof()]);
    let mut scene = scene(raw([told, silent, two])).await;
    let slow = Request { read: ReadAnswer::default(), times: 4, ..ask("GET", "/") };
    scene.run(http(V1, [slow])).await;
    let heads: Vec<_> =
        scene.story(Role::Client).into_iter().filter(|line| line.ends_with("GET /")).collect();
    assert_eq!(heads, ["0.0 GET /", "1.0 GET /", "2.0 GET /", "2.1 GET /"]);
    assert!(scene.notes.totals(Role::Client).iter().all(|total| total.done));
}

#[tokio::test(start_paused = true)]
async fn head_requests_and_statuses_without_a_body_leave_the_connection_in_step() {
    let answers = script([
        read_until("\r\n\r\n"),
        send(text("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n")),
        read_until("\r\n\r\n"),
        send(text("HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n")),
        read_until("\r\n\r\n"),
        send(text("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx")),
        read_eof(),
    ]);
    let mut scene = scene(raw([answers])).await;
    scene.run(http(V1, [ask("HEAD", "/a"), ask("GET", "/b"), ask("GET", "/c")])).await;
    let story = scene.story(Role::Client);
    assert_eq!(&story[2..4], ["0.0 200", "0.0 answered 0"]);
    assert_eq!(&story[6..8], ["0.1 304", "0.1 answered 0"]);
    assert_eq!(
        &story[8..],
        ["0.2 GET /c", "0.2 asked 0", "0.2 interim 103", "0.2 200", "0.2 +1", "0.2 answered 1"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_expects_100_waits_for_it_but_not_for_ever() {
    let request =
        Request { headers: fields([("expect", "100-continue")]), body: body(text("hi")), ..ask("POST", "/") };
    for (go_on, waited) in [("HTTP/1.1 100 Continue\r\n\r\n", 0), ("", 1000)] {
        let peer = script([
            read_until("\r\n\r\n"),
            send(text(go_on)),
            Action::Expect(text("hi")),
            send(text("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")),
            read_eof(),
        ]);
        let mut scene = scene(raw([peer])).await;
        scene.run(http(V1, [request.clone()])).await;
        let times = scene.times(Role::Client);
        assert!(times.contains(&(waited, "asked 2".into())), "{times:?}");
        assert_eq!(times.iter().any(|(_, event)| event == "interim 100"), waited == 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_goes_away_when_its_script_says() {
    let cases = [
        (
            Abort::After(Duration::from_secs(2)),
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",
            2000,
            "answered 3 cut",
        ),
        (Abort::AfterBytes(2), "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", 0, "answered 3 cut"),
    ];
    for (abort, answer, when, story) in cases {
        let ok = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        let mut scene = scene(raw([says("\r\n\r\n", answer), says("\r\n\r\n", ok)])).await;
        scene.run(http(V1, [Request { abort: Some(abort), ..ask("GET", "/") }, ask("GET", "/next")])).await;
        let times = scene.times(Role::Client);
        assert!(times.contains(&(when, story.into())), "{times:?}");
        assert!(times.contains(&(when, "failed: aborted by the script".into())), "{times:?}");
        assert!(scene.story(Role::Client).contains(&"1.0 answered 0".into()));
        let first = &scene.notes.totals(Role::Client)[0];
        assert!(first.done);
        assert_eq!(scene.notes.totals(Role::App)[0].end, End::Eof);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_before_the_requests_end_is_read_and_the_rest_is_not_sent() {
    let early = script([
        read_until("\r\n\r\n"),
        send(text("HTTP/1.1 413 Too Big\r\ncontent-length: 0\r\n\r\n")),
        Action::Stall,
    ]);
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let mut scene = scene(raw([early, says("\r\n\r\n", ok)])).await;
    let big = Request { body: body(pattern(10 << 20)), ..ask("POST", "/") };
    scene.run(http(V1, [big, ask("GET", "/next")])).await;
    let story = scene.story(Role::Client);
    assert_eq!(&story[1..3], ["0.0 413", "0.0 answered 0"]);
    assert!(story[3].starts_with("0.0 asked ") && story[3].ends_with(" cut"), "{story:?}");
    assert_eq!(story.last().unwrap(), "1.0 answered 0");
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_of_an_answer_takes_as_long_as_its_rate_says() {
    let answer = Response { body: ResponseBody::Send(body(pattern(100_000)).unwrap()), ..ok() };
    let mut scene = scene(answers(V1, answer)).await;
    let read = ReadAnswer { rate: Some(10_000) };
    scene.run(http(V1, [Request { read, ..ask("GET", "/") }])).await;
    let times = scene.times(Role::Client);
    let (over, _) = times.iter().find(|(_, event)| event == "answered 100000").unwrap();
    assert!((9_000..=10_000).contains(over), "{over}");
}

#[tokio::test(start_paused = true)]
async fn held_connections_take_the_requests_of_a_later_step() {
    let mut scene = scene(answers(V1, Response { body: said("ok"), ..ok() })).await;
    let held = scene.run_held(http(V1, [ask("GET", "/a")]), true).await;
    assert_eq!(held.len(), 1);
    let talk = http(V1, [ask("GET", "/b")]);
    let script = crate::language::ClientScript { tls: None, talk, connections: 1 };
    assert!(scene.client.go_on(held, &script, false).await.is_empty());
    let heads: Vec<_> = scene.story(Role::App).into_iter().filter(|line| line.contains("GET")).collect();
    assert_eq!(heads, ["0.0 GET /a", "0.1 GET /b"]);
    let ends: Vec<_> = scene.notes.totals(Role::Client).iter().map(|total| (total.end, total.done)).collect();
    assert_eq!(ends, [(End::Open, true), (End::Closed, true)]);
}

/// What an app says to these bytes.
async fn said_to(server: crate::language::ServerScript, bytes: &str) -> (String, Scene) {
    let mut scene = scene(server).await;
    let wait = Action::Pause(Duration::from_secs(1));
    scene.run(Talk::Bytes(script([send(text(bytes)), wait, Action::HalfClose, read_eof()]))).await;
    (got(&scene, Role::Client), scene)
}

const GET: &str = "GET /a?b HTTP/1.1\r\nHost: shop\r\nX-A: 1\r\nx-a: 2\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 5\r\n\r\nhello";

#[tokio::test(start_paused = true)]
async fn an_app_answers_as_it_is_written_and_adds_only_the_framing() {
    let headers = fields([("set-cookie", "a=1"), ("X-A", "one"), ("set-cookie", "b=2")]);
    let (said, scene) = said_to(answers(V1, Response { headers, body: said("ok"), ..ok() }), GET).await;
    assert_eq!(
        said,
        "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nX-A: one\r\nset-cookie: b=2\r\ncontent-length: 2\r\n\r\nok"
    );
    assert_eq!(scene.story(Role::App), ["0.0 GET /a?b", "0.0 asked 0", "0.0 200", "0.0 answered 2"]);
    let [head] = scene.requests(Role::App).try_into().unwrap();
    assert_eq!((head.authority.as_deref(), head.protocol.as_str()), (Some("shop"), "HTTP/1.1"));
    assert_eq!(head.headers, fields([("x-a", "1"), ("x-a", "2")]));
    assert!(scene.notes.total(Role::App).done);
}

#[tokio::test(start_paused = true)]
async fn an_app_frames_each_answer_by_the_rules() {
    let cases = [
        (Response { status: 204, ..ok() }, "HTTP/1.1 204 No Content\r\n\r\n"),
        (ok(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
        (
            Response { body: said("ok"), framing: Framing::Chunked, ..ok() },
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
        (
            Response { body: said("ok"), trailers: fields([("x-sum", "abc")]), ..ok() },
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: abc\r\n\r\n",
        ),
        (
            Response { body: said("bye"), last: true, ..ok() },
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbye",
        ),
        (Response { status: 299, ..ok() }, "HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n"),
    ];
    for (response, expected) in cases {
        assert_eq!(said_to(answers(V1, response), GET).await.0, expected);
    }
    let head = "HEAD / HTTP/1.1\r\nhost: shop\r\n\r\n";
    let response = Response { body: said("ok"), ..ok() };
    let expected = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";
    assert_eq!(said_to(answers(V1, response.clone()), head).await.0, expected);
    // HTTP/1.0 knows no chunks and no second request.
    let old = "GET / HTTP/1.0\r\n\r\n";
    let response = Response { framing: Framing::Chunked, ..response };
    let expected = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok";
    assert_eq!(said_to(answers(V1, response), old).await.0, expected);
}

#[tokio::test(start_paused = true)]
async fn an_app_echoes_in_the_framing_that_came() {
    let echo = Response { body: ResponseBody::Echo, ..ok() };
    let (said, scene) = said_to(answers(V1, echo.clone()), POST).await;
    assert_eq!(said, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
    let story = scene.story(Role::App);
    assert_eq!(story, ["0.0 POST /", "0.0 200", "0.0 +5", "0.0 asked 5", "0.0 answered 5"]);
    let chunked = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nx-t: 1\r\n\r\n";
    let (said, scene) = said_to(answers(V1, echo), chunked).await;
    let expected = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
    assert_eq!(said, expected);
    assert!(scene.story(Role::App).contains(&"0.0 asked 5 x-t=1".into()));
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_answered_in_order() {
    let twice = format!("{POST}{GET}");
    let (said, scene) = said_to(answers(V1, Response { body: ResponseBody::Echo, ..ok() }), &twice).await;
    let expected =
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(said, expected);
    assert_eq!(scene.requests(Role::App).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_app_tells_a_client_that_asks_to_go_on() {
    let head = "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-Continue\r\ncontent-length: 2\r\n\r\n";
    let client = script([
        send(text(head)),
        Action::Expect(text("HTTP/1.1 100 Continue\r\n\r\n")),
        send(text("hi")),
        Action::Expect(text("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")),
    ]);
    let mut scene = scene(answers(V1, ok())).await;
    scene.run(Talk::Bytes(client)).await;
    assert!(scene.notes.total(Role::Client).done, "{:?}", scene.notes.of(Role::Client));
}

#[tokio::test(start_paused = true)]
async fn an_early_answer_leaves_the_body_unread_and_still_arrives() {
    let response = Response { status: 413, early: true, body: said("no"), ..ok() };
    let (said, scene) = said_to(answers(V1, response), POST).await;
    assert_eq!(said, "HTTP/1.1 413 Payload Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno");
    assert_eq!(scene.story(Role::App), ["0.0 POST /", "0.0 413", "0.0 answered 2", "0.0 asked 0 cut"]);
    assert_eq!(scene.notes.total(Role::Client).end, End::Eof);
}

#[tokio::test(start_paused = true)]
async fn an_app_dies_as_its_script_says() {
    let cut = |reset| {
        Act::Respond(Box::new(Response {
            body: ResponseBody::Send(body(text("0123456789")).unwrap()),
            cut: Some(Cut { after: 4, reset }),
            ..ok()
        }))
    };
    let begun = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123";
    let cases = [
        (Act::Close, "", End::Eof, "closed by the script"),
        (Act::Reset, "", End::Reset, "reset by the script"),
        (cut(false), begun, End::Eof, "closed by the script"),
        (cut(true), begun, End::Reset, "reset by the script"),
    ];
    for (act, expected, end, words) in cases {
        let (said, scene) = said_to(app(V1, act), POST).await;
        assert_eq!(said, expected);
        assert_eq!(scene.notes.total(Role::Client).end, end);
        let story = scene.story(Role::App);
        assert!(story.contains(&format!("0.0 failed: {words}")), "{story:?}");
        assert_eq!(story.contains(&"0.0 answered 4 cut".into()), !expected.is_empty());
        assert!(scene.notes.total(Role::App).done);
    }
}

#[tokio::test(start_paused = true)]
async fn an_app_that_waits_sees_its_client_go() {
    for act in [Act::Stall, Act::Respond(Box::new(Response { delay: Duration::from_secs(5), ..ok() }))] {
        let (said, scene) = said_to(app(V1, act), GET).await;
        assert_eq!(said, "");
        let expected = [
            (0, "GET /a?b".into()),
            (0, "asked 0".into()),
            (1000, "failed: the other end went away".to_owned()),
        ];
        assert_eq!(scene.times(Role::App), expected);
        assert_eq!(scene.notes.total(Role::App).end, End::Eof);
    }
}

#[tokio::test(start_paused = true)]
async fn an_app_sees_a_request_that_breaks_off_or_is_none() {
    let cases = [
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhel",
            "failed: the connection ended in the middle of a body",
            "",
        ),
        ("GET / HT", "failed: the connection ended in the middle of a request's head", ""),
        ("GET / HTTP/1.1\r\n\r\n", "malformed: 0 host fields", "HTTP/1.1 400"),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "malformed: content-length with transfer-encoding",
            "HTTP/1.1 400",
        ),
        ("\u{16}\u{3}\u{1}garbage\r\n\r\n", "malformed: invalid token", "HTTP/1.1 400"),
    ];
    for (bytes, words, said) in cases {
        let (answer, scene) = said_to(answers(V1, ok()), bytes).await;
        let story = scene.story(Role::App);
        assert!(story.contains(&format!("0.0 {words}")), "{bytes}: {story:?}");
        assert!(answer.starts_with(said) && answer.is_empty() == said.is_empty(), "{bytes}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn pieces_of_a_body_are_told_as_they_come() {
    let second = Duration::from_secs(1);
    let slow = Send { payload: pattern(30), chunk: Some(10), every: Some(second), until_blocked: None };
    let response = Response { body: ResponseBody::Echo, framing: Framing::Chunked, ..ok() };
    let mut scene = scene(answers(V1, response)).await;
    scene.run(http(V1, [Request { body: Some(slow), framing: Framing::Chunked, ..ask("POST", "/") }])).await;
    for role in [Role::App, Role::Client] {
        let pieces: Vec<_> =
            scene.times(role).into_iter().filter(|(_, event)| event.starts_with('+')).collect();
        assert_eq!(pieces, [(0, "+10".into()), (1000, "+10".into()), (2000, "+10".to_owned())], "{role:?}");
    }
    let [asked, answered] = scene.bodies(Role::Client).try_into().unwrap();
    assert_eq!(asked.flow, answered.flow);
}

#[tokio::test(start_paused = true)]
async fn megabytes_pass_both_ways_at_once() {
    let mut scene = scene(answers(V1, Response { body: ResponseBody::Echo, ..ok() })).await;
    scene.run(http(V1, [Request { body: body(pattern(5 << 20)), ..ask("POST", "/") }])).await;
    let [asked, answered] = scene.bodies(Role::Client).try_into().unwrap();
    assert!(answered.whole && asked.whole);
    assert_eq!((asked.flow.bytes, &asked.flow), (5 << 20, &answered.flow));
    assert_eq!(scene.notes.totals(Role::App).len(), 1);
    let received = |seen: &Seen| matches!(seen, Seen::Failed { error: Failure::Reset });
    assert!(!scene.notes.of(Role::Client).iter().any(received));
}
