//! What checks want of statuses and fields, as written.

use indexmap::IndexMap;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::language::StatusMatch;
use crate::language::value::Match;
use crate::scenario::decode::At;
use crate::scenario::file::shape::{Never, Refused, Shape, of, shape, words};
use crate::scenario::file::word::{OneOrMany, Plain};

/// What fields must be, by name.
pub(crate) type FieldChecks = IndexMap<At<String>, FieldCheck>;

/// `200`, `5xx`, `{any: [502, 5xx]}`, `absent`.
#[derive(Debug, Clone)]
pub(crate) struct StatusCheck(pub(crate) Match<StatusMatch>);

/// One status or class of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OneStatus(StatusMatch);

/// A status, also an interim one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnyStatus(pub(crate) u16);

/// What the values of a field must be.
#[derive(Debug, Clone)]
pub(crate) enum FieldCheck {
    /// No such field.
    Absent,
    /// One or more.
    Present,
    /// Exactly one field line.
    Once,
    /// These values in this order.
    Values(Vec<String>),
    /// One value, one of these.
    Any(Vec<String>),
    /// One value, the same that each request to the app of that pod bore.
    SameAsApp(At<String>),
}

shape!(StatusCheck, OneStatus, AnyStatus, FieldCheck);

/// A status as a mapping.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StatusMap {
    /// One of these.
    any: Vec<OneStatus>,
}

const STATUS: &str = "[1-5]([0-9]{2}|xx)";

impl Shape for OneStatus {
    type Map = Never;
    type List = Never;
    const NAME: &'static str = "StatusOrClass";
    const EXPECTED: &'static str = "a status such as 200, or a class such as 5xx";

    fn word(text: &str) -> Result<Self, Refused> {
        let bad = || Refused::Value(Self::EXPECTED.into());
        match (text.strip_suffix("xx"), text.as_bytes()) {
            (Some(_), [class @ b'1'..=b'5', ..]) if text.len() == 3 => {
                Ok(Self(StatusMatch::Class(u16::from(class - b'0'))))
            }
            _ => AnyStatus::word(text).map(|status| Self(StatusMatch::Code(status.0))).map_err(|_| bad()),
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Value {
        json!({"anyOf": [{"type": "integer", "minimum": 100, "maximum": 599}, {"type": "string", "pattern": format!("^{STATUS}$")}], "description": "`200`; `5xx`."})
    }
}

impl Shape for AnyStatus {
    type Map = Never;
    type List = Never;
    const NAME: &'static str = "AnyStatus";
    const EXPECTED: &'static str = "a status from 100 to 599";

    fn word(text: &str) -> Result<Self, Refused> {
        match text.parse() {
            Ok(status @ 100..=599) => Ok(Self(status)),
            _ => Err(Refused::Value(Self::EXPECTED.into())),
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Value {
        json!({"anyOf": [{"type": "integer", "minimum": 100, "maximum": 599}, {"type": "string", "pattern": "^[1-5][0-9]{2}$"}], "description": "A status from 100 to 599."})
    }
}

impl Shape for StatusCheck {
    type Map = StatusMap;
    type List = Never;
    const NAME: &'static str = "StatusMatch";
    const EXPECTED: &'static str = "a status such as 200, a class such as 5xx, {any: [502, 5xx]} or `absent`";
    const MAP: bool = true;

    fn word(text: &str) -> Result<Self, Refused> {
        match text {
            "absent" => Ok(Self(Match::Absent)),
            _ => match OneStatus::word(text) {
                Ok(one) => Ok(Self(Match::Any(vec![one.0]))),
                Err(_) => Err(Refused::Value(Self::EXPECTED.into())),
            },
        }
    }

    fn map(map: StatusMap) -> Result<Self, Refused> {
        if map.any.is_empty() {
            return Err(Refused::Value("at least one status in `any`".into()));
        }
        Ok(Self(Match::Any(map.any.into_iter().map(|one| one.0).collect())))
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        json!({
            "anyOf": [of::<OneStatus>(generator), of::<StatusMap>(generator), words(&["absent"])],
            "description": "`200`; `5xx`; `{any: [502, 5xx]}`; `absent`: no answer.",
        })
    }
}

/// A field as a mapping.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldMap {
    /// One value, one of these.
    any: Option<Vec<Plain>>,
    /// One value, the same that each request to the app of this pod bore.
    same_as_app: Option<At<String>>,
}

fn texts(values: Vec<Plain>) -> Vec<String> {
    values.into_iter().map(|value| value.0).collect()
}

impl Shape for FieldCheck {
    type Map = FieldMap;
    type List = Vec<Plain>;
    const NAME: &'static str = "FieldMatch";
    const EXPECTED: &'static str =
        "a value, a list of values, `once`, `present`, `absent`, {any: [..]} or {same_as_app: POD}";
    const MAP: bool = true;
    const LIST: bool = true;

    fn word(text: &str) -> Result<Self, Refused> {
        Ok(match text {
            "absent" => Self::Absent,
            "present" => Self::Present,
            "once" => Self::Once,
            value => Self::Values(vec![value.to_owned()]),
        })
    }

    fn boolean(value: bool) -> Result<Self, Refused> {
        Ok(Self::Values(vec![value.to_string()]))
    }

    fn map(map: FieldMap) -> Result<Self, Refused> {
        match (map.any, map.same_as_app) {
            (Some(any), None) if !any.is_empty() => Ok(Self::Any(texts(any))),
            (None, Some(pod)) => Ok(Self::SameAsApp(pod)),
            _ => Err(Refused::Value("either `any: [..]` (not empty) or `same_as_app`".into())),
        }
    }

    fn list(list: Vec<Plain>) -> Result<Self, Refused> {
        if list.is_empty() {
            return Err(Refused::Value("at least one value; for no field say `absent`".into()));
        }
        Ok(Self::Values(texts(list)))
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        json!({
            "anyOf": [of::<OneOrMany>(generator), of::<FieldMap>(generator)],
            "description": "Values of a field: a word is one value, a list several in this order, on one line or more (`set-cookie` on as many lines); `*` in a value stands for any run of characters but a comma between values, `?` for one. `once`: one field line; `present`: one or more; `absent`; `{any: [..]}`; `{same_as_app: POD}`.",
        })
    }
}
