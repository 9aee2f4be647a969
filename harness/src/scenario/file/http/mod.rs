//! HTTP, as written.
//!
//! * [`client`] — what clients ask. [`app`] — what apps answer. [`matcher`] — what checks want of statuses and fields.

pub(crate) mod app;
pub(crate) mod client;
pub(crate) mod matcher;

use indexmap::IndexMap;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

use super::shape::{Never, Refused, Shape, shape, words};
use super::word::OneOrMany;
use crate::language::http as meant;
use crate::scenario::decode::At;

/// Header or trailer fields: `{x-a: one, x-b: [one, two]}`; a list is that many field lines.
pub(crate) type Fields = IndexMap<At<String>, At<OneOrMany>>;

/// The protocol of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version(pub(crate) meant::HttpVersion);

shape!(Version);

impl Shape for Version {
    type Map = Never;
    type List = Never;
    const NAME: &'static str = "HttpVersion";
    const EXPECTED: &'static str = "a version of HTTP: 1 or 2";

    fn word(text: &str) -> Result<Self, Refused> {
        match text {
            "1" => Ok(Self(meant::HttpVersion::V1)),
            "2" => Ok(Self(meant::HttpVersion::V2)),
            _ => Err(Refused::Word(&["1", "2"])),
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Value {
        json!({"anyOf": [{"enum": [1, 2]}, words(&["1", "2"])], "description": "`1` (HTTP/1.1) or `2` (HTTP/2 with prior knowledge)."})
    }
}

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Framing {
    /// `content-length`.
    Length,
    /// HTTP/1.1: `transfer-encoding: chunked`. HTTP/2: no length.
    Chunked,
}

impl From<Framing> for meant::Framing {
    fn from(framing: Framing) -> Self {
        match framing {
            Framing::Length => Self::Length,
            Framing::Chunked => Self::Chunked,
        }
    }
}
