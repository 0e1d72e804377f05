//! What `brownout` and `brownout-aws` say to each other: lines of JSON, a task first. The command links no SDK of AWS's control plane; the other
//! program makes every call to an account. For a run they go on talking, one answer to each request.

use std::path::PathBuf;
use std::time::Duration;

use exports::Experiment;
use faults::{Entry, Plan};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

mod finding;

pub use finding::Finding;

/// The program that calls AWS; it lies beside the command.
pub const PROGRAM: &str = "brownout-aws";

/// What the program is to do: the first line on its standard input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Task {
    /// `brownout plan`: print what a run would change and call.
    Plan(AwsPlan),
    /// The account's part of `brownout doctor`: print what is found.
    Doctor(AwsPlan),
    /// `brownout recover`: take out what dead runs left.
    Recover(Recover),
    /// `brownout run`: answer [`Request`]s, and take everything back when standard input ends.
    Run(Run),
}

/// An experiment on deployed functions, as it was checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsPlan {
    /// The functions, the faults, the layer and the tag that allows both.
    pub experiment: Experiment,
    /// The share of an alias's calls that goes to the version with the layer, in thousandths.
    pub alias_thousandths: u16,
    /// How long a version is kept once its alias has let it go.
    pub alias_grace: Duration,
    /// How late the ledgers may be.
    pub ledger_lag: Duration,
    /// From the strike until FIS has brought the faults into force, at the most.
    pub fis_lead: Duration,
    /// From the first arrival to the last.
    pub length: Duration,
    /// From the attach to the detach, at the most: what is older was left behind.
    pub longest: Duration,
    /// Arrivals a second.
    pub rate: f64,
}

/// Which leftovers are taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recover {
    /// Only say what is there.
    pub list: bool,
    /// Of which runs.
    pub which: Which,
    /// The journal of the run.
    pub journal: Option<PathBuf>,
    /// The folder for the journal of the recovery itself, where it is not added to the run's.
    pub folder: PathBuf,
    /// The Region, where it is not the one that the SDK finds.
    pub region: Option<String>,
}

/// The runs whose leftovers are meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Which {
    /// Those of runs that are over.
    Over,
    /// Those of one run, over or not.
    Of(String),
    /// All.
    All,
}

/// A run on deployed functions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The experiment.
    pub plan: AwsPlan,
    /// Who strikes.
    pub via: Via,
    /// The run's id.
    pub run: String,
    /// Its folder, where the journal goes.
    pub folder: PathBuf,
    /// Whether functions of production may be struck.
    pub yes: bool,
}

/// Who strikes and calms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// The program itself, by the plan that the extension reads.
    Plan,
    /// An experiment of FIS.
    Fis,
}

/// A request of a run. It cancels the one before it, where that has no answer yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Request {
    /// Attach to every function.
    Deploy,
    /// Put this plan in force.
    Strike(Plan),
    /// Say what came since this was asked last.
    Observe,
}

/// The answer to a request; the first one is to the task itself, the last one to the end of standard input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Answer {
    /// It is done.
    Done,
    /// It is not, and why.
    Failed(String),
    /// To [`Request::Observe`].
    Observed(Observed),
    /// Once standard input ends: everything is taken back that could be.
    Restored(Restored),
}

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// New entries of the ledgers.
    pub entries: Vec<Entry>,
    /// What of the ledgers could not be read, as things stand.
    pub gaps: Vec<String>,
    /// Why the faults cannot be kept in force.
    pub down: Option<String>,
    /// Why the faults were stopped from outside.
    pub ended: Option<String>,
}

/// What became of the run's changes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restored {
    /// What could not be taken back.
    pub left: Option<Left>,
    /// What a report is to say.
    pub story: Vec<String>,
}

/// What could not be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Left {
    /// Each thing in words, such as `process 7` or `function orders: ...`.
    pub what: Vec<String>,
    /// What takes it back.
    pub command: String,
}

/// A line that is not what the other side may say.
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
/// Where a path in it is not UTF-8.
pub fn to_line<T: Serialize>(message: &T) -> std::io::Result<String> {
    Ok(serde_json::to_string(message)? + "\n")
}

/// The message of a line.
///
/// # Errors
/// Where it is not one.
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
