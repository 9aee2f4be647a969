//! What ends of connections do, as written.

use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde_json::{Value, json};

use super::shape::{Never, Refused, Shape, of, shape};
use super::word::{Wait, payload};
use crate::language::script as meant;
use crate::language::value::{Payload, Size};
use crate::language::{TlsOptions, TlsVersion};

/// One action on a connection.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// Sends back what comes until the other end closes its direction, then closes its own.
    Echo,
    /// Ends the sending direction (TLS: close_notify, then FIN) and goes on reading.
    HalfClose,
    /// Closes now.
    Close,
    /// Sends a RST.
    Reset,
    /// Neither reads nor writes any more, holds the connection open until the run ends or the other end is gone.
    Stall,
    /// Sends bytes.
    Send(Send),
    /// Reads exactly that many bytes; other bytes, or an end before them, end the script.
    Expect(Payload),
    /// Takes whatever comes.
    Read(Read),
    /// Waits.
    Pause(Wait),
    /// From here on TLS, client or server as this end is.
    Starttls(Tls),
    /// The same actions several times.
    Repeat(Repeat),
}

/// The words of [`Action`] that stand alone.
const BARE: &[&str] = &["echo", "half_close", "close", "reset", "stall"];

/// Actions several times.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `times` and `do`")]
pub(crate) struct Repeat {
    /// How often.
    times: Positive,
    /// What.
    #[serde(rename = "do")]
    script: Vec<Action>,
}

/// What to send, and how.
#[derive(Debug, Clone)]
pub(crate) struct Send(pub(crate) meant::Send);

/// What to read, and how.
#[derive(Debug, Clone)]
pub(crate) struct Read(meant::Read);

/// A number from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Positive(pub(crate) u32);

/// Scripts of the first, second, .. connection of a server.
#[derive(Debug, Clone)]
pub(crate) struct Turns(Vec<Vec<Action>>);

/// What a client does over plain TCP.
#[derive(Debug, Clone)]
pub(crate) struct Talk(Vec<Action>);

shape!(Send, Read, Positive, Turns, Talk);

impl Action {
    /// As meant.
    fn meant(self) -> meant::Action {
        match self {
            Self::Echo => meant::Action::Echo,
            Self::HalfClose => meant::Action::HalfClose,
            Self::Close => meant::Action::Close,
            Self::Reset => meant::Action::Reset,
            Self::Stall => meant::Action::Stall,
            Self::Send(send) => meant::Action::Send(send.0),
            Self::Expect(payload) => meant::Action::Expect(payload),
            Self::Read(read) => meant::Action::Read(read.0),
            Self::Pause(wait) => meant::Action::Pause(wait.0),
            Self::Starttls(tls) => meant::Action::StartTls(tls.meant()),
            Self::Repeat(repeat) => {
                meant::Action::Repeat { times: repeat.times.0, script: script(repeat.script) }
            }
        }
    }
}

/// A script as meant.
fn script(actions: Vec<Action>) -> meant::Script {
    meant::Script(actions.into_iter().map(Action::meant).collect())
}

/// Sends something, ends the sending direction and reads to the end.
fn say(payload: Payload) -> Vec<Action> {
    vec![
        Action::Send(Send(meant::Send { payload, chunk: None, every: None, until_blocked: None })),
        Action::HalfClose,
        Action::Read(Read(meant::Read::default())),
    ]
}

impl Shape for Positive {
    type Map = Never;
    type List = Never;
    const NAME: &'static str = "Positive";
    const EXPECTED: &'static str = "a whole number from 1";

    fn word(text: &str) -> Result<Self, Refused> {
        match text.parse() {
            Ok(number) if number > 0 => Ok(Self(number)),
            _ => Err(Refused::Value(Self::EXPECTED.into())),
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Value {
        json!({"anyOf": [{"type": "integer", "minimum": 1, "maximum": u32::MAX}, {"type": "string", "pattern": "^[0-9]+$"}], "description": "A whole number from 1."})
    }
}

/// Sending as a mapping.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendMap {
    /// These bytes, in hexadecimal: `"16 03 01"`.
    hex: Option<String>,
    /// This text.
    text: Option<String>,
    /// This many bytes of a pattern that never repeats.
    size: Option<Size>,
    /// Which pattern. Default 0.
    seed: Option<u64>,
    /// Bytes a write. Without: all at once.
    chunk: Option<Size>,
    /// Time between writes.
    every: Option<Wait>,
    /// Sends (repeating the pattern) until the other side takes no more for this long; how much went is observed.
    until_blocked: Option<Wait>,
}

impl Shape for Send {
    type Map = SendMap;
    type List = Never;
    const NAME: &'static str = "Send";
    const EXPECTED: &'static str = "bytes: text, {hex: ..} or {size: 16MiB}";
    const MAP: bool = true;

