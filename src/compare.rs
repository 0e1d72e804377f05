//! `brownout compare`: two finished runs, and the history of runs. Nothing is run.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use reports::between::{Limits, Side, between, markdown};
use reports::formats::result_json;
use reports::{history, read_interval_log};

use crate::cli::Compare;

/// Compares, appends, or prints the trend; the exit code of a comparison is that of its verdict.
///
/// # Errors
/// If a run or a history cannot be read.
pub fn compare(arguments: &Compare) -> Result<u8, Box<dyn Error>> {
    if let Some(file) = &arguments.history {
        let text = fs::read_to_string(file).map_err(|cause| format!("the history `{}` cannot be read: {cause}", file.display()))?;
        page!("{}", history::trend(&history::read(&text).map_err(|error| format!("`{}`: {error}", file.display()))?));
        return Ok(0);
    }
    let runs: Vec<Side> = arguments.runs.iter().map(|run| side(run)).collect::<Result<_, _>>()?;
    if let (Some(file), Some(run)) = (&arguments.append, runs.last()) {
        append(file, run)?;
    }
    let [before, after] = runs.as_slice() else {
        return match (runs.len(), &arguments.append) {
            (1, Some(file)) => {
                println!("added to {}", file.display());
                Ok(0)
            }
            (given, _) => {
                Err(format!("two runs are compared, and {given} given; name the earlier one first, or print a trend with `--history`")
                    .into())
            }
        };
    };
    let Compare { bound, errors, at, phase, .. } = arguments;
    let limits = Limits { time: *bound, errors: *errors, at: at.clone(), phase: phase.map(crate::cli::OnePhase::phase) };
    let comparison = between(before, after, &limits);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&comparison)?);
    } else {
        page!("{}", markdown(&comparison));
    }
    Ok(comparison.verdict.exit_code())
}

/// Reads a run.
fn side(path: &Path) -> Result<Side, Box<dyn Error>> {
    let ends_with = |ending: &str| path.extension().is_some_and(|found| found == ending);
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let log = if path.is_dir() || ends_with("json") { folder.join("latency.hlog") } else { path.to_owned() };
    let result = if path.is_dir() { Some(folder.join("result.json")) } else { ends_with("json").then(|| path.to_owned()) };
    if !path.exists() {
        return Err(format!("there is no run `{}`; name its folder, its result.json or its latency.hlog", path.display()).into());
    }
    let read =
        |file: &PathBuf| fs::read_to_string(file).map_err(|cause| format!("`{}` of the run cannot be read: {cause}", file.display()));
    let named = |file: &PathBuf, error: &dyn Error| format!("`{}`: {}", file.display(), protocol::chain(error));
    let report = result.map(|file| result_json::read(&read(&file)?).map_err(|error| named(&file, &error))).transpose()?;
    let latencies = read_interval_log(&read(&log)?).map_err(|error| named(&log, &error))?;
    Ok(Side { report, latencies })
}

/// Adds a run to a history; one line is one write, so that two at once do not mix.
fn append(file: &Path, run: &Side) -> Result<(), Box<dyn Error>> {
    let report = run.report.as_ref().ok_or("a history needs the verdict of a run; name its folder or its result.json")?;
    let line = history::line(report, &run.latencies).json();
    let write = || fs::OpenOptions::new().create(true).append(true).open(file)?.write_all(line.as_bytes());
    write().map_err(|cause| format!("the history `{}` cannot be written: {cause}", file.display()).into())
}
