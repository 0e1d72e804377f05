//! What the harness does by hand beside the sign-ins, and when: it puts and deletes rows, and
//! deletes members. Pure: the load and the timeline decide.

use std::time::Duration;

use load::Timeline;

use crate::systems::inactive_users::{UsersLoad, member};

use crate::systems::inactive_users::traffic::people::People;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Act {
    /// When.
    pub(crate) at: Duration,
    /// The member.
    pub(crate) user: String,
    /// What.
    pub(crate) what: What,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Put the member's row so that it ends at this time.
    Seed {
        /// When.
        expires: Duration,
    },
    /// Delete the member's row.
    DeleteRow,
    /// Delete the member.
    DeleteMember,
}

/// Everything to do, in order of time; a row lives for `life` after a sign-in.
pub(crate) fn agenda(load: &UsersLoad, life: Duration, timeline: &Timeline, seed: u64) -> Vec<Act> {
    let people = People::new(load);
    let mut acts = Vec::new();
    let mut row = |number: u32, expires: Duration| {
        acts.push(Act { at: Duration::ZERO, user: member(number), what: What::Seed { expires } });
    };
    for (n, cohort) in people.cohorts.iter().enumerate() {
        let ends = people.cohort_ends(timeline, n);
        cohort.clone().for_each(|number| row(number, ends));
        // Among the records of the cohort, so that their batch contains one that cannot be
        // processed.
        row(people.missing.start + u32::try_from(n).unwrap_or(0), ends);
    }
    for (n, number) in (0..).zip(people.racers.clone()) {
        row(number, people.race(timeline, seed, n).0);
    }
    for rank in 0..people.refreshing() {
        row(people.refresher(rank), people.refresher_ends(timeline, rank));
    }
    for number in people.rows_deleted.clone() {
        // It would live as long as after a sign-in at the very end.
        row(number, timeline.end() + life);
    }
    let later = |at: Duration, what: What| move |number: u32| Act { at, user: member(number), what };
    acts.extend(people.missing.clone().map(later(timeline.fault_from(), What::DeleteMember)));
    acts.extend(people.rows_deleted.clone().map(later(timeline.fault_from() + timeline.fault / 2, What::DeleteRow)));
    acts.sort_by_key(|act| act.at);
    acts
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::units::Rate;

    #[test]
    fn every_row_is_put_once_before_anything_else_happens_to_it() {
        let second = Duration::from_secs(1);
        let timeline = Timeline { warm_up: second, baseline: second, arming: second, fault: second * 20, recovery: second };
        let load = UsersLoad { rate: Rate(5.0), members: 100, cohorts: vec![1, 25], racers: 4 };
        let acts = agenda(&load, second * 30, &timeline, 7);
        assert!(acts.is_sorted_by_key(|act| act.at));
        let mut of: BTreeMap<&str, Vec<What>> = BTreeMap::new();
        for act in &acts {
            of.entry(&act.user).or_default().push(act.what);
        }
        assert_eq!(of.len(), 26 + 2 + 4 + 5 + 3);
        let mut later = 0;
        for (user, acts) in &of {
            let What::Seed { expires } = acts[0] else { panic!("{user} {acts:?}") };
            assert!(acts.len() <= 2 && acts[1..].iter().all(|what| !matches!(what, What::Seed { .. })), "{user} {acts:?}");
            let ends_within = expires < timeline.calm_at();
            assert_eq!(ends_within, acts.get(1) != Some(&What::DeleteRow), "{user} {acts:?}");
            later += acts.len() - 1;
        }
        assert_eq!(later, 2 + 3);
        assert_eq!(agenda(&UsersLoad { members: 19, cohorts: Vec::new(), racers: 0, ..load }, second * 30, &timeline, 7), []);
    }
}
