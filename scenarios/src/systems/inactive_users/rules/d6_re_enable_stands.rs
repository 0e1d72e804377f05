//! D-6: processing a record twice is harmless: a member whom an administrator enables again is not
//! disabled again by the same expiry. An attempt that died between disabling and remembering it
//! looks like one that never got so far, so such a strike is an excuse.

use super::book::{Due, MemberBook, SLACK, each, unsure};
use super::fact::Fact;
use super::words;
use crate::invariants::{Breach, Rule};

pub(crate) fn re_enable_stands() -> Rule<MemberBook> {
    each("D-6", "an administrator's re-enable is not undone by the same expiry", |fact| *fact == Fact::EnabledByHand, wrong)
}

fn wrong(book: &MemberBook, due: &Due) -> Option<Breach> {
    let history = book.history(&due.sub).filter(|_| due.fact == Fact::Disabled)?;
    let by_hand = history.last(due.at, |fact| *fact == Fact::EnabledByHand)?;
    let expired = history.last(due.at + SLACK, |fact| *fact == Fact::Expired)?;
    if expired >= by_hand || !history.any(expired.saturating_sub(SLACK), by_hand, |fact| *fact == Fact::Disabled) {
        return None;
    }
    if book.strikes(expired, due.at, unsure) > 0 {
        return None;
    }
    let answered = format!("enabled by hand, and disabled by the same expiry again {}", words::after(due.at, by_hand));
    Some(words::breach(book, &due.sub, due.at, answered, "enabled until another row of its expires"))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Life;
    use super::*;
    use crate::invariants::fixtures::broken;

    #[test]
    fn a_member_enabled_by_an_administrator_stays_so_until_the_next_expiry() {
        let new = || Life::new(1).seeded(1.0, 100).expired(6.0).disabled(6.2);
        let struck = |action: &str| new().struck(6.3, "prune-users", action).enabled_by_hand(6.5).disabled(8.0);
        for (what, life, expected) in [
            ("never enabled again", new(), (0, 0)),
            ("disabled twice", new().disabled(8.0), (0, 0)),
            ("enabled and left so", new().enabled_by_hand(6.5), (0, 1)),
            ("disabled again by the same expiry", new().enabled_by_hand(6.5).disabled(8.0), (1, 1)),
            ("an answer was lost", struck("lose-answer"), (1, 1)),
            ("the first attempt died", struck("kill-middle"), (0, 1)),
            ("another row has ended", new().enabled_by_hand(6.5).sign_in(7.0, 200).expired(37.0).disabled(37.2), (0, 1)),
            ("enabled before it was disabled", Life::new(1).expired(6.0).enabled_by_hand(6.1).disabled(6.3), (0, 1)),
        ] {
            assert_eq!(broken(re_enable_stands(), &life.events()), expected, "{what}");
        }
    }
}
