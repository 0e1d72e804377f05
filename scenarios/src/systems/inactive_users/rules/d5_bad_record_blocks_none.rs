//! D-5: one record that cannot be processed, for example of a deleted member, blocks no other
//! record: none is given up without a fault, and the records behind it are processed.

use std::time::Duration;

use crate::strike::Handler;

use super::book::{Due, MemberBook, judge};
use super::expiries::{self, Fate};
use super::fact::Fact;
use super::words;
use crate::invariants::{Breach, Moment, Rule};

/// The last attempt before a record is given up is within this time; late attempts are 5 s apart.
const LAST_ATTEMPT: Duration = Duration::from_secs(5);

pub(crate) fn bad_record_blocks_none() -> Rule<MemberBook> {
    Rule::<MemberBook>::new("D-5", "one bad record does not block the others", |book, ripe, moment| {
        let (mut breaches, mut checked) = judge(book, &ripe.due, |fact| matches!(fact, Fact::GivenUp { .. }), given_up);
        let Moment::Quiet(quiet) = moment else { return (breaches, checked) };
        let removed = book.members.values().filter(|history| {
            let ever = |is: &dyn Fn(&Fact) -> bool| history.any(Duration::ZERO, Duration::MAX, is);
            ever(&|fact| *fact == Fact::Removed) && ever(&|fact| *fact == Fact::Expired)
        });
        checked += removed.count() as u64;
        for ended in expiries::all(book, quiet).iter().filter(|ended| ended.fate == Fate::Blocked) {
            let found = "its row expired, and its record stands behind that of a member who is gone";
            breaches.push(words::breach(book, &ended.sub, ended.at, found, "processed within 30 s"));
            checked += 1;
        }
        (breaches, checked)
    })
}

/// A record that was given up although no fault struck its last attempt. D-8 judges refusals by the
/// quota.
fn given_up(book: &MemberBook, due: &Due) -> Option<Breach> {
    let (from, until) = (due.at.saturating_sub(LAST_ATTEMPT), due.at + Duration::from_secs(1));
    let excused = || book.strikes(from, until, |_: Handler| true) > 0 || book.refusals(from, until) > 0;
    if !matches!(due.fact, Fact::GivenUp { .. }) || excused() {
        return None;
    }
    let expected = "done with, since nothing struck: who is gone needs nothing";
    Some(words::breach(book, &due.sub, due.at, "the record of its end was given up", expected))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{Life, together};
    use super::*;
    use crate::invariants::fixtures::broken;

    fn gone() -> Life {
        Life::new(1).seeded(1.0, 100).removed(3.0).expired(6.0)
    }

    fn behind() -> Life {
        Life::new(2).seeded(1.0, 100).expired(6.01)
    }

    #[test]
    fn the_record_of_a_deleted_member_holds_up_no_other_record() {
        for (what, lives, expected) in [
            ("it is passed over", vec![gone(), behind().disabled(6.3)], (0, 1)),
            ("it comes last", vec![gone()], (0, 1)),
            ("it is given up", vec![gone().given_up(32.0), behind().disabled(32.1)], (1, 2)),
            ("all are given up with it", vec![gone().given_up(32.0), behind().given_up(32.0)], (2, 3)),
            ("it blocks for ever", vec![Life::new(3).seeded(0.1, 90).expired(5.0).disabled(5.2), gone(), behind()], (1, 2)),
            ("nothing was ever processed, which is another rule's", vec![gone(), behind()], (0, 1)),
            ("every attempt is struck", vec![gone().struck(31.9, "prune-users", "refuse").given_up(32.0), behind().disabled(32.1)], (0, 2)),
            ("its last attempt was not struck", vec![gone().service_struck(20.0).given_up(32.0), behind().disabled(32.1)], (1, 2)),
            ("another function is struck", vec![gone().struck(31.9, "authorizer", "refuse").given_up(32.0)], (1, 2)),
            ("somebody who is there is given up", vec![behind().given_up(32.0)], (1, 1)),
        ] {
            assert_eq!(broken(bad_record_blocks_none(), &together(lives)), expected, "{what}");
        }
    }
}
