//! Located tree to as-written structs: a serde deserializer that knows where each value stands and does not stop at the first error.
//!
//! An unknown key, a bad element of a list and a bad value of a mapping with free keys are noted and skipped; what holds a bad field is lost, and
//! the rest goes on. Nothing is used of a file with errors.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use serde::de::value::{StrDeserializer, U64Deserializer};
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};

use super::diagnostic::{Kind, Problem};
use super::node::{Node, Scalar, ScalarKind, Value};

/// A value, where it stands, and where its key stands (itself, if it has none).
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
    pub(crate) key: Range<usize>,
}

/// By this name a struct asks the decoder for places. Real structs have no such name.
const AT: &str = "$at";

/// Decodes a tree; errors are added to `problems`, and then there may be no value.
pub(crate) fn decode<T: DeserializeOwned>(node: &Node, problems: &mut Vec<Problem>) -> Option<T> {
    let sink = RefCell::new(Vec::new());
    let result = T::deserialize(Decoder { node, key: None, sink: &sink });
    problems.append(&mut sink.into_inner());
    match result {
        Ok(value) => Some(value),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

type Sink = RefCell<Vec<Problem>>;

#[derive(Clone, Copy)]
struct Decoder<'n> {
    node: &'n Node,
    key: Option<&'n Node>,
    sink: &'n Sink,
}

impl<'n> Decoder<'n> {
    fn located<T>(self, result: Result<T, Problem>) -> Result<T, Problem> {
        result.map_err(|problem| problem.or_at(self.node.head()))
    }

    fn scalar(self) -> Option<&'n Scalar> {
        match &self.node.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    fn any<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.node.value {
            Value::Scalar(scalar) => match scalar.kind {
                ScalarKind::Null => visitor.visit_unit(),
                ScalarKind::Bool => visitor.visit_bool(scalar.text.eq_ignore_ascii_case("true")),
                // Numbers come as written, for `1.3` and `64KiB` are words to us; who wants a number asks for one.
                ScalarKind::Number | ScalarKind::Text => visitor.visit_str(&scalar.text),
            },
            Value::List(items) => visitor.visit_seq(Items { items: items.iter(), sink: self.sink }),
            Value::Map(entries) => {
                visitor.visit_map(Entries { entries: entries.iter(), current: None, sink: self.sink })
            }
        }
    }

    fn integer<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        let Some(scalar) = self.scalar().filter(|scalar| scalar.kind == ScalarKind::Number) else {
            return self.any(Expecting("a whole number", visitor));
        };
        match scalar.text.parse::<u64>() {
            Ok(number) => visitor.visit_u64(number).map_err(|_: Problem| {
                Problem::new(Kind::Value, format!("bad value `{number}`")).label("too large here")
            }),
            Err(_) => {
                Err(Problem::invalid_value(Unexpected::Str(&scalar.text), &"a whole number, not negative"))
            }
        }
    }
}

/// Lets no word pass: for shapes where YAML found something else than was asked for.
struct Expecting<V>(&'static str, V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Expecting<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

macro_rules! integers {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
            self.located(self.integer(visitor))
        }
    )*};
}

impl<'de> Deserializer<'de> for Decoder<'_> {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.located(self.any(visitor))
    }

    integers!(deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64);

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.scalar() {
            Some(scalar) if scalar.kind == ScalarKind::Bool => self.located(Err(Problem::new(
                Kind::Type,
                format!("expected text, found the boolean `{}`", scalar.text),
            )
            .label("expected text")
            .help(format!("write it in quotes: \"{}\"", scalar.text)))),
            Some(scalar) if scalar.kind != ScalarKind::Null => self.located(visitor.visit_str(&scalar.text)),
            _ => self.located(self.any(Expecting("text", visitor))),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        // A key without a value is an error, not an absent key.
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        if name == AT {
            visitor.visit_seq(Places { decoder: self, state: 0 })
        } else {
            self.deserialize_any(visitor)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let variant = match &self.node.value {
            Value::Scalar(scalar)
                if matches!(scalar.kind, ScalarKind::Text | ScalarKind::Number | ScalarKind::Bool) =>
            {
                Variant { word: self.node, value: None, sink: self.sink }
            }
            Value::Map(entries) if entries.len() == 1 => {
                Variant { word: &entries[0].0, value: Some(&entries[0].1), sink: self.sink }
            }
            Value::Map(entries) if entries.len() > 1 => {
                return Err(Problem::new(Kind::Key, "two where only one may be")
                    .label("second one")
                    .at(entries[1].0.span.clone())
                    .help("one mapping for each: `- {send: hello}` and then `- {expect: hello}`"));
            }
            _ => return self.located(self.any(Expecting("a word or a mapping with one key", visitor))),
        };
        self.located(visitor.visit_enum(variant))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple map struct ignored_any
    }
}

