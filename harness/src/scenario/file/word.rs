//! The small values, as written: sizes, counts, durations, payloads.

use std::time::Duration;

use bytes::Bytes;
use indexmap::IndexMap;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

use super::shape::{Never, Refused, Shape, of, shape};
use crate::language::value::{BytesMatch, Count, Payload, Size, Span, parse_duration, parse_hex};

/// A duration as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) Duration);

/// `true`, where `false` would mean nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Yes;

/// A word, number or boolean, as its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plain(pub(crate) String);

/// One plain value or a list of them.
#[derive(Debug, Clone)]
pub(crate) struct OneOrMany(pub(crate) Vec<Plain>);

/// The values of one name of the matrix: a list of words, or a mapping of names to values. Only its shape; `matrix` reads it.
#[derive(Debug, Clone)]
pub(crate) struct Choices;

/// A value that has a name: a word, or bytes in hexadecimal.
#[derive(Debug, Clone)]
pub(crate) struct Named;

shape!(Wait, Yes, Plain, OneOrMany, Choices, Named, Size, Count, Span, Payload, BytesMatch);

const DURATION: &str = "([0-9]+ *[a-z]+ *)+";
const SIZE: &str = "[0-9]+(B|KiB|MiB|GiB)?";

impl Shape for Wait {
    type Map = Never;
    type List = Never;
    const NAME: &'static str = "Duration";
    const EXPECTED: &'static str = "a duration such as 5ms, 10s, 30m or 1h";

    fn word(text: &str) -> Result<Self, Refused> {
        Ok(Self(parse_duration(text)?))
    }

    fn schema(_: &mut SchemaGenerator) -> Value {
        json!({"type": "string", "pattern": format!("^{DURATION}$"), "description": "A duration: `5ms`, `10s`, `30m`, `1h`."})
    }
}

impl Shape for Yes {
    type Map = Never;
    type List = Never;
    const NAME: &'static str = "Yes";
    const EXPECTED: &'static str = "`true`";

    fn word(_: &str) -> Result<Self, Refused> {
        Err(Refused::Shape)
    }

    fn boolean(value: bool) -> Result<Self, Refused> {
        if value { Ok(Self) } else { Err(Refused::Value("`true`, or leave the key out".into())) }
    }

    fn schema(_: &mut SchemaGenerator) -> Value {
        json!({"const": true, "description": "`true`; otherwise the key is left out."})
    }
}

impl Shape for Plain {
    type Map = Never;
    type List = Never;
    const NAME: &'static str = "Plain";
    const EXPECTED: &'static str = "a word, a number or a boolean";

    fn word(text: &str) -> Result<Self, Refused> {
        Ok(Self(text.to_owned()))
    }

    fn boolean(value: bool) -> Result<Self, Refused> {
        Ok(Self(value.to_string()))
    }

    fn schema(_: &mut SchemaGenerator) -> Value {
        json!({"type": ["string", "number", "boolean"], "description": "A word, a number or a boolean."})
    }
}

impl Shape for OneOrMany {
    type Map = Never;
    type List = Vec<Plain>;
    const NAME: &'static str = "OneOrMany";
    const EXPECTED: &'static str = "a value or a list of values";
    const LIST: bool = true;

    fn word(text: &str) -> Result<Self, Refused> {
        Plain::word(text).map(|word| Self(vec![word]))
    }

    fn boolean(value: bool) -> Result<Self, Refused> {
        Plain::boolean(value).map(|word| Self(vec![word]))
    }

    fn list(list: Vec<Plain>) -> Result<Self, Refused> {
        Ok(Self(list))
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        let plain = of::<Plain>(generator);
        json!({"anyOf": [plain, {"type": "array", "items": plain}], "description": "A value, or a list of values."})
    }
}

/// A named value as a mapping.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HexMap {
    /// These bytes, in hexadecimal: `"16 03 01"`.
    hex: String,
}

impl Shape for Named {
    type Map = HexMap;
    type List = Never;
    const NAME: &'static str = "NamedValue";
    const EXPECTED: &'static str = "a word, a number, a boolean or {hex: ..}";
    const MAP: bool = true;

