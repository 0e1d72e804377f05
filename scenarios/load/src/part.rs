//! Which arrivals of a schedule are this process's own: all, or every n-th where several workers share them.
//! Pure: the numbers decide, so that each arrival belongs to exactly one worker.

/// Worker `index` of `of`: it takes the arrivals `index`, `index + of`, `index + 2 of` and so on of each schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    index: u64,
    of: u64,
}

impl Default for Part {
    /// All of them.
    fn default() -> Self {
        Self { index: 0, of: 1 }
    }
}

impl Part {
    /// `None` unless `index` is below `of`.
    pub const fn new(index: u64, of: u64) -> Option<Self> {
        if index < of { Some(Self { index, of }) } else { None }
    }

    /// Which worker it is, from 0.
    pub const fn index(self) -> u64 {
        self.index
    }

    /// How many workers there are, at least 1.
    pub const fn of(self) -> u64 {
        self.of
    }

    /// The number in the schedule of this worker's `own`-th arrival, both from 0.
    pub const fn number(self, own: u64) -> u64 {
        own.saturating_mul(self.of).saturating_add(self.index)
    }

    /// How many of the first `count` arrivals of a schedule are its own.
    pub const fn among(self, count: u64) -> u64 {
        count.saturating_sub(self.index).div_ceil(self.of)
    }

    /// Its part of a rate.
    pub fn rate(self, all: f64) -> f64 {
        all / self.of as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_arrival_belongs_to_exactly_one_worker() {
        for of in 1..=5 {
            for count in 0..23 {
                let own = |index| {
                    let part = Part::new(index, of).unwrap();
                    (0..part.among(count)).map(move |own| part.number(own)).collect::<Vec<_>>()
                };
                let mut all: Vec<u64> = (0..of).flat_map(own).collect();
                all.sort_unstable();
                assert_eq!(all, (0..count).collect::<Vec<_>>(), "{count} by {of}");
            }
        }
        assert_eq!((Part::new(3, 3), Part::new(0, 0)), (None, None));
        assert_eq!((Part::default().number(7), Part::default().among(7), Part::default().rate(7.0)), (7, 7, 7.0));
    }
}
