//! Starts, reads and stops an experiment of FIS.

use aws_sdk_fis::types::{ActionsMode, ExperimentActionStatus, ExperimentStatus, StartExperimentExperimentOptionsInput};

use super::client::{Fis, FisError, failed};
use crate::call::{CallError, Meaning};

/// What an experiment does with its actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actions {
    /// Checks everything and strikes nothing: FIS's dry run.
    Skip,
    /// Runs them.
    Run,
}

/// The state of an experiment. Source: AWS FIS User Guide, "Experiment states".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Not begun.
    Pending,
    /// It is about to begin.
    Initiating,
    /// Its action is under way.
    Running,
    /// It completed.
    Completed,
    /// A user or an alarm has stopped it, and its action is ending.
    Stopping,
    /// It was stopped, and its action has ended.
    Stopped,
    /// Its action failed, or could not begin.
    Failed,
    /// It was stopped before it began.
    Cancelled,
}

impl Status {
    fn read(status: &ExperimentStatus) -> Self {
        match status.as_str() {
            "initiating" => Self::Initiating,
            "running" => Self::Running,
            "completed" => Self::Completed,
            "stopping" => Self::Stopping,
            "stopped" => Self::Stopped,
            "failed" => Self::Failed,
            "cancelled" => Self::Cancelled,
            // A state that FIS may add later is not treated as an end: polling goes on.
            _ => Self::Pending,
        }
    }

    /// FIS's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Initiating => "initiating",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it is a final state.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Completed | Self::Stopped | Self::Failed | Self::Cancelled)
    }
}

/// An experiment as it was read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its state.
    pub status: Status,
    /// Why, in FIS's words.
    pub reason: Option<String>,
    /// Why its action is in its state, if FIS says so and it is a problem.
    pub action: Option<String>,
}

impl Seen {
    /// The status with FIS's reasons, if there are any.
    pub fn said(&self) -> String {
        let mut words: Vec<_> = self.reason.iter().chain(&self.action).map(|text| text.trim_end_matches('.')).collect();
        // The action's reason is often the experiment's too.
        words.dedup();
        let name = self.status.name();
        if words.is_empty() { name.to_owned() } else { format!("{name} ({})", words.join("; ")) }
    }
}

impl Fis {
    /// Starts an experiment from a template and gives its id. Calls with the same `token` start
    /// only one experiment.
    ///
    /// # Errors
    /// If FIS does not start it.
    pub async fn start(&self, template: &str, actions: Actions, token: &str) -> Result<String, FisError> {
        let mode = match actions {
            Actions::Skip => ActionsMode::SkipAll,
            Actions::Run => ActionsMode::RunAll,
        };
        let options = StartExperimentExperimentOptionsInput::builder().actions_mode(mode).build();
        let call = || async {
            let call = self.fis.start_experiment().experiment_template_id(template).client_token(token).experiment_options(options.clone());
            let started = call.send().await.map_err(|error| failed("StartExperiment", template, &error))?;
            Ok(started.experiment().and_then(|experiment| experiment.id()).unwrap_or_default().to_owned())
        };
        Ok(self.patience.insist(call).await?)
    }

    /// The state of an experiment.
    ///
    /// # Errors
    /// The error of the call.
    pub async fn look(&self, experiment: &str) -> Result<Seen, CallError> {
        let looked = self.fis.get_experiment().id(experiment).send().await;
        let looked = looked.map_err(|error| failed("GetExperiment", experiment, &error))?;
        let experiment = looked.experiment();
        let state = experiment.and_then(|experiment| experiment.state());
        let actions = experiment.and_then(|experiment| experiment.actions()).into_iter().flat_map(|actions| actions.values());
        let unwell = |status: &ExperimentActionStatus| matches!(status.as_str(), "failed" | "stopped" | "cancelled");
        let states = actions.filter_map(|action| action.state()).filter(|state| state.status().is_some_and(unwell));
        Ok(Seen {
            status: state.and_then(|state| state.status()).map_or(Status::Pending, Status::read),
            reason: state.and_then(|state| state.reason()).filter(|reason| !reason.is_empty()).map(str::to_owned),
            action: states.filter_map(|state| state.reason()).filter(|reason| !reason.is_empty()).map(str::to_owned).next(),
        })
    }

    /// Stops an experiment; one that has ended or is ending counts as stopped.
    ///
    /// # Errors
    /// If it may still be running.
    pub async fn stop(&self, experiment: &str) -> Result<(), CallError> {
        let call = || async {
            let stopped = self.fis.stop_experiment().id(experiment).send().await;
            stopped.map(drop).map_err(|error| failed("StopExperiment", experiment, &error))
        };
        match self.patience.insist(call).await {
            Err(error) if error.meaning == Meaning::Missing => Ok(()),
            Err(error) if self.look(experiment).await.is_ok_and(|seen| seen.status.is_end() || seen.status == Status::Stopping) => {
                drop(error);
                Ok(())
            }
            stopped => stopped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_fis_is_parsed_from_its_name() {
        for status in ExperimentStatus::values() {
            let status = ExperimentStatus::from(*status);
            assert_eq!(Status::read(&status).name(), status.as_str());
        }
    }

    #[test]
    fn the_reason_of_fis_is_shown_with_the_state() {
        let seen = Seen { status: Status::Stopped, reason: Some("Experiment halted by stop condition.".into()), action: None };
        assert_eq!(seen.said(), "stopped (Experiment halted by stop condition)");
        assert_eq!(Seen { status: Status::Running, reason: None, action: None }.said(), "running");
    }
}
