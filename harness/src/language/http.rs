//! What HTTP clients ask and what HTTP apps answer.

use std::time::Duration;

use super::script::Send;

/// The protocol a well-behaved app speaks; what is not well-behaved is scripted in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HttpVersion {
    /// HTTP/1.1, and nothing else.
    V1,
    /// HTTP/2 with prior knowledge, and nothing else.
    V2,
}

/// Header or trailer fields in order; a name may come several times. Names as written, also in upper case (HTTP/1.1 sends them so).
pub type Fields = Vec<(String, String)>;

/// What a client does on each of its connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpScript {
    /// The protocol.
    pub version: HttpVersion,
    /// Its requests, in order. Never empty, unless the connection is only opened.
    pub requests: Vec<Request>,
    /// `true`: all requests at once (HTTP/2 streams of one connection). Otherwise each begins when the one before has ended, on the same
    /// connection, or on a new one if that was closed after a whole answer.
    pub at_once: bool,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// The target as it goes out: `/a/../b?c=d`.
    pub path: String,
    /// `Host` (HTTP/1.1) or `:authority` (HTTP/2); `None`: what was dialled.
    pub authority: Option<String>,
    /// Header fields beside those of framing.
    pub headers: Fields,
    /// The body and how it is written; `None`: none.
    pub body: Option<Send>,
    /// How the body's end is told.
    pub framing: Framing,
    /// Trailer fields, after a chunked body.
    pub trailers: Fields,
    /// How the answer's body is read.
    pub read: ReadAnswer,
    /// When the client goes away.
    pub abort: Option<Abort>,
    /// How many times the request is made.
    pub times: u32,
}

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// `content-length`.
    #[default]
    Length,
    /// HTTP/1.1: `transfer-encoding: chunked`. HTTP/2: no length.
    Chunked,
}

/// How an answer's body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadAnswer {
    /// At most this many bytes a second.
    pub rate: Option<u64>,
}

/// When a client goes away: HTTP/1.1 closes the connection, HTTP/2 resets the stream (`CANCEL`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abort {
    /// This long after the request began.
    After(Duration),
    /// When so many bytes of the answer's body have come.
    AfterBytes(u64),
}

/// An app that speaks HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpApp {
    /// The protocol.
    pub version: HttpVersion,
    /// What it answers; the first route that fits. Without one: 404.
    pub routes: Vec<Route>,
}

/// Answers to some requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Only this method.
    pub method: Option<String>,
    /// Only this path, query apart.
    pub path: Option<String>,
    /// Answers in sequence over all connections; the last one goes on for ever. Never empty.
    pub answers: Vec<Answer>,
}

/// One answer of a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// How many requests get it before the next one's turn. Of the last one, without meaning.
    pub times: u32,
    /// What it is.
    pub act: Act,
}

/// What an app does with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// It answers.
    Respond(Box<Response>),
    /// `close`: closes the connection before a byte of an answer.
    Close,
    /// `reset`: resets it.
    Reset,
    /// `stall`: never answers.
    Stall,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Header fields beside those of framing.
    pub headers: Fields,
    /// Its body.
    pub body: ResponseBody,
    /// How the body's end is told.
    pub framing: Framing,
    /// Trailer fields, after a chunked body.
    pub trailers: Fields,
    /// Time between the request's end (its head, if `early`) and the answer.
    pub delay: Duration,
    /// `true`: answers after the head of the request, and reads no byte of its body.
    pub early: bool,
    /// The app dies in the middle of the body.
    pub cut: Option<Cut>,
    /// `true`: closes the connection after the answer (`connection: close`; HTTP/2: `GOAWAY`).
    pub last: bool,
}

/// The body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseBody {
    /// None.
    Nothing,
    /// This.
    Send(Send),
    /// `echo`: the request's body, as it comes.
    Echo,
}

/// How an app dies in the middle of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// After so many bytes of it.
    pub after: u64,
    /// `true`: with a reset; else it closes the connection.
    pub reset: bool,
}
