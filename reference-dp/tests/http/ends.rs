//! Answers that do not come, or not to their end; sidecars that go.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{Setup, app, mesh, within};
use crate::peer::{GET, HTTP_STRICT, OK, Peer, Script};

#[tokio::test]
async fn an_app_that_gives_no_answer_is_asked_again_and_then_told_of() {
    for (answer, status, body) in [
        (
            "",
            503,
            "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
        ),
        (
            "nonsense\r\n\r\n",
            502,
            "upstream connect error or disconnect/reset before headers. reset reason: protocol error",
        ),
        ("HTTP/1.1 504 x\r\ncontent-length: 2\r\nx-mine: 1\r\n\r\nno", 504, "no"),
    ] {
        within(async {
            let app = app().await;
            let mesh = mesh(HTTP_STRICT, app.addr).await;
            let mut client = Peer::dial(&mesh).await;
            client.say("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody").await;
            let asking = async {
                let head = client.head().await;
                let text = client.text(body.len()).await;
                (head, text)
            };
            let answering = async {
                for _ in 0..6 {
                    let mut server = Peer::accept(&app).await;
                    server.head().await;
                    assert_eq!(server.text(4).await, "body");
                    server.say(answer).await;
                }
            };
            let ((head, text), ()) = tokio::join!(asking, answering);
            assert!(head.line.starts_with(&format!("HTTP/1.1 {status} ")), "{head:?}");
            assert_eq!(text, body);
            // Passed on from the other sidecar, or from the app.
            head.one("x-envoy-upstream-service-time");
            assert_eq!(head.all("x-mine").len(), usize::from(status == 504));
            drop(client);
            mesh.web.drain().await;
            mesh.backend.drain().await;
            assert!(app.was_not_called());
        })
        .await;
    }
}

#[tokio::test]
async fn without_peer_or_endpoints_the_callers_own_sidecar_tells() {
    within(async {
        let app = app().await;
        let mesh = mesh(HTTP_STRICT, app.addr).await;
        mesh.backend.drain().await;
        let mut client = Peer::dial(&mesh).await;
        client.say(GET).await;
        let head = client.head().await;
        assert_eq!(head.line, "HTTP/1.1 503 Service Unavailable");
        assert!(head.all("x-envoy-upstream-service-time").is_empty());
        let body = "upstream connect error or disconnect/reset before headers. \
                    retried and the latest reset reason: remote connection failure";
        assert_eq!(client.text(body.len()).await, body);
    })
    .await;
}

#[tokio::test]
async fn an_app_that_dies_in_mid_answer_leaves_it_visibly_cut() {
    for (head, part) in [("content-length: 100", "some"), ("transfer-encoding: chunked", "4\r\nsome\r\n")] {
        within(async {
            let app = app().await;
            let mesh = mesh(HTTP_STRICT, app.addr).await;
            let mut client = Peer::dial(&mesh).await;
            client.say(GET).await;
            let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{part}");
            let (server, _) = Script { app: &app }.answer(&answer).await;
            client.head().await;
            assert_eq!(client.text(part.len()).await, part);
            drop(server);
            assert_eq!(client.rest().await, "");
            mesh.web.drain().await;
            mesh.backend.drain().await;
            assert!(app.was_not_called(), "an answer that has begun is not asked for again");
        })
        .await;
    }
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_request_back() {
    for begun in [false, true] {
        within(async {
            let app = app().await;
            let mesh = mesh(HTTP_STRICT, app.addr).await;
            let mut client = Peer::dial(&mesh).await;
            client.say(GET).await;
            let mut server = Peer::accept(&app).await;
            server.head().await;
            if begun {
                server.say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
                client.head().await;
            }
            drop(client);
            assert_eq!(server.rest().await, "");
            mesh.web.drain().await;
            mesh.backend.drain().await;
            assert!(app.was_not_called());
        })
        .await;
    }
}

#[tokio::test]
async fn an_answer_that_is_overdue_becomes_504_or_is_cut() {
    const QUICK: &str = "
type: MeshTimeout
mesh: lab
name: quick
spec: {to: [{targetRef: {kind: Mesh}, default: {http: {requestTimeout: 300ms}}}]}
";
    for begun in [false, true] {
        within(async {
            let app = app().await;
            let mesh = mesh(Setup { timeouts: QUICK, ..HTTP_STRICT }, app.addr).await;
            let mut client = Peer::dial(&mesh).await;
            client.say(GET).await;
            let mut server = Peer::accept(&app).await;
            assert_eq!(server.head().await.one("host"), "a");
            if begun {
                server.say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
                client.head().await;
                assert_eq!(client.rest().await, "half");
            } else {
                assert_eq!(client.head().await.line, "HTTP/1.1 504 Gateway Timeout");
                assert_eq!(client.text(24).await, "upstream request timeout");
            }
            assert_eq!(server.rest().await, "");
        })
        .await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_cannot_hold_an_overdue_answer() {
    const QUICK: &str = "
type: MeshTimeout
mesh: lab
name: quick
spec: {to: [{targetRef: {kind: Mesh}, default: {http: {requestTimeout: 300ms}}}]}
";
    within(async {
        let app = app().await;
        let mesh = mesh(Setup { timeouts: QUICK, ..HTTP_STRICT }, app.addr).await;
        let mut client = Peer::dial(&mesh).await;
        client.say(GET).await;
        let mut server = Peer::accept(&app).await;
        server.head().await;
        server.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        let piece = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
        // Much more than all buffers on the way take: it stops when the answer is cut, and not before.
        while server.stream.write_all(piece.as_bytes()).await.is_ok() {}
        let got = client.rest().await;
        assert!(got.starts_with("HTTP/1.1 200 OK") && !got.ends_with("\r\n0\r\n\r\n"));
        mesh.web.drain().await;
        mesh.backend.drain().await;
    })
    .await;
}

#[tokio::test]
async fn draining_lets_a_request_finish_and_stopping_does_not() {
    for stop in [false, true] {
        within(async {
            let app = app().await;
            let mesh = mesh(HTTP_STRICT, app.addr).await;
            let mut client = Peer::dial(&mesh).await;
            client.say(GET).await;
            let mut server = Peer::accept(&app).await;
            server.head().await;
            let finished = async {
                if stop {
                    mesh.web.stop();
                    assert_eq!(
                        client.stream.read_u8().await.unwrap_err().kind(),
                        std::io::ErrorKind::ConnectionReset
                    );
                    assert_eq!(server.rest().await, "");
                } else {
                    // The listener is gone when a refusal is seen.
                    while TcpStream::connect(mesh.dial).await.is_ok() {
                        tokio::task::yield_now().await;
                    }
                    server.say(OK).await;
                    let head = client.head().await;
                    assert_eq!((head.one("connection"), &*client.rest().await), ("close", "ok"));
                }
            };
            tokio::join!(finished, mesh.web.drain());
        })
        .await;
    }
}
