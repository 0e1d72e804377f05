//! The keys that sign a pool's tokens, and the published key set.

use std::io;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::random::random;

/// One RSA key with its id. The key is parsed once: parsing it again for each token would cost more than the signature.
pub struct SigningKey {
    id: String,
    pair: RsaKeyPair,
}

impl SigningKey {
    /// Generates a new key; takes about a tenth of a second of CPU time.
    ///
    /// # Errors
    /// If the system provides no randomness.
    pub fn generate() -> io::Result<Self> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| io::Error::other("no RSA key could be made"))?;
        Ok(Self { id: URL_SAFE_NO_PAD.encode(random::<33>()?), pair })
    }

    /// The value of `kid`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public half as the only key of a set.
    pub fn key_set(&self) -> Value {
        let key = self.pair.public_key();
        let n = URL_SAFE_NO_PAD.encode(key.modulus().big_endian_without_leading_zero());
        let e = URL_SAFE_NO_PAD.encode(key.exponent().big_endian_without_leading_zero());
        json!({"keys": [{"alg": "RS256", "e": e, "kid": self.id, "kty": "RSA", "n": n, "use": "sig"}]})
    }

    /// A token with these claims, signed by RS256.
    ///
    /// # Errors
    /// If it could not be signed.
    pub fn token(&self, claims: &Value) -> io::Result<String> {
        let header = json!({"kid": self.id, "alg": "RS256"});
        let mut token = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .map_err(|_| io::Error::other("the token could not be signed"))?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&signature, &mut token);
        Ok(token)
    }
}
