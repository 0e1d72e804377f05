//! Worlds whose latency is known exactly: the share of requests beyond any bound, in the long run
//! and in the actual seconds of one run.

use rand::Rng;
use rand_pcg::Pcg64Mcg;

/// The median in a quiet second, in microseconds.
pub const BASE_US: f64 = 20_000.0;
/// How long all requests wait in a common pause, in microseconds.
const PAUSE_US: f64 = 300_000.0;
/// The probability that a pause, of one or two seconds, follows a second without one.
const PAUSE_BEGINS: f64 = 0.02;

/// How the requests of one moment spread around their common part.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Log-normal with this standard deviation of the logarithm.
    LogNormal(f64),
    /// Log-normal (0.25); a share of the requests takes several times as long.
    Slow {
        /// The share.
        share: f64,
        /// How many times as long.
        times: f64,
    },
}

/// What requests of one moment have in common.
#[derive(Debug, Clone, Copy)]
pub enum Load {
    /// Nothing: requests are independent.
    Steady,
    /// The logarithm of latency follows an autoregression, second by second: its memory and its standard deviation.
    Ar1(f64, f64),
    /// Sometimes all requests of a second or two wait.
    Pauses,
    /// Latency grows by this share over the run.
    Drift(f64),
}

/// A world.
#[derive(Debug, Clone, Copy)]
pub struct World {
    /// Its name in tables.
    pub name: &'static str,
    /// How requests of one moment spread.
    pub shape: Shape,
    /// What they have in common.
    pub load: Load,
}

/// All worlds of the simulation.
pub const WORLDS: [World; 8] = [
    World { name: "log-normal 0.25", shape: Shape::LogNormal(0.25), load: Load::Steady },
    World { name: "log-normal 0.8", shape: Shape::LogNormal(0.8), load: Load::Steady },
    World { name: "two modes", shape: Shape::Slow { share: 0.1, times: 8.0 }, load: Load::Steady },
    World { name: "outliers", shape: Shape::Slow { share: 0.01, times: 50.0 }, load: Load::Steady },
    World { name: "drift", shape: Shape::LogNormal(0.25), load: Load::Drift(0.3) },
    World { name: "pauses", shape: Shape::LogNormal(0.25), load: Load::Pauses },
    World { name: "AR(1) 0.5/0.8", shape: Shape::LogNormal(0.25), load: Load::Ar1(0.5, 0.8) },
    World { name: "AR(1) 0.9/0.4", shape: Shape::LogNormal(0.25), load: Load::Ar1(0.9, 0.4) },
];

/// The world with this name.
pub fn world(name: &str) -> World {
    WORLDS.into_iter().find(|world| world.name == name).unwrap_or_else(|| panic!("no world `{name}`"))
}

/// What all requests of one second share.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    ln_shift: f64,
    wait_us: f64,
}

impl Moment {
    /// A second in which requests share nothing.
    pub const QUIET: Self = Self { ln_shift: 0.0, wait_us: 0.0 };
}

