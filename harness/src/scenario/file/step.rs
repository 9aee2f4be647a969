//! Steps and faults, as written.

use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Only;
use super::expect::Expectation;
use super::http::client::HttpTalk;
use super::script::{ClientTls, Positive, Talk};
use super::shape::{Never, Refused, Shape, of, shape, words};
use super::word::{Wait, Yes};
use crate::language::value::Size;
use crate::language::{Latency, When};
use crate::scenario::decode::At;

/// Something that happens: one of `tcp`, `tls`, `raw`, `http`, `fault`, `heal`, `wait`, `proxy`, `parallel`; or only expectations.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a step: a mapping with one verb such as `tcp`, `fault` or `wait`")]
pub(crate) struct Step {
    /// Its name, for `on` and `step`. Default: `step-3`, from its place.
    pub(crate) id: Option<At<String>>,
    /// How long it waits before it begins; of use inside `parallel`. Default: not at all.
    pub(crate) after: Option<At<Wait>>,
    /// The pod whose app calls.
    pub(crate) from: Option<At<String>>,
    /// Whom it calls: `POD` (its service, through the caller's sidecar), `POD.proxy` (straight at that sidecar's inbound), `POD.app` (straight at the app).
    pub(crate) to: Option<At<String>>,
    /// Goes on with the connections that this earlier step held.
    pub(crate) on: Option<At<String>>,
    /// How many connections at once; each runs the whole script. Default 1.
    pub(crate) connections: Option<At<Positive>>,
    /// How many times, one after the other. Default 1.
    pub(crate) times: Option<At<Positive>>,
    /// Keep the connections open when the script ends; later steps go on with `on`.
    pub(crate) hold: Option<At<bool>>,
    /// Verb: a client talks over TCP.
    pub(crate) tcp: Option<At<Talk>>,
    /// Verb: a client brings its own TLS.
    pub(crate) tls: Option<At<ClientTls>>,
    /// Verb: as `tcp`, for bytes that pretend to be another protocol.
    pub(crate) raw: Option<At<Talk>>,
    /// Verb: a client makes HTTP requests.
    pub(crate) http: Option<At<HttpTalk>>,
    /// Verb: a condition is set on a link.
    pub(crate) fault: Option<At<Fault>>,
    /// Verb: all conditions of a link are undone.
    pub(crate) heal: Option<At<String>>,
    /// Verb: time passes.
    pub(crate) wait: Option<At<Wait>>,
    /// Verb: something is done to a sidecar.
    pub(crate) proxy: Option<At<ProxyStep>>,
    /// Verb: these steps at once; ends when all have ended.
    pub(crate) parallel: Option<At<Vec<At<Self>>>>,
    /// What holds when the step ends.
    pub(crate) expect: Option<Vec<At<Expectation>>>,
    /// For which values of the matrix the step is there.
    pub(crate) when: Option<Only>,
}

/// Something done to a sidecar.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `pod` and `do`")]
pub(crate) struct ProxyStep {
    /// The pod.
    pub(crate) pod: At<String>,
    /// What.
    #[serde(rename = "do")]
    pub(crate) act: Act,
}

/// What is done to a sidecar.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Act {
    /// It dies at once, its connections with it.
    Crash,
    /// It starts again.
    Start,
    /// It drains, and stops when drained. The step ends then.
    Drain,
}

/// A condition on a link: `link` and exactly one of `latency`, `bandwidth`, `segment`, `loss`, `hold`, `blackhole`, `refuse`, `reset`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a fault: a mapping with `link` and a condition")]
pub(crate) struct Fault {
    /// `A->B`, hosts `POD` or `POD.proxy`.
    pub(crate) link: At<String>,
    /// Seen from the link's first host. Default `both`.
    pub(crate) direction: Option<Way>,
    /// When it begins, from the step on; the next step does not wait for it. Default: now.
    pub(crate) after: Option<At<Wait>>,
    /// It begins when this many bytes have crossed the link in its direction, counted from the step on.
    pub(crate) after_bytes: Option<At<Size>>,
    /// One-way delay: `5ms`, `{from: 1ms, to: 9ms}`, `{tail: {p50: 1ms, p99: 200ms}}`.
    pub(crate) latency: Option<At<Latency>>,
    /// Bytes a second.
    pub(crate) bandwidth: Option<At<Size>>,
    /// No packet carries more payload bytes than this.
    pub(crate) segment: Option<At<Positive>>,
    /// Percent of the packets that are lost and sent again.
    pub(crate) loss: Option<At<Percent>>,
    /// Packets wait until the link is healed, then come at once, in order.
    pub(crate) hold: Option<At<Begin>>,
    /// Packets vanish; senders retransmit.
    pub(crate) blackhole: Option<At<Begin>>,
    /// New connections are refused; open ones go on.
    pub(crate) refuse: Option<At<Begin>>,
    /// Each open connection over the link gets a RST at both ends, once.
    pub(crate) reset: Option<At<Begin>>,
}

