//! Secrets of a key log, and the traffic keys that follow from them (RFC 8446 7.1 to 7.3, RFC 5246 5 and 6.3).

use std::collections::BTreeMap;

use ring::{aead, hkdf, hmac};

/// Secrets by session, from lines in NSS key log format.
#[derive(Debug, Clone, Default)]
pub struct KeyLog {
    /// By (label, `random` of the ClientHello).
    secrets: BTreeMap<(String, Vec<u8>), Vec<u8>>,
}

impl KeyLog {
    /// Reads lines; what is no secret (comments, broken lines) is left out. Both ends of a session may log the same secret.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut secrets = BTreeMap::new();
        for line in lines.into_iter().flat_map(str::lines) {
            let mut words = line.split_ascii_whitespace();
            let (Some(label), Some(random), Some(secret), None) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                continue;
            };
            if let (Ok(random), Ok(secret)) = (hex::decode(random), hex::decode(secret)) {
                secrets.entry((label.to_owned(), random)).or_insert(secret);
            }
        }
        Self { secrets }
    }

    /// The secret with this label of the session whose ClientHello has this `random`.
    #[must_use]
    pub fn secret(&self, label: &str, random: &[u8; 32]) -> Option<&[u8]> {
        self.secrets.get(&(label.to_owned(), random.to_vec())).map(Vec::as_slice)
    }
}

/// How a cipher suite protects records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Suite {
    /// AEAD.
    pub(super) aead: &'static aead::Algorithm,
    /// HKDF of TLS 1.3.
    pub(super) hkdf: hkdf::Algorithm,
    /// HMAC of TLS 1.2's PRF.
    pub(super) hmac: hmac::Algorithm,
    /// TLS 1.2: whether each record carries part of its nonce (GCM does, ChaCha20 does not).
    pub(super) explicit_nonce: bool,
}

/// What of a suite is read; `None` for those that are not.
pub(super) fn suite(id: u16) -> Option<Suite> {
    let (aead, sha384): (&'static aead::Algorithm, bool) = match id {
        // TLS_AES_*, TLS 1.2: (EC)DHE or RSA key exchange with AES-GCM.
        0x1301 | 0xc02b | 0xc02f | 0x009c | 0x009e => (&aead::AES_128_GCM, false),
        0x1302 | 0xc02c | 0xc030 | 0x009d | 0x009f => (&aead::AES_256_GCM, true),
        // RFC 7905.
        0x1303 | 0xcca8 | 0xcca9 | 0xccaa => (&aead::CHACHA20_POLY1305, false),
        _ => return None,
    };
    Some(Suite {
        aead,
        hkdf: if sha384 { hkdf::HKDF_SHA384 } else { hkdf::HKDF_SHA256 },
        hmac: if sha384 { hmac::HMAC_SHA384 } else { hmac::HMAC_SHA256 },
        explicit_nonce: aead != &aead::CHACHA20_POLY1305,
    })
}

/// Key and nonce base of one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TrafficKey {
    /// AEAD key.
    pub(super) key: Vec<u8>,
    /// `iv` (TLS 1.2 GCM: the four bytes of the salt).
    pub(super) iv: Vec<u8>,
}

/// TLS 1.3: the keys of a traffic secret.
pub(super) fn traffic_key(suite: Suite, secret: &[u8]) -> Option<TrafficKey> {
    Some(TrafficKey {
        key: expand_label(suite.hkdf, secret, b"key", suite.aead.key_len())?,
        iv: expand_label(suite.hkdf, secret, b"iv", aead::NONCE_LEN)?,
    })
}

/// TLS 1.3: the traffic secret after a KeyUpdate.
pub(super) fn next_secret(suite: Suite, secret: &[u8]) -> Option<Vec<u8>> {
    expand_label(suite.hkdf, secret, b"traffic upd", secret.len())
}

/// TLS 1.2: client's and server's keys.
pub(super) fn key_block(
    suite: Suite,
    master: &[u8],
    client: &[u8; 32],
    server: &[u8; 32],
) -> (TrafficKey, TrafficKey) {
    let key = suite.aead.key_len();
    let iv = if suite.explicit_nonce { 4 } else { aead::NONCE_LEN };
    let seed = [b"key expansion", server.as_slice(), client].concat();
    let block = prf(suite.hmac, master, &seed, 2 * (key + iv));
    let (keys, ivs) = block.split_at(2 * key);
    (
        TrafficKey { key: keys[..key].to_vec(), iv: ivs[..iv].to_vec() },
        TrafficKey { key: keys[key..].to_vec(), iv: ivs[iv..].to_vec() },
    )
}

/// HKDF-Expand-Label with an empty context.
fn expand_label(hkdf: hkdf::Algorithm, secret: &[u8], label: &[u8], len: usize) -> Option<Vec<u8>> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let wanted = u16::try_from(len).ok()?.to_be_bytes();
    let label_len = [u8::try_from(6 + label.len()).ok()?];
    let info = [wanted.as_slice(), &label_len, b"tls13 ", label, &[0]];
    let mut out = vec![0; len];
    hkdf::Prk::new_less_safe(hkdf, secret).expand(&info, Length(len)).ok()?.fill(&mut out).ok()?;
    Some(out)
}

/// TLS 1.2's PRF; `seed` begins with the label.
fn prf(algorithm: hmac::Algorithm, secret: &[u8], seed: &[u8], len: usize) -> Vec<u8> {
    let key = hmac::Key::new(algorithm, secret);
    let mut out = Vec::new();
    let mut a = hmac::sign(&key, seed);
    while out.len() < len {
        out.extend_from_slice(hmac::sign(&key, &[a.as_ref(), seed].concat()).as_ref());
        a = hmac::sign(&key, a.as_ref());
    }
    out.truncate(len);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8448, section 3: keys that follow from the server's handshake and the client's application secret.
    #[test]
    fn traffic_keys_are_those_of_rfc_8448() {
        for (secret, key, iv) in [
            (
                "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
                "3fce516009c21727d0f2e4e86ee403bc",
                "5d313eb2671276ee13000b30",
            ),
            (
                "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
                "17422dda596ed5d9acd890e3c63f5051",
                "5b78923dee08579033e523d9",
            ),
        ] {
            let secret = hex::decode(secret).expect("hexadecimal");
            let found = traffic_key(suite(0x1301).expect("a suite"), &secret).expect("keys");
            assert_eq!((hex::encode(found.key).as_str(), hex::encode(found.iv).as_str()), (key, iv));
        }
    }

    #[test]
    fn a_key_log_survives_what_is_no_secret() {
        let random = "11".repeat(32);
        let lines = [
            "# comment",
            "CLIENT_RANDOM",
            "CLIENT_RANDOM zz 00",
            "",
            &format!("CLIENT_RANDOM {random} abcd"),
        ];
        let log = KeyLog::parse(lines);
        assert_eq!(log.secret("CLIENT_RANDOM", &[0x11; 32]), Some([0xab, 0xcd].as_slice()));
        assert_eq!(log.secret("CLIENT_RANDOM", &[0x12; 32]), None);
    }
}
