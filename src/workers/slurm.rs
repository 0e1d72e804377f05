//! `brownout load --workers slurm:N`: workers as an array of Slurm. It is submitted and waited for here; a signal cancels it.

use std::error::Error;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use engine::{Asked, Plan, StopRequests};
use exports::{LEAD_S, LoadJob, slurm_array};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use super::local::{LOG, begin};
use crate::cli::Load;
use crate::load_alone::words;
use crate::report;
use crate::signals::Signals;

/// Submits the array, waits for its end, and judges; the exit code is the verdict's.
///
/// # Errors
/// If Slurm does not take the array, or there is no folder to write in.
pub fn run(arguments: &Load, plan: &Plan, count: u64) -> Result<u8, Box<dyn Error>> {
    let (runtime, signals) = Signals::begin()?;
    let (folder, start_at) = begin(arguments, plan, count, Duration::from_secs(LEAD_S))?;
    let out = std::path::absolute(folder.path())?;
    let job = LoadJob { name: plan.name.clone(), file: arguments.target.clone(), workers: count, length: plan.timeline.end() };
    let script = slurm_array(&job, &words(arguments, str::to_owned), &out.display().to_string());
    let asked = runtime.block_on(array(&script, start_at, &out, signals))?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    let code = report::of_workers(folder.path(), arguments.json)?;
    Ok(asked.map_or(code, Asked::exit_code))
}

async fn array(script: &str, start_at: SystemTime, out: &Path, mut signals: Signals) -> Result<Option<Asked>, Box<dyn Error>> {
    let (mut sbatch, job) = submit(script, start_at, out).await?;
    eprintln!("array {job} is submitted; what a worker says is in `worker-N/{LOG}`");
    let mut asked = None;
    loop {
        tokio::select! {
            ended = sbatch.wait() => {
                // How the tasks ended is in their folders.
                ended?;
                return Ok(asked);
            }
            signal = signals.asked(), if asked.is_none() => {
                eprintln!("asked to stop: cancelling array {job}");
                asked = Some(signal);
                let cancelled = Command::new("scancel").arg(&job).stdin(Stdio::null()).status().await;
                if !cancelled.is_ok_and(|status| status.success()) {
                    eprintln!("array {job} could not be cancelled: it goes on to its end, unless `scancel {job}` stops it");
                }
            }
        }
    }
}

/// `sbatch`, which goes on until the array has ended, and the number of the array.
async fn submit(script: &str, start_at: SystemTime, out: &Path) -> Result<(Child, String), Box<dyn Error>> {
    let mut command = Command::new("sbatch");
    command.args(["--parsable", "--wait"]).arg(format!("--export=ALL,BROWNOUT_START_AT={}", dates::milliseconds(start_at)));
    command.arg(format!("--output={}/worker-%a/{LOG}", out.display()));
    // Of a group of its own: Ctrl-C comes to this process, which cancels the array.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    let mut sbatch =
        command.spawn().map_err(|error| format!("`sbatch` cannot be started ({error}); run this where jobs are submitted to Slurm"))?;
    if let Some(mut input) = sbatch.stdin.take() {
        input.write_all(script.as_bytes()).await?;
    }
    let output = sbatch.stdout.take().ok_or("`sbatch` has no output")?;
    let Some(line) = BufReader::new(output).lines().next_line().await? else {
        return Err("Slurm did not take the array: what `sbatch` says is above".into());
    };
    // `123`, or `123;cluster`.
    let job = line.split(';').next().unwrap_or(&line).trim().to_owned();
    Ok((sbatch, job))
}
