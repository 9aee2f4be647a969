//! What must hold: checks with their arguments.

use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::Link;
use super::value::{BytesMatch, Count, Match, Span};

/// What must hold, and what that proves.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// Checks that must all be without finding.
    pub checks: Vec<Check>,
    /// Clauses (ids of fixtures/requirements.yaml) proven when they are.
    pub proves: Vec<String>,
    /// Overrides the clauses' level: `must` or `should`.
    pub level: Option<Level>,
    /// Line of the scenario file, from 1.
    pub line: u32,
    /// Why it cannot be judged where it is played, if so.
    pub not_run: Option<String>,
}

/// How binding an expectation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Broken: the dataplane failed.
    Must,
    /// Broken: a warning.
    Should,
    /// Broken: a remark.
    May,
}

/// A check with its arguments.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// What a step's client saw.
    Client(EndCheck),
    /// What an app saw.
    App(EndCheck),
    /// Bytes at the sockets of both ends.
    Bytes(BytesCheck),
    /// Packets on a link.
    Wire(WireCheck),
    /// Sockets left.
    Quiet(QuietCheck),
    /// A sidecar's metrics.
    Metrics(MetricsCheck),
    /// `took: 5s..6s`: how long the step took.
    Took(TookCheck),
}

impl Check {
    /// The latest of the times before which what it expects must not happen.
    #[must_use]
    pub fn soonest(&self) -> Duration {
        let (Self::Client(end) | Self::App(end)) = self else {
            return if let Self::Took(took) = self { took.span.from } else { Duration::ZERO };
        };
        let http = &end.http;
        let spans = [&end.first_byte, &end.ended, &http.head_at, &http.body_at, &http.over_at];
        spans.into_iter().flatten().map(|span| span.from).max().unwrap_or_default()
    }
}

/// Arguments of `client` and `app`: what one end of the connections of a step saw. With several connections each of them must match, but
/// for `connections` and `resumed`, which count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndCheck {
    /// `app`: the pod. Default: the `to` of the step.
    pub pod: Option<String>,
    /// The step. Default: the one the expectation nests in. An app's connections belong to the step in which they were accepted; without any
    /// step all connections of the pod count.
    pub step: Option<String>,
    /// How many connections were established (client) or accepted (app).
    pub connections: Option<Count>,
    /// Whether the script ran to its end.
    pub done: Option<bool>,
    /// What was received, inside TLS.
    pub received: Option<BytesMatch>,
    /// How much was sent, inside TLS.
    pub sent: Option<Count>,
    /// How the other end's direction ended: `eof reset truncated tls_error closed open refused timed_out`.
    pub end: Option<Match<End>>,
    /// Handshake of the app's own TLS (or the mesh layer, when the pod speaks it itself and has no own TLS): `ok` or `failed`.
    pub handshake: Option<Match<String>>,
    /// A name (DNS or URI) on the other end's certificate.
    pub certificate: Option<Match<String>>,
    /// The protocol agreed on.
    pub alpn: Option<Match<String>>,
    /// Server: the name asked for.
    pub sni: Option<Match<String>>,
    /// `1.2` or `1.3`.
    pub version: Option<Match<String>>,
    /// How many connections resumed a session.
    pub resumed: Option<Count>,
    /// How many bytes went before the other side took no more.
    pub blocked_after: Option<Count>,
    /// From the step's begin to the first byte received.
    pub first_byte: Option<Span>,
    /// From the step's begin to the end of the other end's direction, as seen by this end.
    pub ended: Option<Span>,
    /// Requests and answers.
    pub http: HttpCheck,
}

