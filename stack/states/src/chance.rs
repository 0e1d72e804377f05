//! Random values of an execution. They depend only on the execution, so that a run can be repeated.

use std::hash::Hasher;
use std::sync::atomic::{AtomicU64, Ordering};

use siphasher::sip::SipHasher24;

/// The random values of one execution.
#[derive(Debug)]
pub(crate) struct Chance {
    id: String,
    /// How many values were drawn.
    drawn: AtomicU64,
}

impl Chance {
    /// The values of the execution with this ARN.
    pub(crate) fn of(id: &str) -> Self {
        Self { id: id.to_owned(), drawn: AtomicU64::new(0) }
    }

    /// The next value.
    pub(crate) fn draw(&self) -> u64 {
        mixed(&self.id, "", self.drawn.fetch_add(1, Ordering::Relaxed))
    }

    /// A number from 0 to 1 for the jitter of a retry, the same however much was drawn.
    pub(crate) fn of_retry(&self, state: &str, retry: u32) -> f64 {
        (mixed(&self.id, state, u64::from(retry)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The value of a seed that a definition gives.
    pub(crate) fn of_seed(seed: i64) -> u64 {
        mixed("", "", seed.cast_unsigned())
    }
}

fn mixed(id: &str, what: &str, number: u64) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(id.as_bytes());
    hasher.write_u8(0xff);
    hasher.write(what.as_bytes());
    hasher.write_u64(number);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_has_the_same_values_in_every_run_and_another_has_others() {
        let drawn = |id: &str| {
            let chance = Chance::of(id);
            [chance.draw(), chance.draw()]
        };
        assert_eq!(drawn("a"), drawn("a"));
        assert_ne!(drawn("a"), drawn("b"));
        assert_ne!(drawn("a")[0], drawn("a")[1]);
        assert_eq!(Chance::of("a").of_retry("S", 1).to_bits(), Chance::of("a").of_retry("S", 1).to_bits());
    }
}
