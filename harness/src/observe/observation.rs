//! The one event type between those who do (apps, dataplanes, the world) and those who judge (checks).

use serde::{Deserialize, Serialize};

pub use crate::language::End;

/// Nanoseconds of the run's clock since its start (virtual in the simulator).
pub type Nanos = u64;

/// One thing that was seen, by whom and when. A run is a list of these, in order of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// When.
    pub at: Nanos,
    /// The pod at which it was seen.
    pub pod: String,
    /// In which role the pod saw it.
    pub role: Role,
    /// The step it belongs to. Apps, which do not know steps, leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The connection, counted from 0 for each (pod, role, step).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conn: Option<u32>,
    /// What.
    pub seen: Seen,
}

/// Who saw something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A step's client.
    Client,
    /// A pod's app (server).
    App,
    /// A pod's sidecar.
    Proxy,
    /// The world itself: steps, faults, time.
    World,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// A client's connection was established.
    Connected {
        /// The other end, in Kuma's addresses.
        peer: String,
    },
    /// A client's connection was not established.
    ConnectFailed {
        /// Why.
        error: Failure,
    },
    /// An app accepted a connection.
    Accepted {
        /// The other end.
        peer: String,
    },
    /// A TLS handshake of this end finished (the app's own TLS; mesh TLS when a pod speaks it itself is [`Seen::MeshHandshake`]).
    Handshake(HandshakeFacts),
    /// As `Handshake`, for the mesh layer of a pod that speaks it itself.
    MeshHandshake(HandshakeFacts),
    /// A TLS handshake failed.
    HandshakeFailed {
        /// Whether the mesh layer's.
        mesh: bool,
        /// In words, e.g. `received fatal alert: CertificateUnknown`.
        error: String,
    },
    /// A sidecar ended that nobody had told to.
    Died {
        /// How, and its last words.
        how: String,
    },
    /// What the other end asked for is beyond the apps of the harness: the run shows nothing of the dataplane.
    Beyond {
        /// What, in words.
        what: String,
    },
    /// Bytes were handed to the connection (inside TLS, if any). Adjacent ones at one instant are merged.
    Sent {
        /// How many.
        bytes: u64,
        /// The first ones, at most 64, lossy text.
        head: String,
    },
    /// Bytes came (inside TLS, if any).
    Received {
        /// How many.
        bytes: u64,
        /// The first ones, at most 64, lossy text.
        head: String,
    },
    /// What came was not what the script expects.
    Mismatch {
        /// What the script expects, in words.
        expected: String,
        /// What came, in words.
        found: String,
    },
    /// `send: {until: blocked}` stopped: the other side took no more.
    Blocked {
        /// Bytes that went before.
        after: u64,
    },
    /// A request or its answer, on exchange number `exchange` of the connection, counted from 0.
    Http {
        /// Which exchange of the connection.
        exchange: u32,
        /// What of it.
        event: HttpEvent,
    },
    /// The other end closed its sending direction.
    Eof,
    /// This end closed its sending direction.
    HalfClosed,
    /// The connection failed.
    Failed {
        /// How.
        error: Failure,
    },
    /// The connection is over for this end (closed, reset or failed, or the run ended with it open), with its totals.
    Ended(Ended),
    /// A step began.
    StepBegan,
    /// A step ended.
    StepEnded,
    /// What a step set in motion has come to rest: its expectations are judged on what was seen until now. Only steps that have some.
    StepSettled,
    /// Calls that are refused leave no trace in this world: where nobody listens, no relay is called. Said once, at the start.
    RefusedUnseen,
    /// There is no way to drain a sidecar: what it leaves shows nothing.
    Undrainable {
        /// The sidecar, `POD.proxy`.
        host: String,
        /// Why, in words.
        why: String,
    },
    /// A sidecar did not come to the end of its drain.
    NotDrained {
        /// The sidecar, `POD.proxy`.
        host: String,
        /// What became of it, in words.
        why: String,
    },
    /// The sockets of a host cannot be counted: whether any are left is not known.
    Uncounted {
        /// The host.
        host: String,
        /// Why, in words.
        why: String,
    },
    /// A sidecar did not tell its TLS secrets: what it said inside mesh TLS may be hidden.
    SecretsLost {
        /// The sidecar, `POD.proxy`.
        host: String,
        /// Why, in words.
        why: String,
    },
    /// A fault was set, healed, a sidecar crashed, started, drained: in words.
    Did {
        /// What.
        what: String,
    },
}

