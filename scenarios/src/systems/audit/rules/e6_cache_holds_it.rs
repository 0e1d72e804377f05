//! E-6: no record leaves the cache before it is archived.

use super::book::RecordBook;
use super::known::{Cached, Rested};
use super::rule::{Judgement, each};
use super::words;
use crate::invariants::Rule;

pub(crate) fn cache_holds_it() -> Rule<RecordBook> {
    each("E-6", "nothing leaves the cache before it is archived", rule)
}

fn rule(rested: &Rested) -> Judgement {
    let known = &rested.known;
    // `ingest-record` may remove from the cache a record that it refuses, even if its answer was
    // lost.
    if !known.is_accepted() && !known.is_closed() {
        return Judgement::None;
    }
    // A record that is sent again may be removed and put in again, so only the latest event counts.
    let Some((gone, Cached::Gone)) = known.cached.iter().max_by_key(|(at, _)| *at).copied() else { return Judgement::None };
    let is_early = !known.stored.iter().any(|stored| stored.at <= gone) && !rested.may_be_misled();
    Judgement::of(is_early.then(|| words::breach(rested, "in the cache until it is archived")))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Story;
    use super::*;
    use crate::invariants::fixtures::broken;

    #[test]
    fn a_record_that_leaves_the_cache_too_early_breaks_the_rule() {
        let cached = || Story::new(1).cached(0.6);
        for (what, story, expected) in [
            ("whole", Story::new(1).whole(), (0, 1)),
            ("still in the cache", cached().started(0.7), (0, 0)),
            ("taken out before it is archived", cached().started(0.7).uncached(0.9).archived(1.0), (1, 1)),
            ("its time was over", cached().started(0.7).expired(0.9).dead(1.0), (1, 1)),
            ("taken back when it was refused", Story::new(1).answered(503).cached(0.6).uncached(0.7), (0, 0)),
            ("taken back, and the answer was lost", Story::new(1).answered(504).cached(0.6).uncached(0.7), (0, 0)),
            ("closed before it is archived, and the answer was lost", Story::new(1).answered(504).cached(0.6).closed(0.8), (1, 1)),
            ("taken back, then accepted", Story::new(1).answered(503).cached(0.6).uncached(0.7).again(2.0).whole_from(2.0), (0, 1)),
            (
                "taken back, then put in again and kept",
                Story::new(1).answered(503).cached(0.6).uncached(0.7).again(2.0).cached(2.1),
                (0, 0),
            ),
        ] {
            assert_eq!(broken(cache_holds_it(), &story.events()), expected, "{what}");
        }
    }
}