    fn word(_: &str) -> Result<Self, Refused> {
        Ok(Self)
    }

    fn boolean(_: bool) -> Result<Self, Refused> {
        Ok(Self)
    }

    fn map(map: HexMap) -> Result<Self, Refused> {
        Ok(parse_hex(&map.hex).map(|_| Self)?)
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        let word = json!({"type": ["string", "number", "boolean"]});
        json!({"anyOf": [word, of::<HexMap>(generator)], "description": "A word, a number, a boolean, or `{hex: \"16 03 01\"}` where bytes are wanted."})
    }
}

impl Shape for Choices {
    type Map = IndexMap<String, Named>;
    type List = Vec<Plain>;
    const NAME: &'static str = "Choices";
    const EXPECTED: &'static str = "a list of values, or a mapping of names to values";
    const MAP: bool = true;
    const LIST: bool = true;

    fn word(_: &str) -> Result<Self, Refused> {
        Err(Refused::Shape)
    }

    fn map(_: IndexMap<String, Named>) -> Result<Self, Refused> {
        Ok(Self)
    }

    fn list(_: Vec<Plain>) -> Result<Self, Refused> {
        Ok(Self)
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        let named = json!({"type": "object", "additionalProperties": of::<Named>(generator)});
        json!({
            "anyOf": [{"type": "array", "items": of::<Plain>(generator)}, named],
            "description": "`[a, b]`; or `{short-name: \"any text\"}`, where the short name stands in the case's name and in `when`.",
        })
    }
}

impl Shape for Size {
    type Map = Never;
    type List = Never;
    const NAME: &'static str = "Size";
    const EXPECTED: &'static str = "a size such as 512, 64KiB or 16MiB";

    fn word(text: &str) -> Result<Self, Refused> {
        Ok(text.parse()?)
    }

    fn schema(_: &mut SchemaGenerator) -> Value {
        let text = json!({"type": "string", "pattern": format!("^{SIZE}$")});
        json!({"anyOf": [{"type": "integer", "minimum": 0}, text], "description": "Bytes: `512`, `64KiB`, `16MiB`."})
    }
}

/// A count as a mapping.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CountMap {
    /// Any of these.
    any: Option<Vec<Size>>,
    /// This or more.
    at_least: Option<Size>,
    /// This or less.
    at_most: Option<Size>,
}

impl Shape for Count {
    type Map = CountMap;
    type List = Never;
    const NAME: &'static str = "Count";
    const EXPECTED: &'static str =
        "a number such as 3, 1..6, {any: [0, 3]}, {at_least: 3}, {at_most: 8MiB} or `absent`";
    const MAP: bool = true;

    fn word(text: &str) -> Result<Self, Refused> {
        Ok(text.parse()?)
    }

    fn map(map: CountMap) -> Result<Self, Refused> {
        match map {
            CountMap { any: Some(any), at_least: None, at_most: None } if !any.is_empty() => {
                Ok(Self::Within(any.iter().map(|size| (size.0, size.0)).collect()))
            }
            CountMap { any: None, at_least: Some(least), at_most: None } => {
                Ok(Self::Within(vec![(least.0, u64::MAX)]))
            }
            CountMap { any: None, at_least: None, at_most: Some(most) } => {
                Ok(Self::Within(vec![(0, most.0)]))
            }
            _ => Err(Refused::Value("one of `any: [..]` (not empty), `at_least`, `at_most`".into())),
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        let word = json!({"type": "string", "pattern": format!("^(absent|{SIZE}(\\.\\.{SIZE})?)$")});
        json!({
            "anyOf": [{"type": "integer", "minimum": 0}, word, of::<CountMap>(generator)],
            "description": "A number: `3`, `64KiB`, `1..6` (both ends included), `{any: [0, 3]}`, `{at_least: 3}`, `{at_most: 8MiB}`; `absent`: there is no such number.",
        })
    }
}

impl Shape for Span {
    type Map = Never;
    type List = Never;
    const NAME: &'static str = "Span";
    const EXPECTED: &'static str = "a duration such as 5s, or a range such as 0s..10ms";