/// A part of an exchange: of a client, what it asked and was answered; of an app, what it was asked and answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpEvent {
    /// The head of the request: made (client) or come (app).
    Request(RequestHead),
    /// Body data came; those of one instant are one piece.
    Piece {
        /// How many bytes.
        bytes: u64,
    },
    /// The request's body is over: sent (client) or come (app).
    RequestBody(BodyFacts),
    /// An interim answer (1xx) came.
    Interim {
        /// Its status.
        status: u16,
    },
    /// The head of the answer: come (client) or given (app).
    Response(ResponseHead),
    /// The answer's body is over: come (client) or given (app).
    ResponseBody(BodyFacts),
    /// What came in place of a request, or of its body, is no HTTP: the exchange ended with that (app).
    Malformed {
        /// What is wrong with it, in words.
        what: String,
    },
    /// The exchange ended without a whole answer.
    Failed {
        /// Why, in words.
        error: String,
    },
}

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RequestHead {
    /// `HTTP/1.1` or `HTTP/2`.
    pub protocol: String,
    /// `GET`.
    pub method: String,
    /// Path and query, or what else the target was.
    pub path: String,
    /// `Host` or `:authority`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Header fields in order; names in lower case, `host` not among them.
    pub headers: Vec<(String, String)>,
}

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ResponseHead {
    /// `HTTP/1.1` or `HTTP/2`.
    pub protocol: String,
    /// Its status.
    pub status: u16,
    /// Header fields in order; names in lower case.
    pub headers: Vec<(String, String)>,
}

/// What is known of a body when it is over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BodyFacts {
    /// Its bytes.
    pub flow: Flow,
    /// Trailer fields in order; names in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trailers: Vec<(String, String)>,
    /// Whether it came to its end.
    pub whole: bool,
}

/// How an operation on a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Connection refused.
    Refused,
    /// Reset by the other end.
    Reset,
    /// The kernel gave up.
    TimedOut,
    /// Written to after this end closed it, or after the other end was gone.
    BrokenPipe,
    /// TLS ended without close_notify.
    Truncated,
    /// TLS alert or malformed record.
    Tls,
    /// Anything else.
    Other,
}

/// How a connection stood at its end, and what passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How the other end's direction ended.
    pub end: End,
    /// Whether the script ran to its end. A step that holds its connections records this when its script ends, with [`End::Open`]; the
    /// step that goes on records the rest.
    pub done: bool,
    /// At the socket (TLS bytes, if TLS), since the connection began: what this end wrote.
    pub wire_sent: Flow,
    /// At the socket, since the connection began: what this end read.
    pub wire_received: Flow,
    /// Inside TLS (the same as the wire's without TLS), in this step: what this end sent.
    pub sent: Flow,
    /// Inside TLS, in this step: what this end received.
    pub received: Flow,
}

/// The bytes of one direction of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Flow {
    /// How many.
    pub bytes: u64,
    /// BLAKE3 of all of them, hexadecimal; empty for none.
    pub blake3: String,
    /// The first ones, at most 4 KiB, hexadecimal.
    pub head: String,
}

/// What one end learnt from a TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HandshakeFacts {
    /// `1.2` or `1.3`.
    pub version: String,
    /// The protocol agreed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpn: Option<String>,
    /// Server: the name the client asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
    /// DNS names and URIs on the other end's certificate, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peer: Vec<String>,
    /// Whether a session was resumed.
    pub resumed: bool,
}
