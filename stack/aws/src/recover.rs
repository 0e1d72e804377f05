//! Finds what runs left behind, from the functions alone, and undoes it. A journal is needed only
//! if another user removed the marker.

use crate::call::CallError;
use crate::canary;
use crate::client::Lambda;
use crate::function::Function;
use crate::journal::{Entry, Journal, records};
use crate::marker::{Marker, Record, Run};
use crate::undo::{Proof, UndoError, undo};

/// Something that a run left in a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The function.
    pub function: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// The record in its marker; `None` if it cannot be read.
    pub record: Option<Record>,
    /// Whether it is a version that another user published; versions cannot be changed.
    pub published: bool,
}

impl Found {
    /// Whether its run has expired at `now`, in seconds since 1970. An unreadable marker never
    /// expires, because its run is unknown.
    pub fn is_over(&self, now: u64) -> bool {
        self.record.as_ref().is_some_and(|record| record.is_over(now))
    }

    fn read(function: &Function) -> Option<Self> {
        let record = match Marker::of(function) {
            Marker::Of(record) => Some(record),
            // Unreadable variables alone do not mean that there is a marker.
            Marker::Unreadable if matches!(function.variables, crate::function::Readable::Yes(_)) => None,
            Marker::Unreadable | Marker::None => return None,
        };
        let is_canary = record.as_ref().is_some_and(|record| canary::is_canary_of(function, &record.run));
        let published = function.version != "$LATEST" && !is_canary;
        Some(Self { function: function.name.clone(), version: function.version.clone(), record, published })
    }

    /// The error that tells the user what to do, if it is a version that cannot be changed.
    pub fn published(&self) -> Option<UndoError> {
        self.published.then(|| UndoError::Published { function: self.function.clone(), version: self.version.clone() })
    }
}

/// Versions of a function that another user published while a record that matches `is_ours` was in
/// it.
///
/// # Errors
/// The error of the listing.
pub async fn published(lambda: &Lambda, function: &str, is_ours: impl Fn(&Record) -> bool) -> Result<Vec<UndoError>, CallError> {
    let found = lambda.versions(function).await?;
    let found = found.iter().filter_map(Found::read).filter(|found| found.record.as_ref().is_some_and(&is_ours));
    Ok(found.filter_map(|found| found.published()).collect())
}

/// Which leftovers are undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Those of runs that have expired at this time, in seconds since 1970.
    Over(u64),
    /// Those of one run, even if it has not expired: the caller knows that it is dead.
    Of(Run),
    /// All; for an account in which nothing runs.
    All,
}

impl Which {
    /// Whether it selects what this run left, which may be needed until then.
    pub fn selects(&self, run: &str, until: u64) -> bool {
        match self {
            Self::Over(now) => until <= *now,
            Self::Of(of) => of.name() == run,
            Self::All => true,
        }
    }

    fn means(&self, record: &Record) -> bool {
        self.selects(record.run.name(), record.until)
    }
}

/// The result for one leftover.
#[derive(Debug)]
pub struct Recovered {
    /// The function.
    pub function: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// The run that left it.
    pub run: Run,
    /// Where its plan was, as `BROWNOUT_PLAN` named it: [`crate::arm::Store::clear_of`] deletes it.
    pub plan: Option<String>,
    /// How it is known to be clean, or why it is not.
    pub result: Result<Proof, UndoError>,
}

impl Recovered {
    fn new(function: &str, version: &str, record: &Record, result: Result<Proof, UndoError>) -> Self {
        let plan = record.set.get("BROWNOUT_PLAN").cloned();
        Self { function: function.to_owned(), version: version.to_owned(), run: record.run.clone(), plan, result }
    }
}

/// Everything that runs left in the account and region; read-only.
///
/// # Errors
/// The error of the listing.
pub async fn list(lambda: &Lambda) -> Result<Vec<Found>, CallError> {
    Ok(lambda.functions().await?.iter().filter_map(Found::read).collect())
}

/// Undoes the leftovers that `which` selects. `noted` are the entries of available journals; they
/// are optional.
///
/// A version that another user published while the layer was attached keeps it, because versions
/// never change; each gives an error that says so.
///
/// # Errors
/// The error of the listing; the result for each leftover is in the answer.
pub async fn recover(lambda: &Lambda, journal: &dyn Journal, which: &Which, noted: &[Entry]) -> Result<Vec<Recovered>, CallError> {
    let mut recovered = Vec::new();
    let found = list(lambda).await?;
    for found in &found {
        let Some(record) = found.record.as_ref().filter(|record| which.means(record)) else { continue };
        let result = match (&record.alias, found.published()) {
            (_, Some(published)) => Err(published),
            (Some(alias), None) if found.version != "$LATEST" => {
                canary::take_back(lambda, journal, &found.function, &record.run, alias, &found.version).await
            }
            _ => undo(lambda, journal, &found.function, &record.run, Some(record)).await,
        };
        recovered.push(Recovered::new(&found.function, &found.version, record, result));
    }
    let run = if let Which::Of(run) = which { Some(run) } else { None };
    for (function, record) in records(noted, run) {
        let seen = found.iter().any(|found| found.function == function && found.version == "$LATEST" && found.record.is_some());
        if !seen && which.means(record) {
            let result = undo(lambda, journal, function, &record.run, Some(record)).await;
            recovered.push(Recovered::new(function, "$LATEST", record, result));
        }
    }
    Ok(recovered)
}
