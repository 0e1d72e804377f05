//! API keys, which give access to methods that require one. A key is a secret: it is never printed,
//! and compared in constant time.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::error::Unspecified;
use hyper::header::HeaderMap;

/// The characters of a key; API Gateway accepts 20 to 128 characters and generates 40.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789ab";
const LENGTH: usize = 40;

/// The header that carries a key.
const HEADER: &str = "x-api-key";

/// One key.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id, which is not secret.
    pub id: String,
    /// Its value; without one the key gives no access.
    pub value: Option<String>,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).field("has_value", &self.value.is_some()).finish()
    }
}

impl ApiKey {
    /// Generates the value if it is missing, as API Gateway does.
    ///
    /// # Errors
    /// If the system provides no randomness.
    pub fn make_up(&mut self) -> Result<(), Unspecified> {
        if self.value.is_none() {
            let mut bytes = [0; LENGTH];
            aws_lc_rs::rand::fill(&mut bytes)?;
            let letter = |byte: u8| ALPHABET.get(usize::from(byte & 63)).copied().map(char::from);
            self.value = Some(bytes.into_iter().filter_map(letter).collect());
        }
        Ok(())
    }

    fn is(&self, given: &[u8]) -> bool {
        self.value.as_ref().is_some_and(|value| verify_slices_are_equal(value.as_bytes(), given).is_ok())
    }
}

/// The key that a request carries, if it is one of these. All are compared, even after one matches.
pub(crate) fn given<'a>(keys: &'a [ApiKey], headers: &HeaderMap) -> Option<&'a ApiKey> {
    let given = headers.get(HEADER)?.as_bytes();
    keys.iter().fold(None, |found, key| if key.is(given) { Some(key) } else { found })
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn key(id: &str, value: Option<&str>) -> ApiKey {
        ApiKey { id: id.into(), value: value.map(str::to_owned) }
    }

    #[test]
    fn only_the_exact_key_gives_access_and_a_missing_value_gives_none() {
        let keys = [key("a", Some("first-key-first-key-1")), key("b", Some("second-key-second-key")), key("c", None), key("d", Some(""))];
        for (sent, opens) in [
            (Some("first-key-first-key-1"), Some("a")),
            (Some("second-key-second-key"), Some("b")),
            (Some("first-key-first-key-"), None),
            (Some("first-key-first-key-12"), None),
            (Some("FIRST-KEY-FIRST-KEY-1"), None),
            (None, None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(sent) = sent {
                headers.insert(HEADER, HeaderValue::from_static(sent));
            }
            assert_eq!(given(&keys, &headers).map(|key| key.id.as_str()), opens, "{sent:?}");
        }
    }

    #[test]
    fn a_key_is_generated_once_is_unique_and_is_never_printed() {
        let (mut one, mut other) = (key("a", None), key("a", None));
        one.make_up().unwrap();
        other.make_up().unwrap();
        let value = one.value.clone().unwrap();
        assert!(value.len() == LENGTH && value.chars().all(|letter| letter.is_ascii_alphanumeric()), "{value}");
        assert_ne!(one, other);
        one.make_up().unwrap();
        assert_eq!(one.value.as_ref(), Some(&value));
        assert!(!format!("{one:?}").contains(&value));
    }
}
