//! Sessions of every kind that meshes and apps have.

use rustls::crypto::ring::{cipher_suite, kx_group};

use super::duet::{Authority, Duet, Flights, Setup};
use super::{key_log, plain, read, streams, view};
use crate::language::TlsVersion;
use crate::observe::wire::Layer;

fn hello(duet: &mut Duet) {
    duet.pump();
    duet.say(true, b"hello");
    duet.say(false, b"welcome");
}

#[test]
fn both_versions_with_every_cipher() {
    let authority = Authority::new();
    let server = authority.issue(&["backend.example"]);
    let client = authority.issue(&["spiffe://default/web"]);
    for (version, number, suite) in [
        ("1.3", TlsVersion::V1_3, cipher_suite::TLS13_AES_128_GCM_SHA256),
        ("1.3", TlsVersion::V1_3, cipher_suite::TLS13_AES_256_GCM_SHA384),
        ("1.3", TlsVersion::V1_3, cipher_suite::TLS13_CHACHA20_POLY1305_SHA256),
        ("1.2", TlsVersion::V1_2, cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
        ("1.2", TlsVersion::V1_2, cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
        ("1.2", TlsVersion::V1_2, cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ] {
        let mut setup = Setup::new(&authority, &server, version);
        setup.client = Some(&client);
        setup.alpn = &["kuma", "h2"];
        setup.suite = Some(suite);
        let mut duet = setup.duet("backend.example");
        hello(&mut duet);
        duet.close();
        let view = view(&duet.flights, &setup.keys.all());
        assert_eq!(view.version, Some(number));
        assert_eq!(view.sni.as_deref(), Some("backend.example"));
        assert_eq!(view.alpn, ["kuma", "h2"]);
        assert_eq!(view.client_certificate.as_deref(), Some(client.der.as_ref()), "{suite:?}");
        assert_eq!(view.server_certificate.as_deref(), Some(server.der.as_ref()), "{suite:?}");
        assert_eq!(view.inner, plain(b"hello", b"welcome"), "{suite:?}");
        assert_eq!(view.alerts, [(true, 0), (false, 0)], "{suite:?}");
        assert!(!view.resumed);
    }
}

#[test]
fn a_silent_session_has_nothing_inside() {
    let authority = Authority::new();
    let server = authority.issue(&["a.example"]);
    for version in ["1.2", "1.3"] {
        let setup = Setup::new(&authority, &server, version);
        let mut duet = setup.duet("a.example");
        duet.pump();
        let view = view(&duet.flights, &setup.keys.all());
        assert_eq!(view.inner, Ok(Layer::Empty));
        assert_eq!((view.client_certificate, view.alpn), (None, Vec::new()));
    }
}

#[test]
fn without_secrets_only_what_is_clear_shows() {
    let authority = Authority::new();
    let server = authority.issue(&["a.example"]);
    for (version, certificate) in [("1.2", Some(server.der.to_vec())), ("1.3", None)] {
        let mut duet = Setup::new(&authority, &server, version).duet("a.example");
        hello(&mut duet);
        let view = view(&duet.flights, &[]);
        assert_eq!(view.sni.as_deref(), Some("a.example"));
        assert_eq!(view.server_certificate, certificate);
        assert_eq!(view.inner, Err("no secrets".to_owned()));
    }
}

#[test]
fn resumed_sessions_are_told_from_full_ones() {
    let authority = Authority::new();
    let server = authority.issue(&["a.example"]);
    for version in ["1.2", "1.3"] {
        let setup = Setup::new(&authority, &server, version);
        let (client_config, server_config) = setup.configs();
        for resumed in [false, true, true] {
            let mut duet = Duet::new(client_config.clone(), server_config.clone(), "a.example");
            hello(&mut duet);
            let view = view(&duet.flights, &setup.keys.all());
            assert_eq!(view.resumed, resumed, "{version}");
            assert_eq!(view.server_certificate.is_none(), resumed, "{version}");
            assert_eq!(view.inner, plain(b"hello", b"welcome"), "{version}");
        }
    }
}

#[test]
fn a_retried_hello_is_followed() {
    let authority = Authority::new();
    let server = authority.issue(&["a.example"]);
    let mut setup = Setup::new(&authority, &server, "1.3");
    setup.server_groups = vec![kx_group::SECP384R1];
    let mut duet = setup.duet("a.example");
    hello(&mut duet);
    assert_eq!(duet.server.handshake_kind(), Some(rustls::HandshakeKind::FullWithHelloRetryRequest));
    assert_eq!(view(&duet.flights, &setup.keys.all()).inner, plain(b"hello", b"welcome"));
}

#[test]
fn updated_keys_are_followed() {
    let authority = Authority::new();
    let server = authority.issue(&["a.example"]);
    let setup = Setup::new(&authority, &server, "1.3");
    let mut duet = setup.duet("a.example");
    hello(&mut duet);
    duet.client.refresh_traffic_keys().expect("in traffic");
    duet.say(true, b" again");
    duet.say(false, b" once more");
    assert_eq!(view(&duet.flights, &setup.keys.all()).inner, plain(b"hello again", b"welcome once more"));
}

/// RFC 8446 6: 116 certificate_required, 48 unknown_ca.
#[test]
fn alerts_of_refused_certificates_show() {
    let authority = Authority::new();
    let server = authority.issue(&["a.example"]);
    let mut setup = Setup::new(&authority, &server, "1.3");
    setup.wants_client = true;
    let mut duet = setup.duet("a.example");
    duet.pump();
    assert_eq!(view(&duet.flights, &setup.keys.all()).alerts, [(false, 116)]);

    let stranger = Authority::named("stranger");
    for version in ["1.2", "1.3"] {
        let setup = Setup::new(&stranger, &server, version);
        let mut duet = setup.duet("a.example");
        duet.pump();
        let view = view(&duet.flights, &setup.keys.all());
        assert_eq!(view.alerts, [(true, 48)], "{version}");
        assert_eq!(view.inner, Ok(Layer::Empty), "{version}");
    }
}

#[test]
fn alerts_stand_in_the_order_in_which_they_came() {
    let authority = Authority::new();
    let server = authority.issue(&["a.example"]);
    let setup = Setup::new(&authority, &server, "1.3");
    let mut duet = setup.duet("a.example");
    hello(&mut duet);
    duet.server.send_close_notify();
    duet.pump();
    duet.client.send_close_notify();
    duet.pump();
    assert_eq!(view(&duet.flights, &setup.keys.all()).alerts, [(false, 0), (true, 0)]);
}

/// Inside, as long as it looks like TLS, more is read: here an alert behind 96 KiB of (empty) handshake messages.
#[test]
fn more_is_read_of_what_is_tls_inside() {
    let authority = Authority::new();
    let server = authority.issue(&["a.example"]);
    let setup = Setup::new(&authority, &server, "1.3");
    let mut duet = setup.duet("a.example");
    duet.pump();
    let record = [&[22, 3, 1, 0x40, 0][..], &[1, 0, 0, 0].repeat(4096)].concat();
    duet.say(true, &[record.repeat(6), vec![21, 3, 3, 0, 2, 2, 40]].concat());
    let Ok(Layer::Tls(inside)) = view(&duet.flights, &setup.keys.all()).inner else {
        panic!("no TLS inside")
    };
    assert_eq!(inside.alerts, [(true, 40)]);
}

/// The flights of one session inside another.
fn nest(inner: &Flights, outer: &mut Duet) {
    outer.pump();
    for (client, bytes) in inner {
        outer.say(*client, bytes);
    }
}

#[test]
fn tls_inside_tls_shows_both() {
    let authority = Authority::new();
    let (web, backend) = (authority.issue(&["spiffe://default/web"]), authority.issue(&["mesh.example"]));
    let app = authority.issue(&["backend.example"]);
    for (outer_version, inner_version) in [("1.3", "1.3"), ("1.2", "1.3"), ("1.3", "1.2"), ("1.2", "1.2")] {
        let mut inner_setup = Setup::new(&authority, &app, inner_version);
        inner_setup.alpn = &["h2"];
        let mut inner = inner_setup.duet("backend.example");
        hello(&mut inner);
        let mut setup = Setup::new(&authority, &backend, outer_version);
        setup.client = Some(&web);
        let mut outer = setup.duet("mesh.example");
        nest(&inner.flights, &mut outer);

        let mesh_only = setup.keys.all();
        let Ok(Layer::Tls(seen)) = view(&outer.flights, &mesh_only).inner else { panic!("no TLS inside") };
        assert_eq!(seen.sni.as_deref(), Some("backend.example"));
        assert_eq!(seen.inner, Err("no secrets".to_owned()));

        let all = [mesh_only, inner_setup.keys.all()].concat();
        let Ok(Layer::Tls(seen)) = view(&outer.flights, &all).inner else { panic!("no TLS inside") };
        assert_eq!(seen.alpn, ["h2"]);
        assert_eq!(seen.server_certificate.as_deref(), Some(app.der.as_ref()));
        assert_eq!(seen.inner, plain(b"hello", b"welcome"));
    }
}

#[test]
fn a_hello_in_many_records_and_segments_is_read() {
    let authority = Authority::new();
    let server = authority.issue(&["a.example"]);
    let setup = Setup::new(&authority, &server, "1.3");
    let mut duet = setup.duet("a.example");
    hello(&mut duet);
    // The first flight is one record; its message may as well come in records of ten bytes.
    let (_, first) = duet.flights[0].clone();
    let records = first[5..].chunks(10).flat_map(|part| [&[22, 3, 1, 0, part.len() as u8], part].concat());
    duet.flights[0].1 = records.collect();
    let (forward, back) = streams(&duet.flights, &[1]);
    let Layer::Tls(view) = read(&forward, &back, &key_log(&setup.keys.all())) else { panic!("no TLS") };
    assert_eq!(view.sni.as_deref(), Some("a.example"));
}

#[test]
fn a_long_flow_is_read_only_as_far_as_is_needed() {
    let authority = Authority::new();
    let server = authority.issue(&["a.example"]);
    let setup = Setup::new(&authority, &server, "1.3");
    let mut duet = setup.duet("a.example");
    duet.pump();
    duet.say(true, &[b'x'; 300_000]);
    // What lies behind the first 64 KiB is not looked at, so that it may be anything.
    let last = duet.flights.last_mut().expect("a flight");
    last.1.fill(0xff);
    let view = view(&duet.flights, &setup.keys.all());
    assert_eq!(view.inner, plain(&[b'x'; 4096], b""));
}
