//! Certificates for devices and for the broker that they connect to over TLS, signed by an authority of this machine's own.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm, date_time_ymd,
};

/// The authority's files.
const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca.key";

/// An authority.
pub struct Authority {
    certificate: Certificate,
    key: KeyPair,
}

/// A certificate and its private key.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// The certificate, PEM.
    pub certificate: String,
    /// The private key, PKCS#8 in PEM.
    pub key: String,
}

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Now, and longer than any run.
    Current,
    /// No longer.
    Expired,
}

impl Identity {
    /// Writes `<name>.pem` and `<name>.key` into this folder.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn write(&self, folder: &Path, name: &str) -> io::Result<()> {
        std::fs::write(folder.join(format!("{name}.pem")), &self.certificate)?;
        write_private(&folder.join(format!("{name}.key")), &self.key)
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    std::fs::write(path, text)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))
}

impl Authority {
    /// A new authority.
    ///
    /// # Errors
    /// If no key can be generated.
    pub fn new() -> io::Result<Self> {
        Self::of(KeyPair::generate().map_err(io::Error::other)?)
    }

    /// The authority that another process has written into this folder.
    ///
    /// # Errors
    /// If the folder holds none.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let key = std::fs::read_to_string(folder.join(KEY))?;
        Self::of(KeyPair::from_pem(&key).map_err(io::Error::other)?)
    }

    /// Writes its certificate and its key into this folder.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join(CERTIFICATE), self.certificate.pem())?;
        write_private(&folder.join(KEY), &self.key.serialize_pem())
    }

    fn of(key: KeyPair) -> io::Result<Self> {
        // Each has a name of its own, or a certificate of one would seem to be a forged one of another.
        let number: String = key.public_key_raw().iter().rev().take(8).map(|byte| format!("{byte:02x}")).collect();
        let mut parameters = named(&format!("brownout's authority {number}"));
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = parameters.self_signed(&key).map_err(io::Error::other)?;
        Ok(Self { certificate, key })
    }

    /// Its own certificate, DER.
    pub fn der(&self) -> &[u8] {
        self.certificate.der()
    }

    /// A certificate for a device.
    ///
    /// # Errors
    /// If no key can be generated.
    pub fn device(&self, name: &str, validity: Validity) -> io::Result<Identity> {
        let mut parameters = named(name);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if validity == Validity::Expired {
            parameters.not_after = date_time_ymd(2020, 1, 1);
        }
        self.signed(parameters)
    }

    /// A certificate (DER) for a device that keeps its key: `point` is the public key on the curve P-256, uncompressed.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub fn device_with_key(&self, name: &str, point: &[u8]) -> io::Result<Vec<u8>> {
        let mut parameters = named(name);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let signed = parameters.signed_by(&Point(point), &self.certificate, &self.key).map_err(io::Error::other)?;
        Ok(signed.der().to_vec())
    }

    /// A certificate for a server with these names and addresses.
    ///
    /// # Errors
    /// If no key can be generated, or a name is invalid.
    pub fn server(&self, names: &[&str]) -> io::Result<Identity> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = CertificateParams::new(names).map_err(io::Error::other)?;
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.signed(parameters)
    }

    fn signed(&self, parameters: CertificateParams) -> io::Result<Identity> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let signed = parameters.signed_by(&key, &self.certificate, &self.key).map_err(io::Error::other)?;
        Ok(Identity { der: signed.der().to_vec(), certificate: signed.pem(), key: key.serialize_pem() })
    }
}

/// A public key on the curve P-256.
struct Point<'a>(&'a [u8]);

impl PublicKeyData for Point<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0
    }

    fn algorithm(&self) -> &SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

fn named(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}
