//! TLS as an eavesdropper with the sessions' secrets reads it: TLS 1.3, and TLS 1.2 with AES-GCM or ChaCha20, to any depth.
//!
//! * `record` — records as they stand on the wire.
//! * `handshake` — what of handshake messages matters.
//! * `keys` — key logs and the keys that follow from them.
//! * `decrypt` — opens protected records.
//! * `side` — one direction of a session.
//!
//! It shares nothing with rustls, so that it can say when rustls is used wrongly. Bytes may be anything; nothing here fails or panics, what
//! can't be told is told so in [`TlsView::inner`].

mod decrypt;
mod handshake;
mod keys;
mod record;
mod side;
#[cfg(test)]
pub(in crate::observe) mod tests;

pub use keys::KeyLog;

use crate::language::TlsVersion;
use crate::observe::flow::Stream;
use crate::observe::http;
use crate::observe::wire::{Layer, TlsView};
use decrypt::Opener;
use handshake::{ClientHello, ServerHello};
use side::{Plan, Side};

/// Bytes shown of each direction of what is neither TLS nor HTTP.
const HEAD: usize = 4096;
/// Layers of TLS followed; a deeper one is shown as bytes.
const DEEPEST: u32 = 4;

/// Reads what two directions of bytes are; `forward` is the opener's.
#[must_use]
pub fn read(forward: &Stream, back: &Stream, keys: &KeyLog) -> Layer {
    layer(forward, back, keys, 0)
}

fn layer(forward: &Stream, back: &Stream, keys: &KeyLog, depth: u32) -> Layer {
    if depth < DEEPEST && record::begins_with_client_hello(&forward.head(6)) {
        return Layer::Tls(Box::new(session(forward, back, keys, depth)));
    }
    let cut = forward.why_cut().is_some() || back.why_cut().is_some();
    if forward.is_empty() && back.is_empty() && !cut {
        return Layer::Empty;
    }
    if let Some(version) = http::version(forward) {
        return Layer::Http(http::read(version, forward, back));
    }
    Layer::Plain { forward: forward.head(HEAD), back: back.head(HEAD) }
}

fn session(forward: &Stream, back: &Stream, keys: &KeyLog, depth: u32) -> TlsView {
    let hello = find(forward, handshake::CLIENT_HELLO, handshake::client_hello).unwrap_or_default();
    let answer = find(back, handshake::SERVER_HELLO, |body| {
        handshake::server_hello(body).filter(|hello| !hello.retry)
    });
    let (client, server) = plans(&hello, answer.as_ref(), keys);
    let client = Side::read(forward, client);
    let server = Side::read(back, server);

    let version = answer.as_ref().and_then(|answer| answer.version);
    let resumed = match version {
        Some(TlsVersion::V1_3) => answer.is_some_and(|answer| answer.pre_shared_key),
        Some(TlsVersion::V1_2) => server.abbreviated,
        None => false,
    };
    TlsView {
        sni: hello.sni,
        alpn: hello.alpn,
        version,
        resumed,
        inner: inner(&client, &server, keys, depth),
        alerts: alerts(&client, &server),
        client_certificate: client.certificate,
        server_certificate: server.certificate,
    }
}

/// The first handshake message of this type, sent in clear, that `read` takes.
fn find<T>(stream: &Stream, wanted: u8, read: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    let mut cursor = stream.cursor();
    let mut messages = handshake::Messages::default();
    while let Ok(Some(record)) = record::next(&mut cursor) {
        match record.kind {
            record::HANDSHAKE => messages.push(&record.body),
            // TLS 1.3 sends one for show after a HelloRetryRequest.
            record::CHANGE_CIPHER_SPEC => continue,
            _ => return None,
        }
        while let Ok(Some((kind, body))) = messages.pop() {
            if kind == wanted
                && let Some(found) = read(&body)
            {
                return Some(found);
            }
        }
    }
    None
}

/// How the client's and the server's direction are to be read.
fn plans(hello: &ClientHello, answer: Option<&ServerHello>, keys: &KeyLog) -> (Plan, Plan) {
    let mut client = Plan { skip_early_data: hello.early_data, ..Plan::default() };
    let mut server = Plan::default();
    let Some(answer) = answer else { return (client, server) };
    client.version = answer.version;
    server.version = answer.version;
    let Some(suite) = keys::suite(answer.suite) else {
        let why = format!("cipher suite 0x{:04x} not read", answer.suite);
        client.unreadable.clone_from(&why);
        server.unreadable = why;
        return (client, server);
    };
    match answer.version {
        Some(TlsVersion::V1_3) => {
            let opener = |label| Opener::from_secret(suite, keys.secret(label, &hello.random)?);
            client.first = opener("CLIENT_HANDSHAKE_TRAFFIC_SECRET");
            client.then = opener("CLIENT_TRAFFIC_SECRET_0");
            server.first = opener("SERVER_HANDSHAKE_TRAFFIC_SECRET");
            server.then = opener("SERVER_TRAFFIC_SECRET_0");
        }
        Some(TlsVersion::V1_2) => {
            if let Some(master) = keys.secret("CLIENT_RANDOM", &hello.random) {
                let (ours, theirs) = keys::key_block(suite, master, &hello.random, &answer.random);
                client.first = Opener::from_key(suite, ours);
                server.first = Opener::from_key(suite, theirs);
            }
        }
        None => {
            client.unreadable = "TLS older than 1.2 not read".to_owned();
            server.unreadable.clone_from(&client.unreadable);
        }
    }
    (client, server)
}

/// What is inside. The opener's bytes decide what it is, so nothing is said while they are not known.
fn inner(client: &Side, server: &Side, keys: &KeyLog, depth: u32) -> Result<Layer, String> {
    if client.data.is_empty() {
        if let Some(trouble) = &client.trouble {
            return Err(trouble.clone());
        }
        if let Some(trouble) = &server.trouble
            && server.data.is_empty()
        {
            return Err(trouble.clone());
        }
    }
    Ok(layer(&client.data, &server.data, keys, depth + 1))
}

/// Alerts of both directions in the order in which they came.
fn alerts(client: &Side, server: &Side) -> Vec<(bool, u8)> {
    let of = |side: &Side, opener| {
        side.alerts.iter().map(move |(at, what)| (*at, opener, *what)).collect::<Vec<_>>()
    };
    let mut all = [of(client, true), of(server, false)].concat();
    all.sort_by_key(|(at, ..)| *at);
    all.into_iter().map(|(_, opener, what)| (opener, what)).collect()
}
