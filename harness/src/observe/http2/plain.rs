//! Field blocks without Huffman code.
//!
//! loona-hpack builds its table of codes anew for each string, which costs more than all else that is read here. So strings are decoded with one
//! table beforehand, and blocks are handed to it with them in plain.

use loona_hpack::huffman::HuffmanDecoder;

/// Octets of an integer, its prefix among them, as loona-hpack has it.
const MOST_OCTETS: usize = 5;

/// The same block with each string in plain (RFC 7541 6).
///
/// # Errors
/// It ends in the middle of a field, or a string is not in the code.
pub(super) fn plain(block: &[u8], huffman: &mut HuffmanDecoder) -> Result<Vec<u8>, String> {
    let mut rest = block;
    let mut plain = Vec::with_capacity(2 * block.len());
    while let Some(first) = rest.first() {
        // How many bits of the first octet are the integer's, and whether strings follow.
        let (prefix, literal) = match first {
            0x80.. => (7, false),
            0x40.. => (6, true),
            0x20.. => (5, false),
            _ => (4, true),
        };
        let (index, octets) = integer(&mut rest, prefix)?;
        plain.extend_from_slice(octets);
        if literal {
            if index == 0 {
                string(&mut rest, &mut plain, huffman)?;
            }
            string(&mut rest, &mut plain, huffman)?;
        }
    }
    Ok(plain)
}

/// Takes an integer (RFC 7541 5.1) and gives its octets, too.
fn integer<'a>(rest: &mut &'a [u8], prefix: u32) -> Result<(usize, &'a [u8]), String> {
    let short = || "it ends in a number".to_owned();
    let (first, more) = rest.split_first().ok_or_else(short)?;
    let most = (1 << prefix) - 1;
    let mut value = usize::from(*first) & most;
    let mut len = 1;
    if value == most {
        for (octet, shift) in more.iter().zip((0..).step_by(7)) {
            len += 1;
            if len > MOST_OCTETS {
                return Err("number too long".to_owned());
            }
            value += usize::from(octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                return Ok((value, take(rest, len).ok_or_else(short)?));
            }
        }
        return Err(short());
    }
    Ok((value, take(rest, len).ok_or_else(short)?))
}

/// Takes a string (RFC 7541 5.2) and appends it in plain.
fn string(rest: &mut &[u8], plain: &mut Vec<u8>, huffman: &mut HuffmanDecoder) -> Result<(), String> {
    let coded = rest.first().is_some_and(|first| first & 0x80 != 0);
    let (len, octets) = integer(rest, 7)?;
    let bytes = take(rest, len).ok_or_else(|| "it ends in a string".to_owned())?;
    if coded {
        let bytes = huffman.decode(bytes).map_err(|error| error.to_string())?;
        length(bytes.len(), plain);
        plain.extend_from_slice(&bytes);
    } else {
        plain.extend_from_slice(octets);
        plain.extend_from_slice(bytes);
    }
    Ok(())
}

/// Appends the length of a string in plain.
fn length(len: usize, plain: &mut Vec<u8>) {
    let low = |n: usize| u8::try_from(n & 0x7f).unwrap_or_default();
    let Some(mut more) = len.checked_sub(0x7f) else {
        plain.push(low(len));
        return;
    };
    plain.push(0x7f);
    while more > 0x7f {
        plain.push(low(more) | 0x80);
        more >>= 7;
    }
    plain.push(low(more));
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, more) = rest.split_at_checked(len)?;
    *rest = more;
    Some(taken)
}
