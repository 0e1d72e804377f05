//! Counts of latencies in few buckets, for looks at a run while it goes on: one latency is counted, and
//! two counts are added or subtracted, without a search. The report has finer ones.

/// A value keeps so many of its highest bits: a bucket is 1.6 % wide at most.
const BITS: u32 = 7;

/// The buckets of one doubling.
const HALF: u32 = 1 << (BITS - 1);

/// Latencies in microseconds, by bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coarse {
    counts: Vec<u64>,
    total: u64,
    sum_us: u64,
}

/// How many bits of a value its bucket leaves out.
const fn shift(us: u32) -> u32 {
    (32 - us.leading_zeros()).saturating_sub(BITS)
}

fn bucket(us: u32) -> usize {
    let shift = shift(us);
    (shift * HALF + (us >> shift)) as usize
}

/// The lowest and the highest value of a bucket.
fn span(bucket: usize) -> (u64, u64) {
    let bucket = bucket as u64;
    let half = u64::from(HALF);
    let shift = (bucket / half).saturating_sub(1);
    let lowest = (bucket - shift * half) << shift;
    (lowest, lowest + (1 << shift) - 1)
}

impl Coarse {
    /// Adds so many of one value.
    pub fn add(&mut self, us: u32, count: u64) {
        self.count(bucket(us), count);
        self.total += count;
        self.sum_us += u64::from(us) * count;
    }

    /// Adds all of others.
    pub fn merge(&mut self, others: &Self) {
        for (bucket, count) in others.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            self.count(bucket, *count);
        }
        self.total += others.total;
        self.sum_us += others.sum_us;
    }

    fn count(&mut self, bucket: usize, count: u64) {
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        if let Some(counted) = self.counts.get_mut(bucket) {
            *counted += count;
        }
    }

    /// What was added since `earlier`, which are earlier counts of the same.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = earlier.counts.iter().chain(std::iter::repeat(&0));
        Self {
            counts: self.counts.iter().zip(before).map(|(now, before)| now.saturating_sub(*before)).collect(),
            total: self.total.saturating_sub(earlier.total),
            sum_us: self.sum_us.saturating_sub(earlier.sum_us),
        }
    }

    /// How many.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Their sum in microseconds.
    pub const fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// The highest value of the bucket in which the quantile is, in microseconds.
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let wanted = ((quantile.min(1.0) * self.total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(span(bucket).1)
    }

    /// How many are not above `us`, by the lowest value of their bucket.
    pub fn up_to(&self, us: u32) -> u64 {
        self.counts.iter().take(bucket(us) + 1).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_its_bucket_and_a_bucket_is_narrow() {
        let mut last = 0;
        for us in (0..10_000_u32).chain((0..3_000).map(|n| 10_000 + n * 1_200_000)) {
            let (bucket, (lowest, highest)) = (bucket(us), span(bucket(us)));
            assert!((lowest..=highest).contains(&us.into()), "{us}: {lowest} to {highest}");
            assert!((highest - lowest) as f64 <= us as f64 / 63.0, "{us}: {lowest} to {highest}");
            assert!(us >= 10_000 || bucket == last || bucket == last + 1, "{us}");
            last = bucket;
        }
    }

    #[test]
    fn counts_are_added_subtracted_and_asked() {
        let mut all = Coarse::default();
        assert_eq!((all.quantile(0.5), all.up_to(u32::MAX)), (None, 0));
        (1..=100).for_each(|ms| all.add(ms * 1_000, 1));
        let earlier = all.clone();
        assert_eq!(all.since(&earlier).total(), 0);
        let mut more = Coarse::default();
        more.add(500_000, 3);
        all.merge(&more);
        assert_eq!((all.since(&earlier).total(), all.since(&earlier).quantile(0.1)), (3, more.quantile(1.0)));
        assert_eq!((all.total(), all.sum_us(), all.up_to(200_000), all.up_to(u32::MAX)), (103, 5_050_000 + 1_500_000, 100, 103));
        let median = earlier.quantile(0.5).unwrap() as f64;
        assert!((median / 50_000.0 - 1.0).abs() < 0.017, "{median}");
    }
}
