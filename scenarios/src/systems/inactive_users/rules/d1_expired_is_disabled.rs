//! D-1: an inactive member is disabled, or the record is kept where it can be retried. D-5 judges
//! records behind one that blocks.

use super::book::MemberBook;
use super::expiries::{self, Fate};
use super::words;
use crate::invariants::{Moment, NOTHING, Rule};

pub(crate) fn expired_is_disabled() -> Rule<MemberBook> {
    let text = "every member whose row expired is disabled, or its record is kept where it can be repeated";
    Rule::<MemberBook>::new("D-1", text, |book, _, moment| {
        let Moment::Quiet(quiet) = moment else { return NOTHING };
        let (mut breaches, mut checked) = NOTHING;
        for ended in expiries::all(book, quiet) {
            let found = match ended.fate {
                Fate::UnderWay | Fate::Blocked => continue,
                Fate::Settled | Fate::GivenUp { kept: true } => None,
                Fate::GivenUp { kept: false } => Some("its record was given up and is nowhere"),
                Fate::Nothing => Some("its row expired, and nothing became of that"),
            };
            checked += 1;
            let expected = "disabled, or in the queue for what failed, unless gone or active again";
            breaches.extend(found.map(|found| words::breach(book, &ended.sub, ended.at, found, expected)));
        }
        (breaches, checked)
    })
}

#[cfg(test)]
mod tests {
    use crate::systems::inactive_users::{TABLE, sub};
    use run_folder::Seen;

    use super::super::fixtures::{Life, together};
    use super::*;
    use crate::invariants::Quiet;
    use crate::invariants::fixtures::{broken_at, s};

    #[test]
    fn every_inactive_member_is_accounted_for() {
        let nowhere = Seen::StreamGivenUp { table: TABLE.into(), keys: vec![sub(&Life::name(1))], to: None, message: None };
        let new = || Life::new(1).seeded(1.0, 100).expired(6.0);
        for (what, life, expected) in [
            ("never expired", Life::new(1).sign_in(1.0, 100), (0, 0)),
            ("disabled", new().disabled(6.2), (0, 1)),
            ("disabled long ago", Life::new(1).disabled(1.0).expired(6.0), (0, 1)),
            ("disabled long ago and enabled since", Life::new(1).disabled(1.0).enabled(2.0).expired(6.0), (1, 1)),
            ("disabled and enabled by hand", new().disabled(6.2).enabled_by_hand(7.0), (0, 1)),
            ("signed in again", new().sign_in(6.5, 200), (0, 1)),
            ("signed in, and the answer was lost", new().written(6.5, 200), (0, 1)),
            ("in the queue for what failed", new().given_up(30.0), (0, 1)),
            ("given up and nowhere", new().saw(30.0, nowhere), (1, 1)),
            ("gone", new().removed(3.0), (0, 1)),
            ("nothing", new(), (1, 1)),
            ("signed in before, and nothing", Life::new(1).sign_in(1.0, 100).expired(31.0), (1, 1)),
            ("a moment before the end", Life::new(1).seeded(1.0, 100).expired(115.0), (0, 0)),
        ] {
            let quiet = Quiet { at: s(120.0), ..Quiet::default() };
            assert_eq!(broken_at(expired_is_disabled(), &life.events(), &quiet), expected, "{what}");
        }
    }

    #[test]
    fn the_state_of_the_pool_at_the_end_counts_too() {
        let events = Life::new(1).seeded(1.0, 100).expired(6.0).events();
        for (users, expected) in [(vec![], 0), (vec![(Life::name(1), false)], 0), (vec![(Life::name(1), true)], 1)] {
            let quiet = Quiet { at: s(120.0), users: Some(users.clone()), ..Quiet::default() };
            assert_eq!(broken_at(expired_is_disabled(), &events, &quiet), (expected, 1), "{users:?}");
        }
    }

    #[test]
    fn a_thousand_expiries_are_under_way_while_members_are_being_disabled() {
        let life = |n: u32| Life::new(n).seeded(1.0, 100).expired(6.0);
        let lives = (0..1_000).map(|n| if n < 900 { life(n).disabled(6.0 + f64::from(n) * 0.04) } else { life(n) });
        let events = together(lives);
        for (at, expected) in [(43.0, (0, 900)), (60.0, (100, 1_000))] {
            let quiet = Quiet { at: s(at), ..Quiet::default() };
            assert_eq!(broken_at(expired_is_disabled(), &events, &quiet), expected, "{at}");
        }
    }
}
