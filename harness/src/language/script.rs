//! What a scripted end of a connection does: the same list of actions for clients and servers, over TCP, TLS or bare bytes.

use std::time::Duration;

use bytes::Bytes;

use super::TlsOptions;
use super::http::{HttpApp, HttpScript};
use super::value::Payload;

/// The actions of one connection, in order. When the list ends, the connection is closed (unless the step holds it).
/// Sends (and half-closes) in a row and the expects and reads right after them run at the same time, so that neither end waits for the other
/// with full buffers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script(pub Vec<Action>);

/// One action on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// `send: hello`, `send: {size: 64KiB, chunk: 1, every: 10ms}`.
    Send(Send),
    /// `expect: hello`, `expect: {size: 1MiB}`: reads exactly that many bytes; other bytes, or an end before them, end the script.
    Expect(Payload),
    /// `read: eof`, `read: {bytes: 10}`, `read: {rate: 64KiB}`: takes whatever comes.
    Read(Read),
    /// `echo`: sends back what comes until the other end closes its direction, then closes its own.
    Echo,
    /// `half_close`: ends the sending direction (TLS: close_notify, then FIN) and goes on reading.
    HalfClose,
    /// `close`: closes now.
    Close,
    /// `reset`: RST.
    Reset,
    /// `stall`: neither reads nor writes any more, holds the connection open until the run ends or the other end is gone. To notice the
    /// latter it takes one byte at most; an end that was seen before (`read: eof`, then `stall`) does not end it.
    Stall,
    /// `pause: 10s`.
    Pause(Duration),
    /// `starttls: {..}`: from here on TLS, client or server as this end is.
    StartTls(TlsOptions),
    /// `repeat: {times: 10, do: [..]}`.
    Repeat {
        /// How often.
        times: u32,
        /// What.
        script: Script,
    },
}

/// Arguments of `send`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Send {
    /// What.
    pub payload: Payload,
    /// Bytes a write; all at once (in 16 KiB writes) without.
    pub chunk: Option<u64>,
    /// Virtual time between writes.
    pub every: Option<Duration>,
    /// `until: blocked`: send (repeating the pattern) until the other side takes no more for this long; how much went is observed.
    pub until_blocked: Option<Duration>,
}

/// Arguments of `read`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Read {
    /// Stop after this many bytes; without, at the end of the stream.
    pub bytes: Option<u64>,
    /// At most this many bytes a second.
    pub rate: Option<u64>,
    /// Stop when these bytes have come (`{until: "\r\n\r\n"}`), whatever comes after them. They come within 1 MiB, or the script fails.
    pub until: Option<Bytes>,
}

/// What a client does: a step's verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientScript {
    /// `tls:` brings the app's own TLS, `tcp:` and `raw:` do not.
    pub tls: Option<TlsOptions>,
    /// What to do on each connection.
    pub talk: Talk,
    /// How many connections at once; each runs the whole script.
    pub connections: u32,
}

/// What a client does on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Talk {
    /// `tcp:`, `tls:`, `raw:`: actions on bytes.
    Bytes(Script),
    /// `http:`: requests.
    Http(HttpScript),
}

impl Talk {
    /// The actions on bytes, if it has some.
    #[must_use]
    pub fn script(&self) -> Option<&Script> {
        match self {
            Self::Bytes(script) => Some(script),
            Self::Http(_) => None,
        }
    }
}

/// What a server does on each connection: a pod's `app`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerScript {
    /// It listens.
    Listen {
        /// `tls:` brings the app's own TLS, `tcp:` and `raw:` do not.
        tls: Option<TlsOptions>,
        /// Scripts of the first, second, .. connection; the last one repeats. Never empty.
        turns: Vec<Script>,
    },
    /// `http:`, `http2:`: it answers requests.
    Http(HttpApp),
    /// `refuse`: nothing listens at the app's port.
    Refuse,
}
