//! The tokens that requests carried in `Authorization`, so that it can be seen whether one got into
//! a log. They are only in memory, and no report shows them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A shorter value may be in a log by chance.
const SHORTEST: usize = 16;

/// So many different tokens are remembered.
const MOST: usize = 10_000;

/// The tokens, each with the first request that carried it.
#[derive(Clone, Default)]
pub struct Tokens(Arc<Mutex<BTreeMap<String, Carrier>>>);

/// A request that carried a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carrier {
    /// When it was due.
    pub at: Duration,
    /// Its trace root.
    pub root: String,
    /// Its method and path.
    pub asked: String,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// Remembers the token among these headers.
    pub(crate) fn add(&self, headers: &[(&'static str, &str)], carrier: impl FnOnce() -> Carrier) {
        let value = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization")).map(|(_, value)| *value);
        let token = value.and_then(|value| value.split_whitespace().next_back()).filter(|token| token.len() >= SHORTEST);
        let Some(token) = token else { return };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MOST && !all.contains_key(token) {
            all.insert(token.to_owned(), carrier());
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The requests whose tokens are words of a text.
    pub fn found_in(&self, text: &str) -> Vec<Carrier> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || "-_.+/=~".contains(letter);
        let mut found: Vec<Carrier> = Vec::new();
        for word in text.split(|letter| !is_part(letter)).filter(|word| word.len() >= SHORTEST) {
            let carrier = all.get(word).or_else(|| all.get(word.trim_end_matches('.')));
            found.extend(carrier.filter(|carrier| !found.contains(carrier)).cloned());
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_in_a_log_with_the_first_request_that_carried_it() {
        let tokens = Tokens::default();
        let carrier = |root: &str| Carrier { at: Duration::ZERO, root: root.to_owned(), asked: "GET /".to_owned() };
        let token = "eyJhbGciOiJI.eyJzdWIi.c2ln-_x";
        let bearer = format!("Bearer {token}");
        tokens.add(&[("Accept", "a"), ("authorization", &bearer)], || carrier("1"));
        tokens.add(&[("Authorization", &bearer)], || carrier("2"));
        tokens.add(&[("Authorization", "Bearer short")], || carrier("3"));
        tokens.add(&[], || carrier("4"));
        assert_eq!(tokens.count(), 1);
        for (log, found) in [
            (format!("token: {token}\n"), 1),
            (format!("{{\"authorization\":\"Bearer {token}\"}} {token}"), 1),
            (format!("x{token}"), 0),
            ("Bearer short".to_owned(), 0),
        ] {
            assert_eq!(tokens.found_in(&log).len(), found, "{log}");
        }
        assert_eq!(tokens.found_in(token), [carrier("1")]);
        assert!(!format!("{tokens:?}").contains(token));
    }
}