    fn word(text: &str) -> Result<Self, Refused> {
        Ok(text.parse()?)
    }

    fn schema(_: &mut SchemaGenerator) -> Value {
        let pattern = format!("^{DURATION}(\\.\\.{DURATION})?$");
        json!({"type": "string", "pattern": pattern, "description": "A duration or a range of them, both ends included: `5s`, `0s..10ms`."})
    }
}

/// A payload as a mapping.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PayloadMap {
    /// These bytes, in hexadecimal: `"16 03 01"`.
    hex: Option<String>,
    /// This text; for words that mean something else when bare.
    text: Option<String>,
    /// This many bytes of a pattern that never repeats.
    size: Option<Size>,
    /// Which pattern. Default 0.
    seed: Option<u64>,
}

/// The payload that some keys of a mapping describe.
pub(crate) fn payload(
    hex: Option<String>,
    text: Option<String>,
    size: Option<Size>,
    seed: Option<u64>,
) -> Result<Payload, Refused> {
    match (hex, text, size, seed) {
        (Some(hex), None, None, None) => Ok(Payload::Literal(parse_hex(&hex)?)),
        (None, Some(text), None, None) => Ok(Payload::Literal(text.into())),
        (None, None, Some(len), seed) => Ok(Payload::Pattern { len: len.0, seed: seed.unwrap_or(0) }),
        _ => Err(Refused::Value("one of `hex`, `text` or `size` (with or without `seed`)".into())),
    }
}

impl Shape for Payload {
    type Map = PayloadMap;
    type List = Never;
    const NAME: &'static str = "Payload";
    const EXPECTED: &'static str = "bytes: text, {hex: ..} or {size: 16MiB}";
    const MAP: bool = true;

    fn word(text: &str) -> Result<Self, Refused> {
        Ok(Self::Literal(Bytes::copy_from_slice(text.as_bytes())))
    }

    fn map(map: PayloadMap) -> Result<Self, Refused> {
        payload(map.hex, map.text, map.size, map.seed)
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        json!({
            "anyOf": [{"type": "string"}, of::<PayloadMap>(generator)],
            "description": "Bytes: `hello`, `{hex: \"16 03 01\"}`, `{text: hello}`, `{size: 16MiB, seed: 7}`.",
        })
    }
}

/// What bytes must look like, as a mapping.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BytesMap {
    /// Exactly these bytes, in hexadecimal.
    hex: Option<String>,
    /// Exactly this text.
    text: Option<String>,
    /// Exactly this many bytes of a pattern.
    size: Option<Size>,
    /// Which pattern. Default 0.
    seed: Option<u64>,
    /// Only their number counts.
    bytes: Option<Count>,
    /// This, then anything.
    starts: Option<Payload>,
}

impl Shape for BytesMatch {
    type Map = BytesMap;
    type List = Never;
    const NAME: &'static str = "BytesMatch";
    const EXPECTED: &'static str =
        "bytes: text, `nothing`, {hex: ..}, {size: ..}, {bytes: 1..6} or {starts: ..}";
    const MAP: bool = true;

    fn word(text: &str) -> Result<Self, Refused> {
        let text = if text == "nothing" { "" } else { text };
        Payload::word(text).map(Self::Equal)
    }

    fn map(map: BytesMap) -> Result<Self, Refused> {
        let alone = map.hex.is_none() && map.text.is_none() && map.size.is_none() && map.seed.is_none();
        match (map.bytes, map.starts) {
            (Some(count), None) if alone => Ok(Self::Count(count)),
            (None, Some(Payload::Literal(bytes))) if alone => Ok(Self::StartsWith(bytes)),
            (None, None) => payload(map.hex, map.text, map.size, map.seed).map(Self::Equal),
            _ => Err(Refused::Value("one of `hex`, `text`, `size`, `bytes`, `starts` (text or hex)".into())),
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        json!({
            "anyOf": [{"type": "string"}, of::<BytesMap>(generator)],
            "description": "What bytes must be: `hello`, `nothing`, `{hex: ..}`, `{text: ..}`, `{size: 16MiB}`; `{bytes: 1..6}`: only their number; `{starts: hel}`.",
        })
    }
}
