//! Treatment against control in the same seconds: a paired bootstrap over blocks of 5 s. It needs histograms only, no samples.
//!
//! The weights are exponential (Rubin's Bayesian bootstrap), not multinomial: a fault phase of 30 s
//! has six blocks, and drawing with replacement would leave out two on average and repeat a few.
//! Both arms of a block get the same weight, so that what moves both cancels out. With B blocks
//! such weights spread too little, by sqrt((B - 1) / (B + 1)), and a normal deviate is too small
//! for B - 1 degrees of freedom; stretching the interval around the estimate corrects both.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::counts::{Counts, highest_equivalent};
use crate::distributions::{student_at_most, student_quantile};
use crate::intervals::samples_needed;
use crate::latencies::is_failure;

/// The quantiles that are compared.
pub const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];
/// The length of a block in seconds.
pub const BLOCK_S: f64 = 5.0;
/// How many sets of weights are drawn.
pub const REPLICATES: usize = 2_000;
/// The same for two samples of different times, of which only the spread is needed.
pub const APART: usize = 500;
/// The fewest blocks that show the spread between blocks.
pub const FEWEST_BLOCKS: usize = 4;

/// ln q(treatment) - ln q(control), with its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// The estimate.
    pub ln_ratio: f64,
    /// Standard error, stretched for the number of blocks.
    pub error: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Degrees of freedom: blocks less one.
    pub freedom: f64,
    /// The quantile of treatment, in microseconds.
    pub treatment_us: u64,
    /// The quantile of control, in microseconds.
    pub control_us: u64,
}

impl Effect {
    fn new(treatment_us: u64, control_us: u64, error: f64, freedom: f64) -> Self {
        let ln_ratio = (treatment_us as f64).ln() - (control_us as f64).ln();
        // A bucket is 0.1 % wide, so no quantile is known better than to half of that.
        let error = error.hypot(0.000_5);
        let reach = student_quantile(0.975, freedom) * error;
        Self { ln_ratio, error, low: ln_ratio - reach, high: ln_ratio + reach, freedom, treatment_us, control_us }
    }

    /// The probability of an effect this far above `ln_margin` if the true effect is not above it.
    pub fn p_above(&self, ln_margin: f64) -> f64 {
        if self.error > 0.0 {
            1.0 - student_at_most((self.ln_ratio - ln_margin) / self.error, self.freedom)
        } else {
            f64::from(self.ln_ratio <= ln_margin)
        }
    }

    /// The two-sided probability of an effect this far from 0 if there is no effect.
    pub fn p_differs(&self) -> f64 {
        if self.error > 0.0 {
            (2.0 * (1.0 - student_at_most((self.ln_ratio / self.error).abs(), self.freedom))).min(1.0)
        } else {
            f64::from(self.ln_ratio == 0.0)
        }
    }
}

/// Why two arms cannot be compared at a quantile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotComparable {
    /// So many struck requests failed that the quantile is a failure.
    #[error("the struck requests fail at this quantile")]
    StruckFail,
    /// The same in control.
    #[error("the control requests fail at this quantile")]
    ControlFail,
    /// Too few requests.
    #[error("needs {0} more requests in the smaller arm")]
    Requests(u64),
    /// Too few blocks of 5 s in which both arms have requests.
    #[error("needs {0} more blocks of 5 s")]
    Blocks(usize),
}

/// An arm's buckets, sorted by value, each with its block.
struct ArmCells {
    cells: Vec<(u32, usize, f64)>,
    totals: Vec<f64>,
    all: Counts,
}

impl ArmCells {
    fn new<'a>(blocks: impl Iterator<Item = &'a Counts> + Clone) -> Self {
        let mut cells = Vec::new();
        for (block, counts) in blocks.clone().enumerate() {
            cells.extend(counts.pairs().iter().map(|(value, count)| (*value, block, *count as f64)));
        }
        cells.sort_unstable_by_key(|(value, block, _)| (*value, *block));
        let all = Counts::merge(blocks.clone().flat_map(|counts| counts.pairs().iter().copied()).collect());
        Self { cells, totals: blocks.map(|counts| counts.total() as f64).collect(), all }
    }

    /// ln of each quantile under the weights.
    fn ln_quantiles(&self, weights: &[f64]) -> [f64; 3] {
        let total: f64 = self.totals.iter().zip(weights).map(|(n, w)| n * w).sum();
        let mut found = [0.0; 3];
        let mut seen = 0.0;
        let mut wanted = QUANTILES.iter().zip(found.iter_mut()).peekable();
        for (value, block, count) in &self.cells {
            seen += count * weights.get(*block).copied().unwrap_or(0.0);
            while let Some((_, slot)) = wanted.next_if(|(quantile, _)| seen >= *quantile * total * (1.0 - 1e-12)) {
                *slot = f64::from(highest_equivalent(*value)).max(1.0).ln();
            }
        }
        found
    }
}

