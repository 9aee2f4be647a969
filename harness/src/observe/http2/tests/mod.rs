//! Frames and blocks written by hand, after RFC 9113 and RFC 7541.

mod blocks;
mod malformed;
mod streams;

use super::*;

/// Bytes from hexadecimal, with space where it helps.
fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    hex::decode(digits).expect("hexadecimal")
}

/// What a client sends: preface, empty SETTINGS, these frames.
fn client(frames: &str) -> Vec<u8> {
    [PREFACE, &hex("000000 04 00 00000000"), &hex(frames)].concat()
}

/// What a server sends: empty SETTINGS, these frames.
fn server(frames: &str) -> Vec<u8> {
    [hex("000000 04 00 00000000"), hex(frames)].concat()
}

fn fields(lines: &[(&str, &str)]) -> Fields {
    lines.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
