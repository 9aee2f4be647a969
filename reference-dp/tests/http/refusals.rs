//! What is answered without the app.

use tokio::io::AsyncWriteExt;

use crate::common::{Setup, app, mesh, within};
use crate::peer::{GET, HTTP_STRICT, OK, Peer, Script};

#[tokio::test]
async fn what_is_no_request_is_refused_and_the_app_is_not_called() {
    let large = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(61 * 1024));
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(100));
    let endless = "a".repeat(1024 * 1024);
    for (bytes, status) in [
        ("GET / HTTP/1.0\r\n\r\n", 426),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET /\r\n\r\n", 400),
        ("GET / a HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n", 400),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03", 400),
        ("hello, this is no HTTP\r\n", 400),
        ("CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n", 404),
        ("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", 403),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
            400,
        ),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcde", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n z: folded\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: y\rtransfer-encoding: chunked\r\n\r\n", 400),
        (&large, 431),
        (&many, 431),
        (&endless, 431),
    ] {
        within(async {
            let app = app().await;
            let mesh = mesh(HTTP_STRICT, app.addr).await;
            let mut client = Peer::dial(&mesh).await;
            // The rest must not pass for another request.
            let _ = client
                .stream
                .write_all(format!("{bytes}{}", if status == 404 { "" } else { GET }).as_bytes())
                .await;
            if status == 404 {
                client.stream.shutdown().await.unwrap();
            }
            let answer = client.rest().await;
            assert!(
                answer.starts_with(&format!("HTTP/1.{} {status} ", u8::from(status != 426))),
                "{bytes:.60}: {answer:?}"
            );
            assert_eq!(answer.matches("HTTP/1.").count(), 1, "{bytes:.60}: {answer:?}");
            drop(client);
            mesh.web.drain().await;
            mesh.backend.drain().await;
            assert!(app.was_not_called(), "{bytes:.60}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_chunk_that_is_none_is_answered_400_and_never_makes_a_second_request() {
    within(async {
        let app = app().await;
        let mesh = mesh(HTTP_STRICT, app.addr).await;
        let mut client = Peer::dial(&mesh).await;
        client.say("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n").await;
        let mut server = Peer::accept(&app).await;
        server.head().await;
        server.until("one\r\n").await;
        client.say(format!("5 \r\nhello\r\n0\r\n\r\n{GET}")).await;
        let answer = client.rest().await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer:?}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{answer:?}");
        assert_eq!(server.rest().await, "", "the request must not seem whole");
        assert!(app.was_not_called());
    })
    .await;
}

#[tokio::test]
async fn callers_without_permission_get_403() {
    const OTHER: &str = "
type: MeshTrafficPermission
mesh: lab
name: other
spec: {rules: [{default: {allow: [{spiffeID: {type: Exact, value: spiffe://lab/other}}]}}]}
";
    within(async {
        let app = app().await;
        let mesh = mesh(Setup { permissions: OTHER, ..HTTP_STRICT }, app.addr).await;
        let mut client = Peer::dial(&mesh).await;
        client.say(GET).await;
        let head = client.head().await;
        assert_eq!(head.line, "HTTP/1.1 403 Forbidden");
        assert_eq!(head.one("content-type"), "text/plain");
        head.one("x-envoy-upstream-service-time");
        assert_eq!(client.text(19).await, "RBAC: access denied");
        assert!(app.was_not_called());
    })
    .await;
}

#[tokio::test]
async fn a_head_that_takes_too_long_is_answered_408_and_an_idle_connection_is_none() {
    const QUICK: &str = "
type: MeshTimeout
mesh: lab
name: quick
spec: {to: [{targetRef: {kind: Mesh}, default: {http: {requestHeadersTimeout: 200ms}}}]}
";
    within(async {
        let app = app().await;
        let mesh = mesh(Setup { timeouts: QUICK, ..HTTP_STRICT }, app.addr).await;
        let mut idle = Peer::dial(&mesh).await;
        idle.say(GET).await;
        let (mut server, _) = Script { app: &app }.answer(OK).await;
        idle.head().await;
        assert_eq!(idle.text(2).await, "ok");
        let mut slow = Peer::dial(&mesh).await;
        slow.say("GET / HTTP/1.1\r\nhost: ").await;
        assert_eq!(slow.head().await.line, "HTTP/1.1 408 Request Timeout");
        assert_eq!(slow.rest().await, "request header timeout");
        // It was idle for at least as long.
        idle.say(GET).await;
        server.head().await;
        server.say(OK).await;
        assert_eq!(idle.head().await.line, "HTTP/1.1 200 OK");
    })
    .await;
}
