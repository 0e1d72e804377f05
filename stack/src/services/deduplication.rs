//! Remembers what was accepted within the last five minutes, so that a queue or topic that is first
//! in, first out accepts a message with the same id only once. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};

use super::wire::hexadecimal;

/// How long an id is remembered, also once its message is deleted. Source: Amazon SQS developer
/// guide, "Using the message deduplication ID".
pub const INTERVAL: Duration = Duration::from_secs(300);

/// The accepted ids.
#[derive(Debug)]
pub struct Deduplication<T> {
    lasts: Duration,
    accepted: BTreeMap<String, T>,
    order: VecDeque<(Instant, String)>,
}

impl<T: Clone> Deduplication<T> {
    /// Remembers ids for `lasts`, which is [`INTERVAL`] on this machine's clock.
    pub fn new(lasts: Duration) -> Self {
        Self { lasts, accepted: BTreeMap::new(), order: VecDeque::new() }
    }

    /// What was accepted with this id.
    pub fn find(&mut self, id: &str, now: Instant) -> Option<T> {
        while self.order.front().is_some_and(|(since, _)| now.saturating_duration_since(*since) >= self.lasts) {
            let Some((_, old)) = self.order.pop_front() else { break };
            self.accepted.remove(&old);
        }
        self.accepted.get(id).cloned()
    }

    /// Remembers an id that [`Deduplication::find`] did not find.
    pub fn keep(&mut self, id: String, accepted: T, now: Instant) {
        self.order.push_back((now, id.clone()));
        self.accepted.insert(id, accepted);
    }
}

/// The id of content-based deduplication: of the body, not of the attributes. Source: Amazon SQS API
/// reference, `SendMessage`, `MessageDeduplicationId`.
pub fn id_of(body: &str) -> String {
    hexadecimal(digest(&SHA256, body.as_bytes()).as_ref())
}

/// Whether it may be a group's or a deduplication's id: 1 to 128 letters, digits and punctuation.
/// Source: Amazon SQS API reference, `SendMessage`.
pub fn is_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.chars().all(|c| c.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_remembered_for_its_interval_and_no_longer() {
        let (mut all, start) = (Deduplication::new(INTERVAL), Instant::now());
        assert_eq!(all.find("a", start), None);
        all.keep("a".into(), 1, start);
        all.keep("b".into(), 2, start + INTERVAL / 2);
        for (id, after, found) in [("a", INTERVAL / 2, Some(1)), ("a", INTERVAL, None), ("b", INTERVAL, Some(2)), ("b", 2 * INTERVAL, None)]
        {
            assert_eq!(all.find(id, start + after), found, "{id} after {after:?}");
        }
    }

    #[test]
    fn ids_have_128_characters_at_most() {
        assert_eq!(id_of("hello"), "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        let long = "x".repeat(128);
        for (id, may) in [("a-1.b/c=", true), ("", false), ("a b", false), ("\u{fc}", false), (long.as_str(), true)] {
            assert_eq!(is_id(id), may, "{id}");
        }
        assert!(!is_id(&format!("{long}x")));
    }
}
