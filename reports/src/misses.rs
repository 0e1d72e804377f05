//! The share of an endpoint's requests that miss a bound, by blocks of 5 s, with its uncertainty.
//! Requests of one moment are correlated (a pause, a busy neighbour), so blocks are compared with
//! each other; the interval is never narrower than for independent requests. The result is about
//! the seconds that were measured.

use std::collections::BTreeMap;

use crate::compare::BLOCK_S;
use crate::distributions::{student_at_most, student_quantile};
use crate::intervals::{Interval, exact_share, p_of_at_least};
use crate::latencies::{Latencies, Tag};
use crate::measurements::PhaseSpan;

/// The misses and requests of one block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Block {
    /// The misses.
    pub missed: u64,
    /// The requests.
    pub of: u64,
}

/// When a request misses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// It failed, or it took longer than this many microseconds.
    LongerThan(u64),
    /// It failed.
    Failed,
}

impl Miss {
    /// The same with this many microseconds more.
    pub const fn later_by(self, us: u64) -> Self {
        match self {
            Self::LongerThan(limit) => Self::LongerThan(limit.saturating_add(us)),
            Self::Failed => Self::Failed,
        }
    }

    /// The same with a bound on time this many times as long.
    pub const fn times(self, factor: u64) -> Self {
        match self {
            Self::LongerThan(limit) => Self::LongerThan(limit.saturating_mul(factor)),
            Self::Failed => Self::Failed,
        }
    }

    /// How many of a tag's requests miss. Values in the bound's own bucket count as kept: the
    /// resolution of a histogram is 0.1 %.
    pub fn count(self, tag: &Tag, pairs: &[(u32, u32)]) -> u64 {
        match self {
            _ if tag.is_error() => crate::latencies::sum(pairs),
            Self::LongerThan(limit) => pairs.iter().filter(|(lowest, _)| u64::from(*lowest) > limit).map(|(_, n)| u64::from(*n)).sum(),
            Self::Failed => 0,
        }
    }
}

/// The 5 s block of a second of a phase; the last block includes the remainder.
pub fn block(span: PhaseSpan, second: u32) -> usize {
    let blocks = (((span.to_s - span.from_s) / BLOCK_S).floor() as usize).max(1);
    ((((f64::from(second) - span.from_s) / BLOCK_S).max(0.0)) as usize).min(blocks - 1)
}

/// The misses by block, without blocks that have no request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Misses(Vec<Block>);

/// The uncertainty of a share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// The 95 % interval.
    pub interval: Interval,
    /// How many times wider than for independent requests it is, squared: this many requests count
    /// as one.
    pub clustering: f64,
}

impl Misses {
    /// The misses of these blocks.
    pub fn new(blocks: impl IntoIterator<Item = Block>) -> Self {
        Self(blocks.into_iter().filter(|block| block.of > 0).collect())
    }

    /// The misses among requests with `wanted` tags.
    pub fn of(latencies: &Latencies, span: PhaseSpan, miss: Miss, wanted: impl Fn(&Tag) -> bool) -> Self {
        let mut blocks: BTreeMap<usize, Block> = BTreeMap::new();
        latencies.visit(
            |tag| tag.phase == span.phase && tag.ended() && wanted(tag),
            |second, tag, _, pairs| {
                let block = blocks.entry(block(span, second)).or_default();
                block.missed += miss.count(tag, pairs);
                block.of += crate::latencies::sum(pairs);
            },
        );
        Self::new(blocks.into_values())
    }

    /// The number of misses.
    pub fn missed(&self) -> u64 {
        self.0.iter().map(|block| block.missed).sum()
    }