/// One draw from the standard normal distribution.
pub fn normal(random: &mut Pcg64Mcg) -> f64 {
    (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt() * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

/// P(Z > z) of the standard normal, to 8 digits (Abramowitz and Stegun 7.1.26).
fn normal_above(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let series = [0.254_829_592, -0.284_496_736, 1.421_413_741, -1.453_152_027, 1.061_405_429];
    let tail = 0.5 * (-x * x).exp() * series.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    if z > 0.0 { tail } else { 1.0 - tail }
}

impl Shape {
    fn draw(self, random: &mut Pcg64Mcg) -> f64 {
        match self {
            Self::LogNormal(sigma) => (sigma * normal(random)).exp(),
            Self::Slow { share, times } => (if random.random::<f64>() < share { times } else { 1.0 }) * (0.25 * normal(random)).exp(),
        }
    }

    /// The share of draws above `x`.
    fn above(self, x: f64) -> f64 {
        match self {
            _ if x <= 0.0 => 1.0,
            Self::LogNormal(sigma) => normal_above(x.ln() / sigma),
            Self::Slow { share, times } => (1.0 - share) * normal_above(x.ln() / 0.25) + share * normal_above((x / times).ln() / 0.25),
        }
    }
}

impl World {
    /// What the requests of each second share, drawn from the stationary distribution.
    pub fn moments(self, seconds: u32, random: &mut Pcg64Mcg) -> Vec<Moment> {
        let mut level = normal(random);
        // Long enough that the start of the world no longer matters.
        let mut paused = (0..100).fold(0, |paused, _| next_pause(paused, random));
        (0..seconds)
            .map(|second| match self.load {
                Load::Steady => Moment::QUIET,
                Load::Ar1(memory, deviation) => {
                    level = memory * level + (1.0 - memory * memory).sqrt() * normal(random);
                    Moment { ln_shift: deviation * level, wait_us: 0.0 }
                }
                Load::Pauses => {
                    paused = next_pause(paused, random);
                    Moment { ln_shift: 0.0, wait_us: if paused > 0 { PAUSE_US } else { 0.0 } }
                }
                Load::Drift(growth) => grown(growth, second, seconds),
            })
            .collect()
    }

    /// Draws the latency of one request, in microseconds.
    pub fn latency(self, moment: Moment, random: &mut Pcg64Mcg) -> f64 {
        BASE_US * moment.ln_shift.exp() * self.shape.draw(random) + moment.wait_us
    }

    /// The share of the requests of such a moment that take longer than `us`.
    pub fn above(self, moment: Moment, us: f64) -> f64 {
        self.shape.above((us - moment.wait_us) / (BASE_US * moment.ln_shift.exp()))
    }

    /// The same over many moments.
    pub fn above_in(self, moments: &[Moment], us: f64) -> f64 {
        moments.iter().map(|moment| self.above(*moment, us)).sum::<f64>() / moments.len() as f64
    }

    /// The latency below which this share of all requests is in the long run, in microseconds.
    pub fn quantile(self, quantile: f64, seconds: u32) -> f64 {
        let weighted = self.stationary(seconds);
        let above = |us: f64| weighted.iter().map(|(weight, moment)| weight * self.above(*moment, us)).sum::<f64>();
        let (mut low, mut high) = (0.0_f64, 20.0_f64);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if above(middle.exp()) > 1.0 - quantile { low = middle } else { high = middle }
        }
        high.exp()
    }

    /// Moments with their weights in the long run.
    fn stationary(self, seconds: u32) -> Vec<(f64, Moment)> {
        match self.load {
            Load::Steady => vec![(1.0, Moment::QUIET)],
            Load::Ar1(_, deviation) => {
                let grid: Vec<f64> = (-250..=250).map(|step| f64::from(step) / 50.0).collect();
                let sum: f64 = grid.iter().map(|z| (-z * z / 2.0).exp()).sum();
                grid.iter().map(|z| ((-z * z / 2.0).exp() / sum, Moment { ln_shift: deviation * z, wait_us: 0.0 })).collect()
            }
            Load::Pauses => {
                // A pause takes 1.5 s on average, and (1 - p) / p seconds are between one and the
                // next.
                let paused = 1.5 / (1.5 + (1.0 - PAUSE_BEGINS) / PAUSE_BEGINS);
                vec![(1.0 - paused, Moment::QUIET), (paused, Moment { wait_us: PAUSE_US, ..Moment::QUIET })]
            }
            Load::Drift(growth) => (0..seconds).map(|second| (1.0 / f64::from(seconds), grown(growth, second, seconds))).collect(),
        }
    }
}

fn grown(growth: f64, second: u32, seconds: u32) -> Moment {
    Moment { ln_shift: (growth * (f64::from(second) + 0.5) / f64::from(seconds)).ln_1p(), wait_us: 0.0 }
}

/// How many seconds of a pause are left after one more second.
fn next_pause(left: u32, random: &mut Pcg64Mcg) -> u32 {
    match left {
        2.. => left - 1,
        _ if random.random::<f64>() < PAUSE_BEGINS => 1 + u32::from(random.random::<f64>() < 0.5),
        _ => 0,
    }
}
