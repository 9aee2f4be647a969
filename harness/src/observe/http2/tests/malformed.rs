//! What breaks the rules without which nothing more can be read.

use super::*;

#[track_caller]
fn refused(read: &Direction, why: &str) {
    match &read.rest {
        Rest::Foreign(_, found) => assert_eq!(found, why),
        other => panic!("{other:?} instead of {why}"),
    }
}

#[test]
fn bytes_that_are_no_http2() {
    assert!(begins_with_preface(&client("")));
    assert!(!begins_with_preface(&PREFACE[..23]));
    assert!(!begins_with_preface(b"GET / HTTP/1.1\r\n\r\n"));
    refused(&read(b"GET / HTTP/1.1\r\n\r\n", b"").client, "no connection preface");
    refused(&read(&client(""), b"HTTP/1.1 400 Bad Request\r\n\r\n").server, "frame of 4740180 bytes");
    refused(&read(&client(""), &hex("000001 01 05 00000001 88")).server, "HEADERS before SETTINGS");
    assert_eq!(read(b"", b"").client.rest, Rest::Begun);
}

#[test]
fn frames_of_wrong_lengths() {
    for (frame, why) in [
        ("004001 00 00 00000001", "frame of 16385 bytes"),
        ("000004 02 00 00000001 00000000", "PRIORITY of 4 bytes"),
        ("000003 03 00 00000001 000000", "RST_STREAM of 3 bytes"),
        ("000005 04 00 00000000 0003000000", "SETTINGS of 5 bytes"),
        ("000006 04 01 00000000 000300000064", "SETTINGS of 6 bytes"),
        ("000007 06 00 00000000 01020304050607", "PING of 7 bytes"),
        ("000007 07 00 00000000 01020304050607", "GOAWAY of 7 bytes"),
        ("000005 08 00 00000000 0102030405", "WINDOW_UPDATE of 5 bytes"),
        ("000000 01 0d 00000001", "padding longer than its HEADERS"),
        ("000002 01 0d 00000001 02 82", "padding longer than its HEADERS"),
        ("000003 01 25 00000001 828684", "padding longer than its HEADERS"),
    ] {
        refused(&read(&client(frame), b"").client, why);
    }
}

#[test]
fn frames_on_wrong_streams() {
    for (frames, why) in [
        ("000001 00 00 00000000 61", "DATA on stream 0"),
        ("000001 01 05 00000000 82", "HEADERS on stream 0"),
        ("000001 09 04 00000000 82", "CONTINUATION on stream 0"),
        ("000004 03 00 00000000 00000008", "RST_STREAM on stream 0"),
        ("000000 04 00 00000001", "SETTINGS on stream 1"),
        ("000008 06 00 00000001 0102030405060708", "PING on stream 1"),
        ("000008 07 00 00000001 0102030405060708", "GOAWAY on stream 1"),
        ("000001 01 05 00000002 82", "stream 2 opened after 0"),
        ("000001 01 05 00000005 82 000001 01 05 00000003 82", "stream 3 opened after 5"),
        ("000001 00 00 00000001 61", "DATA on stream 1, which is not open"),
        ("000001 01 05 00000001 82 000001 00 00 00000001 61", "DATA on stream 1, which is not open"),
        ("000001 01 05 00000001 82 000001 01 05 00000001 82", "HEADERS behind the end of stream 1"),
        ("000001 01 04 00000001 82 000001 01 04 00000001 82", "trailers that don't end stream 1"),
    ] {
        refused(&read(&client(frames), b"").client, why);
    }
}

#[test]
fn blocks_in_pieces() {
    for (frames, why) in [
        ("000001 09 04 00000001 82", "CONTINUATION without a field block"),
        ("000001 01 05 00000001 82 000001 09 04 00000001 82", "CONTINUATION without a field block"),
        ("000001 01 01 00000001 82 000001 09 04 00000003 82", "CONTINUATION in the field block of stream 1"),
        ("000001 01 01 00000001 82 000001 00 00 00000001 61", "DATA in the field block of stream 1"),
        ("000001 01 01 00000001 82 000000 04 00 00000000", "SETTINGS in the field block of stream 1"),
        ("000001 01 05 00000001 be", "field block: Header index out of bounds"),
    ] {
        refused(&read(&client(frames), b"").client, why);
    }
}

#[test]
fn what_came_before_stays() {
    let frames = "000001 01 05 00000001 82 000001 09 04 00000001 82 000001 01 05 00000003 82";
    let read = read(&client(frames), &server("000001 01 05 00000001 88"));
    assert_eq!(read.client.streams.keys().collect::<Vec<_>>(), [&1]);
    assert!(matches!(read.client.rest, Rest::Foreign(43, _)), "{:?}", read.client.rest);
    assert_eq!(read.server.streams[&1].head, Some(fields(&[(":status", "200")])));
}
