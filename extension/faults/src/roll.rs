//! Repeatable randomness: it depends only on the seed, the fault's name and the identity, never on
//! order.

use std::hash::Hasher;

use rand_pcg::Pcg64Mcg;
use siphasher::sip::SipHasher24;

use crate::identity::Identity;
use crate::share::Share;

/// The roll for one (seed, fault, identity).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roll(u64);

impl Roll {
    /// The roll of `identity` for the fault called `name`. SipHash-2-4 keyed by the seed, so it is the same on every machine.
    pub fn new(seed: u64, name: &str, identity: Identity<'_>) -> Self {
        let mut hasher = SipHasher24::new_with_keys(seed, 0);
        hasher.write(name.as_bytes());
        hasher.write_u8(0xff);
        hasher.write(identity.lasting().0.as_bytes());
        Self(hasher.finish())
    }

    /// The roll as a number in [0, 1), from its upper 53 bits.
    pub fn unit(self) -> f64 {
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Whether this roll falls within `share`.
    pub fn hits(self, share: Share) -> bool {
        self.unit() < share.value()
    }

    /// Numbers for a distribution, independent of [`Roll::hits`] and equal on every machine.
    pub(crate) fn stream(self) -> Pcg64Mcg {
        Pcg64Mcg::new((u128::from(self.0) << 64 | u128::from(!self.0)) | 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_rolls_the_same_and_another_seed_does_not() {
        let roll = |seed, name| Roll::new(seed, name, Identity("1-a-b"));
        assert_eq!(roll(7, "latency"), roll(7, "latency"));
        assert_ne!(roll(7, "latency"), roll(8, "latency"));
        assert_ne!(roll(7, "latency"), roll(7, "error"));
    }

    #[test]
    fn a_roll_does_not_depend_on_the_time_in_a_root() {
        let own = "bd862e3fe1be46a994272793";
        for (identity, part) in [
            (format!("1-5759e988-{own}"), own.to_owned()),
            (format!("1-00000000-{own}"), own.to_owned()),
            (format!("1-5759e988-{own}#2"), format!("{own}#2")),
            (format!("1-5759e98-{own}"), format!("1-5759e98-{own}")),
            (format!("1-5759e98x-{own}"), format!("1-5759e98x-{own}")),
            (format!("1-5759e988-{own}0"), format!("1-5759e988-{own}0")),
            ("1-a-b".to_owned(), "1-a-b".to_owned()),
            ("a message's id".to_owned(), "a message's id".to_owned()),
            (String::new(), String::new()),
        ] {
            assert_eq!(Identity(&identity).lasting(), Identity(&part), "{identity}");
            assert_eq!(Identity(&part).lasting(), Identity(&part), "once is enough");
        }
        let roll = |identity: &str| Roll::new(7, "f", Identity(identity));
        assert_eq!(roll("1-5759e988-bd862e3fe1be46a994272793"), roll("1-00000000-bd862e3fe1be46a994272793"));
        assert_ne!(roll("1-5759e988-bd862e3fe1be46a994272793"), roll("1-5759e988-bd862e3fe1be46a994272794"));
    }

    #[test]
    fn a_share_is_hit_as_often_as_it_says() {
        let hits = |share: f64| {
            let share = Share::try_from(share).unwrap();
            (0..20_000).filter(|n| Roll::new(1, "f", Identity(&format!("1-{n:08x}-{n:024x}"))).hits(share)).count()
        };
        assert_eq!(hits(0.0), 0);
        assert_eq!(hits(1.0), 20_000);
        let half = hits(0.5);
        // 99.99 % of a binomial(20000, 0.5) is within 275 of 10000.
        assert!((9_725..=10_275).contains(&half), "{half}");
    }
}
