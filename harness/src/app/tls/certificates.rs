//! Authorities and the certificates they issue.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};

/// From when to when a certificate holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validity {
    pub(crate) from: OffsetDateTime,
    pub(crate) to: OffsetDateTime,
}

impl Validity {
    /// Longer than any run: from a day ago for ten years.
    pub(crate) fn long(now: OffsetDateTime) -> Self {
        Self { from: now - Duration::days(1), to: now + Duration::days(3650) }
    }
}

/// A certificate and its key, as rustls takes them.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Credentials {
    fn new(certificate: &Certificate, key: &KeyPair) -> Self {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Self { chain: vec![certificate.der().clone()], key }
    }
}

/// A certificate authority.
#[derive(Debug)]
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate as PEM, if `root` is known.
    pem: Option<String>,
    /// Its own certificate; `None` when only issuing matters.
    root: Option<CertificateDer<'static>>,
}

impl Authority {
    /// A new one, self-signed.
    pub(crate) fn new(name: &str, key: KeyPair, now: OffsetDateTime) -> Result<Self, rcgen::Error> {
        let mut params = params(name, Vec::new(), Validity::long(now));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        let (root, pem) = (certificate.der().clone(), certificate.pem());
        Ok(Self { issuer: Issuer::new(params, key), pem: Some(pem), root: Some(root) })
    }

    /// One that exists, from its PEM files.
    pub(crate) fn from_pem(certificate: &str, key: &str) -> Result<Self, rcgen::Error> {
        let issuer = Issuer::from_ca_cert_pem(certificate, KeyPair::from_pem(key)?)?;
        Ok(Self { issuer, pem: None, root: None })
    }

    /// The root to trust.
    pub(crate) fn root(&self) -> Option<&CertificateDer<'static>> {
        self.root.as_ref()
    }

    /// The root to trust, as PEM.
    pub(crate) fn certificate_pem(&self) -> Option<String> {
        self.pem.clone()
    }

    /// A leaf for client and server use.
    pub(crate) fn issue(
        &self,
        name: &str,
        names: Vec<SanType>,
        validity: Validity,
        key: &KeyPair,
    ) -> Result<Credentials, rcgen::Error> {
        let certificate = leaf(name, names, validity).signed_by(key, &self.issuer)?;
        Ok(Credentials::new(&certificate, key))
    }

    /// As [`Self::issue`], as PEM.
    pub(crate) fn issue_pem(
        &self,
        name: &str,
        names: Vec<SanType>,
        validity: Validity,
        key: &KeyPair,
    ) -> Result<String, rcgen::Error> {
        Ok(leaf(name, names, validity).signed_by(key, &self.issuer)?.pem())
    }
}

/// A leaf that nobody vouches for.
pub(crate) fn self_signed(
    name: &str,
    names: Vec<SanType>,
    validity: Validity,
    key: &KeyPair,
) -> Result<Credentials, rcgen::Error> {
    let certificate = leaf(name, names, validity).self_signed(key)?;
    Ok(Credentials::new(&certificate, key))
}

/// A DNS name (or an address) on a certificate.
pub(crate) fn dns(name: &str) -> Result<SanType, rcgen::Error> {
    match name.parse() {
        Ok(ip) => Ok(SanType::IpAddress(ip)),
        Err(_) => Ok(SanType::DnsName(name.try_into()?)),
    }
}

/// A URI on a certificate.
pub(crate) fn uri(uri: String) -> Result<SanType, rcgen::Error> {
    Ok(SanType::URI(uri.try_into()?))
}

fn leaf(name: &str, names: Vec<SanType>, validity: Validity) -> CertificateParams {
    let mut params = params(name, names, validity);
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn params(name: &str, names: Vec<SanType>, validity: Validity) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = names;
    params.not_before = validity.from;
    params.not_after = validity.to;
    params
}
