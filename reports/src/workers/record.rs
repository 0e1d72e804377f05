//! What a worker writes into its folder: at its begin what it was told to do, at its end what it counted.

use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::RECORD;
use crate::formats::interval_log::write_interval_log;
use crate::measurements::{Books, End, Endings, Experiment, Generator, Measurements, PhaseSpan};

/// The interval log of the latencies from the time of sending: the verdict needs them too.
pub const SERVICE_LOG: &str = "service.hlog";

/// One of several workers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// Which one, from 0.
    pub index: u64,
    /// Of how many.
    pub of: u64,
    /// What it was told to do.
    pub experiment: Experiment,
    /// A digest of the rows and the log that the file names.
    pub data: String,
    /// When it was told to begin, in milliseconds since 1970.
    pub start_at_unix_ms: Option<u64>,
    /// What it counted, once it has ended; `None` before that, and for ever if it was cut off.
    pub counted: Option<Counted>,
}

/// What a worker counted; latencies are in the interval logs beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counted {
    /// When its first arrival was due, by its own clock, in milliseconds since 1970.
    pub begun_unix_ms: u64,
    /// Second 0 of its logs, by the same clock.
    pub started_unix_ms: u64,
    /// Requests in each of its logs.
    pub recorded: u64,
    /// The recorded phases.
    pub phases: Vec<PhaseSpan>,
    /// What it sent.
    pub books: Books,
    /// How the requests ended.
    pub endings: Endings,
    /// Its own health.
    pub generator: Generator,
    /// How it ended.
    pub end: End,
    /// Where its books do not balance.
    pub discrepancies: Vec<String>,
    /// Notes for the reader.
    pub notes: Vec<String>,
}

impl Worker {
    /// Writes that it begins.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn begins(&self, folder: &Path) -> io::Result<()> {
        self.write(folder)
    }

    /// Writes what it counted, last of all. Its warm-up was `warm_up_ms` milliseconds long; `latency.hlog` is written already.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn ends(self, folder: &Path, measured: &Measurements, warm_up_ms: u64) -> io::Result<()> {
        let log = io::BufWriter::new(fs::File::create(folder.join(SERVICE_LOG))?);
        write_interval_log(log, measured.started_unix_ms, &measured.service_times)?;
        let counted = Counted {
            begun_unix_ms: measured.started_unix_ms.saturating_sub(warm_up_ms),
            started_unix_ms: measured.started_unix_ms,
            recorded: measured.latencies.count(|_| true),
            phases: measured.phases.clone(),
            books: measured.books,
            endings: measured.endings.clone(),
            generator: measured.generator.clone(),
            end: measured.end.clone(),
            discrepancies: measured.discrepancies.clone(),
            notes: measured.notes.clone(),
        };
        Self { experiment: measured.experiment.clone(), counted: Some(counted), ..self }.write(folder)
    }

    /// In one step, so that a record is whole or not there.
    fn write(&self, folder: &Path) -> io::Result<()> {
        let new = folder.join("worker.new");
        fs::write(&new, serde_json::to_vec_pretty(self).map_err(io::Error::other)?)?;
        fs::rename(&new, folder.join(RECORD))
    }
}
