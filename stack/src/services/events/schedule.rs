//! When a schedule comes next. Pure.

use std::time::Duration;

use super::calendar::seconds_of;
use super::cron::Cron;
use template::blueprint;

/// A schedule that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// From the start of the services on.
    Every(Duration),
    /// By the calendar.
    Cron(Box<Cron>),
    /// Once, in seconds since 1970.
    Once(u64),
}

impl Schedule {
    /// Reads a declared schedule.
    ///
    /// # Errors
    /// What is not understood.
    pub fn read(declared: &blueprint::Schedule) -> Result<Self, String> {
        match declared {
            blueprint::Schedule::Every(time) if time.as_secs() >= 60 => Ok(Self::Every(*time)),
            blueprint::Schedule::Every(time) => Err(format!("found a rate of {time:?}, expected a minute or more")),
            blueprint::Schedule::Cron(text) => Cron::read(text).map(|cron| Self::Cron(Box::new(cron))),
            blueprint::Schedule::Once(text) => {
                seconds_of(text).map(Self::Once).ok_or_else(|| format!("`at({text})`: expected for example `at(2026-11-29T12:00:00)`"))
            }
        }
    }

    /// The first time after `after`; both since 1970, as is `start`, when the services started.
    pub fn next(&self, start: Duration, after: Duration) -> Option<Duration> {
        match self {
            Self::Every(time) => {
                let passed = after.saturating_sub(start).as_secs() / time.as_secs().max(1);
                u32::try_from(passed + 1).ok().map(|count| start + *time * count)
            }
            Self::Cron(cron) => cron.next(after.as_secs()).map(Duration::from_secs),
            Self::Once(at) => Some(Duration::from_secs(*at)).filter(|at| *at > after),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_comes_next_in_its_own_way() {
        let start = Duration::from_secs(1_000_000_000);
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let read = |declared| Schedule::read(&declared).unwrap();
        let every = read(blueprint::Schedule::Every(minutes(5)));
        for (after, next) in [(0, 5), (4, 5), (5, 10), (12, 15)] {
            assert_eq!(every.next(start, start + minutes(after)), Some(start + minutes(next)), "{after}");
        }
        let once = read(blueprint::Schedule::Once("2001-09-09T01:47:00".into()));
        assert_eq!(once.next(start, start), Some(start + Duration::from_secs(20)));
        assert_eq!(once.next(start, start + minutes(1)), None, "its time is over");
        let cron = read(blueprint::Schedule::Cron("0 * * * ? *".into()));
        assert_eq!(cron.next(start, start), Some(start + Duration::from_secs(800)));
        for wrong in [
            blueprint::Schedule::Every(Duration::from_secs(59)),
            blueprint::Schedule::Once("tomorrow".into()),
            blueprint::Schedule::Cron("* * * * * *".into()),
        ] {
            assert!(Schedule::read(&wrong).is_err(), "{wrong:?}");
        }
    }
}
