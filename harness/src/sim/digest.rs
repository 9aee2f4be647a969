//! A digest of many small pieces, taken in large ones: BLAKE3 is fast where it can work on several blocks at once.

/// Pieces gathered before they are digested.
const GATHERED: usize = 64 * 1024;

/// A running digest.
#[derive(Debug, Default)]
pub(super) struct Digest {
    hasher: blake3::Hasher,
    gathered: Vec<u8>,
}

impl Digest {
    /// Takes a piece in.
    pub(super) fn update(&mut self, piece: &[u8]) {
        self.gathered.extend_from_slice(piece);
        if self.gathered.len() >= GATHERED {
            self.flush();
        }
    }

    /// The digest of all pieces in a row, hexadecimal.
    pub(super) fn finish(mut self) -> String {
        self.flush();
        self.hasher.finalize().to_hex().to_string()
    }

    fn flush(&mut self) {
        self.hasher.update(&self.gathered);
        self.gathered.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_it_was_cut_does_not_show() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
        let mut digest = Digest::default();
        bytes.chunks(1448).for_each(|piece| digest.update(piece));
        assert_eq!(digest.finish(), blake3::hash(&bytes).to_hex().to_string());
    }

    #[test]
    fn of_nothing_it_is_the_one_on_record() {
        // BLAKE3's published test vectors, input length 0.
        let empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(Digest::default().finish(), empty);
    }
}
