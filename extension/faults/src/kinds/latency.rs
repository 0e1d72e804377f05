//! The event, or the answer, is held back for a while.

use std::time::Duration;

use rand_distr::{Distribution, LogNormal, Normal, Pareto, StandardUniform, Uniform};
use serde::{Deserialize, Serialize};

use crate::action::{Action, Moment};
use crate::complaint::Complaint;
use crate::effect::{Effect, Ending, Longer};
use crate::roll::Roll;
use crate::settings::{Seen, Settings};
use crate::time::Time;

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

/// How a wait varies. No wait is longer than 15m.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// Measured: 2 to 1000 rising quantiles, as multiples of the time, at equal steps from the minimum to the maximum; linear between them.
    Empirical(Vec<f64>),
}

impl Jitter {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// No wait is longer than Lambda's own longest timeout.
pub const LONGEST: Duration = Duration::from_secs(900);

impl Latency {
    fn sample(&self, roll: Roll) -> Duration {
        let time = self.time.duration().as_secs_f64();
        let mut stream = roll.stream();
        let seconds = match &self.jitter {
            Jitter::None => time,
            &Jitter::Uniform(x) => Uniform::new_inclusive(time * (1.0 - x), time * (1.0 + x)).map_or(time, |d| d.sample(&mut stream)),
            &Jitter::Normal(x) => Normal::new(time, time * x).map_or(time, |d| d.sample(&mut stream)),
            &Jitter::Lognormal(x) => LogNormal::new(time.max(1e-9).ln(), x).map_or(time, |d| d.sample(&mut stream)),
            // The median of Pareto(scale, shape) is scale x 2^(1/shape).
            &Jitter::Pareto(x) => Pareto::new((time / 2f64.powf(1.0 / x)).max(1e-9), x).map_or(time, |d| d.sample(&mut stream)),
            Jitter::Empirical(quantiles) => time * quantile(quantiles, StandardUniform.sample(&mut stream)),
        };
        Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LONGEST).min(LONGEST)
    }
}

/// The value at `share`, from 0 to 1, of a list of quantiles at equal steps.
fn quantile(quantiles: &[f64], share: f64) -> f64 {
    let place = share * quantiles.len().saturating_sub(1) as f64;
    let below = place.floor() as usize;
    let at = |index: usize| quantiles.get(index).or(quantiles.last()).copied().unwrap_or(1.0);
    at(below) + (at(below + 1) - at(below)) * place.fract()
}