/// Arguments of `client` and `app` about requests and answers (exchanges). Each exchange of each connection must match, but for `requests`,
/// `answers`, `statuses` and `wholes`, which look at all of them. Of a client: the requests it made and the answers it got. Of an app: the
/// requests it got and the answers it gave. Nothing holds for want of an exchange, unless `answers` (client) or `requests` (app) says how many
/// there may be: then only those that came are looked at. Ends that are scripted in bytes are read as HTTP/1.1, as far as their first 4 KiB go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpCheck {
    /// How many requests there were. A head that came counts.
    pub requests: Option<Count>,
    /// How many answers there were, interim ones apart. A head that came counts.
    pub answers: Option<Count>,
    /// The status of each answer; `absent`: no answer.
    pub status: Option<Match<StatusMatch>>,
    /// The statuses of all answers, in the order of connections and exchanges.
    pub statuses: Option<Vec<u16>>,
    /// Interim (1xx) answers before each answer, in order.
    pub interim: Option<Vec<u16>>,
    /// Of a client: header fields of each answer. Of an app: of each request. By name in lower case.
    pub headers: IndexMap<String, FieldMatch>,
    /// As `headers`, for trailer fields.
    pub trailers: IndexMap<String, FieldMatch>,
    /// Body of each answer (client) or request (app).
    pub body: Option<BytesMatch>,
    /// Whether each answer (client) or request (app) came whole: head, body to its end.
    pub whole: Option<bool>,
    /// How many exchanges came whole.
    pub wholes: Option<Count>,
    /// `HTTP/1.1` or `HTTP/2`, as this end spoke it.
    pub protocol: Option<Match<String>>,
    /// App: the method of each request.
    pub method: Option<Match<String>>,
    /// App: the target of each request, with its query.
    pub path: Option<Match<String>>,
    /// App: `Host` or `:authority` of each request.
    pub authority: Option<Match<String>>,
    /// At how many instants parts of each body came.
    pub pieces: Option<Count>,
    /// From the step's begin to the head of the first answer (client) or request (app).
    pub head_at: Option<Span>,
    /// From the step's begin to the first byte of the first body.
    pub body_at: Option<Span>,
    /// From the step's begin to the end of the last answer (client) or request (app), whole or not.
    pub over_at: Option<Span>,
    /// App: the instants between requests, each within: how long a retry waited.
    pub gaps: Option<Vec<Span>>,
}

/// A status: one, or a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusMatch {
    /// `503`.
    Code(u16),
    /// `5xx`.
    Class(u16),
}

impl StatusMatch {
    /// Whether a status is meant.
    #[must_use]
    pub fn takes(self, status: u16) -> bool {
        match self {
            Self::Code(code) => code == status,
            Self::Class(class) => class == status / 100,
        }
    }
}

/// What the values of a field must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldMatch {
    /// `absent`: no such field.
    Absent,
    /// `present`: one or more.
    Present,
    /// `once`: exactly one field line, whatever its value.
    Once,
    /// `[a, b]`: these values in this order, on one line (joined by commas, cookies by `; `) or several; `set-cookie` on several only. A word: one
    /// value. `*` stands for any run of characters, `?` for one.
    Values(Vec<String>),
    /// `{any: [..]}`: one value, one of these.
    Any(Vec<String>),
    /// `{same_as_app: POD}`: one value, the same that each request to the app of that pod bore.
    SameAsApp(String),
}

/// Arguments of `bytes`: compares what one end wrote to its socket with what the other read, connection by connection, by length and
/// digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BytesCheck {
    /// The step. Default: the one the expectation nests in.
    pub step: Option<String>,
    /// The app got what the client sent.
    pub app_got: Option<Sameness>,
    /// The client got what the app sent.
    pub client_got: Option<Sameness>,
}

/// How two byte flows compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sameness {
    /// `identical`.
    Identical,
    /// `nothing`: not one byte arrived.
    Nothing,
}