    /// The number of requests.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|block| block.of).sum()
    }

    /// The share that missed; 0 if there are no requests.
    pub fn share(&self) -> f64 {
        self.missed() as f64 / self.total().max(1) as f64
    }

    /// The standard error of the share by blocks, as for a ratio of two sums (Cochran, Sampling
    /// Techniques, 6.3); `None` for a single block.
    fn error(&self) -> Option<f64> {
        let (blocks, total, share) = (self.0.len() as f64, self.total() as f64, self.share());
        let squares: f64 = self.0.iter().map(|block| (block.missed as f64 - share * block.of as f64).powi(2)).sum();
        (self.0.len() > 1).then(|| (blocks / (blocks - 1.0) * squares).sqrt() / total)
    }

    fn freedom(&self) -> f64 {
        self.0.len() as f64 - 1.0
    }

    /// The interval; `None` if there are no requests.
    pub fn found(&self) -> Option<Found> {
        let exact = exact_share(self.missed(), self.total())?;
        let Some(error) = self.error() else {
            // In a single block, the misses may be one event or many.
            let high = if self.missed() == 0 { exact.high } else { 1.0 };
            return Some(Found { interval: Interval { high, ..exact }, clustering: 1.0 });
        };
        let reach = student_quantile(0.975, self.freedom()) * error;
        let (low, high) = ((self.share() - reach).max(0.0), (self.share() + reach).min(1.0));
        let independent = (self.share() * (1.0 - self.share()) / self.total() as f64).sqrt();
        let clustering = if independent > 0.0 { (error / independent).powi(2).max(1.0) } else { 1.0 };
        Some(Found { interval: Interval { low: exact.low.min(low), high: exact.high.max(high) }, clustering })
    }

    /// The probability of this many misses if the true share were `bound`, exact for any number of
    /// requests. Unless the share is far beyond the bound, blocks must agree too.
    pub fn p_above(&self, bound: f64) -> f64 {
        let exact = p_of_at_least(self.missed(), self.total(), bound);
        match self.error() {
            // Equivalent to: the exact interval is above it.
            _ if self.p_far_above(bound) < 0.025 => exact,
            Some(error) if error > 0.0 => exact.max(1.0 - student_at_most((self.share() - bound) / error, self.freedom())),
            _ => exact,
        }
    }

    /// The same for a share so far beyond the bound that clustering cannot explain it.
    pub fn p_far_above(&self, bound: f64) -> f64 {
        p_of_at_least(self.missed(), self.total(), gross(bound))
    }
}

/// A share so far beyond the bound that clustering cannot explain it: four times the bound, or half
/// way from the bound to 1.
fn gross(bound: f64) -> f64 {
    (4.0 * bound).min(f64::midpoint(bound, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn misses(blocks: &[(u64, u64)]) -> Misses {
        Misses::new(blocks.iter().map(|(missed, of)| Block { missed: *missed, of: *of }))
    }

    #[test]
    fn a_miss_by_every_request_is_found_at_any_number_of_requests() {
        // An earlier version answered "needs 1 more" for 367 of 367.
        for n in [6, 20, 367] {
            assert!(misses(&[(n / 2, n / 2), (n - n / 2, n - n / 2)]).p_above(0.01) < 1e-9, "{n}");
        }
        // Half of two blocks, all of it in one block.
        assert!(misses(&[(0, 50), (50, 50)]).p_above(0.01) < 1e-9);
    }

    #[test]
    fn misses_of_one_moment_are_one_event() {
        let (spread, clustered) =
            (misses(&[(6, 300); 8]), misses(&[(0, 300), (0, 300), (0, 300), (48, 300), (0, 300), (0, 300), (0, 300), (0, 300)]));
        assert_eq!(spread.share(), clustered.share());
        assert!(spread.p_above(0.01) < 0.025 && clustered.p_above(0.01) > 0.025);
        let (alone, together) = (spread.found().unwrap(), clustered.found().unwrap());
        assert!(together.interval.high > alone.interval.high && together.clustering > 10.0 && alone.clustering == 1.0);
    }

    #[test]
    fn the_interval_is_never_narrower_than_that_of_independent_requests() {
        for blocks in [&[(0, 100); 8][..], &[(3, 100); 8], &[(100, 100); 2], &[(0, 40)], &[(1, 40)]] {
            let found = misses(blocks).found().unwrap().interval;
            let exact = exact_share(misses(blocks).missed(), misses(blocks).total()).unwrap();
            assert!(found.low <= exact.low && found.high >= exact.high, "{blocks:?}");
        }
        assert_eq!(misses(&[]).found(), None);
        assert_eq!(misses(&[(1, 40)]).found().unwrap().interval.high, 1.0);
    }
}
