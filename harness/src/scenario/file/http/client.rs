//! What HTTP clients ask, as written.

use std::ops::Range;

use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Fields, Framing, Version};
use crate::language::http as meant;
use crate::language::value::Size;
use crate::scenario::decode::At;
use crate::scenario::file::script::{Positive, Send};
use crate::scenario::file::shape::{Never, Refused, Shape, of, shape};
use crate::scenario::file::word::Wait;

/// A mapping with the keys of a request, and others of its own before them.
macro_rules! with_keys_of_a_request {
    ($(#[$meta:meta])* struct $name:ident { $($(#[$doc:meta])* $own:ident: $type:ty,)* }) => {
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        $(#[$meta])*
        pub(crate) struct $name {
            $($(#[$doc])* pub(crate) $own: Option<At<$type>>,)*
            /// Method and path: `{get: /}`.
            get: Option<At<String>>,
            /// As `get`.
            head: Option<At<String>>,
            /// As `get`.
            post: Option<At<String>>,
            /// As `get`.
            put: Option<At<String>>,
            /// As `get`.
            delete: Option<At<String>>,
            /// As `get`.
            patch: Option<At<String>>,
            /// As `get`; the path may be `*`.
            options: Option<At<String>>,
            /// Any other method, with `path`.
            method: Option<At<String>>,
            /// With `method`.
            path: Option<At<String>>,
            /// `Host` (HTTP/1.1) or `:authority` (HTTP/2). Default: what was dialled.
            host: Option<At<String>>,
            /// Header fields beside those of framing: `{x-a: one, x-b: [one, two]}`.
            headers: Option<At<Fields>>,
            /// The body and how it is written. Default: none.
            body: Option<At<Send>>,
            /// How the body's end is told. Default `length`.
            framing: Option<At<Framing>>,
            /// Trailer fields, with `framing: chunked`.
            trailers: Option<At<Fields>>,
            /// How the answer's body is read.
            read: Option<At<ReadAnswer>>,
            /// When the client goes away: closes the connection (HTTP/1.1), resets the stream (HTTP/2).
            abort: Option<At<Abort>>,
            /// How many times the request is made. Default 1.
            times: Option<At<Positive>>,
        }

        impl $name {
            /// The keys of the request.
            pub(crate) fn asked(self) -> Asked {
                let words = [
                    ("GET", self.get),
                    ("HEAD", self.head),
                    ("POST", self.post),
                    ("PUT", self.put),
                    ("DELETE", self.delete),
                    ("PATCH", self.patch),
                    ("OPTIONS", self.options),
                ];
                Asked {
                    words: words.into_iter().filter_map(|(method, path)| Some((method, path?))).collect(),
                    method: self.method,
                    path: self.path,
                    host: self.host,
                    headers: self.headers,
                    body: self.body,
                    framing: self.framing,
                    trailers: self.trailers,
                    read: self.read,
                    abort: self.abort,
                    times: self.times,
                }
            }
        }
    };
}

with_keys_of_a_request! {
    /// What a client asks on each connection: one request (`{get: /}`) or `requests`, one after the other.
    #[schemars(rename = "HttpClient")]
    #[serde(deny_unknown_fields, expecting = "what an HTTP client asks: a mapping such as {get: /}")]
    struct HttpTalk {
        /// `1` (the default but for pods with `proxy: scripted`): HTTP/1.1. `2`: HTTP/2 with prior knowledge.
        version: Version,
        /// HTTP/2: all requests at once.
        at_once: bool,
        /// Several requests, each after the answer before it, instead of one in place. `[]`: only the connection.
        requests: Vec<At<Request>>,
    }
}

with_keys_of_a_request! {
    /// One request: a method's word with the path, or `method` and `path`.
    #[serde(deny_unknown_fields, expecting = "a request: a mapping such as {get: /}")]
    struct Request {}
}

/// A request, before it is known to make sense.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Methods by their words, with paths.
    pub(crate) words: Vec<(&'static str, At<String>)>,
    pub(crate) method: Option<At<String>>,
    pub(crate) path: Option<At<String>>,
    pub(crate) host: Option<At<String>>,
    pub(crate) headers: Option<At<Fields>>,
    pub(crate) body: Option<At<Send>>,
    pub(crate) framing: Option<At<Framing>>,
    pub(crate) trailers: Option<At<Fields>>,
    pub(crate) read: Option<At<ReadAnswer>>,
    pub(crate) abort: Option<At<Abort>>,
    pub(crate) times: Option<At<Positive>>,
}

impl Asked {
    /// Where its first key stands, if it has any.
    pub(crate) fn first_key(&self) -> Option<Range<usize>> {
        fn key<T>(at: &Option<At<T>>) -> Option<&Range<usize>> {
            at.as_ref().map(|at| &at.key)
        }
        let others = [
            key(&self.method),
            key(&self.path),
            key(&self.host),
            key(&self.headers),
            key(&self.body),
            key(&self.framing),
            key(&self.trailers),
            key(&self.read),
            key(&self.abort),
            key(&self.times),
        ];
        let words = self.words.iter().map(|(_, path)| &path.key);
        words.chain(others.into_iter().flatten()).min_by_key(|key| key.start).cloned()
    }
}

/// How an answer's body is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadAnswer(pub(crate) meant::ReadAnswer);

/// When a client goes away.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Abort(pub(crate) meant::Abort);

shape!(ReadAnswer, Abort);

/// Reading as a mapping.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadAnswerMap {
    /// At most this many bytes a second.
    rate: Size,
}

impl Shape for ReadAnswer {
    type Map = ReadAnswerMap;
    type List = Never;
    const NAME: &'static str = "ReadAnswer";
    const EXPECTED: &'static str = "{rate: 64KiB}";
    const MAP: bool = true;

    fn word(_: &str) -> Result<Self, Refused> {
        Err(Refused::Shape)
    }

    fn map(map: ReadAnswerMap) -> Result<Self, Refused> {
        match map.rate {
            Size(0) => Err(Refused::Value("a `rate` from 1".into())),
            Size(rate) => Ok(Self(meant::ReadAnswer { rate: Some(rate) })),
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        let mut schema = of::<ReadAnswerMap>(generator);
        schema["description"] = json!("`{rate: 64KiB}`: at most this many bytes a second.");
        schema
    }
}

/// Going away as a mapping.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AbortMap {
    /// This long after the request began.
    after: Option<Wait>,
    /// When so many bytes of the answer's body have come.
    after_bytes: Option<Size>,
}

impl Shape for Abort {
    type Map = AbortMap;
    type List = Never;
    const NAME: &'static str = "Abort";
    const EXPECTED: &'static str = "{after: 1s} or {after_bytes: 10KiB}";
    const MAP: bool = true;

    fn word(_: &str) -> Result<Self, Refused> {
        Err(Refused::Shape)
    }

    fn map(map: AbortMap) -> Result<Self, Refused> {
        match (map.after, map.after_bytes) {
            (Some(wait), None) => Ok(Self(meant::Abort::After(wait.0))),
            (None, Some(size)) => Ok(Self(meant::Abort::AfterBytes(size.0))),
            _ => Err(Refused::Value("exactly one of `after` and `after_bytes`".into())),
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        let mut schema = of::<AbortMap>(generator);
        schema["description"] = json!("`{after: 1s}` or `{after_bytes: 10KiB}`.");
        schema
    }
}
