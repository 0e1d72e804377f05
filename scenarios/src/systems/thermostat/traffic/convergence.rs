//! Measures from the acknowledgement of a Set to the device's report of it. Pure except for its
//! lock.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What is known of each device.
#[derive(Debug, Default)]
pub(crate) struct Convergence(Mutex<HashMap<String, Device>>);

#[derive(Debug, Default)]
struct Device {
    /// Acknowledged and not yet reported: temperature and time of acknowledgement.
    waiting: Vec<(i64, Duration)>,
    /// The latest report.
    reported: Option<(i64, Duration)>,
}

impl Convergence {
    /// Records that a Set was acknowledged; returns the time of its report if that came first.
    pub(crate) fn acknowledged(&self, thing: &str, temperature: i64, sent: Duration, at: Duration) -> Option<Duration> {
        let mut devices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let device = devices.entry(thing.to_owned()).or_default();
        if let Some((_, reported)) = device.reported.filter(|(last, _)| *last == temperature) {
            // A report from before the request: the device had that temperature already, so it will
            // not report again.
            return (reported > sent).then_some(reported.max(at));
        }
        device.waiting.push((temperature, at));
        None
    }

    /// Records a report; returns when that temperature was acknowledged. Later Sets overtook those
    /// acknowledged before it.
    pub(crate) fn reported(&self, thing: &str, temperature: i64, at: Duration) -> Option<Duration> {
        let mut devices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let device = devices.entry(thing.to_owned()).or_default();
        // A repeated report keeps the time of the first, or it would look like the answer to a
        // later Set.
        if device.reported.is_none_or(|(last, _)| last != temperature) {
            device.reported = Some((temperature, at));
        }
        let place = device.waiting.iter().rposition(|(waiting, _)| *waiting == temperature)?;
        device.waiting.drain(..=place).next_back().map(|(_, acknowledged)| acknowledged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_report_ends_the_wait_of_its_own_set_and_of_those_before() {
        let convergence = Convergence::default();
        assert_eq!(convergence.acknowledged("T", 70, ms(0), ms(10)), None);
        assert_eq!(convergence.acknowledged("T", 71, ms(5), ms(20)), None);
        assert_eq!(convergence.reported("T", 82, ms(30)), None);
        assert_eq!(convergence.reported("T", 71, ms(40)), Some(ms(20)));
        assert_eq!(convergence.reported("T", 70, ms(50)), None);
    }

    #[test]
    fn a_report_that_came_before_the_acknowledgement_counts_and_an_old_one_does_not() {
        let convergence = Convergence::default();
        convergence.reported("T", 70, ms(15));
        assert_eq!(convergence.acknowledged("T", 70, ms(10), ms(20)), Some(ms(20)));
        assert_eq!(convergence.acknowledged("T", 70, ms(30), ms(40)), None);
        assert_eq!(convergence.reported("T", 70, ms(30_000)), None);
    }
}
