//! API keys, which give access to methods that require one. A key is a secret: it is never printed,
//! and compared in constant time.

use std::collections::BTreeMap;
use std::io;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use hyper::header::HeaderMap;
use template::apis::{Api, ApiKey};

use crate::random::random;

/// The characters of a key; API Gateway accepts 20 to 128 characters and generates 40.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789ab";
const LENGTH: usize = 40;

/// The header that carries a key.
const HEADER: &str = "x-api-key";

/// Generates the values of keys that have none, as API Gateway does.
///
/// # Errors
/// If the system provides no randomness.
pub fn make_up(apis: &mut [Api]) -> io::Result<()> {
    let mut made = BTreeMap::new();
    for key in apis.iter_mut().flat_map(|api| &mut api.keys) {
        // One key may be valid for several APIs.
        let value = match key.value.take().or_else(|| made.get(&key.id).cloned()) {
            Some(value) => value,
            None => generated()?,
        };
        made.insert(key.id.clone(), value.clone());
        key.value = Some(value);
    }
    Ok(())
}

fn generated() -> io::Result<String> {
    let letter = |byte: u8| ALPHABET.get(usize::from(byte & 63)).copied().map(char::from);
    Ok(random::<LENGTH>()?.into_iter().filter_map(letter).collect())
}

fn is(key: &ApiKey, given: &[u8]) -> bool {
    key.value.as_ref().is_some_and(|value| verify_slices_are_equal(value.as_bytes(), given).is_ok())
}

/// The key that a request carries, if it is one of these. All are compared, even after one matches.
pub(crate) fn given<'a>(keys: &'a [ApiKey], headers: &HeaderMap) -> Option<&'a ApiKey> {
    let given = headers.get(HEADER)?.as_bytes();
    keys.iter().fold(None, |found, key| if is(key, given) { Some(key) } else { found })
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use template::apis::ApiKind;

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
        let with = |name: &str, keys: Vec<ApiKey>| Api { keys, ..Api::new(ApiKind::Rest, name, "dev") };
        let (said, shared) = (key("said", Some("a-key-that-the-template-says")), key("shared", None));
        let mut apis =
            vec![with("A", vec![shared.clone(), said.clone()]), with("B", vec![shared, key("other", None)]), with("C", vec![said])];
        make_up(&mut apis).unwrap();
        let made: Vec<_> = apis.iter().map(|api| api.keys[0].value.clone().unwrap()).collect();
        assert!(made[0] == made[1] && made[0].len() == LENGTH && made[2] == "a-key-that-the-template-says");
        assert_ne!(apis[1].keys[1].value.as_ref(), Some(&made[0]));
        assert!(made[0].chars().all(|letter| letter.is_ascii_alphanumeric()) && !format!("{apis:?}").contains(&made[0]));
        let before = apis.clone();
        make_up(&mut apis).unwrap();
        assert_eq!(apis, before, "what is made up stays");
    }
}
