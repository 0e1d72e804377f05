//! A quota of calls per second over all callers. It only counts; the caller refuses calls beyond
//! it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time span for counting.
const SPAN: Duration = Duration::from_secs(1);

/// The most calls in any second.
pub struct Quota {
    most: usize,
    admitted: Mutex<VecDeque<Instant>>,
}

impl Quota {
    /// A quota of `most` calls a second.
    pub fn a_second(most: usize) -> Self {
        Self { most, admitted: Mutex::default() }
    }

    /// Whether a call at `now` is within the quota. A call beyond it does not count.
    pub fn admits(&self, now: Instant) -> bool {
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        while admitted.front().is_some_and(|at| now.saturating_duration_since(*at) >= SPAN) {
            admitted.pop_front();
        }
        let within = admitted.len() < self.most;
        if within {
            admitted.push_back(now);
        }
        within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_holds_more_calls_than_the_quota() {
        let (quota, start) = (Quota::a_second(25), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!((0..26).filter(|n| quota.admits(at(n * 20))).count(), 25, "the 26th is refused");
        assert!(!quota.admits(at(999)));
        assert!(quota.admits(at(1000)), "the first is a second ago");
        assert!(!quota.admits(at(1019)), "the second is not");
        assert!(quota.admits(at(1020)));
        assert_eq!((0..100).filter(|_| quota.admits(at(5000))).count(), 25);
    }
}
