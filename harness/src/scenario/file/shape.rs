//! Values that may be written as one word, a mapping or a list: one visitor for all of them, so that their errors look alike.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde_json::{Value, json};

use crate::scenario::decode::At;

/// Why a value is refused.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The shape (word, mapping, list) is not one of those allowed.
    Shape,
    /// The shape is right, the value is not; what was expected instead.
    Value(String),
    /// The word is not one of these.
    Word(&'static [&'static str]),
}

impl From<crate::language::value::Invalid> for Refused {
    fn from(invalid: crate::language::value::Invalid) -> Self {
        Self::Value(invalid.expected.to_owned())
    }
}

/// A mapping or list that a shape does not have.
#[derive(Debug)]
pub(crate) enum Never {}

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("this shape does not exist"))
    }
}

/// A value of several shapes.
pub(crate) trait Shape: Sized {
    /// Its form as a mapping, or [`Never`].
    type Map: for<'de> Deserialize<'de>;
    /// Its form as a list, or [`Never`].
    type List: for<'de> Deserialize<'de>;
    /// Its name in the schema.
    const NAME: &'static str;
    /// What is expected, with its article.
    const EXPECTED: &'static str;
    /// Whether it can be a mapping.
    const MAP: bool = false;
    /// Whether it can be a list.
    const LIST: bool = false;

    /// From a word (numbers come as written).
    fn word(text: &str) -> Result<Self, Refused>;

    /// From `true` or `false`.
    fn boolean(_: bool) -> Result<Self, Refused> {
        Err(Refused::Shape)
    }

    /// From a mapping.
    fn map(_: Self::Map) -> Result<Self, Refused> {
        Err(Refused::Shape)
    }

    /// From a list.
    fn list(_: Self::List) -> Result<Self, Refused> {
        Err(Refused::Shape)
    }

    /// Its JSON Schema.
    fn schema(generator: &mut SchemaGenerator) -> Value;
}

/// Reads a [`Shape`].
pub(crate) struct ShapeVisitor<S>(pub(crate) PhantomData<S>);

fn refuse<E: Error>(refused: Refused, found: Unexpected<'_>, expected: &'static str) -> E {
    match (refused, found) {
        (Refused::Shape, found) => E::invalid_type(found, &expected),
        (Refused::Value(expected), found) => E::invalid_value(found, &expected.as_str()),
        (Refused::Word(words), Unexpected::Str(text)) => E::unknown_variant(text, words),
        (Refused::Word(_), found) => E::invalid_type(found, &expected),
    }
}

impl<'de, S: Shape> Visitor<'de> for ShapeVisitor<S> {
    type Value = S;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(S::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<S, E> {
        S::word(text).map_err(|refused| refuse(refused, Unexpected::Str(text), S::EXPECTED))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<S, E> {
        S::boolean(value).map_err(|refused| refuse(refused, Unexpected::Bool(value), S::EXPECTED))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<S, A::Error> {
        if !S::MAP {
            return Err(A::Error::invalid_type(Unexpected::Map, &S::EXPECTED));
        }
        let map = S::Map::deserialize(MapAccessDeserializer::new(map))?;
        S::map(map).map_err(|refused| refuse(refused, Unexpected::Map, S::EXPECTED))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<S, A::Error> {
        if !S::LIST {
            return Err(A::Error::invalid_type(Unexpected::Seq, &S::EXPECTED));
        }
        let list = S::List::deserialize(SeqAccessDeserializer::new(seq))?;
        S::list(list).map_err(|refused| refuse(refused, Unexpected::Seq, S::EXPECTED))
    }
}

/// Makes serde and schemars know a [`Shape`].
macro_rules! shape {
    ($($type:ty),+ $(,)?) => {$(
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any($crate::scenario::file::shape::ShapeVisitor(std::marker::PhantomData))
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                <Self as $crate::scenario::file::shape::Shape>::NAME.into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::scenario::file::shape::to_schema(<Self as $crate::scenario::file::shape::Shape>::schema(generator))
            }
        }
    )+};
}
pub(crate) use shape;

/// A schema from its JSON; all of ours are objects.
pub(crate) fn to_schema(value: Value) -> Schema {
    Schema::try_from(value).unwrap_or_default()
}

/// The schema of another type, by reference.
pub(crate) fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

/// A schema of words.
pub(crate) fn words(words: &[&str]) -> Value {
    json!({"enum": words})
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: PartialEq> PartialEq for At<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for At<T> {}

impl<T: std::hash::Hash> std::hash::Hash for At<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}
