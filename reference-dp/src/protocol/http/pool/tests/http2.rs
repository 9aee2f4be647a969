//! HTTP/2 towards endpoints that are h2's servers, or written as bytes.

mod trailers;

use std::future::poll_fn;

use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::HeaderMap;
use http_body_util::Full;
use tokio::time::{Instant, advance};

use super::*;

type Asked = (Request<RecvStream>, SendResponse<Bytes>);

/// An HTTP/2 app on one connection.
struct Server(Connection<DuplexStream, Bytes>);

impl Server {
    async fn on(app: App) -> Self {
        Self(h2::server::handshake(app.stream).await.unwrap())
    }

    async fn with_streams(app: App, limit: u32) -> Self {
        Self(Builder::new().max_concurrent_streams(limit).handshake(app.stream).await.unwrap())
    }

    async fn asked(&mut self) -> Asked {
        self.0.accept().await.unwrap().unwrap()
    }

    /// Waits while the connection is served.
    async fn until<T>(&mut self, future: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            done = future => done,
            asked = self.0.accept() => panic!("the connection went on: {asked:?}"),
        }
    }

    /// Serves the connection until it is closed; nothing more may be asked.
    async fn out(&mut self) {
        assert!(self.0.accept().await.is_none(), "something was asked");
    }
}

fn limits(idle_timeout: Option<Duration>, max_connection_duration: Option<Duration>) -> HttpUpstream {
    HttpUpstream { version: HttpVersion::V2, idle_timeout, max_connection_duration }
}

fn answer(mut respond: SendResponse<Bytes>, body: &'static str) {
    let mut stream = respond.send_response(Response::new(()), false).unwrap();
    stream.send_data(Bytes::from(body), true).unwrap();
}

async fn answered(server: &mut Server, sending: Sending) {
    let (_, respond) = server.asked().await;
    answer(respond, "ok");
    let told = server.until(async { text(sending.answer().await.unwrap()).await }).await;
    assert_eq!(told.unwrap(), "ok");
}

