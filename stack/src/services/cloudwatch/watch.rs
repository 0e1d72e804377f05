//! How one alarm evaluates its metric: pure, one value at a time. At AWS a sample comes once a
//! minute, as SQS's metrics do.

use std::collections::VecDeque;
use std::time::Duration;

use template::blueprint::{Alarm, Metric};

/// How often SQS's metrics have a new value, and standard alarms are evaluated. Source: Amazon SQS,
/// available CloudWatch metrics.
const MINUTE: Duration = Duration::from_secs(60);

/// The state of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing was measured yet.
    InsufficientData,
    /// The threshold is not crossed.
    Ok,
    /// The threshold is crossed.
    Alarm,
}

impl State {
    /// As CloudWatch names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InsufficientData => "INSUFFICIENT_DATA",
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
        }
    }
}

/// A change of state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// From.
    pub from: State,
    /// The new state.
    pub to: State,
    /// The value over the period that caused it.
    pub value: f64,
}

/// An alarm and its samples.
#[derive(Debug)]
pub struct Watch {
    /// Its declaration.
    pub declared: Alarm,
    /// Its state.
    pub state: State,
    /// The samples of the current period.
    samples: VecDeque<f64>,
}

impl Watch {
    /// Nothing measured yet.
    pub fn new(declared: Alarm) -> Self {
        Self { declared, state: State::InsufficientData, samples: VecDeque::new() }
    }

    /// The time between two samples, at AWS.
    pub fn step(&self) -> Duration {
        self.declared.period.min(MINUTE).max(Duration::from_secs(1))
    }

    /// How many samples a period has.
    fn window(&self) -> usize {
        usize::try_from(self.declared.period.as_secs() / self.step().as_secs()).unwrap_or(1).max(1)
    }

    /// Adds a sample; the state follows the statistic over the period that ends with it.
    pub fn sample(&mut self, sample: f64) -> Option<Change> {
        if self.samples.len() >= self.window() {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        let value = match self.declared.metric {
            Metric::Sent => self.samples.iter().sum(),
            Metric::AgeOfOldest | Metric::Visible => self.samples.iter().copied().fold(0.0, f64::max),
        };
        let crossed = if self.declared.inclusive { value >= self.declared.threshold } else { value > self.declared.threshold };
        let (from, to) = (self.state, if crossed { State::Alarm } else { State::Ok });
        self.state = to;
        (from != to).then_some(Change { from, to, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(metric: Metric, period: u64, inclusive: bool, threshold: f64) -> Watch {
        let period = Duration::from_secs(period);
        Watch::new(Alarm { name: "a".into(), queue: "q".into(), metric, period, inclusive, threshold, tells: None })
    }

    #[test]
    fn the_threshold_is_crossed_as_the_alarm_compares() {
        for (inclusive, threshold, value, state) in [
            (true, 180.0, 179.9, State::Ok),
            (true, 180.0, 180.0, State::Alarm),
            (false, 180.0, 180.0, State::Ok),
            (false, 180.0, 180.1, State::Alarm),
        ] {
            let mut watch = watch(Metric::AgeOfOldest, 60, inclusive, threshold);
            assert_eq!(watch.sample(value), Some(Change { from: State::InsufficientData, to: state, value }), "{inclusive} {value}");
            assert_eq!((watch.sample(value), watch.state), (None, state), "nothing changes");
        }
    }

    #[test]
    fn messages_sent_are_summed_over_the_period_and_forgotten_after_it() {
        let mut watch = watch(Metric::Sent, 300, false, 180.0);
        let states: Vec<_> = [60.0, 60.0, 60.0, 0.0, 1.0, 0.0, 0.0]
            .map(|sent| {
                watch.sample(sent);
                watch.state
            })
            .into();
        assert_eq!(states, [State::Ok, State::Ok, State::Ok, State::Ok, State::Alarm, State::Ok, State::Ok]);
    }

    #[test]
    fn the_highest_sample_of_the_period_counts() {
        let mut watch = watch(Metric::Visible, 120, true, 50.0);
        let states: Vec<_> = [0.0, 50.0, 0.0, 0.0]
            .map(|visible| {
                watch.sample(visible);
                watch.state
            })
            .into();
        assert_eq!(states, [State::Ok, State::Alarm, State::Alarm, State::Ok]);
        assert_eq!(watch.step(), Duration::from_secs(60));
    }
}
