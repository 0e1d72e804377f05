//! D-3: under every fault, a successful sign-in has its row written before it is answered; at the
//! end the row still exists unless it expired.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::systems::inactive_users::sub;

use crate::exchange::{Asked, Exchange};
use crate::strike::Handler;

use super::book::{GRACE, MemberBook, ONE_SECOND, SLACK};
use super::fact::Fact;
use super::words;
use crate::invariants::{Breach, Moment, NOTHING, Quiet, Rule, wording};

/// A row that ends within this time may have ended while the table was read.
const ENDS_SOON: Duration = Duration::from_secs(2);

/// When the latest successful sign-in of each member was sent and answered.
type Latest = HashMap<String, (Duration, Duration)>;

pub(crate) fn sign_in_is_recorded(life: Duration) -> Rule<MemberBook> {
    let mut latest = Latest::new();
    Rule::<MemberBook>::new("D-3", "a sign-in that succeeds is recorded", move |book, ripe, moment| {
        let (mut breaches, mut checked) = NOTHING;
        for exchange in ripe.sign_ins.iter().filter(|exchange| exchange.status == Some(200)) {
            let Asked::SignIn { user, .. } = &exchange.asked else { continue };
            let (sub, times) = (sub(user), (exchange.sent, exchange.done));
            checked += 1;
            breaches.extend(unrecorded(book, exchange, &sub));
            let newest = latest.entry(sub).or_insert(times);
            *newest = (*newest).max(times);
        }
        if let Moment::Quiet(Quiet { at, rows: Some(rows), .. }) = moment {
            let rows = rows.iter().map(|(key, _)| key.as_str()).collect();
            breaches.extend(missing(book, &latest, &rows, *at.max(&book.clock), life));
        }
        (breaches, checked)
    })
}

/// What is wrong with a successful sign-in.
fn unrecorded(book: &MemberBook, granted: &Exchange, sub: &str) -> Option<Breach> {
    let (from, until) = (granted.sent.saturating_sub(ONE_SECOND + SLACK), granted.done + SLACK);
    let written = |fact: &Fact| matches!(fact, Fact::Written { .. });
    let recorded = book.history(sub).is_some_and(|history| history.any(from, until, written));
    // The row holds what the event said, and a fault may have changed the event.
    let misled = || book.strikes(granted.sent, granted.done + GRACE, |handler| handler == Handler::Misled) > 0;
    if recorded || misled() {
        return None;
    }
    let told = wording::breach(granted, format!("its row written, or the sign-in refused; {}", wording::struck(granted)));
    Some(Breach { answered: format!("{}, and no row was written", told.answered), ..told })
}

/// Members whose row should exist at the end and does not. A row that was never written has been
/// reported already.
fn missing(book: &MemberBook, latest: &Latest, rows: &HashSet<&str>, now: Duration, life: Duration) -> Vec<Breach> {
    let lacks = |(sub, (sent, done)): (&String, &(Duration, Duration))| {
        let history = book.history(sub)?;
        let from = sent.saturating_sub(ONE_SECOND + SLACK);
        let ended = history.any(from, Duration::MAX, |fact| matches!(fact, Fact::Expired | Fact::RowDeleted | Fact::Seeded));
        let written = history.any(from, *done + SLACK, |fact| matches!(fact, Fact::Written { .. }));
        let gone = !rows.contains(sub.as_str()) && written && !ended && *sent + life > now + ENDS_SOON;
        let answered = "signed in, and in the end there is no row";
        gone.then(|| words::breach(book, sub, *done, answered, "a row until its time is over"))
    };
    latest.iter().filter_map(lacks).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Life;
    use super::*;
    use crate::invariants::fixtures::{broken, broken_at, s};

    #[test]
    fn every_sign_in_that_succeeds_has_its_row() {
        let new = || Life::new(1);
        for (what, life, expected) in [
            ("recorded", new().sign_in(1.0, 100), (0, 1)),
            ("refused, and not recorded", new().triggered(1.1, 1).asked(1.0, 1.2, 400), (0, 0)),
            ("refused, though it was recorded", new().written(1.1, 100).asked(1.0, 1.2, 400), (0, 0)),
            ("granted, and not recorded", new().signed_in(1.1).asked(1.0, 1.2, 200), (1, 1)),
            ("recorded by an earlier sign-in only", new().sign_in(1.0, 100).signed_in(9.1).asked(9.0, 9.2, 200), (1, 2)),
            ("recorded by a newer one of the same second", new().written(1.1, 100).signed_in(2.0).asked(1.9, 2.1, 200), (0, 1)),
            ("recorded after it was answered", new().signed_in(1.1).asked(1.0, 1.2, 200).written(5.0, 100), (1, 1)),
            ("the third call wrote it", new().written(11.5, 100).triggered(11.6, 3).signed_in(11.6).asked(1.0, 11.7, 200), (0, 1)),
            ("the event was another", new().struck(1.1, "record-sign-in", "edit-event").signed_in(1.1).asked(1.0, 1.2, 200), (0, 1)),
            ("a lost answer is no excuse", new().struck(1.1, "record-sign-in", "lose-answer").signed_in(1.1).asked(1.0, 1.2, 200), (1, 1)),
        ] {
            assert_eq!(broken(sign_in_is_recorded(s(30.0)), &life.events()), expected, "{what}");
        }
    }

    #[test]
    fn at_the_end_the_row_exists_unless_it_ended() {
        let new = || Life::new(1).sign_in(1.0, 100);
        let there = vec![(sub(&Life::name(1)), Some(100))];
        for (what, life, rows, at, expected) in [
            ("it is there", new(), Some(there.clone()), 10.0, 0),
            ("nobody looked", new(), None, 10.0, 0),
            ("it is not", new(), Some(vec![]), 10.0, 1),
            ("it expired", new().expired(9.0), Some(vec![]), 10.0, 0),
            ("it was deleted by hand", new().row_deleted(9.0), Some(vec![]), 10.0, 0),
            ("its time is over", new(), Some(vec![]), 30.5, 0),
        ] {
            let quiet = Quiet { at: s(at), rows, ..Quiet::default() };
            assert_eq!(broken_at(sign_in_is_recorded(s(30.0)), &life.events(), &quiet), (expected, 1), "{what}");
        }
    }
}
