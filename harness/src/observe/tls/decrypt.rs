//! Opens protected records of one direction (RFC 8446 5.2 and 5.3, RFC 5246 6.2.3.3, RFC 5288, RFC 7905).

use ring::aead;

use super::keys::{self, Suite, TrafficKey};
use super::record::{APPLICATION_DATA, Record};
use crate::language::TlsVersion;

/// Opens the records of one direction and epoch, in order.
#[derive(Debug)]
pub(super) struct Opener {
    version: TlsVersion,
    suite: Suite,
    key: aead::LessSafeKey,
    iv: Vec<u8>,
    /// Number of the next record.
    sequence: u64,
    /// TLS 1.3: the traffic secret, from which that of the next epoch follows.
    secret: Vec<u8>,
}

impl Opener {
    /// TLS 1.3, from a traffic secret.
    pub(super) fn from_secret(suite: Suite, secret: &[u8]) -> Option<Self> {
        let key = keys::traffic_key(suite, secret)?;
        Self::new(TlsVersion::V1_3, suite, key, secret.to_vec())
    }

    /// TLS 1.2.
    pub(super) fn from_key(suite: Suite, key: TrafficKey) -> Option<Self> {
        Self::new(TlsVersion::V1_2, suite, key, Vec::new())
    }

    fn new(version: TlsVersion, suite: Suite, key: TrafficKey, secret: Vec<u8>) -> Option<Self> {
        let unbound = aead::UnboundKey::new(suite.aead, &key.key).ok()?;
        Some(Self { version, suite, key: aead::LessSafeKey::new(unbound), iv: key.iv, sequence: 0, secret })
    }

    /// TLS 1.3: goes to the next epoch, after a KeyUpdate.
    pub(super) fn update(&mut self) -> Option<()> {
        let secret = keys::next_secret(self.suite, &self.secret)?;
        *self = Self::from_secret(self.suite, &secret)?;
        Some(())
    }

    /// The content type and the plaintext of a record; `None` when it can't be opened, and then it does not count.
    pub(super) fn open(&mut self, record: &Record) -> Option<(u8, Vec<u8>)> {
        let opened = match self.version {
            TlsVersion::V1_3 => self.open_1_3(record),
            TlsVersion::V1_2 => self.open_1_2(record),
        }?;
        self.sequence += 1;
        Some(opened)
    }

    fn open_1_3(&self, record: &Record) -> Option<(u8, Vec<u8>)> {
        if record.kind != APPLICATION_DATA {
            return None;
        }
        let mut inner = self.decrypt(self.nonce()?, &record.header, record.body.clone())?;
        // Zeros are padding; the last byte that is none is the true content type.
        while let Some(last) = inner.pop() {
            if last != 0 {
                return Some((last, inner));
            }
        }
        None
    }

    fn open_1_2(&self, record: &Record) -> Option<(u8, Vec<u8>)> {
        let [kind, major, minor, ..] = record.header;
        let (nonce, sealed) = if self.suite.explicit_nonce {
            let (explicit, sealed) = record.body.split_at_checked(8)?;
            ([self.iv.as_slice(), explicit].concat().try_into().ok()?, sealed)
        } else {
            (self.nonce()?, record.body.as_slice())
        };
        let len = u16::try_from(sealed.len().checked_sub(aead::MAX_TAG_LEN)?).ok()?.to_be_bytes();
        let mut aad = [0; 13];
        aad[..8].copy_from_slice(&self.sequence.to_be_bytes());
        aad[8..11].copy_from_slice(&[kind, major, minor]);
        aad[11..].copy_from_slice(&len);
        Some((kind, self.decrypt(nonce, &aad, sealed.to_vec())?))
    }

    /// `iv` xor the record's number.
    fn nonce(&self) -> Option<[u8; aead::NONCE_LEN]> {
        let mut nonce: [u8; aead::NONCE_LEN] = self.iv.as_slice().try_into().ok()?;
        for (byte, count) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= count;
        }
        Some(nonce)
    }

    fn decrypt(&self, nonce: [u8; aead::NONCE_LEN], aad: &[u8], mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let len = self.key.open_in_place(nonce, aead::Aad::from(aad), &mut sealed).ok()?.len();
        sealed.truncate(len);
        Some(sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8446 5.4: a sender may pad; the type is the last byte that is not zero.
    #[test]
    fn padding_is_taken_off() {
        let suite = keys::suite(0x1301).expect("a suite");
        let key = keys::traffic_key(suite, &[7; 32]).expect("keys");
        let seal = |plain: &[u8]| {
            let unbound = aead::UnboundKey::new(&aead::AES_128_GCM, &key.key).expect("a key");
            let nonce = aead::Nonce::try_assume_unique_for_key(&key.iv).expect("twelve bytes");
            let header = [APPLICATION_DATA, 3, 3, 0, u8::try_from(plain.len() + 16).expect("short")];
            let mut body = plain.to_vec();
            let sealer = aead::LessSafeKey::new(unbound);
            sealer.seal_in_place_append_tag(nonce, aead::Aad::from(header), &mut body).expect("sealed");
            Record { kind: APPLICATION_DATA, header, body, stamp: 0 }
        };
        let open = |record| Opener::from_secret(suite, &[7; 32]).expect("an opener").open(&record);
        assert_eq!(open(seal(b"hi\x17\0\0\0")), Some((23, b"hi".to_vec())));
        assert_eq!(open(seal(b"hi\0\x16")), Some((22, b"hi\0".to_vec())));
        // Nothing but padding is no record.
        assert_eq!(open(seal(b"\0\0\0")), None);
    }
}
