//! `brownout load --workers batch:N`: workers as an array job of AWS Batch, by AWS's command line. File and results are in a folder that
//! is shared with the containers, as `brownout export batch` sets it up; a signal terminates the job.

use std::error::Error;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use engine::{Asked, Plan, StopRequests};
use exports::{Brought, LEAD_S, LoadJob, batch_submission};
use serde_json::Value;
use tokio::process::Command;

use super::local::begin;
use crate::cli::Load;
use crate::report;
use crate::signals::Signals;

/// How often Batch is asked.
const EVERY: Duration = Duration::from_secs(2);

/// So much longer than its load the job is waited for, and so long once it is terminated.
const LONGER: Duration = Duration::from_secs(600);
const ENDING: Duration = Duration::from_secs(120);

/// Submits the job, waits for its end, and judges; the exit code is the verdict's.
///
/// # Errors
/// If it is not said which job, what it needs is not in the shared folder, Batch does not take the job, or not every container runs in time.
pub fn run(arguments: &Load, plan: &Plan, count: u64) -> Result<u8, Box<dyn Error>> {
    let workers = &arguments.workers;
    let (Some(queue), Some(definition)) = (&workers.job_queue, &workers.job_definition) else {
        return Err("`--workers batch:N` needs `--job-queue` and `--job-definition`, such as those of `brownout export batch`".into());
    };
    let shared = workers.shared.canonicalize().map_err(|error| format!("the folder `{}`: {error}", workers.shared.display()))?;
    if !Path::new(&arguments.target).is_file() {
        return Err("`--workers batch:N` sends a file; put what the URL's flags say into one".into());
    }
    let file = there(Path::new(&arguments.target), &shared)?;
    for named in &plan.read.files {
        there(&Path::new(&arguments.target).with_file_name(named), &shared)?;
    }
    let (runtime, signals) = Signals::begin()?;
    let (folder, start_at) = begin(arguments, plan, count, Duration::from_secs(LEAD_S))?;
    let out = there(folder.path(), &shared)?;
    let job = LoadJob { name: plan.name.clone(), file, workers: count, length: plan.timeline.end() };
    let submission = batch_submission(&job, queue, definition, &out, arguments.seed, &dates::milliseconds(start_at));
    let asked = runtime.block_on(async { Submitted::create(&submission).await?.follow(&job, start_at, signals).await })?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    let code = report::of_workers(folder.path(), arguments.json)?;
    Ok(asked.map_or(code, Asked::exit_code))
}

/// Where the containers see what is at `path` here.
fn there(path: &Path, shared: &Path) -> Result<String, String> {
    let whole = path.canonicalize().map_err(|error| format!("`{}`: {error}", path.display()))?;
    let below = whole.strip_prefix(shared).ok().and_then(Path::to_str);
    below.map(Brought::path).ok_or_else(|| {
        let shared = shared.display();
        format!("`{}` is not below `{shared}`, the folder that the containers share (`--shared`, and `--out` below it)", path.display())
    })
}

/// An array job.
struct Submitted {
    id: String,
}

impl Submitted {
    async fn create(submission: &Value) -> Result<Self, String> {
        let answer = aws("submit-job", &["--cli-input-json", &submission.to_string()]).await?;
        let id = answer.pointer("/jobId").and_then(Value::as_str).ok_or("`aws batch submit-job` tells no `jobId`")?.to_owned();
        eprintln!("array job {id} is submitted; what a worker says is in its log stream in CloudWatch");
        Ok(Self { id })
    }

    /// Waits for its end. A signal terminates it, and so does a container that does not run when all should send.
    async fn follow(&self, job: &LoadJob, start_at: SystemTime, mut signals: Signals) -> Result<Option<Asked>, String> {
        let (mut asked, mut late) = (None, None);
        let mut until = start_at + job.length + LONGER;
        loop {
            tokio::select! {
                signal = signals.asked(), if asked.is_none() => {
                    eprintln!("asked to stop: terminating array job {}", self.id);
                    asked = Some(signal);
                    self.terminate("asked to stop").await;
                    until = SystemTime::now() + ENDING;
                }
                () = tokio::time::sleep(EVERY) => {}
            }
            if SystemTime::now() > until {
                return Err(format!("array job {} does not end, or cannot be watched any more", self.id));
            }
            let state = match self.state().await {
                Ok(state) => state,
                Err(error) => {
                    // It goes on without being watched; the next time may tell.
                    eprintln!("note: {error}");
                    continue;
                }
            };
            if state.is_over {
                return late.map_or(Ok(asked), Err);
            }
            if late.is_none() && asked.is_none() && SystemTime::now() > start_at && state.begun < job.workers {
                let why = format!(
                    "only {} of {} containers run when all should send; a later `--start-at` gives them more time",
                    state.begun, job.workers
                );
                self.terminate(&why).await;
                until = SystemTime::now() + ENDING;
                late = Some(why);
            }
        }
    }

    async fn state(&self) -> Result<State, String> {
        let answer = aws("describe-jobs", &["--jobs", &self.id]).await?;
        answer.pointer("/jobs/0").and_then(State::read).ok_or_else(|| format!("`aws batch describe-jobs` tells nothing of {}", self.id))
    }

    async fn terminate(&self, why: &str) {
        if let Err(error) = aws("terminate-job", &["--job-id", &self.id, "--reason", why]).await {
            eprintln!("array job {} could not be terminated and goes on to its end: {error}", self.id);
        }
    }
}

/// How far an array job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    is_over: bool,
    /// How many of its containers run, or have ended.
    begun: u64,
}

impl State {
    /// Source: AWS Batch API, `JobDetail` and `ArrayPropertiesDetail`.
    fn read(job: &Value) -> Option<Self> {
        let status = job.get("status")?.as_str()?;
        let count = |status: &&str| job.pointer(&format!("/arrayProperties/statusSummary/{status}")).and_then(Value::as_u64);
        Some(Self {
            is_over: matches!(status, "SUCCEEDED" | "FAILED"),
            begun: ["RUNNING", "SUCCEEDED", "FAILED"].iter().filter_map(count).sum(),
        })
    }
}

/// What `aws batch` answers.
async fn aws(operation: &str, arguments: &[&str]) -> Result<Value, String> {
    let mut command = Command::new("aws");
    command.args(["batch", operation, "--output", "json"]).args(arguments).stdin(Stdio::null());
    // Of a group of its own: Ctrl-C comes to this process, which terminates the job.
    let output = command.process_group(0).kill_on_drop(true).output().await;
    let output = output.map_err(|error| format!("`aws` cannot be started ({error}); it leads to AWS Batch"))?;
    if !output.status.success() {
        return Err(format!("`aws batch {operation}`: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    // An operation without an answer prints nothing.
    Ok(serde_json::from_slice(&output.stdout).unwrap_or_default())
}
