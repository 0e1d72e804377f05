//! E-4: the archived bytes are the bytes that were sent.

use super::book::RecordBook;
use super::known::{Rested, Stored};
use super::rule::{Judgement, each};
use super::words;
use crate::invariants::Rule;

pub(crate) fn byte_for_byte() -> Rule<RecordBook> {
    each("E-4", "what is archived is what was sent, byte for byte", rule)
}

fn rule(rested: &Rested) -> Judgement {
    let known = &rested.known;
    // E-2 judges refused records that were archived. A record without a clear answer may still be
    // refused.
    if known.stored.is_empty() || known.is_refused() || !(known.is_accepted() || rested.is_over) {
        return Judgement::None;
    }
    if rested.may_be_misled() {
        return Judgement::Right;
    }
    let etag = known.answers.iter().find_map(|answer| answer.record.etag.as_deref());
    let is_it = |stored: &Stored| stored.size == rested.record.size && etag.is_none_or(|etag| stored.etag == etag);
    let expected = (!known.stored.iter().all(is_it)).then_some("the bytes that were sent");
    Judgement::of(expected.map(|expected| words::breach(rested, expected)))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Story;
    use super::*;
    use crate::exchange::RecordForm;
    use crate::invariants::fixtures::broken;

    #[test]
    fn an_object_with_other_bytes_breaks_the_rule() {
        let story = || Story::new(1).started(0.7);
        let key = "records/a-7-000001";
        for (what, story, expected) in [
            ("whole", Story::new(1).whole(), (0, 1)),
            ("nothing archived", story(), (0, 0)),
            ("shorter", story().stored_as(1.0, key, 195_999, &Story::etag(1)), (1, 1)),
            ("as long and other", story().stored_as(1.0, key, 196_000, &Story::etag(2)), (1, 1)),
            ("plain text was decoded all the same", Story::new(1).form(RecordForm::NotBase64).stored_as(1.0, key, 147_000, "x"), (1, 1)),
            ("nobody knows and it is right", Story::new(1).answered(504).whole(), (0, 1)),
            ("nobody knows and it is wrong", Story::new(1).answered(504).stored_as(1.0, key, 1, "x"), (1, 1)),
            ("refused, which is another rule's", Story::new(1).answered(503).stored_as(1.0, key, 1, "x"), (0, 0)),
            ("the answer came before all was sent", Story::new(1).without_etag().stored_as(1.0, key, 196_000, "x"), (0, 1)),
            ("a fault changed the event", story().struck(0.6, "edit-event").stored_as(1.0, key, 1, "x"), (0, 1)),
        ] {
            assert_eq!(broken(byte_for_byte(), &story.events()), expected, "{what}");
        }
    }
}
