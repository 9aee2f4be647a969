//! Two sidecars in one process, over loopback sockets: requests as raw bytes, asked by a client and answered by an app that know no more of HTTP
//! than what is written here.

mod common;

use common::{App, Mesh, PLAIN, STRICT, Setup, app, mesh, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const HTTP: Setup = Setup { protocol: "http", ..PLAIN };
const HTTP_STRICT: Setup = Setup { protocol: "http", ..STRICT };

/// A connection that is read piece by piece.
struct Peer {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Peer {
    async fn dial(mesh: &Mesh) -> Self {
        Self::new(TcpStream::connect(mesh.dial).await.unwrap())
    }

    async fn accept(app: &App) -> Self {
        Self::new(app.accept().await)
    }

    fn new(stream: TcpStream) -> Self {
        Self { stream, read: Vec::new() }
    }

    async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Up to and with `end`.
    async fn until(&mut self, end: &str) -> String {
        loop {
            let found = self.read.windows(end.len()).position(|window| window == end.as_bytes());
            if let Some(at) = found {
                let rest = self.read.split_off(at + end.len());
                return String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap();
            }
            let read = self.stream.read_buf(&mut self.read).await.unwrap();
            assert!(read > 0, "ended before {end:?}: {:?}", String::from_utf8_lossy(&self.read));
        }
    }

    async fn head(&mut self) -> Head {
        let text = self.until("\r\n\r\n").await;
        let mut lines = text.trim_end().split("\r\n").map(str::to_owned);
        Head { line: lines.next().unwrap(), fields: lines.collect() }
    }

    async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            let read = self.stream.read_buf(&mut self.read).await.unwrap();
            assert!(read > 0, "ended after {} of {count} bytes", self.read.len());
        }
        let rest = self.read.split_off(count);
        std::mem::replace(&mut self.read, rest)
    }

    async fn text(&mut self, count: usize) -> String {
        String::from_utf8(self.bytes(count).await).unwrap()
    }

    /// What comes until the end; a reset is one, too.
    async fn rest(&mut self) -> String {
        while let Ok(read) = self.stream.read_buf(&mut self.read).await
            && read > 0
        {}
        String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned()
    }
}

#[derive(Debug)]
struct Head {
    line: String,
    fields: Vec<String>,
}

impl Head {
    /// The values of a field, whose name is written in lower case.
    fn all(&self, name: &str) -> Vec<&str> {
        let split = |field| str::split_once(field, ": ").unwrap();
        self.fields.iter().map(|field| split(field)).filter(|(n, _)| *n == name).map(|(_, v)| v).collect()
    }

    #[track_caller]
    fn one(&self, name: &str) -> &str {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name} in {self:?}");
        all[0]
    }
}

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

/// An app that answers what it is asked, one connection after the other.
struct Script<'a> {
    app: &'a App,
}

impl Script<'_> {
    /// Accepts, reads a head, and answers with these bytes.
    async fn answer(&self, bytes: &str) -> (Peer, Head) {
        let mut server = Peer::accept(self.app).await;
        let asked = server.head().await;
        server.say(bytes).await;
        (server, asked)
    }
}

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

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
