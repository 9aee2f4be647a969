//! YAML as a tree of located nodes: what the matrix is put into, and what is decoded.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

/// A piece of a file and the bytes it stands at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) value: Value,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// A word, as YAML reads it and as it was written: `1.30` stays `1.30` where text is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar {
    pub(crate) kind: ScalarKind,
    pub(crate) text: String,
}

/// What YAML takes a word for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScalarKind {
    Null,
    Bool,
    Number,
    Text,
}

impl Node {
    /// Where errors about the node as a whole point: its first key, if it has keys, for a mapping in block style has no sign of its own.
    pub(crate) fn head(&self) -> Range<usize> {
        match &self.value {
            Value::Map(entries) => match entries.first() {
                Some((key, _)) if self.span.start >= key.span.start => key.span.clone(),
                _ => self.span.clone(),
            },
            Value::List(items) => match items.first() {
                Some(item) if self.span.start >= item.span.start => item.head(),
                _ => self.span.clone(),
            },
            Value::Scalar(_) => self.span.clone(),
        }
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The value of a key of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(k, _)| k.text() == Some(key)).map(|(_, v)| v),
            _ => None,
        }
    }
}

/// A node as the YAML reader gives it: places as it counts them, numbers without their spelling.
#[derive(Debug)]
pub(crate) struct Raw(Spanned<RawValue>);

#[derive(Debug)]
enum RawValue {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Raw>),
    Map(Vec<(Raw, Raw)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = RawValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_unit<E>(self) -> Result<RawValue, E> {
        Ok(RawValue::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<RawValue, E> {
        Ok(RawValue::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<RawValue, E> {
        Ok(RawValue::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<RawValue, E> {
        Ok(RawValue::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<RawValue, E> {
        Ok(RawValue::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<RawValue, E> {
        Ok(RawValue::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(RawValue::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawValue, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(RawValue::Map(entries))
    }
}

impl Raw {
    /// The tree with places in bytes of `source` and words as written there.
    pub(crate) fn locate(self, source: &str) -> Node {
        let span = bytes_of(source, &self.0.defined);
        let value = match self.0.value {
            RawValue::Null => scalar(ScalarKind::Null, String::new()),
            RawValue::Bool(value) => {
                scalar(ScalarKind::Bool, spelling(source, &span).unwrap_or_else(|| value.to_string()))
            }
            RawValue::Number(value) => scalar(ScalarKind::Number, spelling(source, &span).unwrap_or(value)),
            RawValue::Text(text) => scalar(ScalarKind::Text, text),
            RawValue::List(items) => Value::List(items.into_iter().map(|item| item.locate(source)).collect()),
            RawValue::Map(entries) => Value::Map(
                entries.into_iter().map(|(key, value)| (key.locate(source), value.locate(source))).collect(),
            ),
        };
        Node { span, value }
    }
}

fn scalar(kind: ScalarKind, text: String) -> Value {
    Value::Scalar(Scalar { kind, text })
}

/// How a number or boolean is written, if the span holds nothing but a word.
fn spelling(source: &str, span: &Range<usize>) -> Option<String> {
    let text = source.get(span.clone())?.trim();
    let word = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c));
    word.then(|| text.to_owned())
}

/// Bytes of a place. Some places come without byte offsets (they are `u32::MAX`); then line and column give them.
pub(crate) fn bytes_of(source: &str, location: &Location) -> Range<usize> {
    let span = location.span();
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    if let (Some(start), Some(len)) = (span.byte_offset(), span.byte_len()) {
        let start = number(start);
        if start <= source.len() {
            return start..start.saturating_add(number(len)).min(source.len());
        }
    }
    let start = byte_at(source, number(location.line()), number(location.column()));
    start..start
}

/// The byte at a line and column, both from 1, the column in characters; the nearest one there is.
fn byte_at(source: &str, line: usize, column: usize) -> usize {
    let mut begin = 0;
    for _ in 1..line {
        match source[begin..].find('\n') {
            Some(n) => begin += n + 1,
            None => break,
        }
    }
    let text = source[begin..].lines().next().unwrap_or_default();
    let within = text.char_indices().nth(column.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
    begin + within
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_without_bytes_is_found_by_line_and_column() {
        assert_eq!(byte_at("ab\näbc\n", 2, 2), 5);
        assert_eq!(byte_at("ab\n", 99, 99), 3);
        assert_eq!(byte_at("", 1, 1), 0);
    }
}
