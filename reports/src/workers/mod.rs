//! One load that several workers sent: what each of them writes, and the one report of all. It judges only what is whole: where a worker
//! is missing, or sent something else, there is no verdict.

mod merge;
mod record;

use std::path::Path;
use std::{fs, io};

use crate::formats::interval_log::{LogError, read_interval_log, write_interval_log};
use crate::formats::{RenderError, write_all};
use crate::latencies::Latencies;
use crate::report::Report;

use merge::Whole;
pub use record::{Counted, SERVICE_LOG, Worker};

/// Folders of workers are called so, with the index behind it.
const FOLDER: &str = "worker-";

/// The record of each, in its folder.
const RECORD: &str = "worker.json";

const LATENCY_LOG: &str = "latency.hlog";

/// What a report needs of each.
pub const FILES: [&str; 3] = [RECORD, LATENCY_LOG, SERVICE_LOG];

/// What prevents a verdict, ready to read.
#[derive(Debug, thiserror::Error)]
pub enum WorkersError {
    /// What is wrong with workers, one line each; never empty.
    #[error("there is no verdict: {}", .0.join("; "))]
    Incomplete(Vec<String>),
    /// A file of all cannot be written.
    #[error(transparent)]
    Render(#[from] RenderError),
}

/// The name of a worker's folder.
pub fn folder_name(index: u64) -> String {
    format!("{FOLDER}{index}")
}

/// The indices of the workers that have a folder in `folder`, sorted.
///
/// # Errors
/// If `folder` cannot be read.
pub fn indices(folder: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        found.extend(name.to_str().and_then(|name| name.strip_prefix(FOLDER)?.parse::<u64>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

/// Judges what all workers in `folder` measured as if one machine had, and writes the report into it. `is_under_way` says whether a
/// worker still works in its folder.
///
/// # Errors
/// If there is no verdict, or a file cannot be written.
pub fn report(folder: &Path, is_under_way: impl Fn(&Path) -> bool) -> Result<Report, WorkersError> {
    let indices = indices(folder).map_err(|error| RenderError::File("worker-0", error))?;
    let mut problems = Vec::new();
    let mut workers = Vec::new();
    for index in indices {
        match one(folder, index, &is_under_way) {
            Ok(worker) => workers.push(worker),
            Err(why) => problems.push((index, why)),
        }
    }
    let measured = merge::merge(workers, problems).map_err(WorkersError::Incomplete)?;
    let report = crate::judge::judge(&measured);
    let unwritable = |error| RenderError::File(LATENCY_LOG, error);
    let log = fs::File::create(folder.join(LATENCY_LOG)).map_err(unwritable)?;
    write_interval_log(io::BufWriter::new(log), measured.started_unix_ms, &measured.latencies).map_err(unwritable)?;
    write_all(folder, &report, &measured.latencies).map_err(|error| RenderError::File("report.html", error))?;
    Ok(report)
}

/// One worker that came to its end, with its histograms, or what is wrong with it.
fn one(folder: &Path, index: u64, is_under_way: impl Fn(&Path) -> bool) -> Result<Whole, String> {
    let folder = folder.join(folder_name(index));
    if is_under_way(&folder) {
        return Err("is still under way; wait for its end".to_owned());
    }
    let text = fs::read_to_string(folder.join(RECORD)).map_err(|error| format!("did not begin: `{RECORD}` cannot be read: {error}"))?;
    let worker: Worker = serde_json::from_str(&text).map_err(|error| format!("is not of this version: `{RECORD}`: {error}"))?;
    let counted = worker.counted.clone().ok_or("was cut off: it began and did not end")?;
    if worker.index != index {
        return Err(format!("has the record of worker {}", worker.index));
    }
    let read = |name: &str, recorded: u64| -> Result<Latencies, String> {
        let text = fs::read_to_string(folder.join(name)).map_err(|error| format!("`{name}` cannot be read: {error}"))?;
        let latencies = read_interval_log(&text).map_err(|error: LogError| format!("`{name}`: {error}"))?;
        let found = latencies.count(|_| true);
        if found == recorded {
            Ok(latencies)
        } else {
            Err(format!("has {found} of {recorded} requests in `{name}`: the file is not whole"))
        }
    };
    let latencies = read(LATENCY_LOG, counted.recorded)?;
    let service_times = read(SERVICE_LOG, counted.recorded)?;
    Ok(Whole { worker, counted, latencies, service_times })
}

#[cfg(test)]
mod tests;
