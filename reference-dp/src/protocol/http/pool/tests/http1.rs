//! HTTP/1.1 towards endpoints that are written as bytes.

use tokio::time::{Instant, advance};

use super::*;

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn limits(idle_timeout: Option<Duration>, max_connection_duration: Option<Duration>) -> HttpUpstream {
    HttpUpstream { version: HttpVersion::V1, idle_timeout, max_connection_duration }
}

async fn answered(app: &mut App, sending: Sending) {
    app.hear(GET).await;
    app.say(OK).await;
    assert_eq!(text(sending.answer().await.unwrap()).await.unwrap(), "ok");
}

#[tokio::test(start_paused = true)]
async fn one_connection_serves_one_request_after_the_other() {
    let mut rig = rig(HttpVersion::V1);
    let sending = rig.get();
    let mut app = rig.app().await;
    answered(&mut app, sending).await;
    for _ in 0..3 {
        let sending = rig.get();
        answered(&mut app, sending).await;
    }
    rig.no_app();
    let sent = rig.recorder.requests.lock().unwrap().iter().filter(|e| **e == RequestEvent::Sent).count();
    assert_eq!(sent, 4);
    let events = rig.recorder.upstream.lock().unwrap().clone();
    assert_eq!(events[0], UpstreamEvent::Dialled);
    assert!(matches!(events[1], UpstreamEvent::Connected { version: HttpVersion::V1, .. }));
    let wrote: usize = events.iter().map(|e| if let UpstreamEvent::Wrote(n) = e { *n } else { 0 }).sum();
    let read: usize = events.iter().map(|e| if let UpstreamEvent::Read(n) = e { *n } else { 0 }).sum();
    assert_eq!((wrote, read), (4 * GET.len(), 4 * OK.len()));
}

