//! The roles of the members. Numbers decide, so that harness, services and oracles agree without a
//! list. Pure.

use std::ops::Range;
use std::time::Duration;

use load::Timeline;
use load::chance::Chance;

use crate::systems::inactive_users::{UsersLoad, member};

/// One member in this many never enters a password again and continues by refresh token: 5 %.
const REFRESHES_ONLY: u32 = 20;

/// Members whose row is deleted by hand, if there are any cohorts.
const ROWS_DELETED: u32 = 3;

/// How long after the end of its row a racer signs in, at least and at most.
const RACE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_millis(1_500));

/// The members of a run: those who sign in, and after them those with one special purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct People {
    /// Members who sign in or refresh.
    pub(crate) members: u32,
    /// Groups whose rows end together.
    pub(crate) cohorts: Vec<Range<u32>>,
    /// One per cohort: deleted from the pool when its row ends.
    pub(crate) missing: Range<u32>,
    /// Sign in just after their row has ended.
    pub(crate) racers: Range<u32>,
    /// Their row is deleted by hand.
    pub(crate) rows_deleted: Range<u32>,
}

impl People {
    pub(crate) fn new(load: &UsersLoad) -> Self {
        let mut next = load.members;
        let mut take = |count: u32| {
            let from = next;
            next = next.saturating_add(count);
            from..next
        };
        let cohorts: Vec<Range<u32>> = load.cohorts.iter().map(|size| take(*size)).collect();
        let missing = take(u32::try_from(cohorts.len()).unwrap_or(0));
        let racers = take(load.racers);
        let rows_deleted = take(if cohorts.is_empty() { 0 } else { ROWS_DELETED });
        Self { members: load.members, cohorts, missing, racers, rows_deleted }
    }

    /// How many members the pool has in all.
    pub(crate) fn count(&self) -> u32 {
        self.rows_deleted.end
    }

    /// How many of the members only refresh.
    pub(crate) fn refreshing(&self) -> u32 {
        self.members / REFRESHES_ONLY
    }

    /// How many of the members sign in with their password.
    pub(crate) fn signing_in(&self) -> u32 {
        self.members - self.refreshing()
    }

    /// The member who only refreshes, by rank.
    pub(crate) fn refresher(&self, rank: u32) -> u32 {
        rank * REFRESHES_ONLY + REFRESHES_ONLY - 1
    }

    /// The member who signs in with the password, by rank.
    pub(crate) fn signer(&self, rank: u32) -> u32 {
        // The last of every twenty only refreshes; those after the last whole twenty all sign in.
        rank + (rank / (REFRESHES_ONLY - 1)).min(self.refreshing())
    }

    /// When the rows of a cohort end, and with them the row of its missing member.
    pub(crate) fn cohort_ends(&self, timeline: &Timeline, cohort: usize) -> Duration {
        timeline.fault_from() + timeline.fault.mul_f64((cohort + 1) as f64 / (self.cohorts.len() + 1) as f64)
    }

    /// When the row of the refreshing member of this rank ends.
    pub(crate) fn refresher_ends(&self, timeline: &Timeline, rank: u32) -> Duration {
        timeline.fault_from() + timeline.fault.mul_f64((f64::from(rank) + 0.5) / f64::from(self.refreshing().max(1)))
    }

    /// When a racer's row ends, and when the racer signs in.
    pub(crate) fn race(&self, timeline: &Timeline, seed: u64, racer: u32) -> (Duration, Duration) {
        let place = 0.1 + 0.7 * (f64::from(racer) + 0.5) / f64::from(self.racers.end - self.racers.start).max(1.0);
        let ends = timeline.fault_from() + timeline.fault.mul_f64(place);
        let wait = RACE.0 + (RACE.1 - RACE.0).mul_f64(Chance::new(&[seed, 0x2ace, u64::from(racer)]).unit());
        (ends, ends + wait)
    }

    /// The members who are enabled again by hand after they have been disabled: the first of each
    /// cohort.
    pub(crate) fn enabled_again(&self) -> impl Iterator<Item = String> {
        self.cohorts.iter().filter(|cohort| !cohort.is_empty()).map(|cohort| member(cohort.start))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::units::Rate;

    fn load(members: u32, cohorts: &[u32], racers: u32) -> UsersLoad {
        UsersLoad { rate: Rate(10.0), members, cohorts: cohorts.to_vec(), racers }
    }

    fn timeline() -> Timeline {
        let second = Duration::from_secs(1);
        Timeline { warm_up: second, baseline: second * 9, arming: second, fault: second * 60, recovery: second * 10 }
    }

    #[test]
    fn no_member_has_two_roles() {
        for members in [1, 19, 20, 21, 1_000, 1_019] {
            let people = People::new(&load(members, &[1, 25, 26], 7));
            let mut all: Vec<u32> = (0..people.refreshing()).map(|rank| people.refresher(rank)).collect();
            all.extend((0..people.signing_in()).map(|rank| people.signer(rank)));
            assert_eq!(all.len() as u32, members);
            assert!(all.iter().all(|number| *number < members), "{members}");
            all.extend(people.cohorts.iter().cloned().flatten());
            all.extend(people.missing.clone().chain(people.racers.clone()).chain(people.rows_deleted.clone()));
            assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{members}");
            assert_eq!(people.count(), members + 52 + 3 + 7 + 3);
            assert_eq!(all.len() as u32, people.count());
        }
        assert_eq!(People::new(&load(10, &[], 0)).count(), 10);
    }

    #[test]
    fn every_row_meant_to_end_in_the_fault_phase_does() {
        let (people, timeline) = (People::new(&load(1_000, &[1, 25, 26, 1_000], 20)), timeline());
        let fault = timeline.fault_from()..timeline.calm_at();
        let ends: Vec<Duration> = (0..4).map(|cohort| people.cohort_ends(&timeline, cohort)).collect();
        assert_eq!(ends, [23, 35, 47, 59].map(Duration::from_secs));
        assert!((0..50).all(|rank| fault.contains(&people.refresher_ends(&timeline, rank))));
        for racer in 0..20 {
            let (ends, signs_in) = people.race(&timeline, 7, racer);
            assert!(fault.contains(&ends) && fault.contains(&signs_in), "{racer}");
            assert!((RACE.0..=RACE.1).contains(&(signs_in - ends)), "{racer}");
            assert_eq!(people.race(&timeline, 7, racer), (ends, signs_in));
        }
        assert_eq!(people.enabled_again().collect::<Vec<_>>(), ["member-01000", "member-01001", "member-01026", "member-01052"]);
    }
}
