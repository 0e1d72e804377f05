//! What happens to a share of all things: evenly, and exactly as often as the share says. Pure: the seed and the number decide.

use crate::chance::Chance;

/// Whether a thing that happens to a share of all things happens to thing `number`: to as many of the first n as the share says, within one.
pub fn falls_on(number: u64, share: f64, seed: u64) -> bool {
    times_before(number + 1, share, seed) > times_before(number, share, seed)
}

/// How often it happened before thing `number`.
pub fn times_before(number: u64, share: f64, seed: u64) -> u64 {
    (number as f64 * share.clamp(0.0, 1.0) + Chance::new(&[seed, 0x5aee]).unit()) as u64
}

/// Which of several things with shares of their own happens to thing `number`; nothing where the shares leave it out.
pub fn one_of<K: Copy>(number: u64, kinds: &[(K, f64)], seed: u64) -> Option<K> {
    let (mut number, mut rest) = (number, 1.0);
    for (nth, (kind, share)) in (0_u64..).zip(kinds) {
        let seed = Chance::new(&[seed, 0x1f0, nth]).number();
        // Of those that the shares before have left.
        let of_rest = if rest > 0.0 { share / rest } else { 0.0 };
        if falls_on(number, of_rest, seed) {
            return Some(*kind);
        }
        number -= times_before(number, of_rest, seed);
        rest -= share;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_kept_within_one() {
        for share in [0.0, 0.01, 0.05, 1.0 / 3.0, 0.999, 1.0] {
            for seed in 0..5 {
                let hits = (0..10_000).filter(|number| falls_on(*number, share, seed)).count() as f64;
                assert!((hits - 10_000.0 * share).abs() <= 1.0, "{share}: {hits}");
            }
        }
    }

    #[test]
    fn each_of_several_shares_is_kept() {
        let kinds = [('a', 0.05), ('b', 0.03), ('c', 0.0), ('d', 0.01)];
        for seed in 0..5 {
            let drawn: Vec<_> = (0..10_000).map(|number| one_of(number, &kinds, seed)).collect();
            for (kind, share) in kinds {
                let found = drawn.iter().filter(|one| **one == Some(kind)).count() as f64;
                assert!((found - 10_000.0 * share).abs() <= 4.0, "{kind}: {found}");
            }
        }
        assert!((0..100).all(|number| one_of(number, &[('a', 0.4), ('b', 0.6)], 1).is_some()), "shares that make one leave nothing out");
    }
}
