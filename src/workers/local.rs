//! `brownout load --workers local:N`: workers as processes of this machine, with one start time. They end when this process does, however
//! that ends.

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use engine::{Asked, Plan, StopRequests};
use reports::workers::{folder_name, indices};
use run_folder::{FolderError, RunFolder};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::cli::Load;
use crate::load_alone::words;
use crate::report;
use crate::run::new_folder;
use crate::signals::Signals;

/// Workers have so much time to get ready, and a second more for each of so many arrivals a second, unless the start time is given.
const LEAD: Duration = Duration::from_secs(4);
const ARRIVALS: f64 = 500.0;

/// They never have longer.
const LONGEST_LEAD: Duration = Duration::from_secs(60);

/// Where a worker's words go, in its folder.
pub const LOG: &str = "logs/worker.log";

/// Starts the workers, waits for them, and judges; the exit code is the verdict's.
///
/// # Errors
/// If one cannot be started, or there is no folder to write in.
pub fn run(arguments: &Load, plan: &Plan, count: u64) -> Result<u8, Box<dyn Error>> {
    let (runtime, signals) = Signals::begin()?;
    let (folder, start_at) = begin(arguments, plan, count, lead(plan.load.arrivals()))?;
    let asked = runtime.block_on(async {
        let started = (0..count).map(|index| start(arguments, folder.path(), index, count, start_at)).collect::<Result<Vec<_>, _>>()?;
        Ok::<_, std::io::Error>(wait_for(started, folder.path(), signals).await)
    })?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    let code = report::of_workers(folder.path(), arguments.json)?;
    Ok(asked.map_or(code, Asked::exit_code))
}

/// The folder of all workers, and when they send, as it tells the user.
///
/// # Errors
/// If a folder cannot be used.
pub fn begin(arguments: &Load, plan: &Plan, count: u64, lead: Duration) -> Result<(RunFolder, SystemTime), Box<dyn Error>> {
    let folder = arguments.out.as_ref().map_or_else(|| new_folder(&plan.name), |folder| RunFolder::claim(folder, arguments.force))?;
    prepare(&folder, count, arguments.force)?;
    let start_at = arguments.workers.start_at.unwrap_or_else(|| SystemTime::now() + lead);
    eprintln!("{}\n", plan.question);
    engine::check::power::notices(plan).iter().for_each(|notice| eprintln!("note: {notice}"));
    eprintln!("{count} workers send from {} on, for {} s", dates::readable(start_at), plan.timeline.end().as_secs());
    Ok((folder, start_at))
}

/// Claims every worker's folder for a moment, so that one that cannot be used is known before anything is sent.
fn prepare(folder: &RunFolder, count: u64, force: bool) -> Result<(), Box<dyn Error>> {
    let unwritable = |cause| FolderError::Unwritable { path: folder.path().to_owned(), cause };
    if let Some(more) = indices(folder.path()).map_err(unwritable)?.into_iter().find(|index| *index >= count) {
        return Err(format!("`{}` holds `{}` of an earlier run; choose another folder", folder.path().display(), folder_name(more)).into());
    }
    for index in 0..count {
        RunFolder::claim(&folder.path().join(folder_name(index)), force)?;
    }
    Ok(())
}

/// More arrivals have more users, each of which opens a connection beforehand.
fn lead(arrivals_a_second: f64) -> Duration {
    (LEAD + Duration::from_secs_f64(arrivals_a_second / ARRIVALS)).min(LONGEST_LEAD)
}

fn start(arguments: &Load, out: &Path, index: u64, count: u64, start_at: SystemTime) -> std::io::Result<Child> {
    let said = File::create(out.join(folder_name(index)).join(LOG))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("load").args(words(arguments, |value| value.to_owned()));
    command.args(["--index", &index.to_string(), "--of", &count.to_string(), "--start-at", &dates::milliseconds(start_at)]);
    command.arg("--end-with-parent").arg("--out").arg(out);
    // Of a group of its own: Ctrl-C comes to this process, which tells them all.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).process_group(0).kill_on_drop(true).spawn()
}

/// Waits until all have ended. A signal stops all of them; so does one that fails, because then there is no verdict.
async fn wait_for(children: Vec<Child>, folder: &Path, mut signals: Signals) -> Option<Asked> {
    let mut at_work: Vec<Option<Pid>> = children.iter().map(|child| child.id().and_then(pid)).collect();
    let mut waiting = JoinSet::new();
    for (index, mut child) in children.into_iter().enumerate() {
        waiting.spawn(async move { (index, child.wait().await) });
    }
    let (mut asked, mut stopping) = (None, false);
    loop {
        tokio::select! {
            ended = waiting.join_next() => {
                let Some(ended) = ended else { return asked };
                let Ok((index, status)) = ended else { continue };
                at_work.get_mut(index).and_then(Option::take);
                if stopping || status.as_ref().is_ok_and(ExitStatus::success) {
                    continue;
                }
                tell(index, status, folder);
                stopping = true;
                stop(&at_work);
            }
            signal = signals.asked(), if asked.is_none() => {
                eprintln!("asked to stop: stopping all workers");
                (asked, stopping) = (Some(signal), true);
                stop(&at_work);
            }
        }
    }
}

fn pid(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

fn stop(at_work: &[Option<Pid>]) {
    for worker in at_work.iter().flatten() {
        // One that has just ended needs no signal.
        let _ = kill_process(*worker, Signal::INT);
    }
}

/// What became of a worker that did not send to its end, with its last words.
fn tell(index: usize, status: std::io::Result<ExitStatus>, folder: &Path) {
    let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    let log = std::fs::read_to_string(folder.join(folder_name(index as u64)).join(LOG)).unwrap_or_default();
    let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    eprintln!("worker {index} ended early ({status}); the others are stopped: {last}");
}
