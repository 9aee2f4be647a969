//! Bytes that are no TLS, not all of it, or spoilt.

use super::duet::{Authority, Setup};
use super::{key_log, plain, read, streams};
use crate::observe::flow::Stream;
use crate::observe::tls::KeyLog;
use crate::observe::wire::Layer;
use bytes::Bytes;

fn stream(bytes: &[u8]) -> Stream {
    let mut stream = Stream::default();
    stream.push(0, Bytes::copy_from_slice(bytes));
    stream
}

#[test]
fn other_bytes_are_shown_as_they_are() {
    let none = KeyLog::default();
    assert_eq!(read(&stream(b""), &stream(b""), &none), Layer::Empty);
    for (forward, back) in [
        (b"HELO backend\r\n".as_slice(), b"250 ok\r\n".as_slice()),
        (b"", b"220 banner"),
        (&[22, 3], b""),
        (&[22, 3, 9, 0, 5, 1], b""),
        // A handshake record that holds no ClientHello.
        (&[22, 3, 3, 0, 5, 2, 0, 0, 1, 0], b""),
    ] {
        assert_eq!(Ok(read(&stream(forward), &stream(back), &none)), plain(forward, back));
    }
}

#[test]
fn heads_of_other_bytes_are_bounded() {
    let long = [b'x'; 10_000];
    assert_eq!(
        Ok(read(&stream(&long), &stream(&long), &KeyLog::default())),
        plain(&long[..4096], &long[..4096])
    );
}

#[test]
fn an_answer_that_is_no_tls_leaves_nothing_inside() {
    let authority = Authority::new();
    let server = authority.issue(&["a.example"]);
    let mut duet = Setup::new(&authority, &server, "1.3").duet("a.example");
    duet.pump();
    let (client, _) = streams(&duet.flights[..1].to_vec(), &[1000]);
    let Layer::Tls(view) = read(&client, &stream(b"HTTP/1.1 400 Bad Request\r\n"), &KeyLog::default()) else {
        panic!("no TLS")
    };
    assert_eq!((view.version, view.inner), (None, Ok(Layer::Empty)));
}

#[test]
fn an_unknown_cipher_suite_is_named() {
    let authority = Authority::new();
    let server = authority.issue(&["a.example"]);
    let setup = Setup::new(&authority, &server, "1.2");
    let mut duet = setup.duet("a.example");
    duet.pump();
    duet.say(true, b"hello");
    // Record header 5, message header 4, version 2, random 32, session id 1 + 32, then the suite: AES-128-CBC-SHA.
    let answer = &mut duet.flights[1].1;
    let at = 5 + 4 + 2 + 32 + 1 + usize::from(answer[43]);
    answer[at..at + 2].copy_from_slice(&[0xc0, 0x09]);
    let (forward, back) = streams(&duet.flights, &[1000]);
    let Layer::Tls(view) = read(&forward, &back, &key_log(&setup.keys.all())) else { panic!("no TLS") };
    assert_eq!(view.inner, Err("cipher suite 0xc009 not read".to_owned()));
}

#[test]
fn a_cut_capture_says_so() {
    let authority = Authority::new();
    let server = authority.issue(&["a.example"]);
    let setup = Setup::new(&authority, &server, "1.3");
    let mut duet = setup.duet("a.example");
    duet.pump();
    let keys = key_log(&setup.keys.all());
    let (mut forward, back) = streams(&duet.flights, &[1000]);
    forward.cut("capture cut at 777");
    let Layer::Tls(view) = read(&forward, &back, &keys) else { panic!("no TLS") };
    assert_eq!(view.inner, Err("capture cut at 777".to_owned()));
}

#[test]
fn no_bytes_panic() {
    let authority = Authority::new();
    let server = authority.issue(&["backend.example"]);
    for version in ["1.2", "1.3"] {
        let setup = Setup::new(&authority, &server, version);
        let mut duet = setup.duet("backend.example");
        duet.pump();
        duet.say(true, b"hello");
        duet.close();
        let keys = key_log(&setup.keys.all());
        let side = |client| {
            duet.flights
                .iter()
                .filter(|(who, _)| *who == client)
                .flat_map(|(_, bytes)| bytes.clone())
                .collect::<Vec<_>>()
        };
        let (forward, back) = (side(true), side(false));
        for at in 0..forward.len().max(back.len()) {
            let (f, b) = (at.min(forward.len()), at.min(back.len()));
            let _ = read(&stream(&forward[..f]), &stream(&back), &keys);
            let _ = read(&stream(&forward), &stream(&back[..b]), &keys);
            for flip in [1, 0x80, 0xff] {
                let spoil = |bytes: &[u8]| {
                    let mut spoilt = bytes.to_vec();
                    spoilt.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= flip);
                    spoilt
                };
                let _ = read(&stream(&spoil(&forward)), &stream(&back), &keys);
                let _ = read(&stream(&forward), &stream(&spoil(&back)), &keys);
            }
        }
    }
}

/// A spoilt record must not be taken for the plaintext it was.
#[test]
fn a_spoilt_record_is_not_opened() {
    let authority = Authority::new();
    let server = authority.issue(&["a.example"]);
    for version in ["1.2", "1.3"] {
        let setup = Setup::new(&authority, &server, version);
        let mut duet = setup.duet("a.example");
        duet.pump();
        duet.say(true, b"hello");
        let last = duet.flights.iter_mut().rfind(|(client, _)| *client).expect("a flight");
        *last.1.last_mut().expect("a byte") ^= 1;
        let (forward, back) = streams(&duet.flights, &[1000]);
        let Layer::Tls(view) = read(&forward, &back, &key_log(&setup.keys.all())) else { panic!("no TLS") };
        let why = view.inner.expect_err("spoilt");
        assert!(why.ends_with("can't be opened"), "{why}");
    }
}
