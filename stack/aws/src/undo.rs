//! Undo: an inverse patch, never a snapshot. What another user changed meanwhile stays.

use crate::attach::update::Update;
use crate::call::{CallError, Meaning};
use crate::client::Lambda;
use crate::function::{Function, LastUpdate, Readable};
use crate::journal::{Entry, Journal, JournalError};
use crate::marker::{Marker, Record, Run, UNDO};

/// How a function is known to be clean of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Its configuration has the same hash as before.
    Identical,
    /// Its hash differs or is not reported: another user changed the function meanwhile. brownout's
    /// layer and values are gone.
    OursGone,
    /// The run had left nothing.
    NothingThere,
    /// The function no longer exists.
    FunctionGone,
}

impl std::fmt::Display for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Identical => "its configuration has the hash that it had before",
            Self::OursGone => "our layer and our values are gone, and what others changed meanwhile stays",
            Self::NothingThere => "nothing of this run was there",
            Self::FunctionGone => "the function is gone",
        })
    }
}

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is clean.
    Clean(Proof),
    /// An update is in progress.
    Wait,
    /// Remove the layer with this update.
    Update(Update),
    /// The configuration is clean, but Lambda failed to apply it: repeat the update.
    Again(Update, String),
}

/// Why a function could not be restored.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// A call failed, or got no answer in time.
    #[error("`{function}` is not undone yet; `brownout recover` tries again")]
    Call {
        /// The function.
        function: String,
        /// The error of the last call.
        #[source]
        cause: CallError,
    },
    /// The journal's line before the change could not be written.
    #[error("`{function}` is not undone yet")]
    Journal {
        /// The function.
        function: String,
        /// The error of the journal.
        #[source]
        cause: JournalError,
    },
    /// Updates stay in progress, or keep failing, for too long.
    #[error("`{function}` is not settled: {reason}; look at it, then `brownout recover`")]
    Unsettled {
        /// The function.
        function: String,
        /// The last state.
        reason: String,
    },
    /// A version that another user published meanwhile keeps the layer: versions never change.
    #[error(
        "version {version} of `{function}` was published while the layer was on it, and keeps it, idle; publish anew, let every alias of version \
         {version} stand for that, then delete it"
    )]
    Published {
        /// The function.
        function: String,
        /// The version.
        version: String,
    },
    /// The run's changes cannot be determined.
    #[error(
        "`{0}` has a variable `BROWNOUT_UNDO` that is not understood or not readable; give its journal, or take our layer and variables out by hand"
    )]
    Unreadable(String),
}

/// Decides how to remove `run` from `function`; `known` is the record to use if the function's own
/// is gone.
///
/// # Errors
/// If there is a marker that cannot be read, and no record is known.
pub fn decide(function: &Function, run: &Run, known: Option<&Record>) -> Result<Step, UndoError> {
    let unreadable = || UndoError::Unreadable(function.name.clone());
    let Readable::Yes(_) = &function.variables else { return Err(unreadable()) };
    let record = match Marker::of(function) {
        Marker::Of(record) if record.run == *run => record,
        // Another run can attach only after this one was removed completely.
        Marker::Of(_) => return Ok(Step::Clean(Proof::NothingThere)),
        Marker::None => match known {
            Some(known) => known.clone(),
            None if function.last_update == LastUpdate::InProgress => return Ok(Step::Wait),
            None => return Ok(Step::Clean(Proof::NothingThere)),
        },
        Marker::Unreadable => known.ok_or_else(unreadable)?.clone(),
    };
    let update = without(function, &record);
    if function.last_update == LastUpdate::InProgress {
        return Ok(Step::Wait);
    }
    if let Some(update) = update {
        return Ok(Step::Update(update));
    }
    if let (LastUpdate::Failed(reason), Some(update)) = (&function.last_update, unchanged(function)) {
        return Ok(Step::Again(update, reason.clone()));
    }
    let same = record.sha.is_some() && record.sha == function.config_sha;
    Ok(Step::Clean(if same { Proof::Identical } else { Proof::OursGone }))
}

/// Whether any change in `record` is still there, apart from the marker.
pub fn remains(function: &Function, record: &Record) -> bool {
    let bare = unchanged(function).map(|mut update| {
        update.variables.unset(UNDO);
        update
    });
    without(function, record).is_some_and(|update| Some(update) != bare)
}

/// The update that undoes the changes in `record`; `None` if none of them is left.
fn without(function: &Function, record: &Record) -> Option<Update> {
    let mut update = unchanged(function)?;
    if let Some(at) = record.layer.as_ref().and_then(|ours| update.layers.iter().rposition(|layer| layer == ours)) {
        update.layers.remove(at);
    }
    for (name, given) in &record.set {
        if update.variables.value(name) == Some(given) {
            match record.before.get(name) {
                Some(before) => drop(update.variables.set(name, before)),
                None => update.variables.unset(name),
            }
        }
    }
    update.variables.unset(UNDO);
    (Some(&update) != unchanged(function).as_ref()).then_some(update)
}

fn unchanged(function: &Function) -> Option<Update> {
    let Readable::Yes(variables) = &function.variables else { return None };
    Some(Update { layers: function.layers.clone(), variables: variables.clone(), revision: function.revision.clone() })
}

/// Removes `run` from `$LATEST` of a function, and verifies it.
///
/// # Errors
/// If it is not known to be clean.
pub async fn undo(lambda: &Lambda, journal: &dyn Journal, function: &str, run: &Run, known: Option<&Record>) -> Result<Proof, UndoError> {
    let (mut pauses, mut sent, mut known) = (lambda.patience.begin(), false, known.cloned());
    let last = loop {
        let last = match lambda.function(function).await {
            Err(error) if error.meaning == Meaning::Missing => return Ok(Proof::FunctionGone),
            Err(error) => Last::Call(error),
            Ok(read) => {
                // Keep the record that was read: another user may remove the marker between two
                // reads.
                if let (Marker::Of(record), true) = (Marker::of(&read), known.is_none()) {
                    known = Some(record).filter(|record| record.run == *run);
                }
                match decide(&read, run, known.as_ref())? {
                    Step::Clean(proof) => return Ok(proof),
                    Step::Again(_, _) if !sent => return Ok(Proof::OursGone),
                    Step::Wait => Last::State("an update is under way".to_owned()),
                    step @ (Step::Update(_) | Step::Again(_, _)) => {
                        let (update, failed) = match step {
                            Step::Again(update, reason) => (update, Some(reason)),
                            Step::Update(update) => (update, None),
                            Step::Clean(_) | Step::Wait => continue,
                        };
                        let entry = Entry::Undoing { function: function.to_owned(), run: run.clone() };
                        let failed_to_note = |cause| UndoError::Journal { function: function.to_owned(), cause };
                        journal.note(&entry).map_err(failed_to_note)?;
                        sent = true;
                        match (lambda.update(function, &update).await, failed) {
                            (Err(error), _) => Last::Call(error),
                            (Ok(()), Some(reason)) => Last::State(reason),
                            (Ok(()), None) => Last::State("an update is under way".to_owned()),
                        }
                    }
                }
            }
        };
        let is_final = matches!(&last, Last::Call(error) if error.meaning == Meaning::Final);
        if is_final || !pauses.pause().await {
            break last;
        }
    };
    let function = function.to_owned();
    Err(match last {
        Last::Call(cause) => UndoError::Call { function, cause },
        Last::State(reason) => UndoError::Unsettled { function, reason },
    })
}

/// The last observed problem.
enum Last {
    Call(CallError),
    State(String),
}
