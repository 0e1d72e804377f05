//! Keeps the plan of a run in force, in a separate task, so that the run does not wait for a
//! service and can react to a stop at any time.

use std::sync::Arc;
use std::time::Duration;

use faults::Plan;
use protocol::chain;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Failed;
use crate::arm::{ArmError, Armed, Place, Store};
use crate::call::Meaning;
use crate::journal::Journal;
use crate::patience::Patience;

/// How long a failed call is retried. A plan is renewed four times in its lease, so the next
/// renewal is another try.
const PATIENCE: Patience = Patience { total: Duration::from_secs(3), first: Duration::from_millis(200), most: Duration::from_secs(1) };

/// The interval of checks whether another user has stopped the faults.
const LOOKS: Duration = Duration::from_secs(2);

/// A plan that should be in force, with its number in the run.
#[derive(Debug, Clone)]
struct Wished {
    number: u64,
    plan: Plan,
}

/// The state of the plan.
#[derive(Debug, Clone, Default)]
struct Seen {
    /// The number of the last plan that was tried.
    tried: u64,
    /// Why it is not in force, and whether a retry may help.
    trouble: Option<(String, bool)>,
    /// Since when, and for how long, the last written faults are in force.
    in_force: Option<(Instant, Duration)>,
    /// How another user stopped the faults.
    stopped: Option<String>,
}

impl Seen {
    fn wrote(&mut self, wish: &Wished, since: Instant, written: Result<(), ArmError>) {
        self.tried = wish.number;
        match written {
            Ok(()) => {
                self.trouble = None;
                self.in_force = (!wish.plan.faults.is_empty()).then(|| (since, wish.plan.lease_ms.duration()));
            }
            Err(error) => {
                let may_pass = matches!(&error, ArmError::Call { cause, .. } if cause.meaning == Meaning::Again);
                self.looked(&error);
                self.trouble = Some((chain(&error), may_pass));
            }
        }
    }

    /// Handles the error of a check. A failed check is ignored, because the next one follows soon;
    /// if the plan is gone, the faults stay stopped.
    fn looked(&mut self, error: &ArmError) -> bool {
        let is_stopped = matches!(error, ArmError::Stopped { .. });
        if is_stopped {
            self.stopped = Some(error.to_string());
        }
        is_stopped
    }

    /// Whether only a third of the lease is left.
    fn is_nearly_over(&self) -> bool {
        self.in_force.is_some_and(|(since, lease)| since.elapsed() >= lease * 2 / 3)
    }
}

/// A plan that is kept in force.
#[derive(Debug)]
pub(super) struct Arming {
    wished: watch::Sender<Option<Wished>>,
    seen: watch::Receiver<Seen>,
    task: JoinHandle<Armed>,
    number: u64,
    /// Whether the last requested plan has faults.
    strikes: bool,
}

impl Arming {
    /// Starts with a first plan, which is written at once.
    pub(super) fn begin(store: &Store, journal: Arc<dyn Journal>, place: Place, first: Plan) -> Self {
        let (wish, wished) = watch::channel(None);
        let (see, seen) = watch::channel(Seen::default());
        let armed = Armed::new(store.with(PATIENCE), place, first.clone());
        let task = tokio::spawn(keep(armed, journal, wished, see));
        let mut arming = Self { wished: wish, seen, task, number: 0, strikes: false };
        arming.wish(first);
        arming
    }

    /// Requests that this plan be in force from now on, without waiting.
    pub(super) fn wish(&mut self, plan: Plan) {
        self.number += 1;
        self.strikes = !plan.faults.is_empty();
        self.wished.send_replace(Some(Wished { number: self.number, plan }));
    }

    /// Waits until the last requested plan is in force or has failed. If another user stopped the
    /// faults, they count as calmed.
    pub(super) async fn settled(&mut self) -> Result<(), Failed> {
        let number = self.number;
        let seen = self.seen.wait_for(|seen| seen.tried >= number || seen.stopped.is_some()).await;
        let seen = seen.map_err(|_| Failed("nobody writes the plan any more".to_owned()))?;
        match &seen.trouble {
            Some((why, _)) if seen.stopped.is_none() => Err(Failed(why.clone())),
            _ => Ok(()),
        }
    }

    /// How another user stopped the faults; a calm plan has no faults to stop.
    pub(super) fn stopped(&self) -> Option<String> {
        self.seen.borrow().stopped.clone().filter(|_| self.strikes)
    }

    /// Whether the plan is kept in force.
    ///
    /// # Errors
    /// If it cannot be written at all, or was not renewed and only a third of its lease is left.
    pub(super) fn health(&self) -> Result<(), Failed> {
        let seen = self.seen.borrow();
        if seen.stopped.is_some() {
            return Ok(());
        }
        let why = match &seen.trouble {
            Some((why, may_pass)) if !may_pass || seen.in_force.is_none() || seen.is_nearly_over() => why.clone(),
            None if seen.tried < self.number && seen.is_nearly_over() => "the last write of the plan is not answered".to_owned(),
            _ => return Ok(()),
        };
        Err(Failed(format!("the faults cannot be kept in force, and are ended: {why}")))
    }

    /// Ends the task and returns the armed plan, for the caller to calm and delete.
    pub(super) async fn end(self) -> Result<Armed, Failed> {
        let Self { wished, task, .. } = self;
        drop(wished);
        task.await.map_err(|ended| Failed(ended.to_string()))
    }
}

/// Writes the newest requested plan, and checks it in between.
async fn keep(
    mut armed: Armed,
    journal: Arc<dyn Journal>,
    mut wished: watch::Receiver<Option<Wished>>,
    seen: watch::Sender<Seen>,
) -> Armed {
    loop {
        tokio::select! {
            changed = wished.changed() => if changed.is_err() {
                return armed;
            },
            () = tokio::time::sleep(LOOKS) => {
                if let Err(error) = armed.look().await {
                    seen.send_if_modified(|seen| seen.looked(&error));
                }
                continue;
            }
        }
        let Some(wish) = wished.borrow_and_update().clone() else { continue };
        let since = Instant::now();
        // A newer request does not wait for this write: the next check finds its result.
        let written = tokio::select! {
            written = armed.replace(journal.as_ref(), wish.plan.clone()) => Some(written),
            () = newer(&mut wished, wish.number) => None,
        };
        match written {
            Some(written) => seen.send_modify(|seen| seen.wrote(&wish, since, written)),
            None => wished.mark_changed(),
        }
    }
}

/// Completes once there is a newer request; never, if the sender is gone.
async fn newer(wished: &mut watch::Receiver<Option<Wished>>, than: u64) {
    if wished.wait_for(|wish| wish.as_ref().is_some_and(|wish| wish.number > than)).await.is_err() {
        std::future::pending::<()>().await;
    }
}
