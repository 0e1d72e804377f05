//! Statistics of one sample: order statistics for quantiles, exact intervals of shares, Holm's
//! correction for many questions.

use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::distributions::{binomial_at_most, binomial_quantile};

/// The significance level of a broken aim: one side of a 95 % interval.
pub const ONE_SIDE: f64 = 0.025;

/// A 95 % interval, in the unit of the quantity it is about.
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

/// The order-statistic interval of a quantile in microseconds; `None` if there are too few samples.
/// `clustering` is how many of them count as one, 1 if they are independent.
pub fn order_statistic(counts: &Counts, quantile: f64, clustering: f64) -> Option<Interval> {
    let all = counts.total();
    let n = (all as f64 / clustering.max(1.0)) as u64;
    if n < samples_needed(quantile) {
        return None;
    }
    // X_(r) <= Q unless fewer than r samples are below Q: the lower rank misses with at most 2.5 %,
    // and so does the upper.
    let low = binomial_quantile(0.025, n, quantile).max(1);
    let high = (binomial_quantile(0.975, n, quantile) + 1).min(n);
    let rank = |rank: u64, round: fn(f64) -> f64| (round(rank as f64 / n as f64 * all as f64) as u64).clamp(1, all);
    Some(Interval { low: counts.at_rank(rank(low, f64::floor))? as f64, high: counts.at_rank(rank(high, f64::ceil))? as f64 })
}

/// The exact 95 % interval of a share (Clopper and Pearson 1934); zero of n is at most 3.7/n.
/// `None` if `n` is 0.
pub fn exact_share(hits: u64, n: u64) -> Option<Interval> {
    if n == 0 {
        return None;
    }
    let low = if hits == 0 { 0.0 } else { falls_to(|p| p_of_at_least(hits, n, p) >= 0.025) };
    let high = if hits >= n { 1.0 } else { falls_to(|p| binomial_at_most(hits, n, p) < 0.025) };
    Some(Interval { low, high })
}

/// The smallest share from which `holds` is true, by bisection.
fn falls_to(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if holds(middle) { high = middle } else { low = middle }
    }
    high
}

/// The probability of at least `hits` of `n` if the true share is at most `share`; a small value is
/// evidence against that.
pub fn p_of_at_least(hits: u64, n: u64, share: f64) -> f64 {
    if hits == 0 { 1.0 } else { 1.0 - binomial_at_most(hits - 1, n, share) }
}

/// Holm's adjusted p-values, in the given order (Holm 1979), so that many questions together do not
/// raise more false alarms than one.
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
    fn the_exact_interval_of_a_share_is_that_of_r() {
        // R: binom.test(hits, n)$conf.int
        for (hits, n, low, high) in
            [(1, 10, 0.002_529, 0.445_016), (5, 10, 0.187_086, 0.812_914), (10, 100, 0.049_005, 0.176_223), (10, 10, 0.691_503, 1.0)]
        {
            let interval = exact_share(hits, n).unwrap();
            assert!((interval.low - low).abs() < 1e-6 && (interval.high - high).abs() < 1e-6, "{hits} of {n}: {interval:?}");
        }
        assert_eq!(exact_share(0, 0), None);
    }

    #[test]
    fn zero_errors_of_n_bound_the_share_like_a_two_sided_interval() {
        for n in [100, 368, 5_000] {
            let interval = exact_share(0, n).unwrap();
            assert!(interval.low == 0.0 && (interval.high * n as f64 - 3.689).abs() < 0.07, "{n}: {interval:?}");
        }
        // The number of samples that p99 needs is the smallest with which no miss at all proves the
        // bound.
        assert!(exact_share(0, 367).unwrap().high > 0.01 && exact_share(0, 368).unwrap().high <= 0.01);
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
                    let interval = order_statistic(&Counts::merge(samples), quantile, 1.0).unwrap();
                    interval.low > truth || interval.high < truth
                })
                .count();
            // At most 5 % may miss; 1,000 runs add 3 standard errors of 0.7 %.
            assert!(missed <= 71, "{quantile}: {missed} of 1000 missed");
        }
    }

    #[test]
    fn too_few_samples_give_no_interval() {
        assert_eq!(order_statistic(&Counts::merge(vec![(5, 367)]), 0.99, 1.0), None);
        assert!(order_statistic(&Counts::merge(vec![(5, 368)]), 0.99, 1.0).is_some());
        assert_eq!(order_statistic(&Counts::merge(vec![(5, 700)]), 0.99, 2.0), None);
    }
}
