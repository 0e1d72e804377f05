//! When rows expire: each has at most one time, which the next write of the row resets. It deletes
//! nothing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::Compressed;

/// A row whose time to live is further in the past is never deleted. Source: Amazon DynamoDB, time
/// to live.
const TOO_OLD: Duration = Duration::from_secs(5 * 365 * 86_400);

/// The rows that will expire, by their places.
pub struct Expiry<P> {
    compressed: Compressed,
    lives: Mutex<Lives<P>>,
    /// Notified when another row may be the first to expire.
    changed: Notify,
}

struct Lives<P> {
    by_row: BTreeMap<P, (Instant, i64)>,
    queue: BTreeSet<(Instant, P)>,
}

/// A row that has expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due<P> {
    /// Its place.
    pub place: P,
    /// The time to live that was written last.
    pub ttl: i64,
}

impl<P: Ord + Clone> Expiry<P> {
    /// No rows.
    pub fn new(compressed: Compressed) -> Self {
        Self { compressed, lives: Mutex::new(Lives { by_row: BTreeMap::new(), queue: BTreeSet::new() }), changed: Notify::new() }
    }

    /// A row was written at `now`, which is `since_1970` on the calendar, with this time to live.
    /// `None` if the row is gone, or has none.
    pub fn set(&self, place: P, ttl: Option<i64>, now: Instant, since_1970: Duration) {
        let due = ttl.and_then(|ttl| Some((now.checked_add(self.compressed.life(left(ttl, since_1970)?))?, ttl)));
        let mut lives = self.lives();
        if let Some((at, _)) = lives.by_row.remove(&place) {
            lives.queue.remove(&(at, place.clone()));
        }
        if let Some((at, ttl)) = due {
            lives.queue.insert((at, place.clone()));
            lives.by_row.insert(place, (at, ttl));
            drop(lives);
            self.changed.notify_one();
        }
    }

    /// Takes out at most `most` expired rows, the earliest first.
    pub fn take(&self, now: Instant, most: usize) -> Vec<Due<P>> {
        let mut lives = self.lives();
        let mut taken = Vec::new();
        while taken.len() < most
            && lives.queue.first().is_some_and(|(at, _)| *at <= now)
            && let Some((_, place)) = lives.queue.pop_first()
        {
            if let Some((_, ttl)) = lives.by_row.remove(&place) {
                taken.push(Due { place, ttl });
            }
        }
        taken
    }

    /// Returns once a row has expired.
    pub async fn arrival(&self) {
        loop {
            let first = self.lives().queue.first().map(|(at, _)| *at);
            match first {
                Some(at) if at <= Instant::now() => return,
                Some(at) => tokio::select! { () = sleep_until(at) => {} () = self.changed.notified() => {} },
                None => self.changed.notified().await,
            }
        }
    }

    fn lives(&self) -> MutexGuard<'_, Lives<P>> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rest of a row's life at AWS; `None` if it never ends.
fn left(ttl: i64, since_1970: Duration) -> Option<Duration> {
    let end = Duration::from_secs(u64::try_from(ttl).unwrap_or(0));
    let over = since_1970.saturating_sub(end) > TOO_OLD;
    (!over).then(|| end.saturating_sub(since_1970))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_millis(1_700_000_000_500);

    fn due(place: &'static str, ttl: i64) -> Due<&'static str> {
        Due { place, ttl }
    }

    #[test]
    fn a_life_counts_from_when_the_row_is_written() {
        for (ttl, life) in [
            (1_700_000_001, Some(Duration::from_millis(500))),
            (1_700_000_000, Some(Duration::ZERO)),
            (1_700_000_000 - 4 * 365 * 86_400, Some(Duration::ZERO)),
            (1_700_000_000 - 6 * 365 * 86_400, None),
            (0, None),
            (-1, None),
        ] {
            assert_eq!(left(ttl, NOW), life, "{ttl}");
        }
    }

    #[test]
    fn a_row_has_one_time_and_the_next_write_resets_it() {
        let expiry = Expiry::new(Compressed { queues: 1, expiry: 100 });
        let start = Instant::now();
        let after = |seconds: f64| start + Duration::from_secs_f64(seconds);
        expiry.set("a", Some(1_700_000_100), start, NOW);
        expiry.set("b", Some(1_700_000_200), start, NOW);
        expiry.set("gone", Some(1_700_000_100), start, NOW);
        expiry.set("gone", None, start, NOW);
        expiry.set("never", Some(i64::MAX), start, NOW);
        assert_eq!(expiry.take(after(0.99), 10), []);
        // Rewritten just before its end, with the same time to live: the rest of its life counts
        // anew.
        expiry.set("a", Some(1_700_000_100), after(0.99), NOW + Duration::from_secs(9));
        assert_eq!(expiry.take(after(1.0), 10), []);
        assert_eq!(expiry.take(after(1.9), 10), [due("a", 1_700_000_100)]);
        assert_eq!(expiry.take(after(2.0), 10), [due("b", 1_700_000_200)]);
        assert_eq!(expiry.take(after(1e6), 10), []);
    }

    #[tokio::test]
    async fn a_waiting_task_is_told_of_the_next_row_even_if_it_was_written_meanwhile() {
        let expiry = std::sync::Arc::new(Expiry::new(Compressed::default()));
        let start = Instant::now();
        expiry.set("late", Some(1_700_000_100), start, NOW);
        let waiting = tokio::spawn({
            let expiry = std::sync::Arc::clone(&expiry);
            async move { expiry.arrival().await }
        });
        tokio::task::yield_now().await;
        expiry.set("soon", Some(1_700_000_000), start, NOW);
        tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it does not wait for the row that is due late").unwrap();
        assert_eq!(expiry.take(Instant::now(), 10), [due("soon", 1_700_000_000)]);
    }
}
