//! What is known about an experiment of FIS while it is watched.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::alarms::{Alarms, States, Watched};
use crate::arm::Place;
use crate::fis::{Fis, Seen, Status};

/// The interval between two looks at the experiment.
pub(super) const LOOKS: Duration = Duration::from_secs(1);

/// The history of an experiment.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// Each state as it was first seen, with the time from the start.
    pub(super) states: Vec<(Duration, Seen)>,
    /// The automation whose plan is in force, and when that was seen.
    pub(super) automation: Option<(String, Duration)>,
    /// What its stop alarms did.
    pub(super) alarms: Watched,
}

impl Story {
    /// The history of an experiment before which the alarms had these states.
    pub(super) fn since(alarms: States) -> Self {
        Self { alarms: Watched::since(alarms), ..Self::default() }
    }

    pub(super) fn saw(&mut self, at: Duration, seen: Seen) {
        if self.states.last().is_none_or(|(_, last)| *last != seen) {
            self.states.push((at, seen));
        }
    }

    pub(super) fn last(&self) -> Option<&Seen> {
        self.states.last().map(|(_, seen)| seen)
    }

    pub(super) fn status(&self) -> Status {
        self.last().map_or(Status::Pending, |seen| seen.status)
    }

    pub(super) fn said(&self) -> String {
        self.last().map_or_else(|| Status::Pending.name().to_owned(), Seen::said)
    }
}

pub(super) fn locked(story: &Mutex<Story>) -> MutexGuard<'_, Story> {
    story.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an experiment is watched with.
pub(super) struct Watching {
    /// FIS, which tells the experiment's state.
    pub(super) fis: Fis,
    /// Where the plan is read.
    pub(super) store: crate::arm::Store,
    /// Where the document writes its plan.
    pub(super) place: Place,
    /// The stop alarms.
    pub(super) alarms: Alarms,
}

impl Watching {
    /// Watches the experiment, the plan that its document writes and its alarms, until the experiment
    /// has ended. After a failed look, the next one catches up.
    pub(super) async fn over(self, id: String, from: Instant, story: Arc<Mutex<Story>>) {
        loop {
            let seen = self.fis.look(&id).await;
            let in_force = self.store.plan(&self.place).await.ok().flatten().filter(|plan| !plan.faults.is_empty());
            let alarms = self.alarms.states().await;
            {
                let mut story = locked(&story);
                let at = from.elapsed();
                if let Ok(alarms) = alarms {
                    story.alarms.saw(at, &alarms);
                }
                if let Some(plan) = in_force {
                    story.automation.get_or_insert((plan.run, at));
                }
                if let Ok(seen) = seen {
                    story.saw(at, seen);
                }
                if story.status().is_end() {
                    return;
                }
            }
            tokio::time::sleep(LOOKS).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(status: Status) -> Seen {
        Seen { status, reason: None, action: None }
    }

    #[test]
    fn each_state_is_recorded_once_and_the_last_is_the_current_one() {
        let mut story = Story::default();
        for (at, status) in [(1, Status::Pending), (2, Status::Pending), (3, Status::Running), (9, Status::Completed)] {
            story.saw(Duration::from_secs(at), seen(status));
        }
        assert_eq!(story.states.iter().map(|(at, _)| at.as_secs()).collect::<Vec<_>>(), [1, 3, 9]);
        assert!(story.status().is_end());
    }
}
