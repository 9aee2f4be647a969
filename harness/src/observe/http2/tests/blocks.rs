//! The vectors of RFC 7541 Appendix C, each series through one decoder, before the decoder is trusted.

use super::super::block::Blocks;
use super::{fields, hex};

/// Reads blocks through one table.
#[track_caller]
fn series(blocks: &[(&str, &[(&str, &str)])]) {
    let mut reader = Blocks::new();
    for (block, expected) in blocks {
        assert_eq!(reader.push(1, &hex(block), true), Ok(Some(fields(expected))), "{block}");
    }
}

const FIRST: &[(&str, &str)] =
    &[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")];
const SECOND: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/"),
    (":authority", "www.example.com"),
    ("cache-control", "no-cache"),
];
const THIRD: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":path", "/index.html"),
    (":authority", "www.example.com"),
    ("custom-key", "custom-value"),
];

const FOUND: &[(&str, &str)] = &[
    (":status", "302"),
    ("cache-control", "private"),
    ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
    ("location", "https://www.example.com"),
];
const TEMPORARY: &[(&str, &str)] = &[
    (":status", "307"),
    ("cache-control", "private"),
    ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
    ("location", "https://www.example.com"),
];
const OK: &[(&str, &str)] = &[
    (":status", "200"),
    ("cache-control", "private"),
    ("date", "Mon, 21 Oct 2013 20:13:22 GMT"),
    ("location", "https://www.example.com"),
    ("content-encoding", "gzip"),
    ("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"),
];

#[test]
fn c_2_representations() {
    series(&[(
        "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
        &[("custom-key", "custom-header")],
    )]);
    series(&[("040c 2f73 616d 706c 652f 7061 7468", &[(":path", "/sample/path")])]);
    series(&[("1008 7061 7373 776f 7264 0673 6563 7265 74", &[("password", "secret")])]);
    series(&[("82", &[(":method", "GET")])]);
}

#[test]
fn c_3_requests() {
    series(&[
        ("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", FIRST),
        ("8286 84be 5808 6e6f 2d63 6163 6865", SECOND),
        ("8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", THIRD),
    ]);
}

#[test]
fn c_4_requests_in_huffman_code() {
    series(&[
        ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", FIRST),
        ("8286 84be 5886 a8eb 1064 9cbf", SECOND),
        ("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", THIRD),
    ]);
}

/// In C.5 and C.6 the table holds 256 bytes; a size update says so here, as SETTINGS did there.
const HOLDS_256: &str = "3fe1 01";

#[test]
fn c_5_answers_with_eviction() {
    let first = [
        HOLDS_256,
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133",
        "2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
    ];
    let third = [
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970",
        "7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178",
        "2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
    ];
    series(&[(&first.concat(), FOUND), ("4803 3330 37c1 c0bf", TEMPORARY), (&third.concat(), OK)]);
}

#[test]
fn c_6_answers_with_eviction_in_huffman_code() {
    let first = [
        HOLDS_256,
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e",
        "919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
    ];
    let third = [
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d",
        "d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ];
    series(&[(&first.concat(), FOUND), ("4883 640e ffc1 c0bf", TEMPORARY), (&third.concat(), OK)]);
}

#[test]
fn every_beginning_of_a_block_is_read_or_refused() {
    let block = hex("8287 85be 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf");
    for cut in 0..block.len() {
        let mut reader = Blocks::new();
        reader.push(1, &hex("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff"), true).expect("C.4.1");
        let read = reader.push(1, &block[..cut], true);
        // The first bytes are fields of their own, the last field is whole only at its end.
        assert_eq!(read.is_ok(), cut <= 4, "{cut}");
    }
}

#[test]
fn what_is_no_block_is_refused() {
    for (block, why) in [
        ("be", "entry of an empty table"),
        ("80", "entry 0"),
        ("ffff ffff ff", "number that does not end"),
        ("0085 ffff ffff ff", "end of string in the code"),
        ("0001 61", "value missing"),
        ("0081 00 00", "padding of zeros"),
    ] {
        let read = Blocks::new().push(1, &hex(block), true);
        assert!(read.is_err(), "{why}: {read:?}");
    }
}

#[test]
fn a_block_can_not_grow_without_bound() {
    let mut reader = Blocks::new();
    // A name of 4000 bytes enters the table; each further byte stands for all of it.
    let mut block = [&hex("40 7fa11e")[..], &[b'a'; 4000], &hex("00")].concat();
    assert_eq!(reader.push(1, &block, true).map(|fields| fields.map_or(0, |fields| fields.len())), Ok(1));
    block = vec![0xbe; 2000];
    assert!(reader.push(1, &block, true).is_err());
    let mut reader = Blocks::new();
    assert_eq!(reader.push(1, &[0x82; 200 << 10], false), Ok(None));
    assert!(reader.push(1, &[0x82; 200 << 10], true).is_err());
}

#[test]
fn long_strings_in_huffman_code() {
    // `0` is five zeros (RFC 7541 Appendix B), so that eight of them are five octets. The lengths stand where their own octets change.
    for (zeros, length) in
        [(120, "cb"), (128, "d0"), (200, "fd"), (208, "ff03"), (256, "ff21"), (4096, "ff8113")]
    {
        let block = [hex("00 01 78"), hex(length), vec![0; zeros / 8 * 5]].concat();
        let expected = fields(&[("x", "0".repeat(zeros).as_str())]);
        assert_eq!(Blocks::new().push(1, &block, true), Ok(Some(expected)), "{zeros}");
    }
}
