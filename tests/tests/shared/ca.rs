//! A mesh's CA, ECDSA P-256.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};

/// Certificate and key, PEM.
pub(crate) fn new() -> (String, String) {
    let key = KeyPair::generate().unwrap_or_else(|error| panic!("{error}"));
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "default");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).unwrap_or_else(|error| panic!("{error}"));
    (certificate.pem(), key.serialize_pem())
}