/// Compares two arms, given by block, at p50, p90 and p99. Blocks that only one of them has are
/// ignored.
pub fn compare(treatment: &BTreeMap<usize, Counts>, control: &BTreeMap<usize, Counts>, seed: u64) -> [Result<Effect, NotComparable>; 3] {
    let shared: Vec<_> = treatment.iter().filter_map(|(block, counts)| Some((counts, control.get(block)?))).collect();
    let blocks = shared.len();
    let of_treatment = ArmCells::new(shared.iter().map(|(t, _)| *t));
    let of_control = ArmCells::new(shared.iter().map(|(_, c)| *c));
    let smaller = of_treatment.all.total().min(of_control.all.total());
    let lacks = QUANTILES.map(|quantile| {
        let requests = samples_needed(quantile).saturating_sub(smaller);
        if requests > 0 {
            Some(NotComparable::Requests(requests))
        } else if blocks < FEWEST_BLOCKS {
            Some(NotComparable::Blocks(FEWEST_BLOCKS - blocks))
        } else if of_control.all.quantile(quantile).is_some_and(is_failure) {
            Some(NotComparable::ControlFail)
        } else {
            of_treatment.all.quantile(quantile).is_some_and(is_failure).then_some(NotComparable::StruckFail)
        }
    });
    if let [Some(a), Some(b), Some(c)] = lacks {
        return [Err(a), Err(b), Err(c)];
    }
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let mut weights = vec![1.0; blocks];
    let draws: Vec<[f64; 3]> = (0..REPLICATES)
        .map(|_| {
            weights.fill_with(|| -(1.0 - random.random::<f64>()).ln());
            let [t50, t90, t99] = of_treatment.ln_quantiles(&weights);
            let [c50, c90, c99] = of_control.ln_quantiles(&weights);
            [t50 - c50, t90 - c90, t99 - c99]
        })
        .collect();
    let effect = |index: usize, quantile: f64| {
        let draws = draws.iter().map(|draw| draw.get(index).copied().unwrap_or(0.0)).collect();
        summarise(&of_treatment.all, &of_control.all, quantile, draws, blocks)
    };
    let [lack50, lack90, lack99] = lacks;
    let [q50, q90, q99] = QUANTILES;
    [
        lack50.map_or_else(|| Ok(effect(0, q50)), Err),
        lack90.map_or_else(|| Ok(effect(1, q90)), Err),
        lack99.map_or_else(|| Ok(effect(2, q99)), Err),
    ]
}

/// Compares two samples of different times, given by block, at p50, p90 and p99: `after` against
/// `before`. Their blocks have nothing to do with each other, so each has its own weights, and the
/// degrees of freedom are Welch's.
pub fn compare_apart(after: &BTreeMap<usize, Counts>, before: &BTreeMap<usize, Counts>, seed: u64) -> [Result<Effect, NotComparable>; 3] {
    let [of_after, of_before] = [after, before].map(|blocks| ArmCells::new(blocks.values()));
    let smaller = of_after.all.total().min(of_before.all.total());
    let blocks = after.len().min(before.len());
    let lacks = |quantile: f64| {
        let fails = |cells: &ArmCells| cells.all.quantile(quantile).is_some_and(is_failure);
        let requests = samples_needed(quantile).saturating_sub(smaller);
        if requests > 0 {
            Some(NotComparable::Requests(requests))
        } else if blocks < FEWEST_BLOCKS {
            Some(NotComparable::Blocks(FEWEST_BLOCKS - blocks))
        } else if fails(&of_before) {
            Some(NotComparable::ControlFail)
        } else {
            fails(&of_after).then_some(NotComparable::StruckFail)
        }
    };
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let [a, b] = [&of_after, &of_before].map(|cells| variances(cells, &mut random));
    let mut variances = a.into_iter().zip(b).map(|(a, b)| [a, b]);
    QUANTILES.map(|quantile| {
        let variances = variances.next().unwrap_or_default();
        if let Some(lack) = lacks(quantile) {
            return Err(lack);
        }
        let freedoms = [after.len(), before.len()].map(|blocks| blocks as f64 - 1.0);
        let sum: f64 = variances.iter().sum();
        let welch: f64 = variances.iter().zip(freedoms).map(|(variance, freedom)| variance * variance / freedom).sum();
        let freedom = if welch > 0.0 { sum * sum / welch } else { freedoms.iter().sum() };
        let [after_us, before_us] = [&of_after, &of_before].map(|cells| cells.all.quantile(quantile).unwrap_or(1).max(1));
        Ok(Effect::new(after_us, before_us, sum.sqrt(), freedom))
    })
}

