//! The mesh CA and the certificates it issues (Kuma's `pkg/core/ca/issuer/issuer.go`).

use std::time::{Duration, SystemTime};

use rcgen::{
    CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::Error;

/// Lifetime of a dataplane's certificate.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// How far a certificate's validity begins in the past, for clocks that differ.
const BACKDATED: Duration = Duration::from_secs(10);

/// The mesh CA: whom everyone in the mesh believes, and the key to issue with.
pub struct Authority {
    roots: Vec<CertificateDer<'static>>,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the key.
        f.debug_struct("Authority").field("roots", &self.roots.len()).finish_non_exhaustive()
    }
}

impl Authority {
    /// Reads the authority's certificate (the first; further ones are believed, too) and its private key.
    ///
    /// # Errors
    /// The texts are not PEM, have no certificate or key, or do not belong together.
    pub fn from_pem(cert_pem: &str, key_pem: &str) -> Result<Self, Error> {
        let roots: Vec<_> = CertificateDer::pem_slice_iter(cert_pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(Error::Pem)?;
        let first = roots.first().ok_or(Error::NoCertificate)?;
        let key = KeyPair::from_pem(key_pem).map_err(Error::Authority)?;
        check(first, &key)?;
        let issuer = Issuer::from_ca_cert_der(first, key).map_err(Error::Authority)?;
        Ok(Self { roots, issuer })
    }

    pub(super) fn roots(&self) -> &[CertificateDer<'static>] {
        &self.roots
    }

    /// Issues a certificate for `key` with the URI names given.
    pub(super) fn issue(
        &self,
        uris: &[String],
        key: &KeyPair,
        now: SystemTime,
    ) -> Result<CertificateDer<'static>, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = uris
            .iter()
            .map(|uri| Ok(SanType::URI(uri.as_str().try_into()?)))
            .collect::<Result<_, rcgen::Error>>()
            .map_err(Error::Issue)?;
        params.not_before = now.checked_sub(BACKDATED).unwrap_or(SystemTime::UNIX_EPOCH).into();
        params.not_after = (now + LIFETIME).into();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        // rcgen derives the serial number from the public key, so a seeded key gives the same certificate again.
        Ok(params.signed_by(key, &self.issuer).map_err(Error::Issue)?.der().clone())
    }
}

fn check(certificate: &CertificateDer<'_>, key: &KeyPair) -> Result<(), Error> {
    let parsed = x509_parser::parse_x509_certificate(certificate);
    let (_, parsed) = parsed.map_err(|_| Error::Authority(rcgen::Error::CouldNotParseCertificate))?;
    if !parsed.is_ca() {
        return Err(Error::NotAnAuthority);
    }
    use rcgen::PublicKeyData;
    if parsed.public_key().raw == key.subject_public_key_info() { Ok(()) } else { Err(Error::KeyMismatch) }
}