/// Direction of a fault.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    /// Both.
    Both,
    /// From the first host to the second.
    Forward,
    /// Back.
    Back,
}

/// A share in whole percent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Percent(pub(crate) u8);

/// When a condition without a value begins: `true` or `now`, `{after: 3s}`, `{after_bytes: 100}`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begin(pub(crate) When);

shape!(Percent, Begin, Latency);

impl Shape for Percent {
    type Map = Never;
    type List = Never;
    const NAME: &'static str = "Percent";
    const EXPECTED: &'static str = "a whole number from 0 to 100";

    fn word(text: &str) -> Result<Self, Refused> {
        match text.parse() {
            Ok(number) if number <= 100 => Ok(Self(number)),
            _ => Err(Refused::Value(Self::EXPECTED.into())),
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Value {
        json!({"anyOf": [{"type": "integer", "minimum": 0, "maximum": 100}, {"type": "string", "pattern": "^[0-9]+$"}], "description": "A whole number from 0 to 100."})
    }
}

/// A beginning as a mapping.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BeginMap {
    /// This long after the step.
    after: Option<Wait>,
    /// When this many bytes have crossed.
    after_bytes: Option<Size>,
}

impl Shape for Begin {
    type Map = BeginMap;
    type List = Never;
    const NAME: &'static str = "Begin";
    const EXPECTED: &'static str = "`true`, `now`, {after: 3s} or {after_bytes: 100}";
    const MAP: bool = true;

    fn word(text: &str) -> Result<Self, Refused> {
        if text == "now" { Ok(Self(When::Now)) } else { Err(Refused::Word(&["now", "true"])) }
    }

    fn boolean(value: bool) -> Result<Self, Refused> {
        if value {
            Ok(Self(When::Now))
        } else {
            Err(Refused::Value("`true`; to undo a fault write a step `{heal: A->B}`".into()))
        }
    }

    fn map(map: BeginMap) -> Result<Self, Refused> {
        match (map.after, map.after_bytes) {
            (Some(wait), None) => Ok(Self(When::After(wait.0))),
            (None, Some(size)) => Ok(Self(When::AfterBytes(size.0))),
            _ => Err(Refused::Value("exactly one of `after` and `after_bytes`".into())),
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        json!({
            "anyOf": [of::<Yes>(generator), words(&["now"]), of::<BeginMap>(generator)],
            "description": "`true` or `now`; `{after: 3s}`; `{after_bytes: 100}`.",
        })
    }
}

/// A delay as a mapping.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LatencyMap {
    /// Shortest, with `to`.
    from: Option<Wait>,
    /// Longest; between them all are equally likely.
    to: Option<Wait>,
    /// Mostly short, seldom long.
    tail: Option<Tail>,
}

/// Mostly short, seldom long.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `p50` and `p99`")]
pub(crate) struct Tail {
    /// Half of the packets take this long.
    p50: Wait,
    /// 99 of 100 at most this long; one in 100 five times as long.
    p99: Wait,
}

impl Shape for Latency {
    type Map = LatencyMap;
    type List = Never;
    const NAME: &'static str = "Latency";
    const EXPECTED: &'static str = "a delay: 5ms, {from: 1ms, to: 9ms} or {tail: {p50: 1ms, p99: 200ms}}";
    const MAP: bool = true;

    fn word(text: &str) -> Result<Self, Refused> {
        Wait::word(text).map(|wait| Self::Fixed(wait.0))
    }

    fn map(map: LatencyMap) -> Result<Self, Refused> {
        match map {
            LatencyMap { from: Some(from), to: Some(to), tail: None } if from.0 <= to.0 => {
                Ok(Self::Range(from.0, to.0))
            }
            LatencyMap { from: None, to: None, tail: Some(tail) } if tail.p50.0 <= tail.p99.0 => {
                Ok(Self::Tail { p50: tail.p50.0, p99: tail.p99.0 })
            }
            _ => Err(Refused::Value(
                "{from: 1ms, to: 9ms} or {tail: {p50: 1ms, p99: 200ms}}, the shorter one first".into(),
            )),
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        json!({
            "anyOf": [of::<Wait>(generator), of::<LatencyMap>(generator)],
            "description": "One-way delay: `5ms`, `{from: 1ms, to: 9ms}`, `{tail: {p50: 1ms, p99: 200ms}}`.",
        })
    }
}