/// The variances of ln of each quantile of one sample, stretched for the number of blocks.
fn variances(cells: &ArmCells, random: &mut Pcg64Mcg) -> [f64; 3] {
    let blocks = cells.totals.len();
    if blocks < 2 {
        return [0.0; 3];
    }
    let mut weights = vec![1.0; blocks];
    let (mut sums, mut squares) = ([0.0; 3], [0.0; 3]);
    for _ in 0..APART {
        weights.fill_with(|| -(1.0 - random.random::<f64>()).ln());
        for ((sum, square), value) in sums.iter_mut().zip(&mut squares).zip(cells.ln_quantiles(&weights)) {
            *sum += value;
            *square += value * value;
        }
    }
    let (n, blocks) = (APART as f64, blocks as f64);
    let mut all = sums;
    for (variance, square) in all.iter_mut().zip(squares) {
        let mean = *variance / n;
        *variance = (square / n - mean * mean).max(0.0) * (blocks + 1.0) / (blocks - 1.0);
    }
    all
}

fn summarise(treatment: &Counts, control: &Counts, quantile: f64, draws: Vec<f64>, blocks: usize) -> Effect {
    let [treatment_us, control_us] = [treatment, control].map(|counts| counts.quantile(quantile).unwrap_or(1).max(1));
    let n = draws.len() as f64;
    let mean = draws.iter().sum::<f64>() / n;
    let spread = (draws.iter().map(|d| (d - mean) * (d - mean)).sum::<f64>() / n).sqrt();
    let blocks = blocks as f64;
    let freedom = blocks - 1.0;
    Effect::new(treatment_us, control_us, spread * ((blocks + 1.0) / (blocks - 1.0)).sqrt(), freedom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::lowest_equivalent;

    /// Six to twelve blocks of log-normal latencies; the blocks drift, and both arms drift with them.
    fn arms(random: &mut Pcg64Mcg, blocks: usize, each: usize, shift: f64) -> [BTreeMap<usize, Counts>; 2] {
        let mut arms = [BTreeMap::new(), BTreeMap::new()];
        for block in 0..blocks {
            let drift = 0.3 * (random.random::<f64>() - 0.5);
            for (arm, blocks) in arms.iter_mut().enumerate() {
                let samples = (0..each)
                    .map(|_| {
                        let normal =
                            (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt() * (std::f64::consts::TAU * random.random::<f64>()).cos();
                        let shift = if arm == 0 { shift } else { 0.0 };
                        (lowest_equivalent((20_000.0 * (drift + 0.25 * normal + shift).exp()) as u32), 1)
                    })
                    .collect();
                blocks.insert(block, Counts::merge(samples));
            }
        }
        arms
    }

    #[test]
    fn two_equal_arms_raise_a_false_alarm_in_about_one_of_twenty() {
        let mut random = Pcg64Mcg::seed_from_u64(5);
        let runs = 300;
        let mut alarms = [0_u32; 3];
        for run in 0..runs {
            let [a, b] = arms(&mut random, if run % 2 == 0 { 6 } else { 12 }, 80, 0.0);
            for (effect, alarms) in compare(&a, &b, run).into_iter().zip(&mut alarms) {
                let effect = effect.unwrap();
                *alarms += u32::from(effect.low > 0.0 || effect.high < 0.0);
            }
        }
        // 5 % of 300 is 15; above 30 is four standard errors too many.
        assert!(alarms.iter().all(|a| *a <= 30), "{alarms:?} false alarms in {runs} runs");
        assert!(alarms.iter().sum::<u32>() >= 5, "{alarms:?}: so careful that it would never see anything");
    }

    #[test]
    fn a_shift_of_ten_percent_is_found() {
        let mut random = Pcg64Mcg::seed_from_u64(6);
        let found = (0..50)
            .filter(|seed| {
                let [a, b] = arms(&mut random, 12, 250, 0.1);
                compare(&a, &b, *seed)[0].unwrap().low > 0.0
            })
            .count();
        assert!(found >= 48, "{found} of 50");
    }

    #[test]
    fn too_few_requests_or_blocks_are_reported_with_what_is_missing() {
        let mut random = Pcg64Mcg::seed_from_u64(7);
        let [a, b] = arms(&mut random, 6, 50, 0.0);
        assert_eq!(compare(&a, &b, 1)[2], Err(NotComparable::Requests(68)));
        let [a, b] = arms(&mut random, 2, 400, 0.0);
        assert_eq!(compare(&a, &b, 1)[0], Err(NotComparable::Blocks(2)));
        assert!(compare(&BTreeMap::new(), &BTreeMap::new(), 1)[0].is_err());
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let mut random = Pcg64Mcg::seed_from_u64(8);
        let [a, b] = arms(&mut random, 6, 80, 0.05);
        assert_eq!(compare(&a, &b, 9), compare(&a, &b, 9));
    }
}
