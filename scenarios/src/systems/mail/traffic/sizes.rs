//! How large mails are and how many readers they have: every hundred mails have the shares exactly.
//! Pure: the seed and the number decide.

use load::chance::Chance;
use load::deck::Deck;

const KB: u64 = 1_000;
const MB: u64 = 1_000_000;

/// How large the whole mail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// No attachment, or one that leaves the mail below 50 KB.
    Small,
    /// 0.1 to 1 MB.
    UpTo1,
    /// 1 to 10 MB.
    UpTo10,
    /// 10 to 25 MB.
    UpTo25,
    /// 25 to 40 MB, the most that SES accepts. Source: Amazon SES, service quotas.
    UpTo40,
}

/// How many of a hundred mails are of each class.
const CLASSES: [(Class, usize); 5] = [(Class::Small, 60), (Class::UpTo1, 25), (Class::UpTo10, 10), (Class::UpTo25, 4), (Class::UpTo40, 1)];

/// How many readers a mail has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Circle {
    One,
    Few,
    Many,
    /// One more than fits into one call to SES.
    TwoGroups,
}

/// How many of a hundred mails have each number of readers.
const CIRCLES: [(Circle, usize); 4] = [(Circle::One, 50), (Circle::Few, 35), (Circle::Many, 13), (Circle::TwoGroups, 2)];

impl Class {
    /// The least and the most bytes of the whole mail.
    pub(crate) const fn bounds(self) -> (u64, u64) {
        match self {
            Self::Small => (0, 50 * KB),
            Self::UpTo1 => (100 * KB, MB),
            Self::UpTo10 => (MB, 10 * MB),
            Self::UpTo25 => (10 * MB, 25 * MB),
            Self::UpTo40 => (25 * MB, 40 * MB),
        }
    }

    /// The class of mail `number`, and how many of that class came before it.
    pub(crate) fn of(seed: u64, number: u64) -> (Self, u64) {
        Deck::new(Chance::new(&[seed, 0x512e]).number(), &CLASSES).draw(number).unwrap_or((Self::Small, number))
    }

    /// The size for a mail of this class: `fixed` bytes of it are not attachments, `largest` is the
    /// most that any mail may have.
    pub(crate) fn size(self, chance: &mut Chance, fixed: u64, largest: u64) -> u64 {
        let (least, most) = self.bounds();
        let least = least + fixed;
        (least + chance.below(most.saturating_sub(least))).min(largest)
    }
}

/// How many readers mail `number` has.
pub(crate) fn readers(seed: u64, number: u64) -> u64 {
    let deck = Deck::new(Chance::new(&[seed, 0xead]).number(), &CIRCLES);
    let Some((circle, turn)) = deck.draw(number) else { return 1 };
    let mut chance = Chance::new(&[seed, 0xead, number]);
    match circle {
        Circle::One => 1,
        // In turn, so that each number from 2 to 5 comes soon.
        Circle::Few => 2 + turn % 4,
        Circle::Many => 6 + chance.below(45),
        Circle::TwoGroups => 51,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hundred_mails_have_the_shares_of_sizes_and_readers() {
        for block in 0..20_u64 {
            let numbers = block * 100..block * 100 + 100;
            for (class, share) in CLASSES {
                assert_eq!(numbers.clone().filter(|number| Class::of(3, *number).0 == class).count(), share, "{class:?}");
            }
            for (circle, share) in [(1..=1, 50), (2..=5, 35), (6..=50, 13), (51..=51, 2)] {
                assert_eq!(numbers.clone().filter(|number| circle.contains(&readers(3, *number))).count(), share, "{circle:?}");
            }
        }
    }

    #[test]
    fn a_size_is_within_its_class_or_cut_to_the_limit() {
        for (class, _) in CLASSES {
            let (least, most) = class.bounds();
            for number in 0..500 {
                let size = class.size(&mut Chance::new(&[number]), 7_000, u64::MAX);
                assert!((least + 7_000..most).contains(&size), "{class:?} {size}");
                assert!(class.size(&mut Chance::new(&[number]), 7_000, 20_000) <= 20_000);
            }
        }
    }
}
