//! Expectations and the arguments of checks, as written.

use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Only;
use super::http::matcher::{AnyStatus, FieldChecks, StatusCheck};
use super::matcher::{Handshake, HttpProtocol, Inner, Outer, Version, Written};
use super::metrics::MetricsArgs;
use super::shape::{Never, Refused, Shape, of, shape};
use crate::language::End;
use crate::language::Sameness;
use crate::language::value::{BytesMatch, Count, Span};
use crate::scenario::decode::At;

/// What must hold: one or more of `client`, `app`, `bytes`, `wire`, `quiet`, `metrics`, `took`; and what that proves.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "an expectation: a mapping with a check such as `client` or `metrics`"
)]
pub(crate) struct Expectation {
    /// Check: what a step's client saw.
    pub(crate) client: Option<At<EndArgs>>,
    /// Check: what an app saw.
    pub(crate) app: Option<At<EndArgs>>,
    /// Check: bytes at the sockets of both ends.
    pub(crate) bytes: Option<At<BytesArgs>>,
    /// Check: what each connection over a link is, read from its packets.
    pub(crate) wire: Option<At<WireArgs>>,
    /// Check: sockets of hosts at this moment.
    pub(crate) quiet: Option<At<QuietArgs>>,
    /// Check: a sidecar's metrics by meaning.
    pub(crate) metrics: Option<At<MetricsArgs>>,
    /// Check: how long a step took.
    pub(crate) took: Option<At<TookArgs>>,
    /// Clauses (ids of fixtures/requirements.yaml) proven when all checks hold.
    pub(crate) proves: Option<Vec<At<String>>>,
    /// Overrides the clauses' level.
    pub(crate) level: Option<Level>,
    /// For which values of the matrix the expectation is there.
    pub(crate) when: Option<Only>,
}

/// How binding an expectation is.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    /// Broken: the dataplane failed.
    Must,
    /// Broken: a warning.
    Should,
    /// Broken: a remark.
    May,
}

/// Arguments of `client` and `app`: what one end of a step's connections saw. Each connection must match; `connections` and `resumed` count them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "what one end saw: a mapping")]
pub(crate) struct EndArgs {
    /// `app`: the pod. Default: the `to` of the step.
    pub(crate) pod: Option<At<String>>,
    /// The step. Default: for `app` without `pod` that of the `client` beside it, else the one the expectation nests in. `app` with `pod` at the
    /// bottom without a step: all connections of the pod.
    pub(crate) step: Option<At<String>>,
    /// How many connections were established (client) or accepted (app).
    pub(crate) connections: Option<Count>,
    /// Whether the script ran to its end.
    pub(crate) done: Option<bool>,
    /// What was received, inside TLS.
    pub(crate) received: Option<BytesMatch>,
    /// How much was sent, inside TLS.
    pub(crate) sent: Option<Count>,
    /// How the other end's direction ended.
    pub(crate) end: Option<Written<End>>,
    /// Handshake of the app's own TLS (or the mesh layer, when the pod speaks it itself and has no own TLS).
    pub(crate) handshake: Option<Written<Handshake>>,
    /// A name (DNS or URI) on the other end's certificate.
    pub(crate) certificate: Option<Written<String>>,
    /// The protocol agreed on.
    pub(crate) alpn: Option<Written<String>>,
    /// `app`: the server name asked for.
    pub(crate) sni: Option<Written<String>>,
    /// TLS version.
    pub(crate) version: Option<Written<Version>>,
    /// How many connections resumed a session.
    pub(crate) resumed: Option<Count>,
    /// How many bytes went before the other side took no more.
    pub(crate) blocked_after: Option<Count>,
    /// From the step's begin to the first byte received.
    pub(crate) first_byte: Option<Span>,
    /// From the step's begin to the end of the other end's direction.
    pub(crate) ended: Option<Span>,
    /// HTTP: how many requests there were. An app's exchanges belong to the step in which the request came, whenever the connection was opened. Where it is said, `path` and others are asked only of those that came.
    pub(crate) requests: Option<Count>,
    /// HTTP: how many answers there were, interim ones apart. Where it is said, `status` and others are asked only of those that came: `{answers: 0..1, status: 4xx}`.
    pub(crate) answers: Option<Count>,
    /// HTTP: the status of each answer.
    pub(crate) status: Option<StatusCheck>,
    /// HTTP: the statuses of all answers, in the order of connections and exchanges.
    pub(crate) statuses: Option<Vec<AnyStatus>>,
    /// HTTP: interim (1xx) answers before each answer, in order.
    pub(crate) interim: Option<Vec<AnyStatus>>,
    /// HTTP: header fields of each answer (`client`) or request (`app`); names in lower case.
    pub(crate) headers: Option<FieldChecks>,
    /// HTTP: as `headers`, for trailer fields.
    pub(crate) trailers: Option<FieldChecks>,
    /// HTTP: body of each answer (`client`) or request (`app`).
    pub(crate) body: Option<BytesMatch>,
    /// HTTP: whether each answer (`client`) or request (`app`) came whole.
    pub(crate) whole: Option<bool>,
    /// HTTP: how many came whole.
    pub(crate) wholes: Option<Count>,
    /// HTTP: the protocol, as this end spoke it.
    pub(crate) protocol: Option<Written<HttpProtocol>>,
    /// `app`: the method of each request.
    pub(crate) method: Option<At<Written<String>>>,
    /// `app`: the target of each request, with its query.
    pub(crate) path: Option<At<Written<String>>>,
    /// `app`: `Host` or `:authority` of each request.
    pub(crate) authority: Option<At<Written<String>>>,
    /// HTTP: at how many instants parts of each body came.
    pub(crate) pieces: Option<Count>,
    /// HTTP: from the step's begin to the head of the first answer (`client`) or request (`app`).
    pub(crate) head_at: Option<Span>,
    /// HTTP: from the step's begin to the first byte of the first body.
    pub(crate) body_at: Option<Span>,
    /// HTTP: from the step's begin to the end of the last answer (`client`) or request (`app`), whole or not.
    pub(crate) over_at: Option<Span>,
    /// `app`: the time between each request and the next, one for each gap.
    pub(crate) gaps: Option<At<Vec<Span>>>,
}