    fn word(text: &str) -> Result<Self, Refused> {
        let payload = Payload::word(text)?;
        Ok(Self(meant::Send { payload, chunk: None, every: None, until_blocked: None }))
    }

    fn map(map: SendMap) -> Result<Self, Refused> {
        let payload = payload(map.hex, map.text, map.size, map.seed)?;
        if map.chunk == Some(Size(0)) {
            return Err(Refused::Value("a `chunk` from 1".into()));
        }
        if map.until_blocked.is_some() && payload.is_empty() {
            return Err(Refused::Value("something to send with `until_blocked`".into()));
        }
        let chunk = map.chunk.map(|size| size.0);
        Ok(Self(meant::Send {
            payload,
            chunk,
            every: map.every.map(|wait| wait.0),
            until_blocked: map.until_blocked.map(|wait| wait.0),
        }))
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        json!({"anyOf": [{"type": "string"}, of::<SendMap>(generator)], "description": "`hello`, `{hex: ..}`, `{size: 64KiB, chunk: 1, every: 10ms}`."})
    }
}

/// Reading as a mapping.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadMap {
    /// Stop after this many bytes. Without: at the end of the stream.
    bytes: Option<Size>,
    /// At most this many bytes a second.
    rate: Option<Size>,
    /// Stop when these bytes have come, whatever comes after them. They come within 1 MiB, or the script fails.
    until: Option<Payload>,
}

impl Shape for Read {
    type Map = ReadMap;
    type List = Never;
    const NAME: &'static str = "Read";
    const EXPECTED: &'static str = "`eof`, {bytes: ..}, {until: ..} or {rate: ..}";
    const MAP: bool = true;

    fn word(text: &str) -> Result<Self, Refused> {
        if text == "eof" { Ok(Self(meant::Read::default())) } else { Err(Refused::Word(&["eof"])) }
    }

    fn map(map: ReadMap) -> Result<Self, Refused> {
        if map.rate == Some(Size(0)) {
            return Err(Refused::Value("a `rate` from 1; `stall` reads nothing".into()));
        }
        let until = match map.until {
            None => None,
            Some(Payload::Literal(bytes)) if !bytes.is_empty() && map.bytes.is_none() => Some(bytes),
            Some(_) => return Err(Refused::Value("`until` some text or hex, without `bytes`".into())),
        };
        Ok(Self(meant::Read {
            bytes: map.bytes.map(|size| size.0),
            rate: map.rate.map(|size| size.0),
            until,
        }))
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        json!({"anyOf": [{"enum": ["eof"]}, of::<ReadMap>(generator)], "description": "`eof`; `{bytes: 10}`; `{until: \"\\r\\n\\r\\n\"}`; `{rate: 64KiB}`."})
    }
}

/// Turns as a mapping.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TurnsMap {
    /// Scripts of the first, second, .. connection; the last one repeats.
    turns: Vec<Vec<Action>>,
}

impl Turns {
    /// As meant; never empty.
    pub(crate) fn meant(self) -> Vec<meant::Script> {
        self.0.into_iter().map(script).collect()
    }
}

impl Shape for Turns {
    type Map = TurnsMap;
    type List = Vec<Action>;
    const NAME: &'static str = "ServerScript";
    const EXPECTED: &'static str = "an action such as `echo`, a list of actions, or {turns: [[..], [..]]}";
    const MAP: bool = true;
    const LIST: bool = true;

    fn word(text: &str) -> Result<Self, Refused> {
        let word: StrDeserializer<'_, serde::de::value::Error> =
            serde::de::IntoDeserializer::into_deserializer(text);
        Action::deserialize(word).map(|action| Self(vec![vec![action]])).map_err(|_| Refused::Word(BARE))
    }

    fn map(map: TurnsMap) -> Result<Self, Refused> {
        if map.turns.is_empty() {
            Err(Refused::Value("at least one turn".into()))
        } else {
            Ok(Self(map.turns))
        }
    }

    fn list(list: Vec<Action>) -> Result<Self, Refused> {
        Ok(Self(vec![list]))
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        let list = json!({"type": "array", "items": of::<Action>(generator)});
        json!({
            "anyOf": [{"enum": BARE}, list, of::<TurnsMap>(generator)],
            "description": "What a server does on each connection: one action, a list of actions, or `{turns: [[..], [..]]}` by connection.",
        })
    }
}

impl Talk {
    /// As meant.
    pub(crate) fn meant(self) -> meant::Script {
        script(self.0)
    }
}

impl Shape for Talk {
    type Map = Never;
    type List = Vec<Action>;
    const NAME: &'static str = "ClientScript";
    const EXPECTED: &'static str = "text to send, or a list of actions";
    const LIST: bool = true;

    fn word(text: &str) -> Result<Self, Refused> {
        Payload::word(text).map(|payload| Self(say(payload)))
    }

