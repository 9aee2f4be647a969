//! Handshake messages: only what judges ask for (RFC 8446 4, RFC 5246 7.4, RFC 6066 3, RFC 7301 3.1).

use crate::language::TlsVersion;

/// `client_hello`.
pub(super) const CLIENT_HELLO: u8 = 1;
/// `server_hello`.
pub(super) const SERVER_HELLO: u8 = 2;
/// `certificate`.
pub(super) const CERTIFICATE: u8 = 11;
/// `server_hello_done` (TLS 1.2).
pub(super) const SERVER_HELLO_DONE: u8 = 14;
/// `finished`.
pub(super) const FINISHED: u8 = 20;
/// `key_update` (TLS 1.3).
pub(super) const KEY_UPDATE: u8 = 24;

/// Longest handshake message read; certificate chains of meshes are far shorter.
const LONGEST: usize = 1 << 18;

/// `random` of a HelloRetryRequest: SHA-256 of those words (RFC 8446 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const PRE_SHARED_KEY: u16 = 41;
const EARLY_DATA: u16 = 42;
const SUPPORTED_VERSIONS: u16 = 43;

/// What of a ClientHello matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ClientHello {
    /// `random`: names the session in a key log.
    pub(super) random: [u8; 32],
    /// Host name asked for.
    pub(super) sni: Option<String>,
    /// Protocols offered.
    pub(super) alpn: Vec<String>,
    /// Whether data may follow before the server answers.
    pub(super) early_data: bool,
}

/// What of a ServerHello matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerHello {
    /// `random`: part of TLS 1.2's key derivation.
    pub(super) random: [u8; 32],
    /// Version chosen; `None` for those older than 1.2.
    pub(super) version: Option<TlsVersion>,
    /// Cipher suite chosen.
    pub(super) suite: u16,
    /// Whether it is a HelloRetryRequest.
    pub(super) retry: bool,
    /// TLS 1.3: whether a pre-shared key was chosen.
    pub(super) pre_shared_key: bool,
}

/// Handshake messages of one direction, whatever records they came in.
#[derive(Debug, Default)]
pub(super) struct Messages {
    buffer: Vec<u8>,
}

impl Messages {
    /// Takes the body of a handshake record.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes the next whole message: its type and body.
    pub(super) fn pop(&mut self) -> Result<Option<(u8, Vec<u8>)>, String> {
        let [kind, a, b, c, rest @ ..] = self.buffer.as_slice() else { return Ok(None) };
        let len = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        if len > LONGEST {
            return Err(format!("handshake message of {len} bytes"));
        }
        let Some(body) = rest.get(..len) else { return Ok(None) };
        let message = (*kind, body.to_vec());
        self.buffer.drain(..4 + len);
        Ok(Some(message))
    }
}

/// Reads the body of a ClientHello. What of it does not fit the format is left out.
pub(super) fn client_hello(body: &[u8]) -> Option<ClientHello> {
    let mut reader = Reader(body);
    reader.take(2)?;
    let mut hello = ClientHello { random: reader.random()?, ..ClientHello::default() };
    reader.vector(1)?;
    reader.vector(2)?;
    reader.vector(1)?;
    for (kind, data) in extensions(&mut reader) {
        match kind {
            SERVER_NAME => hello.sni = server_name(data),
            ALPN => hello.alpn = protocols(data),
            EARLY_DATA => hello.early_data = true,
            _ => {}
        }
    }
    Some(hello)
}

/// Reads the body of a ServerHello.
pub(super) fn server_hello(body: &[u8]) -> Option<ServerHello> {
    let mut reader = Reader(body);
    let mut version = reader.number()?;
    let random = reader.random()?;
    reader.vector(1)?;
    let suite = reader.number()?;
    reader.take(1)?;
    let mut pre_shared_key = false;
    for (kind, data) in extensions(&mut reader) {
        match kind {
            SUPPORTED_VERSIONS => version = Reader(data).number().unwrap_or(version),
            PRE_SHARED_KEY => pre_shared_key = true,
            _ => {}
        }
    }
    let version = match version {
        0x0304 => Some(TlsVersion::V1_3),
        0x0303 => Some(TlsVersion::V1_2),
        _ => None,
    };
    Some(ServerHello { random, version, suite, retry: random == RETRY, pre_shared_key })
}

/// The leaf of a Certificate message, DER; `None` when the list is empty.
pub(super) fn leaf(version: TlsVersion, body: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader(body);
    if version == TlsVersion::V1_3 {
        reader.vector(1)?;
    }
    let mut list = Reader(reader.vector(3)?);
    list.vector(3).filter(|der| !der.is_empty()).map(<[u8]>::to_vec)
}

/// The extensions that stand in a hello's rest, as far as they fit the format.
fn extensions<'a>(reader: &mut Reader<'a>) -> Vec<(u16, &'a [u8])> {
    let mut found = Vec::new();
    let mut list = Reader(reader.vector(2).unwrap_or_default());
    while let Some(kind) = list.number() {
        let Some(data) = list.vector(2) else { break };
        found.push((kind, data));
    }
    found
}

fn server_name(data: &[u8]) -> Option<String> {
    let mut list = Reader(Reader(data).vector(2)?);
    while let Some([kind]) = list.take(1) {
        let name = list.vector(2)?;
        if *kind == 0 {
            return Some(String::from_utf8_lossy(name).into_owned());
        }
    }
    None
}

fn protocols(data: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut list = Reader(Reader(data).vector(2).unwrap_or_default());
    while let Some(name) = list.vector(1) {
        found.push(String::from_utf8_lossy(name).into_owned());
    }
    found
}

/// Reads the presentation language's numbers and vectors.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn random(&mut self) -> Option<[u8; 32]> {
        self.take(32)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u16> {
        let bytes = self.take(2)?.try_into().ok()?;
        Some(u16::from_be_bytes(bytes))
    }

    /// A vector whose length takes `width` bytes.
    fn vector(&mut self, width: usize) -> Option<&'a [u8]> {
        let before = self.0;
        let len = self.take(width)?.iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
        let taken = self.take(len);
        if taken.is_none() {
            self.0 = before;
        }
        taken
    }
}
