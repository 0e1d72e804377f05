//! D-7: at most three calls of the trigger per sign-in, and of two sign-ins the newer one counts,
//! whichever is written last.

use crate::systems::inactive_users::sub;
use run_folder::Seen;

use crate::Event;

use super::book::{Due, GRACE, MemberBook, judge};
use super::fact::Fact;
use super::words;
use crate::invariants::{Breach, Moment, Rule};

/// Cognito calls a trigger that does not answer within 5 s again, three times at most. Source:
/// Amazon Cognito, Lambda triggers.
const MOST_CALLS: u32 = 3;

pub(crate) fn newest_wins() -> Rule<MemberBook> {
    Rule::<MemberBook>::new(
        "D-7",
        "at most three calls of the trigger a sign-in, and the newest sign-in's time wins",
        |book, ripe, moment| {
            let (mut breaches, mut checked) = judge(book, &ripe.due, |fact| matches!(fact, Fact::Written { .. }), moved_back);
            if let Moment::Event(Event::Saw { at, seen: Seen::Triggered { user, call, .. } }) = moment {
                checked += 1;
                breaches.extend((*call > MOST_CALLS).then(|| {
                    let answered = format!("its trigger was called {call} times for one sign-in");
                    words::breach(book, &sub(user), *at, answered, format!("called at most {MOST_CALLS} times"))
                }));
            }
            (breaches, checked)
        },
    )
}

/// A row whose time was moved back, but not by the harness.
fn moved_back(book: &MemberBook, due: &Due) -> Option<Breach> {
    let Fact::Written { expires: Some(expires) } = due.fact else { return None };
    let history = book.history(&due.sub)?;
    let before = history.row_before(due.at, due.fact).filter(|before| expires < *before)?;
    let seeded = |fact: &Fact| *fact == Fact::Seeded;
    if history.any(due.at.saturating_sub(GRACE), due.at + GRACE, seeded) {
        return None;
    }
    let answered = format!("its row's end was moved from {before} back to {expires}, by {} s", before - expires);
    Some(words::breach(book, &due.sub, due.at, answered, "the newest sign-in's, whichever is written last"))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Life;
    use super::*;
    use crate::invariants::fixtures::broken;

    #[test]
    fn a_rows_end_never_goes_back() {
        let new = || Life::new(1).sign_in(1.0, 100);
        for (what, life, expected) in [
            ("once", new(), (0, 2)),
            ("later and later", new().sign_in(2.0, 101).sign_in(3.0, 101).sign_in(4.0, 103), (0, 8)),
            ("back by a late write", new().sign_in(2.0, 103).written(3.0, 102), (1, 5)),
            ("back by the harness", new().seeded(2.0, 50), (0, 3)),
            ("back by a late write long after the harness", new().seeded(2.0, 50).sign_in(9.0, 200).written(9.5, 190), (1, 6)),
            ("anew after it expired", new().expired(2.0).written(3.0, 50), (0, 3)),
            ("anew after it was deleted", new().row_deleted(2.0).written(3.0, 50), (0, 3)),
            ("three calls", new().triggered(6.0, 2).triggered(11.0, 3), (0, 4)),
            ("four calls", new().triggered(6.0, 2).triggered(11.0, 3).triggered(16.0, 4), (1, 5)),
        ] {
            assert_eq!(broken(newest_wins(), &life.events()), expected, "{what}");
        }
    }
}
