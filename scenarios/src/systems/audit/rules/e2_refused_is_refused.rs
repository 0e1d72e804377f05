//! E-2: a bad record is refused, a good record is not, and a refused record is archived nowhere.

use super::book::RecordBook;
use super::known::{Answer, Rested};
use super::rule::{Judgement, each};
use super::words;
use crate::exchange::{RecordForm, TOO_MANY_REQUESTS, Verdict};
use crate::invariants::Rule;

pub(crate) fn refused_is_refused() -> Rule<RecordBook> {
    each("E-2", "a record is answered 4xx where something is wrong with it and only there, and what was refused is archived nowhere", rule)
}

fn rule(rested: &Rested) -> Judgement {
    if !rested.is_over {
        return Judgement::None;
    }
    let known = &rested.known;
    let expected = if known.is_refused() && !known.stored.is_empty() {
        "archived nowhere, since it was refused"
    } else if let Some(wrong) = known.answers.iter().find_map(wrongly_answered) {
        wrong
    } else if known.answers.iter().all(says_nothing) {
        return Judgement::None;
    } else {
        return Judgement::Right;
    };
    Judgement::of(Some(words::breach(rested, expected)))
}

/// Whether an answer does not settle whether the record is bad: a failure, or a refusal because it
/// came at the wrong time.
fn says_nothing(answer: &Answer) -> bool {
    answer.verdict() == Verdict::Unknown || answer.status == Some(TOO_MANY_REQUESTS)
}

/// What should have been answered. E-4 judges plain text that is accepted and then corrupted by
/// decoding.
fn wrongly_answered(answer: &Answer) -> Option<&'static str> {
    let form = answer.record.form;
    match answer.status {
        // If a fault struck, the fault is responsible for the answer.
        _ if answer.struck => None,
        Some(200) if form == RecordForm::BadDate => Some("answered 400, since its date is none"),
        Some(200) if matches!(form, RecordForm::NoKey | RecordForm::WrongKey) => Some("answered 403, since it has no key"),
        _ if says_nothing(answer) => None,
        Some(400..=499) if !form.is_bad() => Some("answered 200, since nothing is wrong with it"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Story;
    use super::*;
    use crate::invariants::fixtures::broken;

    #[test]
    fn only_bad_records_are_refused_and_refused_records_are_archived_nowhere() {
        let of = |form, status| Story::new(1).form(form).answered(status);
        for (what, story, expected) in [
            ("accepted", Story::new(1).whole(), (0, 1)),
            ("a bad date", of(RecordForm::BadDate, 400), (0, 1)),
            ("no key", of(RecordForm::NoKey, 403), (0, 1)),
            ("refused by its function", Story::new(1).answered(503), (0, 1)),
            ("refused and archived", Story::new(1).answered(503).stored(1.0, "records/a-7-000001"), (1, 1)),
            ("a bad date is archived", of(RecordForm::BadDate, 400).stored(1.0, "records/a-7-000001"), (1, 1)),
            ("refused, then accepted", Story::new(1).answered(503).again(2.0).whole_from(2.0), (0, 1)),
            ("nothing is known of it and it is archived", Story::new(1).answered(502).whole(), (0, 0)),
            ("a bad date is accepted", of(RecordForm::BadDate, 200).whole(), (1, 1)),
            ("a wrong key is accepted", of(RecordForm::WrongKey, 200).whole(), (1, 1)),
            ("plain text is accepted, which is another rule's", of(RecordForm::NotBase64, 200).whole(), (0, 1)),
            ("nothing is wrong with it and it is refused", Story::new(1).answered(409), (1, 1)),
            ("a fault refused it", Story::new(1).answered(409).struck_itself(), (0, 1)),
        ] {
            assert_eq!(broken(refused_is_refused(), &story.events()), expected, "{what}");
        }
    }
}
