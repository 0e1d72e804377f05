//! How `brownout load` is shared by several processes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// On several machines, or in several processes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "On several machines")]
pub struct Workers {
    /// Start N workers, wait for them, and judge what they measured together: `local:N` on this machine, `slurm:N` as an array of
    /// Slurm that is submitted here, in a folder that all its machines share
    #[arg(long, value_name = "local:N|slurm:N", value_parser = crew, conflicts_with_all = ["worker", "index", "of", "live", "otlp"])]
    pub workers: Option<Crew>,
    /// Be one of several workers, which one and of how many is known from the variables of the engine that started it:
    /// Kubernetes, AWS Batch, Slurm, GNU parallel
    #[arg(long)]
    pub worker: bool,
    /// Which worker it is, from 0 [default: what the engine says]
    #[arg(long, value_name = "I")]
    pub index: Option<u64>,
    /// Of how many [default: what the engine says]
    #[arg(long, value_name = "N")]
    pub of: Option<u64>,
    /// When the first request is due, the same for all workers: RFC 3339, or seconds since 1970 [default: at once]
    #[arg(long, env = "BROWNOUT_START_AT", value_name = "TIME", value_parser = moment)]
    pub start_at: Option<SystemTime>,
    /// End with the process that started it
    #[arg(long, hide = true)]
    pub end_with_parent: bool,
}

/// Who starts workers, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crew {
    /// This process.
    Local(u64),
    /// Slurm.
    Slurm(u64),
}

/// The most workers that one machine is asked to start.
const MOST: u64 = 64;

/// The most tasks of an array, as Slurm is installed.
const MOST_TASKS: u64 = 1_000;

fn crew(text: &str) -> Result<Crew, String> {
    let count = |by: &str, least, most| {
        let count = text.strip_prefix(by)?.strip_prefix(':')?.parse().ok();
        count.filter(|count| (least..=most).contains(count))
    };
    let crew = count("local", 1, MOST).map(Crew::Local).or_else(|| count("slurm", 2, MOST_TASKS).map(Crew::Slurm));
    crew.ok_or_else(|| {
        format!("write `local:N` with N from 1 to {MOST}, or `slurm:N` from 2 to {MOST_TASKS}; for others there is `brownout export`")
    })
}

fn moment(text: &str) -> Result<SystemTime, String> {
    let seconds = || text.parse::<u32>().ok().map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds.into()));
    let wrong = || "write a time such as `2026-01-31T12:00:00Z`, or whole seconds since 1970".to_owned();
    seconds().or_else(|| dates::read(text)).ok_or_else(wrong)
}
