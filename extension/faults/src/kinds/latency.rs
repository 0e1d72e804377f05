//! The event, or the answer, is held back for a while.

use std::time::Duration;

use rand_distr::{Distribution, LogNormal, Normal, Pareto, Uniform};
use serde::{Deserialize, Serialize};

use crate::{Action, Complaint, Moment, Roll, time::Time};

/// A wait. The caller sees a slower answer; beyond the function's timeout it sees a timeout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Latency {
    /// Before the handler sees the event (default), or after it has answered.
    #[serde(default = "before")]
    pub at: Moment,
    /// How long; with jitter, the median.
    pub time: Time,
    /// How the time varies from one invocation to the next.
    #[serde(default, skip_serializing_if = "Jitter::is_none")]
    pub jitter: Jitter,
}

const fn before() -> Moment {
    Moment::Before
}

/// How a wait varies. Samples never exceed [`LONGEST`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Jitter {
    /// Always the same.
    #[default]
    None,
    /// Evenly between time x (1 - x) and time x (1 + x); x from 0 to 1.
    Uniform(f64),
    /// Normal with the time as its mean and x times it as standard deviation, cut at 0; x from 0 to 1.
    Normal(f64),
    /// Log-normal with the time as its median and x as sigma of the logarithm; x from 0 to 3.
    Lognormal(f64),
    /// Pareto with the time as its median and x as its shape (smaller is heavier); x from 0.5 to 20.
    Pareto(f64),
}

impl Jitter {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// No wait is longer than Lambda's own longest timeout.
pub const LONGEST: Duration = Duration::from_secs(900);

impl Latency {
    /// The wait of this roll.
    pub fn decide(&self, roll: Roll) -> Action {
        Action::Wait { moment: self.at, time: self.sample(roll) }
    }

    fn sample(&self, roll: Roll) -> Duration {
        let time = self.time.duration().as_secs_f64();
        let mut stream = roll.stream();
        let seconds = match self.jitter {
            Jitter::None => time,
            Jitter::Uniform(x) => Uniform::new_inclusive(time * (1.0 - x), time * (1.0 + x)).map_or(time, |d| d.sample(&mut stream)),
            Jitter::Normal(x) => Normal::new(time, time * x).map_or(time, |d| d.sample(&mut stream)),
            Jitter::Lognormal(x) => LogNormal::new(time.max(1e-9).ln(), x).map_or(time, |d| d.sample(&mut stream)),
            // The median of Pareto(scale, shape) is scale x 2^(1/shape).
            Jitter::Pareto(x) => Pareto::new((time / 2f64.powf(1.0 / x)).max(1e-9), x).map_or(time, |d| d.sample(&mut stream)),
        };
        Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LONGEST).min(LONGEST)
    }

    /// Everything wrong with it.
    pub fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if self.time.duration() > LONGEST {
            complaints.push(Complaint::new("time", format!("`{}` is longer than `15m`, Lambda's longest timeout", self.time)));
        }
        let (name, x, low, high) = match self.jitter {
            Jitter::None => return complaints,
            Jitter::Uniform(x) => ("uniform", x, 0.0, 1.0),
            Jitter::Normal(x) => ("normal", x, 0.0, 1.0),
            Jitter::Lognormal(x) => ("lognormal", x, 0.0, 3.0),
            Jitter::Pareto(x) => ("pareto", x, 0.5, 20.0),
        };
        if !(low..=high).contains(&x) {
            complaints.push(Complaint::new(format!("jitter.{name}"), format!("`{x}` is outside {low} to {high}")));
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identity;

    fn samples(jitter: Jitter) -> Vec<Duration> {
        let latency = Latency { at: Moment::Before, time: "100ms".parse().unwrap(), jitter };
        let mut samples: Vec<_> = (0..4001).map(|n| latency.sample(Roll::new(1, "f", Identity(&n.to_string())))).collect();
        samples.sort();
        samples
    }

    #[test]
    fn the_median_is_the_time_whatever_the_jitter() {
        for jitter in [Jitter::None, Jitter::Uniform(0.5), Jitter::Normal(0.2), Jitter::Lognormal(0.4), Jitter::Pareto(2.0)] {
            let median = samples(jitter)[2000].as_secs_f64();
            assert!((0.095..0.106).contains(&median), "{jitter:?}: {median}");
        }
    }

    #[test]
    fn jitter_spreads_and_none_does_not() {
        assert_eq!(samples(Jitter::None)[0], samples(Jitter::None)[4000]);
        assert!(samples(Jitter::Uniform(0.5))[0] >= Duration::from_millis(50));
        assert!(samples(Jitter::Lognormal(0.4))[4000] > Duration::from_millis(200));
    }
}