/// Arguments of `bytes`: what one end wrote to its socket against what the other read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `app_got` or `client_got`")]
pub(crate) struct BytesArgs {
    /// The step. Default: that of the `client` beside it, else the one the expectation nests in.
    pub(crate) step: Option<At<String>>,
    /// What the app got of what the client sent.
    pub(crate) app_got: Option<Same>,
    /// What the client got of what the app sent.
    pub(crate) client_got: Option<Same>,
}

/// How two byte flows compare.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Same {
    /// Byte for byte.
    Identical,
    /// Not one byte arrived.
    Nothing,
}

impl From<Same> for Sameness {
    fn from(same: Same) -> Self {
        match same {
            Same::Identical => Self::Identical,
            Same::Nothing => Self::Nothing,
        }
    }
}

/// Arguments of `wire`: all established connections over the link must match.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `link`")]
pub(crate) struct WireArgs {
    /// `A->B`: connections opened from A to B.
    pub(crate) link: At<String>,
    /// Only connections opened during this step.
    pub(crate) step: Option<At<String>>,
    /// `plain` (any bytes but the following), `http/1.1`, `http/2`, `tls` (any but the mesh's), `mesh-tls` (both certificates bear `spiffe://MESH/`), `none` (no byte).
    pub(crate) outer: Option<Written<Outer>>,
    /// What lies inside mesh TLS.
    pub(crate) inner: Option<Written<Inner>>,
    /// Server name in the outer ClientHello.
    pub(crate) sni: Option<Written<String>>,
    /// Protocols the outer ClientHello offers, joined by commas.
    pub(crate) alpn: Option<Written<String>>,
    /// Server name in the inner ClientHello.
    pub(crate) inner_sni: Option<Written<String>>,
    /// Protocols the inner ClientHello offers, joined by commas.
    pub(crate) inner_alpn: Option<Written<String>>,
    /// Version of the outer TLS.
    pub(crate) version: Option<Written<Version>>,
    /// A URI that the outer server certificate must bear: `spiffe://default/backend`. Short for `server_uris` of one.
    pub(crate) peer: Option<String>,
    /// URIs that the outer client certificate must bear, all of them.
    pub(crate) client_uris: Option<Vec<String>>,
    /// URIs that the outer server certificate must bear, all of them.
    pub(crate) server_uris: Option<Vec<String>>,
    /// Validity of the outer certificates, from not-before to not-after.
    pub(crate) lifetime: Option<Span>,
    /// How many connections were established.
    pub(crate) connections: Option<Count>,
    /// How many were tried (first SYNs).
    pub(crate) attempts: Option<Count>,
    /// Payload bytes from A to B, all connections together.
    pub(crate) bytes: Option<Count>,
    /// Payload bytes from B to A.
    pub(crate) bytes_back: Option<Count>,
    /// How many requests went over it, as HTTP inside or outside of mesh TLS.
    pub(crate) requests: Option<Count>,
    /// Fields of each request on the wire, `:method`, `:scheme`, `:path` and `:authority` too.
    pub(crate) headers: Option<FieldChecks>,
    /// Fields of each answer on the wire, `:status` too.
    pub(crate) answer_headers: Option<FieldChecks>,
}

/// Arguments of `quiet`: sockets of hosts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `at`, `connections`, `listeners`")]
pub(crate) struct QuietArgs {
    /// Hosts (`web`, `web.proxy`). Absent: all.
    pub(crate) at: Option<Vec<At<String>>>,
    /// Connections in any state.
    pub(crate) connections: Option<Count>,
    /// Listening sockets.
    pub(crate) listeners: Option<Count>,
}

/// Arguments of `took`.
#[derive(Debug, Clone)]
pub(crate) struct TookArgs {
    /// The step; `None`: the one the expectation nests in.
    pub(crate) step: Option<At<String>>,
    /// How long.
    pub(crate) within: Span,
}

shape!(TookArgs);

/// `took` as a mapping.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TookMap {
    /// The step. Default: the one the expectation nests in.
    step: Option<At<String>>,
    /// How long.
    within: Span,
}

impl Shape for TookArgs {
    type Map = TookMap;
    type List = Never;
    const NAME: &'static str = "Took";
    const EXPECTED: &'static str = "a duration or range such as 5s..6s, or {step: .., within: 5s..6s}";
    const MAP: bool = true;

    fn word(text: &str) -> Result<Self, Refused> {
        Ok(Self { step: None, within: text.parse()? })
    }

    fn map(map: TookMap) -> Result<Self, Refused> {
        Ok(Self { step: map.step, within: map.within })
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        json!({
            "anyOf": [of::<Span>(generator), of::<TookMap>(generator)],
            "description": "How long a step took: `5s..6s` within the step's own `expect`; `{step: hello, within: 5s..6s}` anywhere.",
        })
    }
}
