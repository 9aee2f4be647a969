//! What HTTP apps answer, as written.

use indexmap::IndexMap;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Fields, Framing};
use crate::language::http as meant;
use crate::language::value::Size;
use crate::scenario::decode::At;
use crate::scenario::file::script::{Positive, Send, SendMap};
use crate::scenario::file::shape::{Never, Refused, Shape, of, shape, words};
use crate::scenario::file::word::Wait;

/// Routes and their answers: `{"GET /": {status: 200}, "*": close}`.
pub(crate) type Routes = IndexMap<At<String>, Answers>;

/// The answers of a route, in sequence.
#[derive(Debug, Clone)]
pub(crate) struct Answers(pub(crate) Vec<Answer>);

/// One answer.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Closes the connection before a byte of an answer.
    Close,
    /// Resets it.
    Reset,
    /// Never answers.
    Stall,
    /// Answers.
    Respond(Box<AnswerMap>),
}

/// The words of [`Answer`].
const WORDS: &[&str] = &["close", "reset", "stall"];

/// An answer that is one.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Response")]
pub(crate) struct AnswerMap {
    /// Its status. Default 200.
    pub(crate) status: Option<At<FinalStatus>>,
    /// Header fields beside those of framing: `{x-a: one, set-cookie: [a=1, b=2]}`.
    pub(crate) headers: Option<At<Fields>>,
    /// Its body. Default: none.
    pub(crate) body: Option<At<Body>>,
    /// How the body's end is told. Default `length`.
    pub(crate) framing: Option<At<Framing>>,
    /// Trailer fields, with `framing: chunked`.
    pub(crate) trailers: Option<At<Fields>>,
    /// Time between the request's end (its head, if `early`) and the answer.
    pub(crate) delay: Option<Wait>,
    /// `true`: answers after the head of the request, and reads no byte of its body.
    pub(crate) early: Option<bool>,
    /// The app dies in the middle of the body.
    pub(crate) cut: Option<At<Cut>>,
    /// `true`: closes the connection after the answer (`connection: close`; HTTP/2: GOAWAY).
    pub(crate) last: Option<bool>,
    /// How many requests get it before the next one's turn. Not of the last one, which goes on for ever. Default 1.
    pub(crate) times: Option<At<Positive>>,
}

/// How an app dies.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping such as {after: 10KiB, reset: true}")]
pub(crate) struct Cut {
    /// After so many bytes of the body.
    pub(crate) after: Size,
    /// `true`: with a reset; else it closes the connection.
    pub(crate) reset: Option<bool>,
}

/// The status of an answer that is not an interim one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FinalStatus(pub(crate) u16);

/// The body of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// The request's body, as it comes.
    Echo,
    /// This.
    Send(Send),
}

shape!(Answers, Answer, FinalStatus, Body);

impl Shape for Answer {
    type Map = AnswerMap;
    type List = Never;
    const NAME: &'static str = "Answer";
    const EXPECTED: &'static str = "an answer: `close`, `reset`, `stall` or a mapping such as {status: 200}";
    const MAP: bool = true;

    fn word(text: &str) -> Result<Self, Refused> {
        match text {
            "close" => Ok(Self::Close),
            "reset" => Ok(Self::Reset),
            "stall" => Ok(Self::Stall),
            _ => Err(Refused::Word(WORDS)),
        }
    }

    fn map(map: AnswerMap) -> Result<Self, Refused> {
        Ok(Self::Respond(Box::new(map)))
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        json!({
            "anyOf": [words(WORDS), of::<AnswerMap>(generator)],
            "description": "`{status: 200, body: ok}`; `close` or `reset`: the connection ends before a byte of an answer; `stall`: never answers.",
        })
    }
}

impl Shape for Answers {
    type Map = AnswerMap;
    type List = Vec<Answer>;
    const NAME: &'static str = "Answers";
    const EXPECTED: &'static str =
        "an answer such as {status: 200}, `close`, `reset` or `stall`, or a list of answers";
    const MAP: bool = true;
    const LIST: bool = true;

    fn word(text: &str) -> Result<Self, Refused> {
        Answer::word(text).map(|answer| Self(vec![answer]))
    }

    fn map(map: AnswerMap) -> Result<Self, Refused> {
        Answer::map(map).map(|answer| Self(vec![answer]))
    }

    fn list(list: Vec<Answer>) -> Result<Self, Refused> {
        if list.is_empty() { Err(Refused::Value("at least one answer".into())) } else { Ok(Self(list)) }
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        let one = of::<Answer>(generator);
        json!({
            "anyOf": [one, {"type": "array", "items": one, "minItems": 1}],
            "description": "An answer, or a list of them: in sequence over all connections, the last one for ever.",
        })
    }
}

impl Shape for FinalStatus {
    type Map = Never;
    type List = Never;
    const NAME: &'static str = "Status";
    const EXPECTED: &'static str = "a status from 200 to 599";

    fn word(text: &str) -> Result<Self, Refused> {
        match text.parse() {
            Ok(status @ 200..=599) => Ok(Self(status)),
            _ => Err(Refused::Value(Self::EXPECTED.into())),
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Value {
        json!({"anyOf": [{"type": "integer", "minimum": 200, "maximum": 599}, {"type": "string", "pattern": "^[2-5][0-9]{2}$"}], "description": "A status from 200 to 599."})
    }
}

impl Shape for Body {
    type Map = SendMap;
    type List = Never;
    const NAME: &'static str = "Body";
    const EXPECTED: &'static str = "a body: text, `echo`, {hex: ..} or {size: 16MiB}";
    const MAP: bool = true;

    fn word(text: &str) -> Result<Self, Refused> {
        if text == "echo" { Ok(Self::Echo) } else { Send::word(text).map(Self::Send) }
    }

    fn map(map: SendMap) -> Result<Self, Refused> {
        Send::map(map).map(Self::Send)
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        json!({"anyOf": [{"type": "string"}, of::<SendMap>(generator)], "description": "`hello`, `{hex: ..}`, `{size: 64KiB, chunk: 1, every: 10ms}`; `echo`: the request's body, as it comes."})
    }
}

impl From<Cut> for meant::Cut {
    fn from(cut: Cut) -> Self {
        Self { after: cut.after.0, reset: cut.reset.unwrap_or(false) }
    }
}
