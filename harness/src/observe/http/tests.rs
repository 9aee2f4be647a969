//! Exchanges from both directions.

use bytes::Bytes;

use super::*;

/// One piece for each; its stamp is its place, from 1.
fn stream(pieces: &[&[u8]]) -> Stream {
    let mut stream = Stream::default();
    for (piece, stamp) in pieces.iter().zip(1..) {
        stream.push(stamp, Bytes::copy_from_slice(piece));
    }
    stream
}

fn fields(lines: &[(&str, &str)]) -> Fields {
    lines.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn read(forward: &Stream, back: &Stream) -> HttpView {
    super::read(version(forward).expect("HTTP"), forward, back)
}

/// Preface, SETTINGS, and HEADERS of `GET /` for www.example.com on stream 1 (RFC 7541 C.4.1).
fn get_2() -> Vec<u8> {
    let get = hex::decode("000011010500000001828684418cf1e3c2e5f23a6ba0ab90f4ff").expect("hexadecimal");
    [http2::PREFACE, &SETTINGS, &get].concat()
}

const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// HEADERS with `:status 200` on stream 1, its end.
const OK_2: [u8; 10] = [0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88];

#[test]
fn http1_has_pseudo_fields() {
    let forward = stream(&[
        b"POST /a?b HTTP/1.1\r\nHost: shop\r\nX-A: one\r\nContent-Length: 2\r\n\r\n",
        b"hiGET http://other:80/c HTTP/1.1\r\nhost: ",
        b"shop\r\n\r\nHEAD / HTTP/1.1\r\n\r\n",
    ]);
    let back = stream(&[
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
    ]);
    let view = read(&forward, &back);
    assert_eq!((view.version, &view.requests_cut, &view.answers_cut), (Version::Http1, &None, &None));
    let [post, get, head] = view.exchanges.as_slice() else { panic!("three") };
    assert_eq!(
        post.request,
        fields(&[
            (":method", "POST"),
            (":path", "/a?b"),
            (":authority", "shop"),
            ("host", "shop"),
            ("x-a", "one"),
            ("content-length", "2")
        ])
    );
    let ok = fields(&[(":status", "200"), ("server", "x"), ("content-length", "0")]);
    assert_eq!(post.answer, Some(Answer { at: 1, fields: ok }));
    assert_eq!(get.request[..3], fields(&[(":method", "GET"), (":path", "/c"), (":authority", "other:80")]));
    assert_eq!(head.request, fields(&[(":method", "HEAD"), (":path", "/")]));
    let when = |exchange: &Exchange| (exchange.at, exchange.answer.as_ref().map(|answer| answer.at));
    assert_eq!([post, get, head].map(when), [(1, Some(1)), (3, Some(2)), (3, Some(3))]);
}

#[test]
fn http2_streams_are_exchanges() {
    let get = get_2();
    let view = read(&stream(&[&get[..30], &get[30..]]), &stream(&[&SETTINGS, &OK_2]));
    assert_eq!((view.version, &view.requests_cut, &view.answers_cut), (Version::Http2, &None, &None));
    let [exchange] = view.exchanges.as_slice() else { panic!("one") };
    assert_eq!(exchange.at, 2);
    assert_eq!(
        exchange.request,
        fields(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")])
    );
    assert_eq!(exchange.answer, Some(Answer { at: 2, fields: fields(&[(":status", "200")]) }));
    let mut dated = view.clone();
    dated.date(&|stamp| stamp * 10);
    assert_eq!(dated.exchanges[0].at, 20);
}

#[test]
fn what_is_missing_is_told() {
    let get = &b"GET / HTTP/1.1\r\n\r\n"[..];
    let mut cut = stream(&[get]);
    cut.cut("capture cut at 18");
    let view = read(&cut, &stream(&[]));
    assert_eq!(view.exchanges.len(), 1);
    assert_eq!((view.requests_cut.as_deref(), view.answers_cut), (Some("capture cut at 18"), None));
    let view = read(&stream(&[get, b"\x01\x02\r\n\r\n"]), &stream(&[b"nonsense\r\n\r\n"]));
    assert_eq!(view.requests_cut.as_deref(), Some("no HTTP/1.1 at byte 18"));
    assert_eq!(view.answers_cut.as_deref(), Some("no HTTP/1.1 at byte 0"));
    let view = read(&stream(&[&get_2()]), &stream(&[&OK_2]));
    assert_eq!(view.exchanges[0].answer, None);
    assert_eq!(view.answers_cut.as_deref(), Some("no HTTP/2 at byte 0: HEADERS before SETTINGS"));
    let long = [b"POST / HTTP/1.1\r\ncontent-length: 2000000\r\n\r\n", &[b'x'; ENOUGH][..]].concat();
    assert_eq!(read(&stream(&[&long]), &stream(&[])).requests_cut.as_deref(), Some("read up to 1048576"));
}

#[test]
fn tunnels_hide_no_requests() {
    let forward = stream(&[b"GET /chat HTTP/1.1\r\nupgrade: websocket\r\n\r\n", b"\x81\x05hello"]);
    let view = read(&forward, &stream(&[b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"\x81\x05hello"]));
    assert_eq!((view.requests_cut, view.answers_cut), (None, None));
    let status = view.exchanges[0].answer.as_ref().map(|answer| answer.fields.clone());
    assert_eq!(status, Some(fields(&[(":status", "101")])));
}

#[test]
fn which_bytes_are_http() {
    assert_eq!(version(&stream(&[b"GET / HTTP/1.1\r\n"])), Some(Version::Http1));
    assert_eq!(version(&stream(&[b"PRI * HTTP/2.0\r\n", b"\r\nSM\r\n\r\n"])), Some(Version::Http2));
    for bytes in [&b"GET / HTTP/1.1"[..], b"PRI * HTTP/2.0\r\n\r\n", b"hello\r\n", b""] {
        assert_eq!(version(&stream(&[bytes])), None, "{}", bytes.escape_ascii());
    }
    for (bytes, may) in
        [(&SETTINGS[..], true), (b"HTTP/1.1 200 OK", true), (b"220 banner\r\n", false), (b"", false)]
    {
        assert_eq!(may_be(&stream(&[bytes])), may, "{}", bytes.escape_ascii());
    }
}
