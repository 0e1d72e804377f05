//! `Retry`: how often and after how long a state is retried. It computes the wait and does not
//! wait.

use std::time::Duration;

use crate::error_equals::ErrorEquals;

/// One of `Retry`. Source: developer guide, "Retrying after an error".
#[derive(Debug, Clone, PartialEq)]
pub struct Retrier {
    /// `ErrorEquals`.
    pub errors: ErrorEquals,
    /// `IntervalSeconds`, 1 s by default: the wait before the first retry.
    pub interval: Duration,
    /// `MaxAttempts`, 3 by default: the most retries.
    pub most: u32,
    /// `BackoffRate`, 2 by default: the factor from each wait to the next.
    pub backoff: f64,
    /// `MaxDelaySeconds`: the longest wait.
    pub longest: Option<Duration>,
    /// `JitterStrategy`.
    pub jitter: Jitter,
}

/// `JitterStrategy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Jitter {
    /// Each wait is used unchanged.
    #[default]
    None,
    /// Each wait is a random time between zero and its full length.
    Full,
}

impl Retrier {
    /// The wait before retry number `retry`, from 0. `chance` is from 0 to 1.
    pub fn delay(&self, retry: u32, chance: f64) -> Duration {
        let exponent = i32::try_from(retry).unwrap_or(i32::MAX);
        let seconds = self.interval.as_secs_f64() * self.backoff.powi(exponent);
        let delay = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        let capped = self.longest.map_or(delay, |longest| delay.min(longest));
        match self.jitter {
            Jitter::None => capped,
            Jitter::Full => capped.mul_f64(chance.clamp(0.0, 1.0)),
        }
    }
}

/// How often each retrier of a state was used since the state was entered.
#[derive(Debug)]
pub(crate) struct Retries<'a> {
    retriers: &'a [Retrier],
    used: Vec<u32>,
}

impl<'a> Retries<'a> {
    pub(crate) fn new(retriers: &'a [Retrier]) -> Self {
        Self { retriers, used: vec![0; retriers.len()] }
    }

    /// How often the state was retried.
    pub(crate) fn count(&self) -> u32 {
        self.used.iter().sum()
    }

    /// The wait before the next try after `error`; `None` if there is no further try. Only the
    /// first retrier that matches decides.
    pub(crate) fn next(&mut self, error: &str, chance: f64) -> Option<Duration> {
        let (retrier, used) = self.retriers.iter().zip(&mut self.used).find(|(retrier, _)| retrier.errors.matches(error))?;
        if *used >= retrier.most {
            return None;
        }
        *used += 1;
        Some(retrier.delay(*used - 1, chance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retrier(error: &str, most: u32) -> Retrier {
        Retrier {
            errors: ErrorEquals::new(vec![error.to_owned()]),
            interval: Duration::from_secs(1),
            most,
            backoff: 2.0,
            longest: None,
            jitter: Jitter::None,
        }
    }

    #[test]
    fn waits_grow_up_to_their_bound() {
        let seconds = |retrier: &Retrier, chance: f64| (0..5).map(|n| retrier.delay(n, chance).as_secs_f64()).collect::<Vec<_>>();
        let plain = retrier("E", 5);
        assert_eq!(seconds(&plain, 0.5), [1.0, 2.0, 4.0, 8.0, 16.0]);
        let capped = Retrier { longest: Some(Duration::from_secs(5)), ..plain.clone() };
        assert_eq!(seconds(&capped, 0.5), [1.0, 2.0, 4.0, 5.0, 5.0]);
        let jittered = Retrier { jitter: Jitter::Full, ..capped };
        assert_eq!(seconds(&jittered, 0.5), [0.5, 1.0, 2.0, 2.5, 2.5]);
        assert_eq!((jittered.delay(3, 0.0), jittered.delay(3, 1.0)), (Duration::ZERO, Duration::from_secs(5)));
        assert_eq!(plain.delay(u32::MAX, 0.0), Duration::MAX);
    }

    #[test]
    fn the_first_retrier_that_matches_decides_and_each_counts_for_itself() {
        let retriers = [retrier("A", 1), retrier("B", 2), retrier("A", 9)];
        let mut retries = Retries::new(&retriers);
        let mut next = |error: &str| retries.next(error, 0.0).map(|wait| wait.as_secs());
        assert_eq!(["A", "B", "A", "B", "B", "C"].map(&mut next), [Some(1), Some(1), None, Some(2), None, None]);
        assert_eq!(retries.count(), 3);
        assert_eq!(Retries::new(&[retrier("A", 0)]).next("A", 0.0), None);
    }
}
