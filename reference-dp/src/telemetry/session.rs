//! What is told about a TLS session, and about one that did not come to be.

use std::io;

use rustls::{AlertDescription, CertificateError, CommonState, HandshakeKind};

/// Facts of a TLS session, under the names BoringSSL has for them, as Envoy shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsSession {
    pub(crate) version: &'static str,
    pub(crate) cipher: String,
    pub(crate) curve: Option<&'static str>,
    pub(crate) resumed: bool,
}

impl TlsSession {
    pub(crate) fn of(connection: &CommonState) -> Self {
        let cipher = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        let group = connection.negotiated_key_exchange_group().map(|group| group.name());
        Self {
            version: match connection.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "TLSv1.3",
            },
            cipher: cipher.map_or_else(String::new, boring_cipher),
            curve: group.map(|group| match group {
                rustls::NamedGroup::X25519 => "X25519",
                rustls::NamedGroup::secp256r1 => "P-256",
                rustls::NamedGroup::secp384r1 => "P-384",
                _ => "other",
            }),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}

/// `TLS13_AES_128_GCM_SHA256` to `TLS_AES_128_GCM_SHA256`, and `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` to
/// `ECDHE-RSA-AES128-GCM-SHA256`.
fn boring_cipher(name: &str) -> String {
    if let Some(rest) = name.strip_prefix("TLS13_") {
        return format!("TLS_{rest}");
    }
    let name = name.trim_start_matches("TLS_").replace("_WITH_", "_").replace("AES_", "AES");
    name.replace("_CHACHA20_POLY1305_SHA256", "_CHACHA20_POLY1305").replace('_', "-")
}

/// Why a TLS session did not come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsFault {
    /// The peer showed no certificate.
    NoCertificate,
    /// The peer's certificate does not bear the name wanted.
    WrongName,
    /// The peer's certificate is not believed.
    Untrusted,
    /// What came was not TLS, or an alert.
    Protocol,
    /// The connection ended.
    Transport,
}

impl TlsFault {
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::NoCertificatesPresented) => Self::NoCertificate,
            Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)) => Self::Protocol,
            Some(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
                Self::WrongName
            }
            Some(rustls::Error::InvalidCertificate(_)) => Self::Untrusted,
            Some(_) => Self::Protocol,
            None => Self::Transport,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::boring_cipher;

    #[test]
    fn ciphers_have_the_names_envoy_shows() {
        for (rustls, boring) in [
            ("TLS13_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
            ("TLS13_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"),
            ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
            ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"),
            ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        ] {
            assert_eq!(boring_cipher(rustls), boring);
        }
    }
}