#[tokio::test(start_paused = true)]
async fn requests_at_once_have_a_connection_each_and_the_last_one_idle_is_used_first() {
    let mut rig = rig(HttpVersion::V1);
    let (first, second) = (rig.get(), rig.get());
    let (mut a, mut b) = (rig.app().await, rig.app().await);
    answered(&mut b, second).await;
    answered(&mut a, first).await;
    let sending = rig.get();
    answered(&mut a, sending).await;
    rig.no_app();
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_given_up_takes_its_connection_with_it() {
    let mut rig = rig(HttpVersion::V1);
    let sending = rig.get();
    let mut app = rig.app().await;
    app.hear(GET).await;
    drop(sending);
    assert_eq!(app.hear_out().await, "");
    settle().await;
    assert_eq!(rig.ends(), [(UpstreamCause::Local, true)]);
}

#[tokio::test(start_paused = true)]
async fn so_does_an_answer() {
    let mut rig = rig(HttpVersion::V1);
    let sending = rig.get();
    let mut app = rig.app().await;
    app.hear(GET).await;
    app.say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok").await;
    let mut answer = sending.answer().await.unwrap();
    assert_eq!(answer.body_mut().frame().await.unwrap().unwrap().into_data().unwrap(), "ok");
    drop(answer);
    assert_eq!(app.hear_out().await, "");
    let sending = rig.get();
    let mut app = rig.app().await;
    answered(&mut app, sending).await;
}

#[tokio::test(start_paused = true)]
async fn an_early_answer_comes_and_the_rest_of_the_request_is_dropped() {
    let mut rig = rig(HttpVersion::V1);
    let (pen, body) = stream();
    let sending = rig.send(request("POST", body));
    let mut app = rig.app().await;
    pen.write("some").await;
    app.hear("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsome\r\n").await;
    app.say(OK).await;
    assert_eq!(text(sending.answer().await.unwrap()).await.unwrap(), "ok");
    // No last chunk: it must not seem to be whole.
    assert_eq!(app.hear_out().await, "");
    assert!(pen.0.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_body_goes_out_as_it_comes() {
    let mut rig = rig(HttpVersion::V1);
    let (pen, body) = stream();
    let sending = rig.send(request("POST", body));
    let mut app = rig.app().await;
    app.hear("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for piece in ["one", "two"] {
        pen.write(piece).await;
        app.hear(&format!("3\r\n{piece}\r\n")).await;
    }
    pen.end().await;
    app.hear("0\r\n\r\n").await;
    app.say(OK).await;
    assert_eq!(text(sending.answer().await.unwrap()).await.unwrap(), "ok");
    let sending = rig.get();
    answered(&mut app, sending).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_of_its_full_length_is_whole_though_nobody_says_so() {
    let mut rig = rig(HttpVersion::V1);
    let (pen, body) = stream();
    let mut request = request("POST", body);
    request.headers_mut().insert("content-length", "4".parse().unwrap());
    let sending = rig.send(request);
    let mut app = rig.app().await;
    pen.write("some").await;
    app.hear("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nsome").await;
    app.say(OK).await;
    assert_eq!(text(sending.answer().await.unwrap()).await.unwrap(), "ok");
    let sending = rig.get();
    answered(&mut app, sending).await;
}

#[tokio::test(start_paused = true)]
async fn an_early_answer_of_an_app_that_stops_reading_is_not_lost() {
    let mut rig = rig(HttpVersion::V1);
    let sending = rig.send(request("POST", Many(100)));
    let mut app = rig.app().await;
    app.hear("POST / HTTP/1.1\r\n").await;
    app.say(OK).await;
    // Writing to it fails from now on.
    drop(app);
    assert_eq!(text(sending.answer().await.unwrap()).await.unwrap(), "ok");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_not_taken_for_whole() {
    let mut rig = rig(HttpVersion::V1);
    let (pen, body) = stream();
    let sending = rig.send(request("POST", body));
    let mut app = rig.app().await;
    pen.write("some").await;
    app.hear("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsome\r\n").await;
    drop(pen);
    assert_eq!(app.hear_out().await, "");
    assert_eq!(sending.answer().await.err(), Some(Failure::BodyBroke));
}

#[tokio::test(start_paused = true)]
async fn what_an_app_does_instead_of_answering() {
    let settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00".as_slice();
    let cases: [(&[u8], Failure); 8] = [
        (b"", Failure::Terminated),
        (b"HTTP/1.1 200 OK\r\nx-a:", Failure::Terminated),
        (b"garbage\r\n\r\n", Failure::ProtocolError),
        (b"HTTP/1.1 200 OK\r\nx a: b\r\n\r\n", Failure::ProtocolError),
        (b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", Failure::ProtocolError),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", Failure::ProtocolError),
        (settings, Failure::ProtocolError),
        (b"\x15\x03\x01\x00\x02\x02\x46", Failure::ProtocolError),
    ];
    for (says, failure) in cases {
        let mut rig = rig(HttpVersion::V1);
        let sending = rig.get();
        let mut app = rig.app().await;
        app.hear(GET).await;
        app.say(says).await;
        drop(app);
        let what = String::from_utf8_lossy(says);
        assert_eq!(sending.answer().await.err(), Some(failure), "{what:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_app_that_speaks_first_speaks_no_http() {
    let mut rig = rig_of(limits(None, None), 1, vec![Dial::Greeting(b"220 hello\r\n")]);
    let sending = rig.get();
    let _app = rig.app().await;
    assert_eq!(sending.answer().await.err(), Some(Failure::ProtocolError));
    rig.no_app();
}

#[tokio::test(start_paused = true)]
async fn answers_that_break_off() {
    let cases = [
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", Failure::Terminated),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n", Failure::Terminated),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nok\r\n", Failure::ProtocolError),
    ];
    for (says, failure) in cases {
        let mut rig = rig(HttpVersion::V1);
        let sending = rig.get();
        let mut app = rig.app().await;
        app.hear(GET).await;
        app.say(says).await;
        drop(app);
        assert_eq!(text(sending.answer().await.unwrap()).await, Err(failure), "{says:?}");
    }
    let mut rig = rig(HttpVersion::V1);
    let sending = rig.get();
    let mut app = rig.app().await;
    app.hear(GET).await;
    app.say("HTTP/1.1 200 OK\r\n\r\nall until the end").await;
    drop(app);
    assert_eq!(text(sending.answer().await.unwrap()).await.unwrap(), "all until the end");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_cannot_be_reached() {
    let dials = vec![Dial::Refused, Dial::TimedOut];
    let rig = rig_of(limits(None, None), 1, dials);
    for timed_out in [false, true] {
        let failure = rig.get().answer().await.err();
        assert_eq!(failure, Some(Failure::NotConnected { timed_out }));
        let last = rig.recorder.upstream.lock().unwrap().last().cloned();
        assert_eq!(last, Some(UpstreamEvent::DialFailed { timed_out }));
    }
    let nobody = rig_of(limits(None, None), 0, Vec::new());
    assert_eq!(nobody.get().answer().await.err(), Some(Failure::NoEndpoint));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_the_app_closes_while_idle_leaves_the_pool() {
    let mut rig = rig(HttpVersion::V1);
    let sending = rig.get();
    let mut app = rig.app().await;
    answered(&mut app, sending).await;
    drop(app);
    settle().await;
    assert_eq!(rig.ends(), [(UpstreamCause::Remote, false)]);
    let sending = rig.get();
    let mut app = rig.app().await;
    answered(&mut app, sending).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_closes_just_before_the_request_is_written_costs_nothing() {
    let mut rig = rig(HttpVersion::V1);
    let sending = rig.get();
    let mut app = rig.app().await;
    answered(&mut app, sending).await;
    // Nothing runs in between: the request finds the connection in the pool.
    drop(app);
    let sending = rig.get();
    let mut app = rig.app().await;
    answered(&mut app, sending).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_closes_just_after_is_a_connection_that_ended() {
    let mut rig = rig(HttpVersion::V1);
    let sending = rig.get();
    let mut app = rig.app().await;
    answered(&mut app, sending).await;
    let sending = rig.get();
    app.hear(GET).await;
    drop(app);
    assert_eq!(sending.answer().await.err(), Some(Failure::Terminated));
    rig.no_app();
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_in_time() {
    let mut rig = rig_of(limits(Some(seconds(10)), None), 1, Vec::new());
    let sending = rig.get();
    let mut app = rig.app().await;
    app.hear(GET).await;
    // A request may take longer than that.
    advance(seconds(60)).await;
    app.say(OK).await;
    assert_eq!(text(sending.answer().await.unwrap()).await.unwrap(), "ok");
    let idle = Instant::now();
    assert_eq!(app.hear_out().await, "");
    // Timers of tokio are a millisecond wide.
    assert!((seconds(10)..seconds(10) + Duration::from_millis(2)).contains(&idle.elapsed()));
    settle().await;
    assert_eq!(rig.ends(), [(UpstreamCause::Idle, false)]);
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_ends_with_its_request() {
    let mut rig = rig_of(limits(None, Some(seconds(10))), 1, Vec::new());
    let sending = rig.get();
    let mut app = rig.app().await;
    answered(&mut app, sending).await;
    advance(seconds(9)).await;
    let sending = rig.get();
    app.hear(GET).await;
    advance(seconds(9)).await;
    app.say(OK).await;
    assert_eq!(text(sending.answer().await.unwrap()).await.unwrap(), "ok");
    assert_eq!(app.hear_out().await, "");
    settle().await;
    assert_eq!(rig.ends(), [(UpstreamCause::Local, false)]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_closes_idle_connections_and_waits_for_the_others() {
    let mut rig = rig(HttpVersion::V1);
    let (first, second) = (rig.get(), rig.get());
    let (mut a, mut b) = (rig.app().await, rig.app().await);
    answered(&mut a, first).await;
    b.hear(GET).await;
    rig.lifecycle.advance(Phase::Draining);
    assert_eq!(a.hear_out().await, "");
    settle().await;
    assert_eq!(rig.ends(), [(UpstreamCause::Local, false)]);
    // One that comes now is served, too, and its connection not kept.
    let third = rig.get();
    let mut c = rig.app().await;
    answered(&mut c, third).await;
    assert_eq!(c.hear_out().await, "");
    b.say(OK).await;
    assert_eq!(text(second.answer().await.unwrap()).await.unwrap(), "ok");
    assert_eq!(b.hear_out().await, "");
    rig.lifecycle.idle().await;
    assert_eq!(rig.ends().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stop_resets_all() {
    let mut rig = rig(HttpVersion::V1);
    let (first, second) = (rig.get(), rig.get());
    let (mut a, mut b) = (rig.app().await, rig.app().await);
    answered(&mut a, first).await;
    b.hear(GET).await;
    rig.lifecycle.advance(Phase::Stopped);
    rig.lifecycle.idle().await;
    assert_eq!(rig.resets.load(Ordering::Relaxed), 2);
    assert_eq!(second.answer().await.err(), Some(Failure::Terminated));
}

#[tokio::test(start_paused = true)]
async fn there_is_a_bound_on_connections() {
    let mut rig = rig(HttpVersion::V1);
    let sendings: Vec<_> = (0..MAX_AT_ONCE).map(|_| rig.get()).collect();
    settle().await;
    assert_eq!(rig.get().answer().await.err(), Some(Failure::Overflow));
    drop(sendings);
    settle().await;
    let apps = std::iter::from_fn(|| rig.opened.try_recv().ok()).count();
    assert_eq!(apps, MAX_AT_ONCE);
    let sending = rig.get();
    let mut app = rig.app().await;
    answered(&mut app, sending).await;
}

#[tokio::test(start_paused = true)]
async fn endpoints_are_taken_in_turn_and_a_retry_goes_elsewhere() {
    let mut rig = rig_of(limits(None, None), 2, Vec::new());
    let mut ports = Vec::new();
    for _ in 0..4 {
        let _sending = rig.get();
        ports.push(rig.app().await.addr.port());
    }
    assert_eq!(ports, [1, 2, 1, 2]);
    let account = Account::begin(rig.recorder.clone(), HttpVersion::V1);
    let mut tried = Tried::default();
    let mut ports = Vec::new();
    for _ in 0..3 {
        // Another request takes every other turn.
        rig.pool.next.fetch_add(1, Ordering::Relaxed);
        let trying = rig.pool.send(request("GET", nothing()), &account, &mut tried);
        let app = async { rig.opened.recv().await.unwrap().addr.port() };
        let (tried, port) = tokio::join!(trying, app);
        assert_eq!(tried.err(), Some(Failure::Terminated));
        ports.push(port);
    }
    assert_eq!(ports[..2], [2, 1]);
}

/// So many KiB, then the end.
struct Many(usize);

impl Body for Many {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(left) = self.0.checked_sub(1) else { return Poll::Ready(None) };
        self.0 = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 1024])))))
    }
}
