//! Merged counts by bucket of an HdrHistogram of 3 digits, sparse and sorted. It must give exactly
//! the values that HdrHistogram gives.

/// The lowest value that shares a bucket with `value`: 2,048 buckets of 1 us, then 1,024 for each doubling.
pub const fn lowest_equivalent(value: u32) -> u32 {
    value & !width_mask(value)
}

/// The highest value that shares a bucket with `value`.
pub const fn highest_equivalent(value: u32) -> u32 {
    value | width_mask(value)
}

const fn width_mask(value: u32) -> u32 {
    let shift = (32 - value.leading_zeros()).saturating_sub(11);
    (1 << shift) - 1
}

/// Latencies in microseconds, by bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pairs: Vec<(u32, u64)>,
    total: u64,
}

impl Counts {
    /// Adds up pairs of (lowest value of a bucket, count), in any order.
    pub fn merge(mut pairs: Vec<(u32, u64)>) -> Self {
        pairs.sort_unstable_by_key(|(value, _)| *value);
        pairs.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        let total = pairs.iter().map(|(_, count)| count).sum();
        Self { pairs, total }
    }

    /// The number of values.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The sorted pairs of (lowest value of a bucket, count).
    pub fn pairs(&self) -> &[(u32, u64)] {
        &self.pairs
    }

    /// The value of the `rank`th smallest, counted from 1, as its bucket's highest value.
    pub fn at_rank(&self, rank: u64) -> Option<u64> {
        if rank == 0 || rank > self.total {
            return None;
        }
        let mut seen = 0;
        self.pairs.iter().find_map(|(value, count)| {
            seen += count;
            (seen >= rank).then(|| u64::from(highest_equivalent(*value)))
        })
    }

    /// The value at `quantile`, exactly as HdrHistogram defines it.
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let rank = (quantile.min(1.0) * self.total as f64).ceil() as u64;
        self.at_rank(rank.max(1))
    }

    /// The largest value.
    pub fn largest(&self) -> Option<u64> {
        self.at_rank(self.total)
    }

    /// The number of values above `value`, by buckets.
    pub fn above(&self, value: u64) -> u64 {
        self.pairs.iter().filter(|(lowest, _)| u64::from(*lowest) > value).map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn merged_quantiles_are_those_of_one_histogram_to_the_bit() {
        let mut random = rand_pcg::Pcg64Mcg::seed_from_u64(3);
        let mut one = Histogram::<u64>::new_with_bounds(1, 3_600_000_000, 3).unwrap();
        let mut workers = vec![Vec::new(); 5];
        for n in 0..20_000 {
            let value: u32 = (random.random::<f64>() * 22.0).exp().min(3.6e9) as u32;
            one.record(u64::from(value)).unwrap();
            workers[n % 5].push((lowest_equivalent(value), 1));
        }
        let merged = Counts::merge(workers.concat());
        for q in [0.0001, 0.01, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0] {
            assert_eq!(merged.quantile(q), Some(one.value_at_quantile(q)), "{q}");
        }
        assert_eq!(merged.largest(), Some(one.max()));
        for value in [0, 1, 2047, 2048, 2049, 70_000, 3_600_000_000_u32] {
            assert_eq!(u64::from(lowest_equivalent(value)), one.lowest_equivalent(u64::from(value)), "{value}");
            assert_eq!(u64::from(highest_equivalent(value)), one.highest_equivalent(u64::from(value)), "{value}");
        }
    }

    #[test]
    fn empty_counts_have_no_quantile() {
        assert_eq!(Counts::default().quantile(0.5), None);
        assert_eq!(Counts::default().largest(), None);
    }
}
