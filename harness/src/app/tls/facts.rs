//! What one end learnt from a TLS handshake.

use rustls::{CommonState, HandshakeKind, ProtocolVersion};
use x509_parser::extensions::GeneralName;

use crate::observe::HandshakeFacts;

/// Reads a finished handshake; `sni` is the name the client asked for, at a server.
pub(crate) fn facts(session: &CommonState, sni: Option<&str>) -> HandshakeFacts {
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "1.2".to_owned(),
        Some(ProtocolVersion::TLSv1_3) => "1.3".to_owned(),
        other => format!("{other:?}"),
    };
    let peer = session.peer_certificates().and_then(|chain| chain.first());
    HandshakeFacts {
        version,
        alpn: session.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
        sni: sni.map(str::to_owned),
        peer: peer.map(|leaf| names(leaf)).unwrap_or_default(),
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
    }
}

/// DNS names and URIs on a certificate, in its order; none when it cannot be read.
fn names(der: &[u8]) -> Vec<String> {
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(der) else { return Vec::new() };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) | GeneralName::URI(name) => Some((*name).to_owned()),
            _ => None,
        })
        .collect()
}
