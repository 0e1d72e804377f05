//! The protocol between `brownout` and `brownout-aws`: lines of JSON, starting with a task. The
//! command does not link the SDK of AWS's control plane; the other program makes every call to an
//! account. During a run, each request gets one answer.

use std::path::PathBuf;
use std::time::Duration;

use exports::{Experiment, Usage};
use faults::{Entry, Plan};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

mod finding;
mod layer;
mod named_stack;

pub use finding::Finding;
pub use layer::{LAYER, LayerZip, Publish};
pub use named_stack::{Resolve, Resolved, Seed, Unseed};

/// The program that calls AWS; it is in the same folder as the command.
pub const PROGRAM: &str = "brownout-aws";

/// What the program must do: the first line on its standard input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Task {
    /// `brownout plan`: print what a run would change and call.
    Plan(Preview),
    /// The account's part of `brownout doctor`: print what is found.
    Doctor(AwsPlan),
    /// `brownout recover`: remove what dead runs left.
    Recover(Recover),
    /// `brownout run`: answer [`Request`]s, and restore everything when standard input ends.
    Run(Run),
    /// `--stack`: find what a CloudFormation stack consists of, with one [`Answer`]; nothing is changed.
    Resolve(Resolve),
    /// `brownout seed`: create the data that a load needs, and print what was created.
    Seed(Box<Seed>),
    /// `brownout unseed`: delete what `brownout seed` created, and print it.
    Unseed(Unseed),
    /// `brownout layer publish`: make versions of the layer, and print their ARNs.
    Publish(Publish),
}

/// A checked experiment on deployed functions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsPlan {
    /// The functions, the faults, the layer and the tag that allows both.
    pub experiment: Experiment,
    /// How late the ledgers may be.
    pub ledger_lag: Duration,
    /// The longest time from the strike until FIS has put the faults in force.
    pub fis_lead: Duration,
    /// From the first arrival to the last.
    pub length: Duration,
    /// The longest time from the attach to the detach: anything older was left behind.
    pub longest: Duration,
    /// Arrivals a second.
    pub rate: f64,
}

impl AwsPlan {
    /// What the run uses, with each function's timeout; their memory is not known here.
    pub fn usage(&self, via: Via) -> Usage {
        let Self { experiment, length, rate, fis_lead, .. } = self;
        let of_all = Usage::of(&experiment.plan.faults, *rate, *length, experiment.duration);
        let functions = experiment.functions.iter();
        let usage = functions.fold(of_all, |usage, function| usage.with_function(function.name(), None, function.timeout));
        match via {
            Via::Plan => usage,
            Via::Fis => usage.by_fis(*fis_lead),
        }
    }
}

/// The plan that is printed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preview {
    /// The experiment.
    pub plan: AwsPlan,
    /// What would strike.
    pub via: Via,
}

/// Which leftovers are removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recover {
    /// Only list what is there.
    pub list: bool,
    /// The runs whose leftovers are removed.
    pub which: Which,
    /// The journal of the run.
    pub journal: Option<PathBuf>,
    /// The folder for the recovery's own journal, if it is not appended to the run's.
    pub folder: PathBuf,
    /// The Region, if it is not the one that the SDK finds.
    pub region: Option<String>,
}

/// Selects runs by whether they have expired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Which {
    /// Expired runs.
    Over,
    /// One run, even if it is still active.
    Of(String),
    /// All runs.
    All,
}

/// A run on deployed functions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The experiment.
    pub plan: AwsPlan,
    /// What strikes.
    pub via: Via,
    /// The run's id.
    pub run: String,
    /// Its folder, where the journal goes.
    pub folder: PathBuf,
    /// Whether functions of production may be struck.
    pub yes: bool,
}

/// What strikes and calms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// The program itself, by the plan that the extension reads.
    Plan,
    /// An experiment of FIS.
    Fis,
}

/// A request of a run. It cancels the previous one if that has no answer yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Request {
    /// Attach to every function.
    Deploy,
    /// Put this plan in force.
    Strike(Plan),
    /// Report what came since the last such request.
    Observe,
}

/// The answer to a request. The first answer is to the task itself, the last to the end of standard
/// input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Answer {
    /// It is done.
    Done,
    /// It failed, and why.
    Failed(String),
    /// The answer to [`Request::Observe`].
    Observed(Observed),
    /// The answer to the end of standard input: everything that could be restored is.
    Restored(Restored),
    /// The answer to [`Task::Resolve`].
    Resolved(Box<Resolved>),
}

/// What was observed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// New entries of the ledgers.
    pub entries: Vec<Entry>,
    /// The parts of the ledgers that could not be read so far.
    pub gaps: Vec<String>,
    /// Why the faults cannot be kept in force.
    pub down: Option<String>,
    /// Why the faults were stopped from outside.
    pub ended: Option<String>,
}

/// The result of undoing the run's changes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restored {
    /// What could not be restored.
    pub left: Option<Left>,
    /// Sentences for the report.
    pub story: Vec<String>,
}

/// What could not be restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Left {
    /// Each thing in words, such as `process 7` or `function orders: ...`.
    pub what: Vec<String>,
    /// The command that restores it.
    pub command: String,
}

/// A line that is not a valid message.
#[derive(Debug, thiserror::Error)]
#[error("`brownout` and `{PROGRAM}` do not understand each other; install both from one version")]
pub struct Unreadable(#[from] serde_json::Error);

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// A message as its line, the line's end included.
///
/// # Errors
/// If a path in it is not UTF-8.
pub fn to_line<T: Serialize>(message: &T) -> std::io::Result<String> {
    Ok(serde_json::to_string(message)? + "\n")
}

/// The message of a line.
///
/// # Errors
/// If it is not one.
pub fn read<T: DeserializeOwned>(line: &str) -> Result<T, Unreadable> {
    Ok(serde_json::from_str(line)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_and_reads_back() {
        let entry = Entry::Note { place: "orders".into(), what: "two\nlines".into() };
        let observed = Observed { entries: vec![entry], ended: Some("somebody deleted it".into()), ..Observed::default() };
        let plan = r#"{"version":1,"run":"r","sequence":1,"lease_ms":60000,"seed":7,"faults":[]}"#;
        let request = Request::Strike(Plan::read(plan.as_bytes()).unwrap());
        let (answer, asked) = (to_line(&Answer::Observed(observed.clone())).unwrap(), to_line(&request).unwrap());
        assert_eq!((answer.matches('\n').count(), asked.matches('\n').count()), (1, 1));
        assert_eq!(read::<Answer>(&answer).unwrap(), Answer::Observed(observed));
        assert_eq!(read::<Request>(&asked).unwrap(), request);
    }

    #[test]
    fn a_line_of_another_version_is_refused_with_what_would_do() {
        let error = read::<Request>(r#"{"detach":{}}"#).unwrap_err().to_string();
        assert!(error.contains("install both from one version"), "{error}");
    }
}
