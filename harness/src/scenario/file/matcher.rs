//! Matchers of words, as written: `x`, `{any: [x, y]}`, `absent`.

use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

use super::shape::{Never, Refused, Shape, words};
use crate::language::End;
use crate::language::value::Match;

/// A word of a closed or open set, to be matched.
pub(crate) trait Matchable: Sized {
    /// What it is called in the schema.
    const NAME: &'static str;
    /// The words there are; empty: any text.
    const WORDS: &'static [&'static str];

    /// From a word that is among [`Self::WORDS`], if there are any.
    fn of(word: &str) -> Self;
}

/// As-written matcher: `x`, `{any: [x, y]}`, `absent`.
#[derive(Debug, Clone)]
pub(crate) struct Written<M>(pub(crate) Vec<M>);

/// A matcher as a mapping.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, bound = "M: Matchable")]
pub(crate) struct AnyMap<M> {
    any: Vec<One<M>>,
}

#[derive(Debug)]
struct One<M>(M);

fn one<M: Matchable>(text: &str) -> Result<M, Refused> {
    if M::WORDS.is_empty() || M::WORDS.contains(&text) {
        Ok(M::of(text))
    } else {
        Err(Refused::Word(M::WORDS))
    }
}

impl<M: Matchable> Shape for One<M> {
    type Map = Never;
    type List = Never;
    const NAME: &'static str = M::NAME;
    const EXPECTED: &'static str = "a word";

    fn word(text: &str) -> Result<Self, Refused> {
        one(text).map(Self)
    }

    fn schema(_: &mut SchemaGenerator) -> Value {
        json!({})
    }
}

impl<'de, M: Matchable> Deserialize<'de> for One<M> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(super::shape::ShapeVisitor(std::marker::PhantomData))
    }
}

impl<M: Matchable> Written<M> {
    /// As meant. No words at all: absent.
    pub(crate) fn meant(self) -> Match<M> {
        if self.0.is_empty() { Match::Absent } else { Match::Any(self.0) }
    }
}

impl<M: Matchable> Shape for Written<M> {
    type Map = AnyMap<M>;
    type List = Never;
    const NAME: &'static str = M::NAME;
    const EXPECTED: &'static str = "a word, {any: [..]} or `absent`";
    const MAP: bool = true;

    fn word(text: &str) -> Result<Self, Refused> {
        if text == "absent" { Ok(Self(Vec::new())) } else { one(text).map(|word| Self(vec![word])) }
    }

    fn map(map: AnyMap<M>) -> Result<Self, Refused> {
        if map.any.is_empty() {
            return Err(Refused::Value("at least one value in `any`".into()));
        }
        Ok(Self(map.any.into_iter().map(|word| word.0).collect()))
    }

    fn schema(_: &mut SchemaGenerator) -> Value {
        let mut allowed: Vec<Value> = M::WORDS.iter().map(|word| json!(word)).collect();
        // YAML reads 1.3 as a number.
        allowed
            .extend(M::WORDS.iter().filter_map(|word| word.parse::<f64>().ok()).map(|number| json!(number)));
        let word = if allowed.is_empty() { json!({"type": "string"}) } else { json!({"enum": allowed}) };
        let any = json!({
            "type": "object",
            "properties": {"any": {"type": "array", "items": word, "minItems": 1, "description": "One of these."}},
            "required": ["any"],
            "additionalProperties": false,
        });
        let description = match M::WORDS {
            [] => "A text, `{any: [..]}`, or `absent`.".to_owned(),
            words => format!("`{}`; `{{any: [..]}}`; `absent`.", words.join("`, `")),
        };
        json!({"anyOf": [word, any, words(&["absent"])], "description": description})
    }
}

impl<'de, M: Matchable> Deserialize<'de> for Written<M> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(super::shape::ShapeVisitor(std::marker::PhantomData))
    }
}

impl<M: Matchable> JsonSchema for Written<M> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        M::NAME.into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> schemars::Schema {
        super::shape::to_schema(Self::schema(generator))
    }
}

impl Matchable for String {
    const NAME: &'static str = "TextMatch";
    const WORDS: &'static [&'static str] = &[];

    fn of(word: &str) -> Self {
        word.to_owned()
    }
}

impl Matchable for End {
    const NAME: &'static str = "EndMatch";
    const WORDS: &'static [&'static str] =
        &["eof", "reset", "truncated", "tls_error", "closed", "open", "refused", "timed_out"];

    fn of(word: &str) -> Self {
        match word {
            "eof" => Self::Eof,
            "reset" => Self::Reset,
            "truncated" => Self::Truncated,
            "tls_error" => Self::TlsError,
            "closed" => Self::Closed,
            "refused" => Self::Refused,
            "timed_out" => Self::TimedOut,
            _ => Self::Open,
        }
    }
}

/// A closed set of words that stays text.
macro_rules! closed {
    ($($(#[$doc:meta])* $name:ident: $title:literal = $words:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub(crate) struct $name(pub(crate) String);

        impl Matchable for $name {
            const NAME: &'static str = $title;
            const WORDS: &'static [&'static str] = $words;

            fn of(word: &str) -> Self {
                Self(word.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.0
            }
        }
    )+};
}

closed! {
    /// How a handshake went.
    Handshake: "HandshakeMatch" = &["ok", "failed"];
    /// Outer layer of a connection.
    Outer: "OuterMatch" = &["plain", "http/1.1", "http/2", "tls", "mesh-tls", "none"];
    /// Inner layer of a connection.
    Inner: "InnerMatch" = &["plain", "http/1.1", "http/2", "tls", "none"];
    /// Protocol of an exchange.
    HttpProtocol: "ProtocolMatch" = &["HTTP/1.1", "HTTP/2"];
    /// TLS version.
    Version: "VersionMatch" = &["1.2", "1.3"];
}
