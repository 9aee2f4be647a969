//! What arrives, and in what form.

use crate::common::{app, mesh, within};
use crate::peer::{GET, HTTP, HTTP_STRICT, OK, Peer, Script};

#[tokio::test]
async fn a_request_and_its_answer_cross_two_sidecars() {
    for setup in [HTTP, HTTP_STRICT] {
        within(async {
            let app = app().await;
            let mesh = mesh(setup, app.addr).await;
            let mut client = Peer::dial(&mesh).await;
            client.say("GET /a/../b?q=1 HTTP/1.1\r\nHost: shop:80\r\nX-A: one\r\nx-a: two\r\n\r\n").await;
            let mut server = Peer::accept(&app).await;
            let asked = server.head().await;
            assert_eq!(asked.line, "GET /b?q=1 HTTP/1.1");
            assert_eq!(asked.one("host"), "shop:80");
            assert_eq!(asked.all("x-a"), ["one", "two"]);
            assert_eq!(asked.one("x-forwarded-proto"), "http");
            assert_eq!(asked.one("x-request-id").len(), 36);
            assert_eq!(asked.all("x-forwarded-client-cert").len(), usize::from(setup.mtls));
            server.say("HTTP/1.1 200 Fine\r\nServer: app\r\nX-B: b\r\nContent-Length: 5\r\n\r\nhello").await;
            let answer = client.head().await;
            assert_eq!(answer.line, "HTTP/1.1 200 OK");
            assert_eq!(answer.one("server"), "envoy");
            assert_eq!(answer.one("x-b"), "b");
            assert_eq!(answer.one("content-length"), "5");
            assert!(answer.one("date").ends_with(" GMT"));
            answer.one("x-envoy-upstream-service-time").parse::<u64>().unwrap();
            assert_eq!(client.text(5).await, "hello");
            drop((client, server));
            mesh.web.drain().await;
            mesh.backend.drain().await;
        })
        .await;
    }
}

