//! Field blocks (RFC 7541) of one direction: its frames share one dynamic table.

use loona_hpack::Decoder;
use loona_hpack::huffman::HuffmanDecoder;

use super::plain::plain;

/// Name and value of each field, in order; lossy text.
pub type Fields = Vec<(String, String)>;

/// Longest block that is gathered from its frames.
const LONGEST: usize = 256 << 10;
/// Bytes of names and values that all blocks of a direction may come to: a byte can stand for a whole entry of the table.
const MOST_DECODED: usize = 4 << 20;

/// Reads the blocks of one direction.
pub(super) struct Blocks {
    decoder: Decoder<'static>,
    huffman: HuffmanDecoder,
    decoded: usize,
    /// The block under way: its stream, its fragments so far.
    open: Option<(u32, Vec<u8>)>,
}

impl Blocks {
    pub(super) fn new() -> Self {
        Self { decoder: Decoder::new(), huffman: HuffmanDecoder::new(), decoded: 0, open: None }
    }

    /// The stream whose block is under way: nothing but its `CONTINUATION` may come (RFC 9113 6.10).
    pub(super) fn open(&self) -> Option<u32> {
        self.open.as_ref().map(|(stream, _)| *stream)
    }

    /// Takes a fragment of a stream's block, and gives its fields if it was the `last`.
    ///
    /// # Errors
    /// The block is too long or no HPACK.
    pub(super) fn push(
        &mut self,
        stream: u32,
        fragment: &[u8],
        last: bool,
    ) -> Result<Option<Fields>, String> {
        let (_, mut block) = self.open.take().unwrap_or_default();
        if block.len() + fragment.len() > LONGEST {
            return Err(format!("field block longer than {LONGEST}"));
        }
        block.extend_from_slice(fragment);
        if last {
            return self.decode(&block).map(Some);
        }
        self.open = Some((stream, block));
        Ok(None)
    }

    fn decode(&mut self, block: &[u8]) -> Result<Fields, String> {
        let block = plain(block, &mut self.huffman).map_err(|error| format!("field block: {error}"))?;
        let mut fields = Vec::new();
        let decoded = &mut self.decoded;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let read = self.decoder.decode_with_cb(&block, |name, value| {
            *decoded = decoded.saturating_add(name.len() + value.len());
            if *decoded <= MOST_DECODED {
                fields.push((text(&name), text(&value)));
            }
        });
        match read {
            Ok(()) if *decoded <= MOST_DECODED => Ok(fields),
            Ok(()) => Err(format!("more than {MOST_DECODED} bytes of fields")),
            Err(error) => Err(format!("field block: {error}")),
        }
    }
}
