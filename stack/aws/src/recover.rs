//! Finds what runs left behind, from the functions alone, and takes it back. A journal only helps where somebody took our marker out.

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
    /// What its marker says; none where that is not understood.
    pub record: Option<Record>,
    /// Whether it is a version that somebody else published, which nobody can change.
    pub published: bool,
}

impl Found {
    /// Whether its run is over at `now`, in seconds since 1970. What is not understood is never over: nobody knows whose it is.
    pub fn is_over(&self, now: u64) -> bool {
        self.record.as_ref().is_some_and(|record| record.is_over(now))
    }

    fn read(function: &Function) -> Option<Self> {
        let record = match Marker::of(function) {
            Marker::Of(record) => Some(record),
            // Variables that cannot be read are not a marker.
            Marker::Unreadable if matches!(function.variables, crate::function::Readable::Yes(_)) => None,
            Marker::Unreadable | Marker::None => return None,
        };
        let is_canary = record.as_ref().is_some_and(|record| canary::is_canary_of(function, &record.run));
        let published = function.version != "$LATEST" && !is_canary;
        Some(Self { function: function.name.clone(), version: function.version.clone(), record, published })
    }

    /// What is left of it for somebody to do, where it cannot be taken out.
    pub fn published(&self) -> Option<UndoError> {
        self.published.then(|| UndoError::Published { function: self.function.clone(), version: self.version.clone() })
    }
}

/// Versions of a function that somebody published while `is_ours` was on it.
///
/// # Errors
/// What the listing says.
pub async fn published(lambda: &Lambda, function: &str, is_ours: impl Fn(&Record) -> bool) -> Result<Vec<UndoError>, CallError> {
    let found = lambda.versions(function).await?;
    let found = found.iter().filter_map(Found::read).filter(|found| found.record.as_ref().is_some_and(&is_ours));
    Ok(found.filter_map(|found| found.published()).collect())
}

/// Whose leftovers are taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Those of runs that are over at this time, in seconds since 1970.
    Over(u64),
    /// Those of one run, over or not: it is known to be dead.
    Of(Run),
    /// All; for an account in which nothing runs.
    All,
}

impl Which {
    fn means(&self, record: &Record) -> bool {
        match self {
            Self::Over(now) => record.is_over(*now),
            Self::Of(run) => record.run == *run,
            Self::All => true,
        }
    }
}

/// What became of one leftover.
#[derive(Debug)]
pub struct Recovered {
    /// The function.
    pub function: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// Whose it was.
    pub run: Run,
    /// Where its plan stood, as `BROWNOUT_PLAN` named it: [`crate::arm::Store::clear_of`] deletes it.
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

/// Everything that runs left in the account and region; touches nothing.
///
/// # Errors
/// What the listing says.
pub async fn list(lambda: &Lambda) -> Result<Vec<Found>, CallError> {
    Ok(lambda.functions().await?.iter().filter_map(Found::read).collect())
}

/// Takes back what `which` means. `noted` are the entries of journals that are at hand; none are needed.
///
/// Versions that somebody published while ours was attached keep it, since a version never changes: each is an error that says so.
///
/// # Errors
/// What the listing says; what became of each leftover is in the answer.
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
