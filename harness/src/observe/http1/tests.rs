//! Messages as RFC 9110 and RFC 9112 show them.

use super::*;

fn start(message: &Message) -> String {
    match &message.start {
        Start::Request { method, target } => format!("{method} {target}"),
        Start::Response { status } => status.to_string(),
    }
}

fn starts(messages: &[Message]) -> Vec<String> {
    messages.iter().map(start).collect()
}

fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// The only answer, to a GET.
#[track_caller]
fn answer(bytes: &[u8]) -> Message {
    let [answer] = <[Message; 1]>::try_from(responses(bytes, &["GET"])).expect("one answer");
    answer
}

#[test]
fn requests_one_after_another() {
    // The first is RFC 9112 2.1's.
    let bytes = b"GET /hello.txt HTTP/1.1\r\nUser-Agent: curl/7.64.1\r\nHost: www.example.com\r\nAccept-Language: en, mi\r\n\r\n\
        \r\nPOST /echo?x=1 HTTP/1.1\r\ncontent-length: 5\r\n\r\nhelloHEAD * HTTP/1.0\r\n\r\n";
    let read = read_requests(bytes);
    assert_eq!(starts(&read.messages), ["GET /hello.txt", "POST /echo?x=1", "HEAD *"]);
    assert_eq!(read.rest, Rest::Nothing);
    let [get, post, head] = read.messages.as_slice() else { panic!("three") };
    let fields = [
        field("user-agent", "curl/7.64.1"),
        field("host", "www.example.com"),
        field("accept-language", "en, mi"),
    ];
    assert_eq!(get.fields, fields);
    assert_eq!((get.framing, get.whole, get.minor), (Framing::Bodiless, true, 1));
    assert_eq!((post.framing, post.body.as_slice(), post.whole), (Framing::Length(5), &b"hello"[..], true));
    assert_eq!((head.minor, head.whole), (0, true));
}

#[test]
fn chunks_and_trailers() {
    let bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 3\r\n\r\n\
        4\r\nWiki\r\n6;name=\"value\"\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\nX-Sum: abc\r\nX-Sum:  d \r\n\r\nHTTP/1.1 204 \r\n\r\n";
    let read = read_responses(bytes, &["GET", "GET"]);
    assert_eq!(starts(&read.messages), ["200", "204"]);
    let first = &read.messages[0];
    assert_eq!(first.body, b"Wikipedia in \r\n\r\nchunks.");
    assert_eq!((first.framing, first.whole), (Framing::Chunked, true));
    assert_eq!(first.trailers, [field("x-sum", "abc"), field("x-sum", "d")]);
}

#[test]
fn answers_without_a_body() {
    let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n\
        HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let read = read_responses(bytes, &["HEAD", "GET", "GET", "GET"]);
    assert_eq!(starts(&read.messages), ["100", "103", "200", "304", "204", "200"]);
    assert!(read.messages.iter().all(|message| message.whole && message.body.is_empty()));
    // To anything but HEAD, the ten bytes are a body.
    let read = read_responses(&bytes[..], &["GET"]);
    assert_eq!(starts(&read.messages), ["100", "103", "200"]);
    assert_eq!(read.messages[2].body, b"HTTP/1.1 3");
}

