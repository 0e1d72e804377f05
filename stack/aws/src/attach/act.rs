//! One loop: read, decide, update, wait. If an answer is lost, the next read of the function shows
//! its state.

use super::complaint::Complaint;
use super::decide::{Step, decide};
use super::wish::Wish;
use crate::call::{CallError, Meaning};
use crate::client::Lambda;
use crate::function::Function;
use crate::journal::{Entry, Journal, JournalError};
use crate::marker::{Marker, Record};
use crate::undo::{Proof, UndoError, remains, undo};

/// A function with the layer attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// The function's name.
    pub function: String,
    /// What was changed, and how to undo it.
    pub record: Record,
    /// Warnings to show before anything is struck.
    pub warnings: Vec<String>,
}

/// Why a function could not be attached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// It was not touched.
    #[error("`{function}` cannot be attached to: {}", .complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused {
        /// The function.
        function: String,
        /// Every reason.
        complaints: Vec<Complaint>,
    },
    /// A call failed, and the function is unchanged.
    #[error("`{function}` was not attached to")]
    Call {
        /// The function.
        function: String,
        /// The error of the call.
        #[source]
        cause: CallError,
    },
    /// It was not touched, because the journal could not be written first.
    #[error("`{function}` was not attached to")]
    Journal {
        /// The function.
        function: String,
        /// The error of the journal.
        #[source]
        cause: JournalError,
    },
    /// It was changed, and the change was undone.
    #[error("`{function}` was attached to and taken back: {reason}")]
    TakenBack {
        /// The function.
        function: String,
        /// Why.
        reason: String,
        /// How it is known to be restored.
        proof: Proof,
    },
    /// It was changed, and may still be.
    #[error("`{function}` may still be attached to ({reason}); `brownout recover --run {run}` undoes it")]
    Stuck {
        /// The function.
        function: String,
        /// The run.
        run: String,
        /// Why it had to be undone.
        reason: String,
        /// Why the undo failed.
        #[source]
        cause: UndoError,
    },
}

/// Reads a function and makes the first decision of [`attach`], without changing anything.
///
/// # Errors
/// The error of the last call.
pub async fn preview(lambda: &Lambda, function: &str, wish: &Wish) -> Result<(Function, Step), CallError> {
    let read = lambda.function_at_last(function).await?;
    let around = lambda.surroundings(function, &wish.layer).await?;
    let step = decide(&read, &around, wish);
    Ok((read, step))
}

/// Attaches to a function, or finds that this run already has. The same update that attaches also
/// writes the undo record into the function.
///
/// # Errors
/// If it is refused, or was undone.
pub async fn attach(lambda: &Lambda, journal: &dyn Journal, function: &str, wish: &Wish) -> Result<Attached, AttachError> {
    let call = |cause| AttachError::Call { function: function.to_owned(), cause };
    let around = lambda.surroundings(function, &wish.layer).await.map_err(call)?;
    let warnings =
        if around.switched_off { vec![format!("`{function}` has a reserved concurrency of `0`: nothing runs")] } else { Vec::new() };
    let (mut pauses, mut sent) = (lambda.patience.begin(), None);
    let stop = loop {
        let next = match lambda.function(function).await {
            Ok(read) => next(lambda, journal, &read, decide(&read, &around, wish), &mut sent).await,
            Err(error) if error.meaning == Meaning::Again => Next::Pause,
            Err(error) => Next::Stop(Stop::Call(error)),
        };
        match next {
            Next::Attached(record) => return Ok(Attached { function: function.to_owned(), record, warnings }),
            Next::TakeBack(reason) => return take_back(lambda, journal, function, wish, sent.as_ref(), reason).await,
            Next::Stop(stop) => break stop,
            Next::Pause if pauses.pause().await => (),
            Next::Pause => break Stop::OutOfTime,
        }
    };
    if sent.is_none() {
        return Err(stop.untouched(function));
    }
    match (take_back(lambda, journal, function, wish, sent.as_ref(), stop.reason()).await, stop) {
        // Another run was faster, or the call itself was refused: this update was never applied.
        (Err(AttachError::TakenBack { proof: Proof::NothingThere, .. }), stop @ Stop::Refused(_)) => Err(stop.untouched(function)),
        (Err(AttachError::TakenBack { .. }), stop @ Stop::Call(_)) => Err(stop.untouched(function)),
        (taken_back, _) => taken_back,
    }
}

/// What follows one read of the function.
enum Next {
    Attached(Record),
    TakeBack(String),
    Stop(Stop),
    Pause,
}

async fn next(lambda: &Lambda, journal: &dyn Journal, read: &Function, step: Step, sent: &mut Option<Record>) -> Next {
    // An update that was applied but lost its marker must not be mistaken for the function's own
    // state.
    if sent.as_ref().is_some_and(|sent| lost_its_marker(read, sent)) {
        return Next::TakeBack("somebody took `BROWNOUT_UNDO` out".to_owned());
    }
    match step {
        Step::Done(record) => Next::Attached(record),
        Step::Wait => Next::Pause,
        Step::TakeBack { reason } => Next::TakeBack(reason),
        Step::Refuse(complaints) => Next::Stop(Stop::Refused(complaints)),
        Step::Update { update, record } => {
            let entry = Entry::Attaching { function: read.name.clone(), record: record.clone() };
            if let Err(cause) = journal.note(&entry) {
                return Next::Stop(Stop::Journal(cause));
            }
            *sent = Some(record);
            let refused = lambda.update(&read.name, &update).await.err().filter(|error| error.meaning != Meaning::Again);
            refused.map_or(Next::Pause, |error| Next::Stop(Stop::Call(error)))
        }
    }
}

fn lost_its_marker(read: &Function, sent: &Record) -> bool {
    !matches!(Marker::of(read), Marker::Of(_)) && remains(read, sent)
}

/// Why the loop ended without attaching.
enum Stop {
    Refused(Vec<Complaint>),
    Call(CallError),
    Journal(JournalError),
    OutOfTime,
}

impl Stop {
    fn reason(&self) -> String {
        match self {
            Self::Refused(complaints) => complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            Self::Call(error) => error.to_string(),
            Self::Journal(error) => error.to_string(),
            Self::OutOfTime => "it took too long".to_owned(),
        }
    }

    fn untouched(self, function: &str) -> AttachError {
        let function = function.to_owned();
        match self {
            Self::Refused(complaints) => AttachError::Refused { function, complaints },
            Self::Journal(cause) => AttachError::Journal { function, cause },
            Self::Call(cause) => AttachError::Call { function, cause },
            Self::OutOfTime => {
                let (code, message) = ("no end".to_owned(), "an update by somebody else is not through yet; wait for it".to_owned());
                let cause = CallError { call: "GetFunctionConfiguration", of: function.clone(), code, message, meaning: Meaning::Again };
                AttachError::Call { function, cause }
            }
        }
    }
}

async fn take_back(
    lambda: &Lambda,
    journal: &dyn Journal,
    function: &str,
    wish: &Wish,
    sent: Option<&Record>,
    reason: String,
) -> Result<Attached, AttachError> {
    let function = function.to_owned();
    match undo(lambda, journal, &function, &wish.run, sent).await {
        Ok(proof) => Err(AttachError::TakenBack { function, reason, proof }),
        Err(cause) => Err(AttachError::Stuck { function, run: wish.run.to_string(), reason, cause }),
    }
}
