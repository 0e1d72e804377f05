//! Which plan is in force. It has no clock: it is given what was found, and when.

use std::sync::Arc;
use std::time::Duration;

use faults::Plan;
use faults::plan::PlanError;

use super::in_force::{InForce, Moment};
use super::source::Look;

/// The accepted plan, and what came before it.
///
/// A plan of another run is accepted only when the previous one has expired or is calm: two
/// harnesses that strike the same function would spoil each other's experiment, and the second has
/// to wait for at most one lease. Its own lease runs meanwhile.
#[derive(Debug, Default)]
pub struct Keeper {
    current: Option<Arc<InForce>>,
    /// Run and sequence of the last accepted plan, even after it has gone.
    last: Option<(String, u64)>,
    waiting: Option<InForce>,
    /// The notes since the last plan, so that each is written only once.
    said: Vec<String>,
    /// The number of looks in a row without an answer.
    unanswered: u32,
}

/// The most different notes between two plans.
const MOST_SAID: usize = 32;

impl Keeper {
    /// Handles the result of a look at the source at `now`; returns new notes for the reader of the
    /// ledger.
    pub fn take(&mut self, look: Look, now: Moment) -> Vec<String> {
        let news = self.looked(look, now);
        let mut all: Vec<_> = news.filter(|news| self.is_new(news)).into_iter().collect();
        if let Some(waiting) = self.waiting.take() {
            let news = self.offer(waiting, now);
            all.extend(news.filter(|news| self.is_new(news)));
        }
        if let Some(over) = self.current.take_if(|current| !current.holds(now)) {
            let (run, sequence) = (&over.plan.run, over.plan.sequence);
            all.push(format!("the lease of plan {sequence} of run `{run}` is over: every event passes untouched"));
        }
        all
    }

    fn looked(&mut self, look: Look, now: Moment) -> Option<String> {
        self.unanswered = match look {
            Look::Unanswered(_) => self.unanswered.saturating_add(1),
            Look::Waiting => self.unanswered,
            Look::Same | Look::Missing(_) | Look::Found { .. } => 0,
        };
        match look {
            Look::Same | Look::Waiting => None,
            // A single failure means nothing: the other end may be starting, or the environment was
            // frozen during the call.
            Look::Unanswered(why) => (self.unanswered > 1).then(|| format!("{why}; a plan in force ends with its lease")),
            Look::Missing(why) => Some(self.nothing(&why)),
            Look::Found { plan, age } => match Plan::read(&plan) {
                Ok(plan) => self.read(plan, age, now),
                Err(error) => Some(self.nothing(&complaint(&error))),
            },
        }
    }

    fn nothing(&mut self, why: &str) -> String {
        (self.current, self.waiting) = (None, None);
        format!("{why}: every event passes untouched")
    }

    /// Accepts a plan with only the rest of its lease: its writer may have died long ago.
    fn read(&mut self, plan: Plan, age: Option<Duration>, now: Moment) -> Option<String> {
        match plan.left(age, now.wall) {
            Some(left) => self.offer(InForce::new(plan, now + left), now),
            None => Some(self.nothing("the plan has no end: its source does not tell its age, and it has no `until_ms`")),
        }
    }

    /// The plan in force.
    pub fn in_force(&self) -> Option<Arc<InForce>> {
        self.current.clone()
    }

    fn offer(&mut self, offered: InForce, now: Moment) -> Option<String> {
        let (run, sequence) = (&offered.plan.run, offered.plan.sequence);
        if let Some((last_run, last_sequence)) = &self.last {
            if last_run == run && sequence <= *last_sequence {
                // Reading the same plan again does not renew its lease.
                return (sequence < *last_sequence)
                    .then(|| format!("plan {sequence} of run `{run}` is older than plan {last_sequence}: it is ignored"));
            }
            let holds = self.current.as_ref().is_some_and(|current| current.holds(now) && !current.plan.faults.is_empty());
            if last_run != run && holds {
                let news = format!("run `{run}` waits until the lease of run `{last_run}` is over");
                self.waiting = Some(offered);
                return Some(news);
            }
        }
        self.last = Some((run.clone(), sequence));
        self.current = Some(Arc::new(offered));
        self.said.clear();
        None
    }

