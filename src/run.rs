//! `brownout run`: one experiment, from file to verdict.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reports::Report;
use stack::RunFolder;
use stack::targets::local::{Launch, Local};

use crate::experiment::run::{self as engine, Done, Setting};
use crate::experiment::{Plan, check as checking};
use crate::progress::Progress;
use crate::signals::Signals;
use crate::{artifacts, check, cli, up};

/// A stack whose harness died stays this long beyond the lease.
const AFTER_THE_LEASE: Duration = Duration::from_secs(5);

/// Nothing of ours survives a dead harness by a minute.
const LONGEST_GRACE: Duration = Duration::from_secs(50);

/// Where runs go unless told otherwise.
pub fn runs_folder() -> PathBuf {
    PathBuf::from("brownout-runs")
}

/// The time in UTC, as it stands in folder names: `20260131-235959`.
pub fn time_stamp() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Civil from days: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}-{:02}{:02}{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Runs an experiment; the exit code is the verdict's.
///
/// # Errors
/// Where it could not be run.
pub fn run(arguments: &cli::Run) -> Result<u8, Box<dyn Error>> {
    let plan = match plan(arguments) {
        Ok(plan) => plan,
        Err(complaints) => {
            eprint!("{complaints}");
            return Ok(crate::COULD_NOT_RUN);
        }
    };
    let artifacts = artifacts::find()?;
    let folder = match &arguments.out {
        Some(folder) => folder.clone(),
        None => runs_folder().join(format!("{}-{}", time_stamp(), plan.name)),
    };
    let folder = RunFolder::create(folder)?;
    for stale in [folder.plan(), folder.ledger(), folder.addresses(), folder.health()] {
        let _ = std::fs::remove_file(stale);
    }
    eprintln!("{}\n", plan.question);
    let done = go(arguments, &plan, &folder, &artifacts)?;
    let report = reports::judge(&done.measurements);
    reports::write_all(folder.path(), &report, &done.measurements.latencies)?;
    finish(arguments, &report, &folder)?;
    Ok(done.asked.map_or(report.verdict.exit_code(), |asked| asked.exit_code()))
}

/// The checked plan with what the command line adds.
fn plan(arguments: &cli::Run) -> Result<Plan, String> {
    let mut plan = check::read(&arguments.experiment)?;
    if let Some(seed) = arguments.seed {
        plan.seed = seed;
    }
    for weakness in &arguments.weaknesses {
        let known = checking::WEAKNESSES.iter().find(|(name, _)| name == weakness);
        match known {
            Some((_, system)) if plan.systems.contains(system) => plan.switch_on(weakness),
            Some((_, system)) => {
                return Err(format!("error: `{weakness}` belongs to `{}`, which this experiment does not bring up\n", system.name()));
            }
            None => {
                let there = checking::WEAKNESSES.map(|(name, _)| format!("`{name}`")).join(", ");
                return Err(format!("error: there is no weakness `{weakness}`; there are: {there}\n"));
            }
        }
    }
    Ok(plan)
}

fn go(arguments: &cli::Run, plan: &Plan, folder: &RunFolder, artifacts: &stack::artifacts::Artifacts) -> Result<Done, Box<dyn Error>> {
    let _ = artifacts;
    let marker = up::new_marker();
    let mut target = Local::new(folder.clone(), launch(plan, folder, &marker)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut progress = Progress::new(plan.timeline.end());
    let setting = Setting {
        folder: folder.path().to_owned(),
        run: marker,
        command: command_line(arguments),
        signals: runtime.block_on(async { Signals::listen() })?,
    };
    let done = runtime.block_on(engine::run(plan, &mut target, setting, &mut progress));
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(done?)
}

/// The stack runs as `brownout up` in a process of its own.
fn launch(plan: &Plan, folder: &RunFolder, marker: &str) -> std::io::Result<Launch> {
    let systems = plan.systems.iter().map(|system| system.name()).collect::<Vec<_>>().join(",");
    let grace = faults::time::Time::from((plan.lease.duration() + AFTER_THE_LEASE).min(LONGEST_GRACE));
    let mut arguments = vec!["up".to_owned()];
    let mut add = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
    add("--systems", systems);
    add("--homes", plan.homes().unwrap_or(1).to_string());
    add("--authorizer-cache", faults::time::Time::from(plan.authorizer_cache).to_string());
    add("--folder", folder.path().display().to_string());
    add("--marker", marker.to_owned());
    // It outlives a dead harness until the lease has run out, so that its traffic is seen to become normal.
    add("--harness", grace.to_string());
    for weakness in &plan.weaknesses {
        add("--weakness", weakness.clone());
    }
    Ok(Launch { program: std::env::current_exe()?, arguments, marker: marker.to_owned() })
}

fn command_line(arguments: &cli::Run) -> String {
    let mut line = format!("brownout run {}", arguments.experiment);
    if let Some(seed) = arguments.seed {
        line.push_str(&format!(" --seed {seed}"));
    }
    for weakness in &arguments.weaknesses {
        line.push_str(&format!(" --weakness {weakness}"));
    }
    line
}

fn finish(arguments: &cli::Run, report: &Report, folder: &RunFolder) -> Result<(), Box<dyn Error>> {
    if arguments.json {
        print!("{}", std::fs::read_to_string(folder.path().join("result.json"))?);
        return Ok(());
    }
    print!("{}", std::fs::read_to_string(folder.path().join("summary.md"))?);
    println!("\n{}: {}", report.verdict.name(), report.sentence);
    println!("report: {}", shown(&folder.path().join("report.html")));
    Ok(())
}

/// A path below this folder is shown without it.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok().and_then(|here| here.canonicalize().ok());
    let short = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    short.unwrap_or_else(|| path.to_owned()).display().to_string()
}