    fn list(list: Vec<Action>) -> Result<Self, Refused> {
        Ok(Self(list))
    }

    fn schema(generator: &mut SchemaGenerator) -> Value {
        let list = json!({"type": "array", "items": of::<Action>(generator)});
        json!({
            "anyOf": [{"type": "string"}, list],
            "description": "What a client does on each connection: a list of actions; a text `X` is short for `[{send: X}, half_close, {read: eof}]`.",
        })
    }
}

/// A TLS version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version(TlsVersion);

/// `require`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientCertificate {
    /// A client without a certificate is refused.
    Require,
}

shape!(Version);

impl Shape for Version {
    type Map = Never;
    type List = Never;
    const NAME: &'static str = "TlsVersion";
    const EXPECTED: &'static str = "a TLS version: 1.2 or 1.3";

    fn word(text: &str) -> Result<Self, Refused> {
        match text {
            "1.2" => Ok(Self(TlsVersion::V1_2)),
            "1.3" => Ok(Self(TlsVersion::V1_3)),
            _ => Err(Refused::Word(&["1.2", "1.3"])),
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Value {
        json!({"enum": ["1.2", "1.3", 1.2, 1.3], "description": "`1.2` or `1.3`."})
    }
}

/// How an end speaks TLS from some point on.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "TLS options: a mapping")]
pub(crate) struct Tls {
    /// Client: server name to ask for, which the server's certificate must bear.
    sni: Option<String>,
    /// Protocols offered or accepted, by preference.
    alpn: Option<Vec<String>>,
    /// Name on this end's own certificate.
    certificate: Option<String>,
    /// Server: `require` a client certificate.
    client_certificate: Option<ClientCertificate>,
    /// Versions spoken. Absent: both.
    versions: Option<Vec<Version>>,
    /// Client: connections one after the other share a session store; the second and later should resume.
    resume: Option<bool>,
    /// Client: split the ClientHello's record into writes of this many bytes.
    hello_chunk: Option<Size>,
}

impl Tls {
    fn meant(self) -> TlsOptions {
        TlsOptions {
            sni: self.sni,
            alpn: self.alpn.unwrap_or_default(),
            certificate: self.certificate,
            client_certificate: self.client_certificate.is_some(),
            versions: self.versions.unwrap_or_default().into_iter().map(|version| version.0).collect(),
            resume: self.resume.unwrap_or(false),
            hello_chunk: self.hello_chunk.map(|size| size.0),
        }
    }
}

/// A server with its own TLS.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a TLS server: a mapping with `certificate` and `respond`")]
pub(crate) struct ServerTls {
    /// Name on the server's certificate.
    certificate: String,
    /// Protocols accepted, by preference.
    alpn: Option<Vec<String>>,
    /// Versions spoken. Absent: both.
    versions: Option<Vec<Version>>,
    /// `require` a client certificate.
    client_certificate: Option<ClientCertificate>,
    /// What it does inside TLS.
    respond: Turns,
}

impl ServerTls {
    /// As meant.
    pub(crate) fn meant(self) -> (TlsOptions, Vec<meant::Script>) {
        let tls = Tls {
            alpn: self.alpn,
            certificate: Some(self.certificate),
            client_certificate: self.client_certificate,
            versions: self.versions,
            ..Tls::default()
        };
        (tls.meant(), self.respond.meant())
    }
}

/// A client with its own TLS.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a TLS client: a mapping with `send` or `script`")]
pub(crate) struct ClientTls {
    /// Server name to ask for, which the server's certificate must bear.
    sni: Option<String>,
    /// Protocols offered, by preference.
    alpn: Option<Vec<String>>,
    /// Name on a client certificate.
    certificate: Option<String>,
    /// Versions spoken. Absent: both.
    versions: Option<Vec<Version>>,
    /// Connections one after the other share a session store; the second and later should resume.
    resume: Option<bool>,
    /// Split the ClientHello's record into writes of this many bytes.
    hello_chunk: Option<Size>,
    /// Short for `script: [{send: X}, half_close, {read: eof}]`.
    send: Option<Payload>,
    /// What to do inside TLS.
    script: Option<Vec<Action>>,
}

impl ClientTls {
    /// As meant; `None` unless it has exactly one of `send` and `script`.
    pub(crate) fn meant(self) -> Option<(TlsOptions, meant::Script)> {
        let actions = match (self.send, self.script) {
            (Some(payload), None) => say(payload),
            (None, Some(actions)) => actions,
            _ => return None,
        };
        let tls = Tls {
            sni: self.sni,
            alpn: self.alpn,
            certificate: self.certificate,
            client_certificate: None,
            versions: self.versions,
            resume: self.resume,
            hello_chunk: self.hello_chunk,
        };
        Some((tls.meant(), script(actions)))
    }
}
