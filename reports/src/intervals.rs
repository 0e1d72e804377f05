//! What one sample says: order statistics for quantiles, Wilson for shares, Holm for many questions at once.

use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::distributions::{binomial_at_most, binomial_quantile};

/// A 95 % interval, its unit given by what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// How many samples a two-sided 95 % interval of a quantile needs: the smallest n with q^n <= 2.5 % (368 for p99, 3,688 for p99.9).
pub fn samples_needed(quantile: f64) -> u64 {
    let rare = quantile.max(1.0 - quantile);
    (0.025_f64.ln() / rare.ln()).ceil() as u64
}

/// The order-statistic interval of a quantile in microseconds; none where there are too few samples.
pub fn order_statistic(counts: &Counts, quantile: f64) -> Option<Interval> {
    let n = counts.total();
    if n < samples_needed(quantile) {
        return None;
    }
    // X_(r) <= Q unless fewer than r samples lie below Q: the lower rank misses with at most 2.5 %, and so does the upper.
    let low = binomial_quantile(0.025, n, quantile).max(1);
    let high = binomial_quantile(0.975, n, quantile) + 1;
    Some(Interval { low: counts.at_rank(low)? as f64, high: counts.at_rank(high.min(n))? as f64 })
}

/// Wilson's 95 % interval of a share (Wilson 1927); zero of n is at most 3/n (rule of three).
pub fn wilson(hits: u64, n: u64) -> Option<Interval> {
    const Z: f64 = 1.959_963_984_540_054;
    if n == 0 {
        return None;
    }
    let total = n as f64;
    if hits == 0 {
        return Some(Interval { low: 0.0, high: (3.0 / total).min(1.0) });
    }
    let share = hits as f64 / total;
    let shrink = 1.0 + Z * Z / total;
    let middle = (share + Z * Z / (2.0 * total)) / shrink;
    let half = Z / shrink * (share * (1.0 - share) / total + Z * Z / (4.0 * total * total)).sqrt();
    Some(Interval { low: (middle - half).max(0.0), high: (middle + half).min(1.0) })
}

/// The chance of at least `hits` of `n` if the true share is `share` at most: small speaks against it.
pub fn p_of_at_least(hits: u64, n: u64, share: f64) -> f64 {
    if hits == 0 { 1.0 } else { 1.0 - binomial_at_most(hits - 1, n, share) }
}

/// Holm's adjusted p-values, in the order given (Holm 1979): so that many questions do not raise false alarms one by one.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    let p = |i: usize| p_values.get(i).copied().unwrap_or(1.0);
    order.sort_by(|a, b| p(*a).total_cmp(&p(*b)));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut highest: f64 = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        highest = highest.max(((p_values.len() - rank) as f64 * p(index)).min(1.0));
        if let Some(slot) = adjusted.get_mut(index) {
            *slot = highest;
        }
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn the_numbers_of_samples_are_those_of_the_design() {
        assert_eq!([0.5, 0.9, 0.99, 0.999].map(samples_needed), [6, 36, 368, 3_688]);
    }

    #[test]
    fn wilson_agrees_with_known_values() {
        // Values of R's binom::binom.confint(methods = "wilson").
        for (hits, n, low, high) in [(1, 10, 0.017_876, 0.404_15), (5, 10, 0.236_59, 0.763_41), (10, 100, 0.055_229, 0.174_37)] {
            let interval = wilson(hits, n).unwrap();
            assert!((interval.low - low).abs() < 1e-4 && (interval.high - high).abs() < 1e-4, "{hits} of {n}: {interval:?}");
        }
        assert_eq!(wilson(0, 300), Some(Interval { low: 0.0, high: 0.01 }));
        assert_eq!(wilson(0, 0), None);
    }

    #[test]
    fn holm_steps_down() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - expected).abs() < 1e-12, "{adjusted:?}");
        }
    }

    #[test]
    fn order_statistics_cover_the_true_quantile() {
        let mut random = rand_pcg::Pcg64Mcg::seed_from_u64(11);
        for (quantile, n) in [(0.5, 60), (0.9, 200), (0.99, 400)] {
            let truth = quantile * 1e6;
            let missed = (0..1_000)
                .filter(|_| {
                    let samples = (0..n).map(|_| ((random.random::<f64>() * 1e6) as u32, 1)).collect();
                    let interval = order_statistic(&Counts::merge(samples), quantile).unwrap();
                    interval.low > truth || interval.high < truth
                })
                .count();
            // At most 5 % may miss; 1,000 runs add 3 standard errors of 0.7 %.
            assert!(missed <= 71, "{quantile}: {missed} of 1000 missed");
        }
    }

    #[test]
    fn too_few_samples_give_no_interval() {
        assert_eq!(order_statistic(&Counts::merge(vec![(5, 367)]), 0.99), None);
        assert!(order_statistic(&Counts::merge(vec![(5, 368)]), 0.99).is_some());
    }
}
