//! Streams from frames.

use super::*;

/// `:method GET`, `:scheme http`, `:path /`, `:authority www.example.com` (RFC 7541 C.4.1).
const GET: &str = "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff";

fn get() -> Fields {
    fields(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")])
}

#[test]
fn a_request_and_its_answer() {
    let client = client(&format!("000011 01 05 00000001 {GET}"));
    let server = server("000000 04 01 00000000  000001 01 04 00000001 88  000005 00 01 00000001 68656c6c6f");
    let read = read(&client, &server);
    assert_eq!((&read.client.rest, &read.server.rest), (&Rest::Nothing, &Rest::Nothing));
    let request = Half { head: Some(get()), head_end: client.len(), ended: true, ..Half::default() };
    assert_eq!(read.client.streams, BTreeMap::from([(1, request)]));
    let answer = Half {
        head: Some(fields(&[(":status", "200")])),
        head_end: 9 + 9 + 10,
        data: 5,
        ended: true,
        ..Half::default()
    };
    assert_eq!(read.server.streams, BTreeMap::from([(1, answer)]));
}

#[test]
fn padding_priority_and_continuation() {
    // HEADERS with PADDED, PRIORITY and END_STREAM, four bytes of the block and two of padding; two CONTINUATIONs.
    let frames = "00000c 01 29 00000003 02 8000000b0f 82868441 0000 \
        000002 09 00 00000003 8cf1 00000b 09 04 00000003 e3c2e5f23a6ba0ab90f4ff";
    let read =
        read(&client(frames), &server("000001 01 04 00000003 88 000009 00 09 00000003 04 61626364 00000000"));
    assert_eq!(read.client.rest, Rest::Nothing);
    let request = &read.client.streams[&3];
    assert_eq!((request.head.as_ref(), request.ended), (Some(&get()), true));
    assert_eq!((read.server.streams[&3].data, read.server.streams[&3].ended), (4, true));
}

#[test]
fn streams_share_a_table_and_interleave() {
    // The second names the first's authority by its place in the table (C.4.2 without its last field).
    let frames = format!(
        "000011 01 04 00000001 {GET} 000004 01 05 00000003 828684be \
         000002 00 00 00000001 6162 000001 00 01 00000001 63"
    );
    let answers =
        "000001 01 04 00000003 88 000001 01 04 00000001 8d 000000 00 01 00000003 000000 00 01 00000001";
    let read = read(&client(&frames), &server(answers));
    assert_eq!((&read.client.rest, &read.server.rest), (&Rest::Nothing, &Rest::Nothing));
    for id in [1, 3] {
        assert_eq!(read.client.streams[&id].head, Some(get()), "{id}");
        assert!(read.client.streams[&id].ended && read.server.streams[&id].ended, "{id}");
    }
    assert_eq!((read.client.streams[&1].data, read.client.streams[&3].data), (3, 0));
    assert_eq!(read.server.streams[&1].head, Some(fields(&[(":status", "404")])));
}

#[test]
fn interim_answers_trailers_and_ends() {
    // 103 (a literal), 200, DATA, trailers; then a reset and a GOAWAY.
    let answers = "000005 01 04 00000001 08 03 313033  000001 01 04 00000001 88  000001 00 00 00000001 61 \
        000007 01 05 00000001 00 01 74 03 616263  000004 03 00 00000003 00000008 \
        00000a 07 00 00000000 00000003 00000002 6f6f";
    let read = read(&client(&format!("000011 01 05 00000001 {GET}")), &server(answers));
    let half = &read.server.streams[&1];
    assert_eq!(half.interim, [fields(&[(":status", "103")])]);
    assert_eq!(half.head, Some(fields(&[(":status", "200")])));
    assert_eq!(half.trailers, Some(fields(&[("t", "abc")])));
    assert_eq!((half.data, half.ended), (1, true));
    assert_eq!(read.server.resets, BTreeMap::from([(3, 8)]));
    assert_eq!(read.server.goaway, Some(GoAway { last_stream: 3, error: 2 }));
    assert_eq!(read.server.rest, Rest::Nothing);
}

#[test]
fn frames_that_say_nothing_here_are_passed_over() {
    let frames = format!(
        "000006 04 00 00000000 0003 00000064  000004 08 00 00000000 00010000  000008 06 00 00000000 0102030405060708 \
         000005 02 00 00000005 00000000 10  000003 99 ff 00000007 aabbcc  000011 01 05 00000001 {GET}"
    );
    let read = read(&client(&frames), b"");
    assert_eq!(read.client.rest, Rest::Nothing);
    assert_eq!(read.client.streams.keys().collect::<Vec<_>>(), [&1]);
}

#[test]
fn promises_change_the_table() {
    // PUSH_PROMISE puts `:authority www.example.com` into the table, and the answer refers to it.
    let answers = format!("000015 05 04 00000001 00000002 {GET} 000002 01 05 00000001 88be");
    let read = read(&client(&format!("000011 01 05 00000001 {GET}")), &server(&answers));
    assert_eq!(read.server.rest, Rest::Nothing);
    let head = fields(&[(":status", "200"), (":authority", "www.example.com")]);
    assert_eq!(read.server.streams[&1].head, Some(head));
}

#[test]
fn longer_frames_where_the_other_end_takes_them() {
    let data = format!("004e20 00 01 00000001 {}", "61".repeat(20_000));
    let request = client(&format!("000011 01 04 00000001 {GET} {data}"));
    let taken = read(&request, &hex("00000c 04 00 00000000 0003 00000064 0005 00008000"));
    assert_eq!((taken.client.streams[&1].data, taken.client.rest), (20_000, Rest::Nothing));
    let refused = read(&request, &hex("000006 04 00 00000000 0003 00000064"));
    assert_eq!(refused.client.streams[&1].data, 0);
    assert!(matches!(refused.client.rest, Rest::Foreign(..)));
}

#[test]
fn every_beginning_shows_what_came() {
    let frames = format!(
        "000011 01 04 00000001 {GET} 000003 00 01 00000001 616263 \
         000003 01 01 00000003 828684 000001 09 04 00000003 be 000004 03 00 00000001 00000008"
    );
    let whole = client(&frames);
    let behind = [24, 33, 59, 71, 83, 93, 106];
    assert_eq!(behind.last(), Some(&whole.len()));
    for cut in 0..=whole.len() {
        let read = read(&whole[..cut], b"").client;
        // Behind each frame but the one whose block goes on, all is in order.
        let rest = if behind.contains(&cut) && cut != 83 { Rest::Nothing } else { Rest::Begun };
        assert_eq!(read.rest, rest, "{cut}");
        assert_eq!(read.streams.len(), usize::from(cut >= 59) + usize::from(cut >= 93), "{cut}");
        assert_eq!(
            read.streams.get(&1).map_or(0, |stream| stream.data),
            if cut >= 71 { 3 } else { 0 },
            "{cut}"
        );
        assert_eq!(read.resets.len(), usize::from(cut == whole.len()), "{cut}");
    }
}