#[test]
fn until_the_connection_closes() {
    let read = answer(b"HTTP/1.0 200 OK\r\nserver: x\r\n\r\nall of it\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(read.framing, Framing::UntilClose);
    assert_eq!(read.body, b"all of it\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
    assert!(!read.whole);
    let read = answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\ncontent-length: 1\r\n\r\nabc");
    assert_eq!((read.framing, read.body.as_slice()), (Framing::UntilClose, &b"abc"[..]));
}

#[test]
fn tunnels_are_not_read() {
    let read = read_requests(b"CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    assert_eq!((starts(&read.messages), read.rest), (vec!["CONNECT a:80".to_owned()], Rest::Foreign(37)));
    let read = read_responses(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n\x01\x02", &["GET"]);
    assert_eq!((starts(&read.messages), read.rest), (vec!["101".to_owned()], Rest::Foreign(48)));
    let established = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab";
    assert_eq!(read_responses(established, &["CONNECT"]).messages[0].framing, Framing::Tunnel);
    assert_eq!(read_responses(established, &["GET"]).messages[0].framing, Framing::Length(2));
}

#[test]
fn a_cut_shows_what_came_before() {
    let whole =
        b"POST /a HTTP/1.1\r\nhost: b\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nt: 1\r\n\r\n";
    let head = whole.windows(4).position(|four| four == b"\r\n\r\n").expect("an end") + 4;
    for cut in 0..whole.len() {
        let read = read_requests(&whole[..cut]);
        if cut < head {
            let rest = if cut == 0 { Rest::Nothing } else { Rest::Begun };
            assert_eq!((read.messages.len(), read.rest), (0, rest), "{cut}");
            continue;
        }
        let [message] = read.messages.as_slice() else { panic!("one at {cut}") };
        let body = &b"hello"[..cut.saturating_sub(head + 3).min(5)];
        assert_eq!(
            (message.body.as_slice(), message.whole, read.rest),
            (body, false, Rest::Nothing),
            "{cut}"
        );
        assert!(message.trailers.is_empty());
    }
    assert!(requests(whole)[0].whole);
    let read = answer(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
    assert_eq!((read.body.as_slice(), read.whole), (&b"abc"[..], false));
}

#[test]
fn what_is_no_http_is_none() {
    for bytes in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"hello there\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nname : value\r\n\r\n",
    ] {
        let read = read_requests(bytes);
        assert_eq!((read.messages, read.rest), (Vec::new(), Rest::Foreign(0)), "{}", bytes.escape_ascii());
    }
    assert_eq!(read_responses(b"GET / HTTP/1.1\r\n\r\n", &[]).rest, Rest::Foreign(0));
    // More lines than are read.
    let many = ["GET / HTTP/1.1\r\n", &"a: b\r\n".repeat(MOST_FIELDS + 1), "\r\n"].concat();
    assert_eq!(read_requests(many.as_bytes()).rest, Rest::Foreign(0));
    // One behind a whole message leaves that.
    let read = read_requests(b"GET / HTTP/1.1\r\n\r\nnonsense\r\n\r\n");
    assert_eq!((read.messages.len(), read.rest), (1, Rest::Foreign(18)));
}

#[test]
fn broken_framing_ends_the_reading() {
    for fields in [
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5, 6",
        "content-length: +5",
        "content-length: five",
        "content-length: ",
        "content-length: 99999999999999999999",
        "transfer-encoding: gzip",
    ] {
        let bytes = format!("POST / HTTP/1.1\r\n{fields}\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n");
        let read = read_requests(bytes.as_bytes());
        assert_eq!(starts(&read.messages), ["POST /"], "{fields}");
        assert!(!read.messages[0].whole, "{fields}");
        assert!(matches!(read.rest, Rest::Foreign(_)), "{fields}");
    }
    for chunks in
        ["x\r\n", "5\r\nhelloGET", "-5\r\nhello\r\n", "11111111111111111\r\n", "0\r\nno colon\r\n\r\n"]
    {
        let bytes = format!("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{chunks}");
        let read = read_requests(bytes.as_bytes());
        assert!(!read.messages[0].whole, "{chunks:?}");
        assert!(matches!(read.rest, Rest::Foreign(_)), "{chunks:?}");
    }
    let agreeing = b"POST / HTTP/1.1\r\ncontent-length: 5, 5\r\ncontent-length: 5\r\n\r\nhello";
    assert!(requests(agreeing)[0].whole);
}

#[test]
fn a_request_line_tells_http() {
    for (bytes, is) in [
        (&b"GET / HTTP/1.1\r\nhost"[..], true),
        (b"PURGE * HTTP/1.0\n", true),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", true),
        (b"GET / HTTP/1.1", false),
        (b"hello\r\n", false),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false),
        (b"\x16\x03\x01\x0a\x00", false),
        (b"\n", false),
        (b"", false),
    ] {
        assert_eq!(begins_with_request(bytes), is, "{}", bytes.escape_ascii());
    }
}