async fn reset(server: &mut Server, respond: &mut SendResponse<Bytes>) -> Reason {
    server.until(poll_fn(|cx| respond.poll_reset(cx))).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn all_requests_share_one_connection() {
    let mut rig = rig(HttpVersion::V2);
    let sendings: Vec<_> = (0..200).map(|_| rig.get()).collect();
    let mut server = Server::on(rig.app().await).await;
    let mut asked = Vec::new();
    for _ in 0..200 {
        let (request, respond) = server.asked().await;
        assert_eq!(request.uri(), "http://a/");
        asked.push(respond);
    }
    for respond in asked.into_iter().rev() {
        answer(respond, "ok");
    }
    for sending in sendings {
        let told = server.until(async { text(sending.answer().await.unwrap()).await }).await;
        assert_eq!(told.unwrap(), "ok");
    }
    let sending = rig.get();
    answered(&mut server, sending).await;
    rig.no_app();
    let sent = rig.recorder.requests.lock().unwrap().iter().filter(|e| **e == RequestEvent::Sent).count();
    assert_eq!(sent, 201);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_reads_stops_at_its_window() {
    let mut rig = rig(HttpVersion::V2);
    let sending = rig.get();
    let mut server = Server::on(rig.app().await).await;
    let (_, mut respond) = server.asked().await;
    let mut stream = respond.send_response(Response::new(()), false).unwrap();
    stream.send_data(Bytes::from(vec![8; 4 * 1024 * 1024]), true).unwrap();
    let answer = server.until(sending.answer()).await.unwrap();
    server.until(settle()).await;
    let read = || {
        let events = rig.recorder.upstream.lock().unwrap();
        events.iter().map(|e| if let UpstreamEvent::Read(n) = e { *n } else { 0 }).sum::<usize>()
    };
    assert!((256 * 1024..300 * 1024).contains(&read()), "{} bytes were read", read());
    assert_eq!(server.until(text(answer)).await.unwrap().len(), 4 * 1024 * 1024);
}

#[tokio::test(start_paused = true)]
async fn after_a_goaway_answers_still_come_and_requests_go_elsewhere() {
    let mut rig = rig(HttpVersion::V2);
    let first = rig.get();
    let mut old = Server::on(rig.app().await).await;
    let (_, respond) = old.asked().await;
    old.0.graceful_shutdown();
    old.until(settle()).await;
    let second = rig.get();
    let mut new = Server::on(rig.app().await).await;
    answered(&mut new, second).await;
    answer(respond, "late");
    old.out().await;
    assert_eq!(text(first.answer().await.unwrap()).await.unwrap(), "late");
    let third = rig.get();
    answered(&mut new, third).await;
}

#[tokio::test(start_paused = true)]
async fn resets_tell_whether_the_request_was_processed() {
    let cases = [(Reason::REFUSED_STREAM, true), (Reason::INTERNAL_ERROR, false), (Reason::CANCEL, false)];
    for (reason, refused) in cases {
        let mut rig = rig(HttpVersion::V2);
        let sending = rig.get();
        let mut server = Server::on(rig.app().await).await;
        server.asked().await.1.send_reset(reason);
        let failure = server.until(sending.answer()).await.err();
        assert_eq!(failure, Some(Failure::Reset { refused }), "{reason:?}");
        // Only the stream is gone.
        let sending = rig.get();
        answered(&mut server, sending).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_goaway_that_leaves_the_request_out_refuses_it() {
    let mut rig = rig(HttpVersion::V2);
    let sending = rig.get();
    let mut app = rig.app().await;
    app.hear("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    app.say(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00").await;
    // GOAWAY, last stream 0, NO_ERROR.
    app.say(b"\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00").await;
    assert_eq!(sending.answer().await.err(), Some(Failure::Reset { refused: true }));
}

#[tokio::test(start_paused = true)]
async fn what_an_app_does_instead_of_answering() {
    let cases: [(&[u8], Failure); 5] = [
        (b"", Failure::Terminated),
        (b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", Failure::Terminated),
        (b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", Failure::ProtocolError),
        (b"garbage that is long enough to be a frame", Failure::ProtocolError),
        // HEADERS of stream 0.
        (
            b"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x01\x05\x00\x00\x00\x00\x88",
            Failure::ProtocolError,
        ),
    ];
    for (says, failure) in cases {
        let mut rig = rig(HttpVersion::V2);
        let sending = rig.get();
        let mut app = rig.app().await;
        app.hear("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        app.say(says).await;
        drop(app);
        let what = String::from_utf8_lossy(says);
        assert_eq!(sending.answer().await.err(), Some(failure), "{what:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_given_up_is_cancelled() {
    let mut rig = rig(HttpVersion::V2);
    let sending = rig.get();
    let mut server = Server::on(rig.app().await).await;
    let (_, mut respond) = server.asked().await;
    drop(sending);
    assert_eq!(reset(&mut server, &mut respond).await, Reason::CANCEL);
    // While its body was on the way, too.
    let (pen, body) = stream();
    let sending = rig.send(request("POST", body));
    pen.write("some").await;
    let (_, mut respond) = server.asked().await;
    drop(sending);
    assert_eq!(reset(&mut server, &mut respond).await, Reason::CANCEL);
    let sending = rig.get();
    answered(&mut server, sending).await;
    rig.no_app();
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_given_up_is_cancelled() {
    let mut rig = rig(HttpVersion::V2);
    let (_pen, body) = stream();
    let sending = rig.send(request("POST", body));
    let mut server = Server::on(rig.app().await).await;
    let (_, mut respond) = server.asked().await;
    let mut download = respond.send_response(Response::new(()), false).unwrap();
    download.send_data(Bytes::from("some"), false).unwrap();
    let mut answer = server.until(sending.answer()).await.unwrap();
    let frame = server.until(answer.body_mut().frame()).await;
    assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), "some");
    drop(answer);
    let reason = server.until(poll_fn(|cx| download.poll_reset(cx))).await.unwrap();
    assert_eq!(reason, Reason::CANCEL);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_cancelled() {
    let mut rig = rig(HttpVersion::V2);
    let (pen, body) = stream();
    let sending = rig.send(request("POST", body));
    let mut server = Server::on(rig.app().await).await;
    pen.write("some").await;
    let (_, mut respond) = server.asked().await;
    drop(pen);
    assert_eq!(reset(&mut server, &mut respond).await, Reason::CANCEL);
    assert_eq!(server.until(sending.answer()).await.err(), Some(Failure::BodyBroke));
}

#[tokio::test(start_paused = true)]
async fn an_early_answer_comes_and_the_rest_of_the_request_is_cancelled() {
    let mut rig = rig(HttpVersion::V2);
    let (pen, body) = stream();
    let sending = rig.send(request("POST", body));
    let mut server = Server::on(rig.app().await).await;
    let (request, respond) = server.asked().await;
    answer(respond, "ok");
    let told = server.until(async { text(sending.answer().await.unwrap()).await }).await;
    assert_eq!(told.unwrap(), "ok");
    let broke = server.until(async { request.into_body().data().await }).await;
    assert_eq!(broke.unwrap().unwrap_err().reason(), Some(Reason::CANCEL));
    assert!(pen.0.is_closed());
}

#[tokio::test(start_paused = true)]
async fn an_answer_breaks_off() {
    let mut rig = rig(HttpVersion::V2);
    let sending = rig.get();
    let mut server = Server::on(rig.app().await).await;
    let (_, mut respond) = server.asked().await;
    let mut download = respond.send_response(Response::new(()), false).unwrap();
    download.send_data(Bytes::from("some"), false).unwrap();
    let answer = server.until(sending.answer()).await.unwrap();
    download.send_reset(Reason::INTERNAL_ERROR);
    assert_eq!(server.until(text(answer)).await, Err(Failure::Reset { refused: false }));
    let sending = rig.get();
    let (_, mut respond) = server.asked().await;
    let _download = respond.send_response(Response::new(()), false).unwrap();
    let answer = server.until(sending.answer()).await.unwrap();
    drop(server);
    assert_eq!(text(answer).await, Err(Failure::Terminated));
    settle().await;
    assert_eq!(rig.ends().len(), 1);
    assert_eq!(rig.ends()[0].0, UpstreamCause::Remote);
}

#[tokio::test(start_paused = true)]
async fn when_its_streams_are_used_up_another_connection_is_made() {
    let mut rig = rig(HttpVersion::V2);
    let first = rig.get();
    let mut a = Server::with_streams(rig.app().await, 1).await;
    let (_, respond) = a.asked().await;
    a.until(settle()).await;
    let second = rig.get();
    let mut b = Server::on(rig.app().await).await;
    answered(&mut b, second).await;
    answer(respond, "ok");
    let told = a.until(async { text(first.answer().await.unwrap()).await }).await;
    assert_eq!(told.unwrap(), "ok");
    let third = rig.get();
    answered(&mut a, third).await;
    rig.no_app();
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_the_app_closes_while_idle_leaves_the_pool() {
    let mut rig = rig(HttpVersion::V2);
    let sending = rig.get();
    let mut server = Server::on(rig.app().await).await;
    answered(&mut server, sending).await;
    drop(server);
    // Found in the pool, before the pool hears of it.
    let sending = rig.get();
    let mut server = Server::on(rig.app().await).await;
    answered(&mut server, sending).await;
    assert_eq!(rig.ends().len(), 1);
    assert_eq!(rig.ends()[0].0, UpstreamCause::Remote);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_in_time() {
    let mut rig = rig_of(limits(Some(seconds(10)), None), 1, Vec::new());
    let sending = rig.get();
    let mut server = Server::on(rig.app().await).await;
    let (_, respond) = server.asked().await;
    // A request may take longer than that.
    advance(seconds(60)).await;
    answer(respond, "ok");
    server.until(async { text(sending.answer().await.unwrap()).await }).await.unwrap();
    let idle = Instant::now();
    server.out().await;
    // Timers of tokio are a millisecond wide.
    assert!((seconds(10)..seconds(10) + Duration::from_millis(2)).contains(&idle.elapsed()));
    settle().await;
    assert_eq!(rig.ends(), [(UpstreamCause::Idle, false)]);
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_is_replaced() {
    let mut rig = rig_of(limits(None, Some(seconds(10))), 1, Vec::new());
    let first = rig.get();
    let mut old = Server::on(rig.app().await).await;
    let (_, respond) = old.asked().await;
    advance(seconds(11)).await;
    old.until(settle()).await;
    let second = rig.get();
    let mut new = Server::on(rig.app().await).await;
    answered(&mut new, second).await;
    answer(respond, "ok");
    old.until(async { text(first.answer().await.unwrap()).await }).await.unwrap();
    old.out().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_what_is_under_way() {
    let mut rig = rig(HttpVersion::V2);
    let sending = rig.get();
    let mut server = Server::on(rig.app().await).await;
    let (_, respond) = server.asked().await;
    rig.lifecycle.advance(Phase::Draining);
    server.until(settle()).await;
    answer(respond, "ok");
    server.until(async { text(sending.answer().await.unwrap()).await }).await.unwrap();
    server.out().await;
    rig.lifecycle.idle().await;
    assert_eq!(rig.ends(), [(UpstreamCause::Local, false)]);
    assert_eq!(rig.resets.load(Ordering::Relaxed), 0);
    // One that comes now is served, too, and its connection not kept.
    let sending = rig.get();
    let mut server = Server::on(rig.app().await).await;
    answered(&mut server, sending).await;
    server.out().await;
    rig.lifecycle.idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_though_the_endpoint_takes_nothing_any_more() {
    let mut rig = rig(HttpVersion::V2);
    let (_pen, body) = stream();
    let sending = rig.send(request("POST", body));
    // It never reads, and its window of 16 KiB is full of requests soon.
    let app = rig.app().await;
    let filling: Vec<_> = (0..1000).map(|_| rig.get()).collect();
    settle().await;
    drop((sending, filling));
    rig.lifecycle.advance(Phase::Draining);
    let before = Instant::now();
    rig.lifecycle.idle().await;
    assert!((seconds(1)..seconds(2)).contains(&before.elapsed()));
    drop(app);
}

#[tokio::test(start_paused = true)]
async fn a_stop_resets_all() {
    let mut rig = rig(HttpVersion::V2);
    let (_pen, body) = stream();
    let sending = rig.send(request("POST", body));
    let mut server = Server::on(rig.app().await).await;
    let _asked = server.asked().await;
    rig.lifecycle.advance(Phase::Stopped);
    rig.lifecycle.idle().await;
    assert_eq!(rig.resets.load(Ordering::Relaxed), 1);
    assert_eq!(sending.answer().await.err(), Some(Failure::Terminated));
    assert_eq!(rig.ends(), [(UpstreamCause::Local, true)]);
}

#[tokio::test(start_paused = true)]
async fn there_is_a_bound_on_requests() {
    let rig = rig(HttpVersion::V2);
    let _sendings: Vec<_> = (0..MAX_AT_ONCE).map(|_| rig.get()).collect();
    settle().await;
    assert_eq!(rig.get().answer().await.err(), Some(Failure::Overflow));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_connection_hears_together_and_who_gives_up_hurts_nobody() {
    let (teller, told) = oneshot::channel();
    let mut rig = rig_of(limits(None, None), 1, vec![Dial::Refused, Dial::When(told)]);
    let (first, second) = (rig.get(), rig.get());
    for sending in [first, second] {
        assert_eq!(sending.answer().await.err(), Some(Failure::NotConnected { timed_out: false }));
    }
    let (first, second) = (rig.get(), rig.get());
    settle().await;
    drop(first);
    settle().await;
    teller.send(()).unwrap();
    let mut server = Server::on(rig.app().await).await;
    answered(&mut server, second).await;
    rig.no_app();
}