#[tokio::test]
async fn connections_are_kept_on_both_sides_and_pipelined_requests_are_answered_in_order() {
    within(async {
        let app = app().await;
        let mesh = mesh(HTTP_STRICT, app.addr).await;
        let mut client = Peer::dial(&mesh).await;
        client.say("GET /1 HTTP/1.1\r\nhost: a\r\n\r\nHEAD /2 HTTP/1.1\r\nhost: a\r\n\r\n").await;
        client.say("GET /3 HTTP/1.1\r\nhost: a\r\n\r\nGET /4 HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut server = Peer::accept(&app).await;
        for (line, answer) in [
            ("GET /1 HTTP/1.1", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n"),
            ("HEAD /2 HTTP/1.1", "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n"),
            ("GET /3 HTTP/1.1", "HTTP/1.1 204 No Content\r\n\r\n"),
            ("GET /4 HTTP/1.1", "HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n"),
        ] {
            assert_eq!(server.head().await.line, line);
            server.say(answer).await;
        }
        let first = client.head().await;
        assert_eq!((first.one("transfer-encoding"), first.all("content-length").len()), ("chunked", 0));
        assert_eq!(client.until("0\r\n\r\n").await, "3\r\none\r\n0\r\n\r\n");
        assert_eq!(client.head().await.one("content-length"), "7");
        assert_eq!(client.head().await.line, "HTTP/1.1 204 No Content");
        assert_eq!(client.head().await.one("etag"), "x");
        // An idle connection does not hold a drain up.
        mesh.web.drain().await;
        assert_eq!(client.rest().await, "");
        mesh.backend.drain().await;
        assert_eq!(server.rest().await, "");
    })
    .await;
}

#[tokio::test]
async fn bodies_stream_both_ways_piece_by_piece() {
    within(async {
        let app = app().await;
        let mesh = mesh(HTTP_STRICT, app.addr).await;
        let mut client = Peer::dial(&mesh).await;
        client.say("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n").await;
        let mut server = Peer::accept(&app).await;
        assert_eq!(server.head().await.one("transfer-encoding"), "chunked");
        assert_eq!(server.until("one\r\n").await, "3\r\none\r\n");
        server.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        client.head().await;
        for piece in ["alpha", "omega"] {
            client.say(format!("5\r\n{piece}\r\n")).await;
            assert_eq!(server.until(&format!("{piece}\r\n")).await, format!("5\r\n{piece}\r\n"));
            server.say(format!("5\r\n{piece}\r\n")).await;
            assert_eq!(client.until(&format!("{piece}\r\n")).await, format!("5\r\n{piece}\r\n"));
        }
        client.say("0\r\n\r\n").await;
        assert_eq!(server.until("0\r\n\r\n").await, "0\r\n\r\n");
        server.say("0\r\n\r\n").await;
        assert_eq!(client.until("0\r\n\r\n").await, "0\r\n\r\n");
    })
    .await;
}

#[tokio::test]
async fn much_arrives_whole_both_ways() {
    const MANY: usize = 8 << 20;
    within(async {
        let app = app().await;
        let mesh = mesh(HTTP_STRICT, app.addr).await;
        let mut client = Peer::dial(&mesh).await;
        let body: Vec<u8> = (0..MANY).map(|i| (i * 31 + i / 4096) as u8).collect();
        let asking = async {
            client.say(format!("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: {MANY}\r\n\r\n")).await;
            client.say(&body).await;
            assert_eq!(client.head().await.one("content-length"), MANY.to_string());
            assert!(client.bytes(MANY).await == body);
        };
        let answering = async {
            let mut server = Peer::accept(&app).await;
            assert_eq!(server.head().await.one("content-length"), MANY.to_string());
            assert!(server.bytes(MANY).await == body);
            server.say(format!("HTTP/1.1 200 OK\r\ncontent-length: {MANY}\r\n\r\n")).await;
            server.say(&body).await;
        };
        tokio::join!(asking, answering);
    })
    .await;
}

#[tokio::test]
async fn an_expected_100_comes_before_the_body_is_sent() {
    within(async {
        let app = app().await;
        let mesh = mesh(HTTP_STRICT, app.addr).await;
        let mut client = Peer::dial(&mesh).await;
        client.say("PUT / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n").await;
        let mut server = Peer::accept(&app).await;
        assert_eq!(client.head().await.line, "HTTP/1.1 100 Continue");
        client.say("body").await;
        let asked = server.head().await;
        assert!(asked.all("expect").is_empty());
        assert_eq!(server.text(4).await, "body");
        server.say(OK).await;
        assert_eq!(client.head().await.line, "HTTP/1.1 200 OK");
    })
    .await;
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_request_arrives() {
    within(async {
        let app = app().await;
        let mesh = mesh(HTTP_STRICT, app.addr).await;
        let mut client = Peer::dial(&mesh).await;
        client.say("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nsome").await;
        let answer = "HTTP/1.1 413 Payload Too Large\r\ncontent-length: 8\r\n\r\ntoo much";
        let (_server, _) = Script { app: &app }.answer(answer).await;
        assert_eq!(client.head().await.line, "HTTP/1.1 413 Payload Too Large");
        assert_eq!(client.text(8).await, "too much");
        let mut next = Peer::dial(&mesh).await;
        next.say(GET).await;
        Script { app: &app }.answer(OK).await;
        assert_eq!(next.head().await.line, "HTTP/1.1 200 OK");
    })
    .await;
}

#[tokio::test]
async fn a_client_with_prior_knowledge_is_served_and_the_app_gets_http1() {
    within(async {
        let app = app().await;
        let mesh = mesh(HTTP_STRICT, app.addr).await;
        let mut client = Peer::dial(&mesh).await;
        client.say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        client.say(frame(4, 0, b"")).await;
        // `:method: POST`, `:scheme: http`, `:path: /` from the static table, `:authority: shop`, two `cookie` (RFC 7541 appendix A).
        client.say(frame(1, 4, b"\x83\x86\x84\x01\x04shop\x0f\x11\x03a=1\x0f\x11\x03b=2")).await;
        client.say(frame(0, 1, b"body")).await;
        let mut server = Peer::accept(&app).await;
        let asked = server.head().await;
        assert_eq!(asked.line, "POST / HTTP/1.1");
        assert_eq!(asked.one("host"), "shop");
        assert_eq!(asked.one("cookie"), "a=1; b=2");
        assert_eq!(asked.one("transfer-encoding"), "chunked");
        assert_eq!(server.until("0\r\n\r\n").await, "4\r\nbody\r\n0\r\n\r\n");
        server.say(OK).await;
        // `:status: 200` is 8 in the static table.
        assert_eq!(payload(&mut client, 1).await[0], 0x88);
        assert_eq!(payload(&mut client, 0).await, b"ok");
        drop(client);
        mesh.web.drain().await;
        mesh.backend.drain().await;
    })
    .await;
}

/// An HTTP/2 frame (RFC 9113 4.1) on stream 1, or 0 for `SETTINGS`.
fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags, 0, 0, 0, u8::from(kind != 4)]);
    frame.extend(payload);
    frame
}

/// The payload of the next frame of this kind on stream 1; others are passed over.
async fn payload(peer: &mut Peer, kind: u8) -> Vec<u8> {
    loop {
        let head = peer.bytes(9).await;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let payload = peer.bytes(length).await;
        if head[3] == kind && head[8] == 1 {
            return payload;
        }
    }
}
