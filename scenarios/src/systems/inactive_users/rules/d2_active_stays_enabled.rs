//! D-2: no active member is disabled, in particular none who signs in between the end of the row
//! and its processing. The function cannot foresee a sign-in that lands between its look and its
//! call, but must undo the call at once; if a fault strikes that, the next attempt must.

use std::collections::VecDeque;
use std::time::Duration;

use crate::strike::Handler;

use super::book::{Due, GRACE, MemberBook, SLACK};
use super::fact::Fact;
use super::words;
use crate::invariants::{Breach, Moment, Rule};

/// Looking again and enabling takes two calls.
const UNDONE: Duration = Duration::from_secs(2);
/// A strike within this time before or after may have hit the invocation that disabled the member.
const NEAR: Duration = Duration::from_secs(5);

pub(crate) fn active_stays_enabled(life: Duration) -> Rule<MemberBook> {
    let text = "nobody active is disabled, in particular not who signs in between the end of the row and its processing";
    let mut wrong = Wrong { life, open: VecDeque::new(), struck: Vec::new() };
    Rule::<MemberBook>::new("D-2", text, move |book, ripe, moment| {
        let disabled: Vec<_> = ripe.due.iter().filter(|due| due.fact == Fact::Disabled).collect();
        disabled.iter().for_each(|due| wrong.judge(book, due));
        let breaches = match moment {
            Moment::Event(_) => wrong.surely(book, book.clock),
            Moment::Quiet(_) => wrong.in_the_end(book),
        };
        (breaches, disabled.len() as u64)
    })
}

struct Wrong {
    life: Duration,
    /// Members who were wrongly disabled and not enabled again at once, each with the sign-in. Not
    /// known yet: whether a fault struck.
    open: VecDeque<(Due, Duration)>,
    /// Those that a fault struck. Not known yet: whether a later attempt enables them.
    struck: Vec<(Due, Duration)>,
}

impl Wrong {
    /// The sign-in that makes the member active at `at`.
    fn active(&self, book: &MemberBook, sub: &str, at: Duration) -> Option<Duration> {
        let history = book.history(sub)?;
        let last = |until: Duration, is: &dyn Fn(&Fact) -> bool| history.last(until, is);
        let signed_in = last(at, &|fact| *fact == Fact::SignedIn)?;
        let written = last(signed_in, &|fact| matches!(fact, Fact::Written { .. }));
        let ended = last(at + SLACK, &|fact| matches!(fact, Fact::Expired | Fact::RowDeleted));
        let is_last_word = last(at, &|fact| *fact == Fact::Seeded).is_none_or(|seeded| seeded < signed_in);
        // The row of this sign-in, or a newer one, still exists.
        let row_lives = written.is_some_and(|written| ended.is_none_or(|ended| ended < written));
        let deleted = last(at, &|fact| *fact == Fact::RowDeleted).is_some_and(|deleted| deleted > signed_in);
        // Or it ended, but far too early.
        let too_early = at < signed_in + self.life / 2 && !deleted;
        (is_last_word && (row_lives || too_early)).then_some(signed_in)
    }

    fn judge(&mut self, book: &MemberBook, due: &Due) {
        if let Some(signed_in) = self.active(book, &due.sub, due.at).filter(|_| !is_enabled(book, due, due.at + UNDONE)) {
            self.open.push_back((due.clone(), signed_in));
        }
    }

    fn breach(&self, book: &MemberBook, due: &Due, signed_in: Duration) -> Breach {
        let answered = format!("signed in, and disabled {}", words::after(due.at, signed_in));
        let expected = format!("enabled for {:.0} s after a sign-in, or at least again within 2 s", self.life.as_secs_f64());
        words::breach(book, &due.sub, due.at, answered, expected)
    }

    /// Breaches that no fault can excuse. Those that a fault may excuse are judged again at the
    /// end.
    fn surely(&mut self, book: &MemberBook, clock: Duration) -> Vec<Breach> {
        let mut breaches = Vec::new();
        while let Some((due, signed_in)) = self.open.pop_front_if(|(due, _)| due.at.saturating_add(NEAR + GRACE) <= clock) {
            if is_struck(book, &due) {
                self.struck.push((due, signed_in));
            } else {
                breaches.push(self.breach(book, &due, signed_in));
            }
        }
        breaches
    }

    fn in_the_end(&mut self, book: &MemberBook) -> Vec<Breach> {
        let mut breaches = self.surely(book, Duration::MAX);
        for (due, signed_in) in std::mem::take(&mut self.struck) {
            let given_up = |fact: &Fact| matches!(fact, Fact::GivenUp { .. });
            let kept = book.history(&due.sub).is_some_and(|history| history.any(due.at, Duration::MAX, given_up));
            if !kept && !is_enabled(book, &due, Duration::MAX) {
                breaches.push(self.breach(book, &due, signed_in));
            }
        }
        breaches
    }
}

fn is_struck(book: &MemberBook, due: &Due) -> bool {
    book.strikes(due.at.saturating_sub(NEAR), due.at + NEAR, |handler| handler != Handler::NotRun) > 0
}

fn is_enabled(book: &MemberBook, due: &Due, until: Duration) -> bool {
    let again = |fact: &Fact| matches!(fact, Fact::Enabled | Fact::EnabledByHand);
    book.history(&due.sub).is_some_and(|history| history.any(due.at, until, again))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Life;
    use super::*;
    use crate::invariants::fixtures::{broken, s};

    #[test]
    fn a_member_who_has_signed_in_since_stays_enabled() {
        let racer = || Life::new(1).seeded(1.0, 100).expired(6.0).sign_in(6.5, 200);
        for (what, life, expected) in [
            ("inactive and disabled", Life::new(1).seeded(1.0, 100).expired(6.0).disabled(6.2), (0, 1)),
            ("not disabled at all", racer(), (0, 0)),
            ("signed in before the processing and disabled", racer().disabled(8.0), (1, 1)),
            ("disabled and enabled again at once", racer().disabled(8.0).enabled(8.3), (0, 1)),
            ("enabled again too late, without any fault", racer().disabled(8.0).enabled(30.0), (1, 1)),
            (
                "the attempt died, and the next one enabled",
                racer().disabled(8.0).struck(8.1, "prune-users", "kill-middle").enabled(14.0),
                (0, 1),
            ),
            ("every attempt died, and its record is kept", racer().disabled(8.0).service_struck(8.1).given_up(40.0), (0, 1)),
            ("late processing is no excuse", racer().struck(7.9, "prune-users", "wait-before").disabled(8.0), (1, 1)),
            ("the new row has ended too", racer().expired(36.6).disabled(36.8), (0, 1)),
            ("signed in long ago", Life::new(1).sign_in(1.0, 100).expired(31.0).disabled(31.2), (0, 1)),
            ("the row ended far too early", Life::new(1).sign_in(1.0, 100).expired(6.0).disabled(6.2), (1, 1)),
            ("somebody put an old row", Life::new(1).sign_in(1.0, 100).seeded(2.0, 50).expired(6.0).disabled(6.2), (0, 1)),
            ("its row was deleted, which is another rule's", Life::new(1).sign_in(1.0, 100).row_deleted(6.0).disabled(6.2), (0, 1)),
            ("granted just after it was disabled", Life::new(1).seeded(1.0, 100).expired(6.0).disabled(6.2).signed_in(6.3), (0, 1)),
        ] {
            assert_eq!(broken(active_stays_enabled(s(30.0)), &life.events()), expected, "{what}");
        }
    }
}
