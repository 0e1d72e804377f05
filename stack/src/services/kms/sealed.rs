//! An encrypted text: the length of the key's id, the id, the nonce, and the text with its tag.

use std::io;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

use crate::random::random;
use crate::services::wire::Refused;

/// A key.
pub struct Sealer {
    id: String,
    key: RandomizedNonceKey,
}

/// The id of the key by which it was encrypted.
pub fn key_of(sealed: &[u8]) -> Option<&str> {
    let (length, rest) = sealed.split_first()?;
    std::str::from_utf8(rest.get(..usize::from(*length))?).ok()
}

impl Sealer {
    /// A new key.
    ///
    /// # Errors
    /// If the system provides no randomness, or the id is too long.
    pub fn new(id: &str) -> io::Result<Self> {
        let made = RandomizedNonceKey::new(&AES_256_GCM, &random::<32>()?);
        let key = made.map_err(|_| io::Error::other("no key could be made"))?;
        if u8::try_from(id.len()).is_err() {
            return Err(io::Error::other(format!("the id of the key `{id}` is too long")));
        }
        Ok(Self { id: id.to_owned(), key })
    }

    /// Encrypts a text; only with the same context it can be decrypted.
    ///
    /// # Errors
    /// If that is not possible.
    pub fn seal(&self, mut text: Vec<u8>, context: &[u8]) -> Result<Vec<u8>, Refused> {
        let failed = || Refused::new("KMSInternalException", "the text could not be encrypted");
        let nonce = self.key.seal_in_place_append_tag(Aad::from(context), &mut text).map_err(|_| failed())?;
        let mut sealed = vec![u8::try_from(self.id.len()).map_err(|_| failed())?];
        sealed.extend_from_slice(self.id.as_bytes());
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend(text);
        Ok(sealed)
    }

    /// Decrypts a text; `None` if it is damaged or has another context.
    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Option<Vec<u8>> {
        let rest = sealed.get(1 + self.id.len()..)?;
        let (nonce, text) = (rest.get(..NONCE_LEN)?, rest.get(NONCE_LEN..)?);
        let mut text = text.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = self.key.open_in_place(nonce, Aad::from(context), &mut text).ok()?;
        Some(plain.to_vec())
    }
}
