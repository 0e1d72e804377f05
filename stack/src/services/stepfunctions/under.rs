//! An execution under way, until it ends by itself or is stopped.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::json;
use states::{Definition, Execution, Failure, History, Outcome, run};
use tokio::sync::oneshot;

use super::Machine;
use super::tasks::{Doing, Reach};
use run_folder::effects::{Change, Effect, Place};
use run_folder::sightings::{Seen, Sightings};
use template::blueprint::MachineKind;

/// The longest express execution. Source: Step Functions, service quotas.
const LONGEST_EXPRESS: Duration = Duration::from_secs(300);

/// `StopExecution`.
pub(super) struct Stop {
    /// An error and a cause, which may be empty.
    pub why: Failure,
    /// Gets a word when it has ended.
    pub done: oneshot::Sender<()>,
}

/// An execution under way.
pub(super) struct Under {
    pub machine: Arc<Machine>,
    pub definition: Arc<Definition>,
    pub at: usize,
    /// Its name in the book.
    pub known_as: String,
    pub history: Arc<History>,
    pub started: SystemTime,
    pub root: String,
    pub execution: Execution,
}

impl Under {
    /// Runs it until it ends, or `stopped` says why it ends now.
    pub(super) async fn go(self, reach: &Reach, sightings: &Sightings, stopped: oneshot::Receiver<Stop>) {
        let Self { machine, definition, at, known_as, history, started, root, execution } = self;
        let doing = Doing { reach, root: &root };
        let running = run(&definition, &execution, &doing, &history);
        let mut done = None;
        let outcome = match machine.kind {
            MachineKind::Standard => tokio::select! {
                outcome = running => outcome,
                Ok(stop) = stopped => {
                    done = Some(stop.done);
                    history.stop(stop.why.clone());
                    Outcome::Stopped(stop.why)
                }
            },
            MachineKind::Express => tokio::time::timeout(LONGEST_EXPRESS, running).await.unwrap_or(Outcome::TimedOut),
        };
        machine.book.close(at, &outcome, &history, started);
        // The caller may be gone.
        done.map(|done| done.send(()));
        let (status, error) = match &outcome {
            Outcome::Succeeded(_) => ("SUCCEEDED", None),
            Outcome::Failed(failure) => ("FAILED", Some(failure.error.to_string())),
            Outcome::TimedOut => ("TIMED_OUT", Some(states::TIMEOUT.to_owned())),
            Outcome::Stopped(why) => ("ABORTED", Some(why.error.to_string())),
        };
        sightings.effect(
            || Place::Machine(machine.name.clone()),
            |place, _| {
                let fields = [("status".to_owned(), json!(status)), ("error".to_owned(), json!(error))];
                Effect { root: Some(root), fields: fields.into_iter().collect(), ..Effect::new(place, &execution.name, Change::Changed) }
            },
        );
        sightings.tell(Seen::ExecutionEnded {
            machine: machine.name.clone(),
            name: known_as,
            status: status.to_owned(),
            error,
            tries: history.tries().into_iter().map(|(state, tries)| (state.to_string(), tries)).collect(),
        });
    }
}
