//! Forms by which one request is made to look like two (RFC 9112 6.3, 11.2), and forms that only look odd.

use super::*;

/// Where the bytes are refused; the same however they come.
fn refused(bytes: &[u8]) -> Option<usize> {
    let whole = Framing::default().follow(bytes).err().map(|refused| refused.at);
    let mut framing = Framing::default();
    let one_by_one =
        (0..bytes.len()).find_map(|at| framing.follow(&bytes[at..=at]).err().map(|refused| at + refused.at));
    assert_eq!(whole, one_by_one, "{:?}", String::from_utf8_lossy(bytes));
    whole
}

fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n{body}")
}

#[test]
fn requests_one_after_the_other_are_followed() {
    for good in [
        post("content-length: 5\r\n", "hello"),
        post("Content-Length:5\r\nCONTENT-LENGTH:  5 \r\n", "hello"),
        post("transfer-encoding: chunked\r\n", "5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n"),
        post("Transfer-Encoding: CHUNKED\r\n", "0\r\nx-sum: 1\r\nx-other: 2\r\n\r\n"),
        post("x-empty:\r\n", ""),
        post("x-colons: a:b:c\r\n", ""),
        "\r\n\r\nGET / HTTP/1.0\r\n\r\n".to_owned(),
    ] {
        assert_eq!(refused(good.repeat(3).as_bytes()), None, "{good:?}");
        let then_bad = good.clone() + "nonsense\r\n";
        assert_eq!(refused(then_bad.as_bytes()), Some(then_bad.len() - 1), "{good:?}");
    }
}

#[test]
fn what_two_readers_may_read_differently_is_refused() {
    for bad in [
        post("content-length: 5\r\ntransfer-encoding: chunked\r\n", ""),
        post("transfer-encoding: chunked\r\ncontent-length: 5\r\n", ""),
        post("content-length: 5\r\ncontent-length: 6\r\n", ""),
        post("content-length: 5, 5\r\n", ""),
        post("content-length: +5\r\n", ""),
        post("content-length: -1\r\n", ""),
        post("content-length: 0x5\r\n", ""),
        post("content-length:\r\n", ""),
        post("content-length: 99999999999999999999\r\n", ""),
        post("transfer-encoding: gzip, chunked\r\n", ""),
        post("transfer-encoding: chunked, identity\r\n", ""),
        post("transfer-encoding: xchunked\r\n", ""),
        post("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", ""),
        post("transfer-encoding: \"chunked\"\r\n", ""),
        post("transfer-encoding : chunked\r\n", ""),
        post(" transfer-encoding: chunked\r\n", ""),
        post("x-a: b\r\n c: d\r\n", ""),
        post("x-a: b\rtransfer-encoding: chunked\r\n", ""),
        post("x-a: b\ntransfer-encoding: chunked\r\n", ""),
        post("no colon\r\n", ""),
        post(": no name\r\n", ""),
        "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
        "GET /\r\n".to_owned(),
        "GET / a HTTP/1.1\r\n".to_owned(),
        "GET  / HTTP/1.1\r\n".to_owned(),
        "GET / HTTP/1.2\r\n".to_owned(),
        "GET / HTTP/1.1\n".to_owned(),
    ] {
        assert!(refused(bad.as_bytes()).is_some(), "{bad:?}");
    }
    let chunked = |body: &str| post("transfer-encoding: chunked\r\n", body);
    for body in [
        "5 \r\nhello\r\n",
        "0x5\r\nhello\r\n",
        "-5\r\nhello\r\n",
        "\r\n",
        "fffffffffffffffff\r\n",
        "5\nhello\r\n",
        "5\r\nhelloX\r\n",
        "5\r\nhello\n",
        "0\r\nno colon\r\n",
        "0\r\nx: y\n",
    ] {
        assert!(refused(chunked(body).as_bytes()).is_some(), "{body:?}");
    }
}

#[test]
fn what_is_too_large_is_left_to_the_parser() {
    let large = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\nnonsense\r\n", "a".repeat(HEAD_BYTES_MAX));
    assert_eq!(refused(large.as_bytes()), None);
}

#[test]
fn a_chunk_size_of_endless_zeros_does_not_blind() {
    let body = format!("{}\r\n\r\n", "0".repeat(HEAD_BYTES_MAX + 1));
    let request = post("transfer-encoding: chunked\r\n", &body);
    assert!(Framing::default().follow(request.as_bytes()).is_err());
}