/// Arguments of `wire`: what each connection over a link is, read from its packets. All established connections of the link (in the step's
/// time, if `step`) must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireCheck {
    /// The link; connections opened from its first host to its second.
    pub link: Link,
    /// Only connections opened during this step.
    pub step: Option<String>,
    /// `plain` (any bytes but the following), `http/1.1`, `http/2`, `tls` (any TLS that is not the mesh's), `mesh-tls` (both certificates bear
    /// `spiffe://MESH/` URIs), `none` (no byte).
    pub outer: Option<Match<String>>,
    /// What lies inside mesh TLS: `plain` (any bytes but the following), `tls`, `http/1.1`, `http/2`, `none` (no byte).
    pub inner: Option<Match<String>>,
    /// SNI of the outer ClientHello.
    pub sni: Option<Match<String>>,
    /// Protocols the outer ClientHello offers, joined by commas.
    pub alpn: Option<Match<String>>,
    /// SNI of the inner ClientHello.
    pub inner_sni: Option<Match<String>>,
    /// Protocols the inner ClientHello offers, joined by commas.
    pub inner_alpn: Option<Match<String>>,
    /// Version of the outer TLS: `1.2`, `1.3`.
    pub version: Option<Match<String>>,
    /// URIs that the outer client certificate must bear, all of them.
    pub client_uris: Vec<String>,
    /// URIs that the outer server certificate must bear, all of them.
    pub server_uris: Vec<String>,
    /// Validity of the outer certificates, from not-before to not-after.
    pub lifetime: Option<Span>,
    /// How many connections were established.
    pub connections: Option<Count>,
    /// How many were tried (first SYNs).
    pub attempts: Option<Count>,
    /// Payload bytes from the link's first host to its second, all connections together.
    pub bytes: Option<Count>,
    /// Payload bytes back.
    pub bytes_back: Option<Count>,
    /// How many requests went over it, all connections together, as HTTP inside or outside of mesh TLS.
    pub requests: Option<Count>,
    /// Fields of each request on the wire; `:method`, `:scheme`, `:path`, `:authority` too (HTTP/1.1: as HTTP/2 would have them).
    pub headers: IndexMap<String, FieldMatch>,
    /// Fields of each answer on the wire, `:status` too.
    pub answer_headers: IndexMap<String, FieldMatch>,
}

impl WireCheck {
    /// The check of a link that always holds.
    #[must_use]
    pub fn on(link: Link) -> Self {
        Self {
            link,
            step: None,
            outer: None,
            inner: None,
            sni: None,
            alpn: None,
            inner_sni: None,
            inner_alpn: None,
            version: None,
            client_uris: Vec::new(),
            server_uris: Vec::new(),
            lifetime: None,
            connections: None,
            attempts: None,
            bytes: None,
            bytes_back: None,
            requests: None,
            headers: IndexMap::new(),
            answer_headers: IndexMap::new(),
        }
    }
}

/// Arguments of `quiet`: sockets of hosts at the moment of the expectation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuietCheck {
    /// Hosts (`web`, `web.proxy`); empty means all.
    pub at: Vec<String>,
    /// Connections that stand in any state.
    pub connections: Option<Count>,
    /// Listening sockets.
    pub listeners: Option<Count>,
}

/// Arguments of `metrics`: a sidecar's signals by meaning, as fixtures/dataplanes/NAME/dictionary.yaml finds them in its metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsCheck {
    /// `POD.proxy`.
    pub at: String,
    /// `valid: true`: strictly valid Prometheus text, every family with a type, no sample twice.
    pub valid: Option<bool>,
    /// `tcp.connections: 1`, `http.*: absent`, ... in file order.
    pub signals: IndexMap<String, Count>,
}

/// Arguments of `took`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TookCheck {
    /// The step.
    pub step: String,
    /// How long.
    pub span: Span,
}

/// How the other end's direction ended, as this end saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// A clean end (FIN; TLS: after close_notify).
    Eof,
    /// A reset.
    Reset,
    /// TLS ended without close_notify.
    Truncated,
    /// A TLS alert or record error.
    TlsError,
    /// This end closed first and did not look.
    Closed,
    /// Nothing ended it before the run did.
    Open,
    /// Never established.
    Refused,
    /// Connection attempt given up by the kernel.
    TimedOut,
}
