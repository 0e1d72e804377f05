//! D-8: never more than 25 disables in any second, which is the quota of an account and Region.
//! This is the contract's aim as a rule.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::systems::inactive_users::DISABLES_A_SECOND;
use run_folder::Seen;

use crate::Event;

use super::book::{DISABLE, Due, GRACE, MemberBook, unsure};
use super::fact::Fact;
use super::words;
use crate::invariants::{Breach, Found, Moment, Rule};

/// A little less than a second: calls sent a second apart may arrive closer together.
const SECOND: Duration = Duration::from_millis(900);
/// A struck call is retried in another second than the one reserved for it, so each strike within
/// this time before excuses one call.
const BEFORE: Duration = Duration::from_secs(6);

fn expected() -> String {
    format!("at most {DISABLES_A_SECOND} calls of {DISABLE} in any second")
}

pub(crate) fn within_quota() -> Rule<MemberBook> {
    let mut calls = Calls::default();
    Rule::<MemberBook>::new("D-8", "never more than 25 disables in any second", move |book, ripe, moment| {
        if let Moment::Event(Event::Saw { at, seen: Seen::QuotaExceeded { operation } }) = moment
            && operation == DISABLE
        {
            calls.refused.push_back(*at);
        }
        calls.all(book, &ripe.due, if matches!(moment, Moment::Event(_)) { book.clock } else { Duration::MAX })
    })
}

fn excused(book: &MemberBook, at: Duration) -> usize {
    book.strikes(at.saturating_sub(BEFORE), at + Duration::from_secs(1), unsure)
}

#[derive(Default)]
struct Calls {
    /// The members disabled in the last second, and when.
    disabled: VecDeque<(Duration, String)>,
    /// Refusals that are not judged yet.
    refused: VecDeque<Duration>,
    /// Until when further breaches belong to a burst that was reported.
    told_until: Duration,
}

impl Calls {
    fn disabled(&mut self, book: &MemberBook, due: &Due) -> Option<Breach> {
        self.disabled.push_back((due.at, due.sub.clone()));
        while self.disabled.front().is_some_and(|(at, _)| *at + SECOND <= due.at) {
            self.disabled.pop_front();
        }
        let users = self.disabled.iter().map(|(_, sub)| sub).collect::<BTreeSet<_>>().len();
        let too_many = users > DISABLES_A_SECOND as usize + excused(book, due.at);
        if !too_many || !self.is_news(due.at) {
            return None;
        }
        Some(words::breach(book, &due.sub, due.at, format!("{users} members disabled within 0.9 s"), expected()))
    }

    fn refused(&mut self, book: &MemberBook, at: Duration) -> Option<Breach> {
        let refusals = book.refusals(at.saturating_sub(BEFORE), at);
        let too_many = refusals > excused(book, at);
        (too_many && self.is_news(at)).then(|| Breach {
            at,
            root: None,
            asked: format!("a call of {DISABLE}"),
            answered: "refused, since the quota of calls a second was used up".to_owned(),
            expected: expected(),
            repeat: "grep quota-exceeded sightings.ndjson".to_owned(),
        })
    }

    fn is_news(&mut self, at: Duration) -> bool {
        let news = at >= self.told_until;
        if news {
            self.told_until = at + Duration::from_secs(1);
        }
        news
    }

    fn all(&mut self, book: &MemberBook, due: &[Due], clock: Duration) -> Found {
        let disabled: Vec<_> = due.iter().filter(|due| due.fact == Fact::Disabled).collect();
        let refused = self.refused.partition_point(|at| at.saturating_add(GRACE) <= clock);
        let refused: Vec<_> = self.refused.drain(..refused).collect();
        let checked = (disabled.len() + refused.len()) as u64;
        let mut breaches: Vec<_> = disabled.into_iter().filter_map(|due| self.disabled(book, due)).collect();
        breaches.extend(refused.into_iter().filter_map(|at| self.refused(book, at)));
        (breaches, checked)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{Life, together};
    use super::*;
    use crate::invariants::fixtures::broken;

    fn disabled(count: u32, a_second: f64) -> Vec<Life> {
        (0..count).map(|n| Life::new(n).expired(1.0).disabled(2.0 + f64::from(n) / a_second)).collect()
    }

    fn refused(at: f64) -> Life {
        Life::new(0).saw(at, Seen::QuotaExceeded { operation: "AdminDisableUser".into() })
    }

    #[test]
    fn no_second_has_more_calls_than_the_quota() {
        let with = |lives: Vec<Life>, more: Life| lives.into_iter().chain([more]).collect::<Vec<_>>();
        for (what, lives, expected) in [
            ("25 a second", disabled(200, 25.0), (0, 200)),
            ("25 at once", disabled(25, 1_000.0), (0, 25)),
            ("26 at once", disabled(26, 1_000.0), (1, 26)),
            ("50 a second for two seconds", disabled(100, 50.0), (2, 100)),
            ("one over and over again", (0..60).map(|n| Life::new(1).expired(1.0).disabled(2.0 + f64::from(n) * 0.01)).collect(), (0, 60)),
            ("one is refused", with(disabled(25, 25.0), refused(2.5)), (1, 26)),
            ("one is refused that was struck and came again", with(disabled(25, 25.0), refused(2.5).service_struck(1.9)), (0, 26)),
            (
                "one was struck and three are refused",
                with(disabled(25, 25.0), refused(2.5).service_struck(1.9)).into_iter().chain([refused(2.6), refused(2.7)]).collect(),
                (1, 28),
            ),
            ("another call is refused", vec![Life::new(0).saw(2.0, Seen::QuotaExceeded { operation: "AdminGetUser".into() })], (0, 0)),
        ] {
            assert_eq!(broken(within_quota(), &together(lives)), expected, "{what}");
        }
    }
}
