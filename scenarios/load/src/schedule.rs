//! When each arrival is due: one schedule a system, the same for the same seed. Decides only, and never looks at a clock.

use std::time::Duration;

use rand::Rng;
use rand_pcg::Pcg64Mcg;

use crate::shape::Shape;

/// How arrivals are spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Arrivals {
    /// Evenly.
    #[default]
    Constant,
    /// As a Poisson process from the seed.
    Poisson,
}

/// The golden ratio's part behind the point: multiples of it lie further apart, taken modulo 1, than those of any other number.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// The intended times of all arrivals, as offsets from the first arrival of the warm-up.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// One whenever the rate has brought one more; takes no memory however long it is.
    Even {
        /// The rate.
        shape: Shape,
        /// A part of an arrival, from 0 to less than 1, which the first one still lacks at the begin.
        shift: f64,
        /// How many there are.
        count: u64,
    },
    /// Times drawn beforehand, in nanoseconds, 8 bytes an arrival.
    Drawn(Vec<u64>),
}

impl Schedule {
    /// The arrivals of system `number` from 0 up to `end` (excluded) at `rate` a second. A rate that is not above zero has no arrivals.
    /// Systems of equal rates are due at times of their own, so that none meets the others' requests each time.
    pub fn new(arrivals: Arrivals, rate: f64, end: Duration, seed: u64, number: u64) -> Self {
        let rate = if rate.is_finite() { rate.max(0.0) } else { 0.0 };
        Self::shaped(arrivals, &Shape::steady(rate), end, seed, number)
    }

    /// The same at a rate that changes.
    pub fn shaped(arrivals: Arrivals, shape: &Shape, end: Duration, seed: u64, number: u64) -> Self {
        let shift = (number as f64 * GOLDEN).fract();
        let all = shape.arrivals_by(end.as_secs_f64());
        match arrivals {
            Arrivals::Constant => Self::Even { shape: shape.clone(), shift, count: (all - shift - 1e-9).ceil().max(0.0) as u64 },
            Arrivals::Poisson => Self::Drawn(poisson(shape, all, seed.wrapping_add(number))),
        }
    }

    /// The same, with more arrivals at the times of `more`.
    pub fn with(self, more: impl IntoIterator<Item = Duration>) -> Self {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let more: Vec<u64> = more.into_iter().map(nanoseconds).collect();
        if more.is_empty() {
            return self;
        }
        let mut times: Vec<u64> = (0..self.count()).filter_map(|number| self.due(number)).map(nanoseconds).chain(more).collect();
        times.sort_unstable();
        Self::Drawn(times)
    }

    /// When arrival `number` is due; `None` after the last one.
    pub fn due(&self, number: u64) -> Option<Duration> {
        match self {
            Self::Even { shape, shift, count } => {
                (number < *count).then(|| Duration::from_secs_f64(shape.when(number as f64 + shift).max(0.0)))
            }
            Self::Drawn(times) => times.get(usize::try_from(number).ok()?).copied().map(Duration::from_nanos),
        }
    }

    /// How many arrivals are due up to `at`, included.
    pub fn due_by(&self, at: Duration) -> u64 {
        match self {
            // A nanosecond more than the division may lose.
            Self::Even { shape, shift, count } => {
                ((shape.arrivals_by(at.as_secs_f64()) - shift + 1e-9).floor() + 1.0).clamp(0.0, *count as f64) as u64
            }
            Self::Drawn(times) => times.partition_point(|time| u128::from(*time) <= at.as_nanos()) as u64,
        }
    }

    /// How many arrivals there are.
    pub fn count(&self) -> u64 {
        match self {
            Self::Even { count, .. } => *count,
            Self::Drawn(times) => times.len() as u64,
        }
    }

    /// The most arrivals a second, for as long as a second.
    pub fn busiest(&self) -> f64 {
        match self {
            Self::Even { shape, .. } => shape.busiest(),
            Self::Drawn(times) => {
                let in_a_second = |(first, time): (usize, &u64)| times.partition_point(|other| *other < time + 1_000_000_000) - first;
                times.iter().enumerate().map(in_a_second).max().unwrap_or_default() as f64
            }
        }
    }
}

