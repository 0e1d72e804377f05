//! Which journey an arrival makes: every block of arrivals holds each kind exactly as often as it weighs, shuffled by the seed.
//! Pure: an arrival's journey depends on the seed and its number alone.

use crate::chance::Chance;

/// Kinds of journeys with their weights.
#[derive(Debug, Clone)]
pub struct Deck<K> {
    seed: u64,
    cards: Vec<K>,
}

impl<K: Copy + PartialEq> Deck<K> {
    /// A deck in which each kind lies as often as its weight says.
    pub fn new(seed: u64, weights: &[(K, usize)]) -> Self {
        Self { seed, cards: weights.iter().flat_map(|(kind, weight)| std::iter::repeat_n(*kind, *weight)).collect() }
    }

    /// The kind of arrival `number`, and how many of that kind came before it. `None` for an empty deck.
    pub fn draw(&self, number: u64) -> Option<(K, u64)> {
        let size = u64::try_from(self.cards.len()).ok().filter(|size| *size > 0)?;
        let (block, place) = (number / size, usize::try_from(number % size).ok()?);
        let mut cards = self.cards.clone();
        let mut chance = Chance::new(&[self.seed, 0xdec, block]);
        for last in (1..cards.len()).rev() {
            cards.swap(last, usize::try_from(chance.below(last as u64 + 1)).unwrap_or(0));
        }
        let kind = *cards.get(place)?;
        let in_deck = self.cards.iter().filter(|card| **card == kind).count() as u64;
        let before = cards.iter().take(place).filter(|card| **card == kind).count() as u64;
        Some((kind, block * in_deck + before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deck(seed: u64) -> Deck<char> {
        Deck::new(seed, &[('a', 70), ('b', 20), ('c', 10)])
    }

    #[test]
    fn every_block_holds_exactly_the_weights() {
        for block in 0..5 {
            for (kind, weight) in [('a', 70), ('b', 20), ('c', 10)] {
                let drawn = (block * 100..block * 100 + 100).filter(|n| deck(3).draw(*n).unwrap().0 == kind).count();
                assert_eq!(drawn, weight, "block {block}, kind {kind}");
            }
        }
    }

    #[test]
    fn the_turns_of_a_kind_count_up_without_a_gap() {
        let turns: Vec<u64> = (0..300).filter_map(|n| deck(3).draw(n)).filter(|(kind, _)| *kind == 'b').map(|(_, turn)| turn).collect();
        assert_eq!(turns, (0..60).collect::<Vec<_>>());
    }

    #[test]
    fn the_same_seed_draws_the_same_and_another_seed_does_not() {
        let drawn = |seed| (0..100).filter_map(|n| deck(seed).draw(n)).collect::<Vec<_>>();
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }
}