struct Items<'n> {
    items: std::slice::Iter<'n, Node>,
    sink: &'n Sink,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Problem> {
        self.items
            .next()
            .map(|node| {
                let decoder = Decoder { node, key: None, sink: self.sink };
                decoder.located(seed.deserialize(decoder))
            })
            .transpose()
    }

    fn next_element<T: Deserialize<'de>>(&mut self) -> Result<Option<T>, Problem> {
        loop {
            match self.next_element_seed(PhantomData::<T>) {
                Err(problem) => self.sink.borrow_mut().push(problem),
                done => return done,
            }
        }
    }
}

struct Entries<'n> {
    entries: std::slice::Iter<'n, (Node, Node)>,
    current: Option<&'n (Node, Node)>,
    sink: &'n Sink,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Problem> {
        self.current = self.entries.next();
        self.current
            .map(|(key, _)| {
                let decoder = Decoder { node: key, key: None, sink: self.sink };
                decoder.located(seed.deserialize(decoder))
            })
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Problem> {
        match self.current.take() {
            Some((key, node)) => {
                let decoder = Decoder { node, key: Some(key), sink: self.sink };
                decoder.located(seed.deserialize(decoder))
            }
            None => Err(Problem::new(Kind::Yaml, "a value without a key")),
        }
    }

    fn next_key<K: Deserialize<'de>>(&mut self) -> Result<Option<K>, Problem> {
        loop {
            match self.next_key_seed(PhantomData::<K>) {
                Err(problem) => self.sink.borrow_mut().push(problem),
                done => return done,
            }
        }
    }

    fn next_entry<K: Deserialize<'de>, V: Deserialize<'de>>(&mut self) -> Result<Option<(K, V)>, Problem> {
        while let Some(key) = self.next_key()? {
            match self.next_value() {
                Ok(value) => return Ok(Some((key, value))),
                Err(problem) => self.sink.borrow_mut().push(problem),
            }
        }
        Ok(None)
    }
}

struct Variant<'n> {
    word: &'n Node,
    value: Option<&'n Node>,
    sink: &'n Sink,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Problem;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Problem> {
        let word = self.word.text().unwrap_or_default();
        let name: StrDeserializer<'_, Problem> = word.into_deserializer();
        let value = seed.deserialize(name).map_err(|problem| problem.or_at(self.word.span.clone()))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Problem;

    fn unit_variant(self) -> Result<(), Problem> {
        let word = self.word.text().unwrap_or_default();
        match self.value {
            None => Ok(()),
            Some(value) => Err(Problem::new(Kind::Type, format!("`{word}` takes no value"))
                .at(value.head())
                .help(format!("write just `{word}`"))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Problem> {
        let word = self.word.text().unwrap_or_default();
        match self.value {
            Some(node) => {
                let decoder = Decoder { node, key: Some(self.word), sink: self.sink };
                decoder.located(seed.deserialize(decoder))
            }
            None => Err(Problem::new(Kind::Type, format!("`{word}` needs a value"))
                .at(self.word.span.clone())
                .help(format!("write `{{{word}: ..}}`"))),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Problem> {
        Err(Problem::invalid_type(Unexpected::TupleVariant, &visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        Err(Problem::invalid_type(Unexpected::StructVariant, &visitor))
    }
}

/// What an [`At`] reads: four offsets, then the value.
struct Places<'n> {
    decoder: Decoder<'n>,
    state: usize,
}

impl<'de> SeqAccess<'de> for Places<'_> {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Problem> {
        let span = self.decoder.node.head();
        let key = self.decoder.key.map_or_else(|| span.clone(), |key| key.span.clone());
        let offset = [span.start, span.end, key.start, key.end].get(self.state).copied();
        self.state += 1;
        match offset {
            Some(offset) => seed.deserialize(U64Deserializer::new(offset as u64)).map(Some),
            None => seed.deserialize(self.decoder).map(Some),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PlacesVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for PlacesVisitor<T> {
            type Value = At<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value and its place")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<At<T>, A::Error> {
                let mut offsets = [0; 4];
                for offset in &mut offsets {
                    *offset = seq.next_element()?.ok_or_else(|| A::Error::custom("no place"))?;
                }
                let value = seq.next_element()?.ok_or_else(|| A::Error::custom("no value"))?;
                Ok(At { value, span: offsets[0]..offsets[1], key: offsets[2]..offsets[3] })
            }
        }

        deserializer.deserialize_tuple_struct(AT, 5, PlacesVisitor(PhantomData))
    }
}
