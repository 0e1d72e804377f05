//! Which plan is in force. It holds no clock: it is told what was found, and when.

use std::sync::Arc;
use std::time::Instant;

use faults::Plan;
use faults::plan::PlanError;

use super::{InForce, Look};

/// The plan that was taken, and what came before it.
///
/// A plan of another run takes over only when the one before is over or calm: two harnesses that strike the same function
/// would spoil each other's experiment, and the second can wait for at most one lease. Its own lease counts from when it was read.
#[derive(Debug, Default)]
pub struct Keeper {
    current: Option<Arc<InForce>>,
    /// Run and sequence of the last plan that was taken, also when it is gone.
    last: Option<(String, u64)>,
    waiting: Option<InForce>,
    /// What was said last, so that it is said once.
    said: Option<String>,
}

impl Keeper {
    /// Takes what a look at the source gave at `now`; returns what the reader of the ledger should know and does not know yet.
    pub fn take(&mut self, look: Look, now: Instant) -> Option<String> {
        let mut news = None;
        match look {
            Look::Same => (),
            Look::Missing(why) => {
                (self.current, self.waiting) = (None, None);
                news = Some(format!("{why}: every event passes untouched"));
            }
            Look::Found(bytes) => match Plan::read(&bytes) {
                Ok(plan) => news = self.offer(InForce { plan, received: now }, now),
                Err(error) => {
                    (self.current, self.waiting) = (None, None);
                    news = Some(format!("{}: every event passes untouched", complaint(&error)));
                }
            },
        }
        if let Some(waiting) = self.waiting.take() {
            news = self.offer(waiting, now).or(news);
        }
        if let Some(over) = self.current.take_if(|current| !current.holds(now)) {
            news =
                Some(format!("the lease of plan {} of run `{}` is over: every event passes untouched", over.plan.sequence, over.plan.run));
        }
        self.say_once(news)
    }

    /// The plan in force.
    pub fn in_force(&self) -> Option<Arc<InForce>> {
        self.current.clone()
    }

    fn offer(&mut self, offered: InForce, now: Instant) -> Option<String> {
        let (run, sequence) = (&offered.plan.run, offered.plan.sequence);
        if let Some((last_run, last_sequence)) = &self.last {
            if last_run == run && sequence <= *last_sequence {
                // The same plan once more does not renew its lease.
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
        self.said = None;
        None
    }

    fn say_once(&mut self, news: Option<String>) -> Option<String> {
        let news = news.filter(|news| self.said.as_ref() != Some(news))?;
        self.said = Some(news.clone());
        Some(news)
    }
}

/// A plan may stand in a variable, whose value is not for the ledger: of a text that is no plan only the place is said, of what cannot be
/// done only the fault's name, which is in every line of the ledger anyway.
fn complaint(error: &PlanError) -> String {
    match error {
        PlanError::Form(form) => format!("the plan is not understood at line {}, column {}", form.line(), form.column()),
        PlanError::Refused { faults, .. } => format!("the plan asks for what cannot be done in `{}`", faults.join("`, `")),
        PlanError::Version(_) | PlanError::TooLong(_) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn plan(run: &str, sequence: u64, faults: usize) -> Look {
        let fault = r#"{"name":"f","place":{"function":"a"},"share":1,"kind":{"latency":{"time":"1ms"}}}"#;
        let faults = vec![fault; faults].join(",");
        Look::Found(
            format!(r#"{{"version":1,"run":"{run}","sequence":{sequence},"lease_ms":5000,"seed":7,"faults":[{faults}]}}"#).into_bytes(),
        )
    }

    fn holds(keeper: &Keeper) -> Option<(String, u64)> {
        keeper.in_force().map(|current| (current.plan.run.clone(), current.plan.sequence))
    }

    #[test]
    fn a_plan_is_in_force_until_its_lease_is_over() {
        let (mut keeper, now) = (Keeper::default(), Instant::now());
        assert_eq!(keeper.take(plan("r", 1, 1), now), None);
        assert_eq!(keeper.take(Look::Same, now + Duration::from_millis(4999)), None);
        assert_eq!(holds(&keeper), Some(("r".into(), 1)));
        assert!(keeper.take(Look::Same, now + Duration::from_secs(5)).is_some());
        assert_eq!(keeper.take(Look::Same, now + Duration::from_secs(6)), None);
        assert_eq!(holds(&keeper), None);
        keeper.take(plan("r", 1, 1), now + Duration::from_secs(7));
        assert_eq!(holds(&keeper), None, "an old plan does not rise again");
        keeper.take(plan("r", 2, 1), now + Duration::from_secs(7));
        assert_eq!(holds(&keeper), Some(("r".into(), 2)));
    }

    #[test]
    fn an_older_plan_of_the_run_is_ignored() {
        let (mut keeper, now) = (Keeper::default(), Instant::now());
        keeper.take(plan("r", 5, 1), now);
        assert!(keeper.take(plan("r", 4, 0), now).is_some());
        assert_eq!(holds(&keeper), Some(("r".into(), 5)));
    }

    #[test]
    fn another_run_waits_until_the_first_is_calm_or_over() {
        let (mut keeper, now) = (Keeper::default(), Instant::now());
        keeper.take(plan("a", 1, 0), now);
        keeper.take(plan("b", 1, 1), now);
        assert_eq!(holds(&keeper), Some(("b".into(), 1)), "a calm plan yields at once");
        assert!(keeper.take(plan("c", 1, 1), now + Duration::from_secs(3)).is_some());
        assert_eq!(keeper.take(Look::Same, now + Duration::from_secs(4)), None, "said once");
        assert_eq!(holds(&keeper), Some(("b".into(), 1)));
        keeper.take(Look::Same, now + Duration::from_secs(5));
        assert_eq!(holds(&keeper), Some(("c".into(), 1)));
        keeper.take(Look::Same, now + Duration::from_secs(8));
        assert_eq!(holds(&keeper), None, "its lease counts from when it was read");
    }

    #[test]
    fn what_is_missing_or_not_understood_ends_the_plan_and_is_said_once() {
        for look in [|| Look::Missing("gone".into()), || Look::Found(b"{".to_vec())] {
            let (mut keeper, now) = (Keeper::default(), Instant::now());
            keeper.take(plan("r", 1, 1), now);
            assert!(keeper.take(look(), now).is_some());
            assert_eq!(keeper.take(look(), now), None);
            assert_eq!(holds(&keeper), None);
        }
    }
}