/// A Poisson process: one of rate 1, whose gaps are exponential, up to `all` arrivals on average, and
/// with time that runs as fast as the rate says. The first arrival of a load that begins at once is
/// due at once.
fn poisson(shape: &Shape, all: f64, seed: u64) -> Vec<u64> {
    let mut random = Pcg64Mcg::new((u128::from(seed) << 64 | u128::from(!seed)) | 1);
    let mut times = Vec::with_capacity((all * 1.05) as usize + 16);
    // 1 - u lies in (0, 1], so the logarithm is finite.
    let mut gap = || -(1.0 - random.random::<f64>()).ln();
    let mut arrived = if shape.rate_at(Duration::ZERO) > 0.0 { 0.0 } else { gap() };
    while arrived < all {
        times.push((shape.when(arrived) * 1e9) as u64);
        arrived += gap();
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_schedule_has_rate_times_seconds_arrivals_evenly_spread() {
        let schedule = Schedule::new(Arrivals::Constant, 50.0, Duration::from_secs(3), 1, 0);
        assert_eq!(schedule.count(), 150);
        assert_eq!(schedule.due(0), Some(Duration::ZERO));
        assert_eq!(schedule.due(100), Some(Duration::from_secs(2)));
        assert_eq!(schedule.due(150), None);
    }

    #[test]
    fn equal_constant_schedules_of_different_systems_never_coincide_and_keep_their_rate() {
        // The numbers that systems have.
        let numbers = [0, 1, 2, 3, 4, 7, 20, 21, 22, 100, 101, 102, 103];
        let end = Duration::from_secs(10);
        let mut all = Vec::new();
        for number in numbers {
            let schedule = Schedule::new(Arrivals::Constant, 20.0, end, 1, number);
            assert_eq!(schedule.count(), 200, "{number}");
            let times: Vec<Duration> = (0..200).map(|n| schedule.due(n).unwrap()).collect();
            let gap = |pair: &[Duration]| (pair[1] - pair[0]).as_nanos().abs_diff(50_000_000);
            assert!(times.windows(2).all(|pair| gap(pair) <= 1) && times[199] < end, "{number}");
            all.extend(times);
        }
        all.sort_unstable();
        // 13 systems in 50 ms.
        assert!(all.windows(2).all(|pair| pair[1] - pair[0] > Duration::from_micros(200)), "two systems are due at once");
    }

    #[test]
    fn a_poisson_schedule_is_the_same_for_the_same_seed_and_keeps_its_rate() {
        let schedule = |seed| Schedule::new(Arrivals::Poisson, 100.0, Duration::from_secs(100), seed, 0);
        assert_eq!(schedule(7), schedule(7));
        assert_ne!(schedule(7), schedule(8));
        // 5 standard deviations of a Poisson count of 10,000.
        assert!((9_500..=10_500).contains(&schedule(7).count()), "{}", schedule(7).count());
        let Schedule::Drawn(times) = schedule(7) else { panic!("not drawn") };
        assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
    }

    #[test]
    fn those_that_are_due_by_a_moment_are_the_first_ones() {
        for (arrivals, number) in [(Arrivals::Constant, 0), (Arrivals::Constant, 1), (Arrivals::Poisson, 1)] {
            let schedule = Schedule::new(arrivals, 7.0, Duration::from_secs(5), 1, number);
            for ms in (0..6_000).step_by(50) {
                let at = Duration::from_millis(ms);
                let due = (0..schedule.count()).filter(|number| schedule.due(*number).unwrap() <= at).count() as u64;
                assert_eq!(schedule.due_by(at), due, "{arrivals:?} {number} {ms}");
            }
        }
    }

    #[test]
    fn more_arrivals_stand_in_their_place() {
        let schedule = Schedule::new(Arrivals::Constant, 1.0, Duration::from_secs(3), 1, 0);
        assert_eq!(schedule.clone().with([]), schedule);
        let second = Duration::from_secs(1);
        assert_eq!(
            schedule.with([second * 3 / 2, second]),
            Schedule::Drawn([0, 1_000, 1_000, 1_500, 2_000].map(|ms| ms * 1_000_000).to_vec())
        );
    }

    fn up_and_down() -> Shape {
        let ramp = |to, seconds| crate::shape::Ramp { to, over: Duration::from_secs(seconds) };
        Shape::new(0.0, &[ramp(100.0, 20), ramp(100.0, 20), ramp(0.0, 20)])
    }

    #[test]
    fn a_schedule_with_a_shape_has_as_many_arrivals_as_the_rate_brings_and_keeps_its_shift() {
        let minute = Duration::from_secs(60);
        for number in [0, 1, 2, 100] {
            let schedule = Schedule::shaped(Arrivals::Constant, &up_and_down(), minute, 1, number);
            assert_eq!(schedule.count(), 4_000, "{number}");
            for (from, to, expected) in [(0, 20, 1_000), (20, 40, 2_000), (40, 60, 1_000)] {
                let by = |second| schedule.due_by(Duration::from_secs(second));
                assert!((by(to) - by(from)).abs_diff(expected) <= 1, "{number}: {from} to {to}");
            }
            let last = schedule.due(3_999).unwrap();
            assert!(last < minute && schedule.due(4_000).is_none(), "{number}: {last:?}");
        }
        assert_eq!(Schedule::shaped(Arrivals::Constant, &up_and_down(), minute, 1, 0).busiest(), 100.0);
    }

    #[test]
    fn a_poisson_schedule_with_a_shape_follows_it_and_its_seed() {
        let schedule = |seed| Schedule::shaped(Arrivals::Poisson, &up_and_down(), Duration::from_secs(60), seed, 0);
        assert_eq!(schedule(7), schedule(7));
        assert_ne!(schedule(7), schedule(8));
        let by = |second| schedule(7).due_by(Duration::from_secs(second)) as f64;
        for (from, to, expected) in [(0, 10, 250.0), (10, 20, 750.0), (20, 40, 2_000.0), (40, 50, 750.0), (50, 60, 250.0_f64)] {
            let found = by(to) - by(from);
            assert!((found - expected).abs() < 5.0 * expected.sqrt(), "{from} to {to}: {found}");
        }
        assert!((100.0..160.0).contains(&schedule(7).busiest()), "{}", schedule(7).busiest());
    }

    #[test]
    fn no_rate_means_no_arrival() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Schedule::new(Arrivals::Constant, rate, Duration::from_secs(9), 1, 0).count(), 0, "{rate}");
        }
    }
}