    fn is_new(&mut self, news: &String) -> bool {
        let is_new = !self.said.contains(news) && self.said.len() < MOST_SAID;
        if is_new {
            self.said.push(news.clone());
        }
        is_new
    }
}

/// A plan may be the value of a variable, which must not get into the ledger: for an invalid plan
/// only the position is given, for a refused fault only its name, which is in every line of the
/// ledger anyway.
fn complaint(error: &PlanError) -> String {
    match error {
        PlanError::Form(form) => format!("the plan is not understood at line {}, column {}", form.line(), form.column()),
        PlanError::Refused { faults, .. } => format!("the plan asks for what cannot be done in `{}`", faults.join("`, `")),
        PlanError::Version(_) | PlanError::TooLong(_) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    const QUIET: Vec<String> = Vec::new();

    fn plan(run: &str, sequence: u64, faults: usize) -> Look {
        let fault = r#"{"name":"f","place":{"function":"a"},"share":1,"kind":{"latency":{"time":"1ms"}}}"#;
        let faults = vec![fault; faults].join(",");
        let text = format!(r#"{{"version":1,"run":"{run}","sequence":{sequence},"lease_ms":5000,"seed":7,"faults":[{faults}]}}"#);
        Look::Found { plan: text.into_bytes(), age: Some(Duration::ZERO) }
    }

    fn aged(look: Look, age: Option<Duration>) -> Look {
        let Look::Found { plan, .. } = look else { panic!("no plan: {look:?}") };
        Look::Found { plan, age }
    }

    fn holds(keeper: &Keeper) -> Option<(String, u64)> {
        keeper.in_force().map(|current| (current.plan.run.clone(), current.plan.sequence))
    }

    #[test]
    fn a_plan_is_in_force_until_its_lease_ends() {
        let (mut keeper, now) = (Keeper::default(), Moment::now());
        assert_eq!(keeper.take(plan("r", 1, 1), now), QUIET);
        assert_eq!(keeper.take(Look::Same, now + Duration::from_millis(4999)), QUIET);
        assert_eq!(holds(&keeper), Some(("r".into(), 1)));
        assert_eq!(keeper.take(Look::Same, now + Duration::from_secs(5)).len(), 1);
        assert_eq!(keeper.take(Look::Same, now + Duration::from_secs(6)), QUIET);
        assert_eq!(holds(&keeper), None);
        keeper.take(plan("r", 1, 1), now + Duration::from_secs(7));
        assert_eq!(holds(&keeper), None, "an old plan does not rise again");
        keeper.take(plan("r", 2, 1), now + Duration::from_secs(7));
        assert_eq!(holds(&keeper), Some(("r".into(), 2)));
    }

    #[test]
    fn an_older_plan_of_the_run_is_ignored() {
        let (mut keeper, now) = (Keeper::default(), Moment::now());
        keeper.take(plan("r", 5, 1), now);
        assert_eq!(keeper.take(plan("r", 4, 0), now).len(), 1);
        assert_eq!(holds(&keeper), Some(("r".into(), 5)));
    }

    #[test]
    fn another_run_waits_until_the_first_is_calm_or_has_expired() {
        let (mut keeper, now) = (Keeper::default(), Moment::now());
        keeper.take(plan("a", 1, 0), now);
        keeper.take(plan("b", 1, 1), now);
        assert_eq!(holds(&keeper), Some(("b".into(), 1)), "a calm plan yields at once");
        assert_eq!(keeper.take(plan("c", 1, 1), now + Duration::from_secs(3)).len(), 1);
        assert_eq!(keeper.take(Look::Same, now + Duration::from_secs(4)), QUIET, "said once");
        assert_eq!(holds(&keeper), Some(("b".into(), 1)));
        keeper.take(Look::Same, now + Duration::from_secs(5));
        assert_eq!(holds(&keeper), Some(("c".into(), 1)));
        keeper.take(Look::Same, now + Duration::from_secs(8));
        assert_eq!(holds(&keeper), None, "its lease counts from when it was read");
    }

    #[test]
    fn a_new_environment_has_only_the_rest_of_a_lease() {
        for (age, in_force) in [(0, true), (4_999, true), (5_000, false), (7_200_000, false)] {
            let (mut keeper, now) = (Keeper::default(), Moment::now());
            let news = keeper.take(aged(plan("dead", 1, 1), Some(Duration::from_millis(age))), now);
            assert_eq!((holds(&keeper).is_some(), news.len()), (in_force, usize::from(!in_force)), "{age}");
            keeper.take(Look::Same, now + Duration::from_millis(5_001_u64.saturating_sub(age)));
            assert_eq!(holds(&keeper), None, "{age}");
        }
    }

    #[test]
    fn a_plan_without_an_end_is_refused_and_one_with_an_end_stops_then() {
        let (mut keeper, now) = (Keeper::default(), Moment::now());
        assert!(keeper.take(aged(plan("r", 1, 1), None), now)[0].contains("has no end"));
        assert_eq!(holds(&keeper), None);
        let until = |end: Moment| {
            let ms = end.wall.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
            let Look::Found { plan, .. } = plan("r", 2, 1) else { unreachable!() };
            let text = String::from_utf8(plan).unwrap().replace("\"seed\"", &format!("\"until_ms\":{ms},\"seed\""));
            Look::Found { plan: text.into_bytes(), age: None }
        };
        assert_eq!(keeper.take(until(now + Duration::from_secs(3)), now), QUIET);
        assert_eq!(holds(&keeper), Some(("r".into(), 2)));
        assert_eq!(keeper.take(Look::Same, now + Duration::from_secs(3)).len(), 1);
        let mut keeper = Keeper::default();
        keeper.take(until(now + Duration::from_secs(600)), now);
        assert_eq!(keeper.take(Look::Same, now + Duration::from_secs(5)).len(), 1, "no longer than the lease");
    }

    #[test]
    fn a_missing_or_unreadable_plan_ends_the_one_in_force_and_is_noted_once() {
        for look in [|| Look::Missing("gone".into()), || Look::Found { plan: b"{".to_vec(), age: None }] {
            let (mut keeper, now) = (Keeper::default(), Moment::now());
            keeper.take(plan("r", 1, 1), now);
            assert_eq!(keeper.take(look(), now).len(), 1);
            assert_eq!(keeper.take(look(), now), QUIET);
            assert_eq!(holds(&keeper), None);
        }
    }

    #[test]
    fn a_plan_lasts_until_its_lease_ends_if_its_source_does_not_answer_and_each_cause_is_noted_once() {
        let (mut keeper, now) = (Keeper::default(), Moment::now());
        keeper.take(plan("r", 1, 1), now);
        let look = |why: &str| Look::Unanswered(why.to_owned());
        assert_eq!(keeper.take(look("late"), now), QUIET, "once means nothing");
        assert_eq!(keeper.take(Look::Waiting, now), QUIET);
        assert_eq!(keeper.take(look("late"), now).len(), 1);
        assert_eq!(keeper.take(look("throttled"), now).len(), 1);
        assert_eq!(keeper.take(look("late"), now), QUIET);
        assert_eq!(holds(&keeper), Some(("r".into(), 1)));
        assert_eq!(keeper.take(look("late"), now + Duration::from_secs(5)).len(), 1, "the lease is over");
        assert_eq!(holds(&keeper), None);
        assert_eq!(keeper.take(look("throttled"), now + Duration::from_secs(6)), QUIET);
        keeper.take(Look::Same, now + Duration::from_secs(6));
        assert_eq!(keeper.take(look("new"), now + Duration::from_secs(6)), QUIET);
        for n in 0..100 {
            keeper.take(look(&n.to_string()), now + Duration::from_secs(6));
        }
        assert_eq!(keeper.said.len(), MOST_SAID);
    }
}