impl Settings for Latency {
    fn decide(&self, roll: Roll) -> Action {
        Action::Wait { moment: self.at, time: self.sample(roll) }
    }

    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if self.time.duration() > LONGEST {
            complaints.push(Complaint::new("time", format!("`{}` is longer than `15m`, Lambda's longest timeout", self.time)));
        }
        let (name, x, low, high) = match &self.jitter {
            Jitter::None => return complaints,
            &Jitter::Uniform(x) => ("uniform", x, 0.0, 1.0),
            &Jitter::Normal(x) => ("normal", x, 0.0, 1.0),
            &Jitter::Lognormal(x) => ("lognormal", x, 0.0, 3.0),
            &Jitter::Pareto(x) => ("pareto", x, 0.5, 20.0),
            Jitter::Empirical(quantiles) => {
                let rising = quantiles.is_sorted() && quantiles.iter().all(|x| x.is_finite() && *x >= 0.0);
                if !rising || !(2..=1000).contains(&quantiles.len()) {
                    let what = "it is 2 to 1000 numbers of 0 or more that do not fall, multiples of `time` at equal steps from the minimum to the maximum";
                    complaints.push(Complaint::new("jitter.empirical", what));
                }
                return complaints;
            }
        };
        if !(low..=high).contains(&x) {
            complaints.push(Complaint::new(format!("jitter.{name}"), format!("`{x}` is outside {low} to {high}")));
        }
        complaints
    }

    fn effect(&self, timeout: Duration) -> Effect {
        let time = self.time.duration();
        if time >= timeout { Effect::times_out(timeout) } else { Effect::of(Ending::Success, Longer::Invocation(time)) }
    }

    /// `time` is the median or the mean of the wait.
    fn mean_wait_s(&self) -> f64 {
        let factor = match &self.jitter {
            Jitter::None | Jitter::Uniform(_) | Jitter::Normal(_) => 1.0,
            Jitter::Lognormal(sigma) => (sigma * sigma / 2.0).exp(),
            // The median is scale x 2^(1/shape), the mean scale x shape / (shape - 1), which is infinite for a shape up to 1.
            Jitter::Pareto(shape) if *shape > 1.0 => shape / (shape - 1.0) / 2f64.powf(1.0 / shape),
            Jitter::Pareto(_) => f64::INFINITY,
            // Linear between the quantiles: the mean of each two neighbours.
            Jitter::Empirical(quantiles) => {
                let pairs = quantiles.iter().zip(quantiles.iter().skip(1)).map(|(low, high)| (low + high) / 2.0);
                pairs.sum::<f64>() / (quantiles.len().max(2) - 1) as f64
            }
        };
        self.time.duration().as_secs_f64() * factor
    }

    const ENDS_THE_INVOCATION: bool = false;
    const FITS_A_SERVICE: bool = true;
    const ONLY_TAKES_TIME: bool = true;

    const EXAMPLE: &'static str = r#"latency = { time = "300ms", jitter = { lognormal = 0.4 } }"#;

    const SEEN: &'static [Seen] = &[
        Seen {
            with: "within the function's timeout",
            by: [
                "200, later",
                "200, later",
                "200, later, and not at all late where the policy is cached",
                "deleted, later",
                "the shard goes on, later",
                "signed in, later; after 5 s Cognito calls again",
                "the task succeeds, later",
                "nothing: no caller waits",
            ],
        },
        Seen { with: "beyond the function's timeout", by: super::timeout::TIMED_OUT },
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    fn samples(jitter: Jitter) -> Vec<Duration> {
        let latency = Latency { at: Moment::Before, time: "100ms".parse().unwrap(), jitter };
        let mut samples: Vec<_> = (0..4001).map(|n| latency.sample(Roll::new(1, "f", Identity(&n.to_string())))).collect();
        samples.sort();
        samples
    }

    #[test]
    fn the_median_is_the_time_whatever_the_jitter() {
        for jitter in [Jitter::None, Jitter::Uniform(0.5), Jitter::Normal(0.2), Jitter::Lognormal(0.4), Jitter::Pareto(2.0)] {
            let median = samples(jitter.clone())[2000].as_secs_f64();
            assert!((0.095..0.106).contains(&median), "{jitter:?}: {median}");
        }
    }

    #[test]
    fn measured_quantiles_come_back() {
        let samples = samples(Jitter::Empirical(vec![1.0, 2.0, 10.0]));
        assert!(samples[0] >= Duration::from_millis(100) && samples[4000] <= Duration::from_millis(1000));
        let median = samples[2000].as_secs_f64();
        assert!((0.19..0.23).contains(&median), "{median}");
        for quantiles in [vec![], vec![1.0], vec![2.0, 1.0], vec![-1.0, 1.0], vec![0.0, f64::NAN]] {
            let latency = Latency { at: Moment::Before, time: "1ms".parse().unwrap(), jitter: Jitter::Empirical(quantiles) };
            assert_eq!(latency.complaints().len(), 1);
        }
    }

    #[test]
    fn jitter_spreads_and_none_does_not() {
        assert_eq!(samples(Jitter::None)[0], samples(Jitter::None)[4000]);
        assert!(samples(Jitter::Uniform(0.5))[0] >= Duration::from_millis(50));
        assert!(samples(Jitter::Lognormal(0.4))[4000] > Duration::from_millis(200));
    }
}
