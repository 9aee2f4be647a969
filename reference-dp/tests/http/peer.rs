//! Clients and apps as raw bytes.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{App, Mesh, PLAIN, STRICT, Setup};

pub(crate) const HTTP: Setup = Setup { protocol: "http", ..PLAIN };
pub(crate) const HTTP_STRICT: Setup = Setup { protocol: "http", ..STRICT };

/// A connection that is read piece by piece.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

impl Peer {
    pub(crate) async fn dial(mesh: &Mesh) -> Self {
        Self::new(TcpStream::connect(mesh.dial).await.unwrap())
    }

    pub(crate) async fn accept(app: &App) -> Self {
        Self::new(app.accept().await)
    }

    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, read: Vec::new() }
    }

    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Up to and with `end`.
    pub(crate) async fn until(&mut self, end: &str) -> String {
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

    pub(crate) async fn head(&mut self) -> Head {
        let text = self.until("\r\n\r\n").await;
        let mut lines = text.trim_end().split("\r\n").map(str::to_owned);
        Head { line: lines.next().unwrap(), fields: lines.collect() }
    }

    pub(crate) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            let read = self.stream.read_buf(&mut self.read).await.unwrap();
            assert!(read > 0, "ended after {} of {count} bytes", self.read.len());
        }
        let rest = self.read.split_off(count);
        std::mem::replace(&mut self.read, rest)
    }

    pub(crate) async fn text(&mut self, count: usize) -> String {
        String::from_utf8(self.bytes(count).await).unwrap()
    }

    /// What comes until the end; a reset is one, too.
    pub(crate) async fn rest(&mut self) -> String {
        while let Ok(read) = self.stream.read_buf(&mut self.read).await
            && read > 0
        {}
        String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned()
    }
}

#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) line: String,
    fields: Vec<String>,
}

impl Head {
    /// The values of a field, whose name is written in lower case.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let split = |field| str::split_once(field, ": ").unwrap();
        self.fields.iter().map(|field| split(field)).filter(|(n, _)| *n == name).map(|(_, v)| v).collect()
    }

    #[track_caller]
    pub(crate) fn one(&self, name: &str) -> &str {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name} in {self:?}");
        all[0]
    }
}

/// An app that answers what it is asked, one connection after the other.
pub(crate) struct Script<'a> {
    pub(crate) app: &'a App,
}

impl Script<'_> {
    /// Accepts, reads a head, and answers with these bytes.
    pub(crate) async fn answer(&self, bytes: &str) -> (Peer, Head) {
        let mut server = Peer::accept(self.app).await;
        let asked = server.head().await;
        server.say(bytes).await;
        (server, asked)
    }
}

pub(crate) const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
