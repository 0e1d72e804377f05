//! Key pairs and certificate signing requests of things. The private key never leaves this machine, and the public one identifies the certificate
//! if the answer to its creation is lost.

use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// `1.2.840.10045.2.1`: a key on an elliptic curve.
const EC_PUBLIC_KEY: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// `1.2.840.10045.3.1.7`: the curve P-256.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// `1.2.840.10045.4.3.2`: ECDSA with SHA-256.
const ECDSA_WITH_SHA256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/// `2.5.4.3`: the common name.
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const BIT_STRING: u8 = 0x03;
const UTF8_STRING: u8 = 0x0c;
/// `INTEGER 0`: the version of a request.
const VERSION: &[u8] = &[0x02, 0x01, 0x00];
/// `[0]`, empty: a request has no attributes.
const NO_ATTRIBUTES: &[u8] = &[0xa0, 0x00];

/// A key pair could not be made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The system provides no randomness.
    #[error("no key could be generated: the system provides no random bytes")]
    Random(#[from] Unspecified),
    /// A bug in the library.
    #[error("a generated key is not accepted: {0}")]
    Rejected(#[from] KeyRejected),
}

/// A new key pair with its request for a certificate.
pub(super) struct KeyPair {
    /// The private key (PKCS #8) in PEM.
    pub private: String,
    /// The request (PKCS #10, RFC 2986) in PEM.
    pub request: String,
    /// The point of the public key in hexadecimal digits.
    pub public: String,
}

impl KeyPair {
    /// A key pair whose certificate has this common name, at most 64 characters.
    pub(super) fn generate(common_name: &str) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref())?;
        let point = key.public_key().as_ref();
        let name = der(SEQUENCE, &[COMMON_NAME, &der(UTF8_STRING, &[common_name.as_bytes()])]);
        let subject = der(SEQUENCE, &[&der(SET, &[&name])]);
        let public = der(SEQUENCE, &[&der(SEQUENCE, &[EC_PUBLIC_KEY, P256]), &der(BIT_STRING, &[&[0], point])]);
        let asked = der(SEQUENCE, &[VERSION, &subject, &public, NO_ATTRIBUTES]);
        let signature = key.sign(&random, &asked)?;
        let algorithm = der(SEQUENCE, &[ECDSA_WITH_SHA256]);
        let request = der(SEQUENCE, &[&asked, &algorithm, &der(BIT_STRING, &[&[0], signature.as_ref()])]);
        let (private, request) = (pem("PRIVATE KEY", pkcs8.as_ref()), pem("CERTIFICATE REQUEST", &request));
        Ok(Self { private, request, public: hex(point) })
    }
}

/// A value in DER.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut all = vec![tag];
    match (content.len(), u8::try_from(significant.len())) {
        (short @ ..0x80, _) => all.extend(u8::try_from(short)),
        (_, Ok(bytes)) => all.extend(std::iter::once(0x80 | bytes).chain(significant)),
        // A length has at most eight bytes.
        (_, Err(_)) => {}
    }
    all.extend(content);
    all
}

fn pem(label: &str, bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let lines: Vec<&str> = (0..text.len()).step_by(64).filter_map(|from| text.get(from..text.len().min(from + 64))).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Whether a certificate in PEM is for the public key with this point.
pub(super) fn is_for(certificate: &str, public: &str) -> bool {
    let body: String = certificate.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(body.trim()).is_ok_and(|bytes| hex(&bytes).contains(public))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_der_wants_them() {
        for (length, expected) in
            [(0, vec![0x30, 0]), (0x7f, vec![0x30, 0x7f]), (0x80, vec![0x30, 0x81, 0x80]), (300, vec![0x30, 0x82, 1, 44])]
        {
            let written = der(SEQUENCE, &[&vec![7; length]]);
            assert_eq!(written[..expected.len()], expected, "{length}");
            assert_eq!(written.len(), expected.len() + length);
        }
    }

    #[test]
    fn a_request_has_the_public_key_and_is_signed_by_the_private_one() {
        use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
        let pair = KeyPair::generate("brownout seed 7f").unwrap();
        assert!(is_for(&pair.request, &pair.public) && !is_for(&pair.request, &KeyPair::generate("x").unwrap().public));
        let body: String = pair.request.lines().filter(|line| !line.starts_with('-')).collect();
        let bytes = STANDARD.decode(body).unwrap();
        // SEQUENCE of less than 256 bytes, then what is signed, likewise or shorter.
        let asked = &bytes[if bytes[1] < 0x80 { 2 } else { 3 }..];
        let (head, length) = if asked[1] < 0x80 { (2, usize::from(asked[1])) } else { (3, usize::from(asked[2])) };
        let (asked, rest) = asked.split_at(head + length);
        let signature = &rest[2 + usize::from(rest[1])..][3..];
        let point: Vec<u8> =
            (0..pair.public.len()).step_by(2).map(|at| u8::from_str_radix(&pair.public[at..at + 2], 16).unwrap()).collect();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(asked, signature).unwrap();
        assert!(pair.private.starts_with("-----BEGIN PRIVATE KEY-----\n") && pair.private.lines().all(|line| line.len() <= 64));
    }
}
