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
