//! `brownout load --workers kubernetes:N`: workers as pods of an Indexed Job, in the cluster and the namespace to which `kubectl` leads. The
//! file and what it names go there in a secret; what the workers wrote comes back through their logs. Nothing is shared, and nothing
//! stays: the job and its secret are deleted at the end, and by the cluster an hour later if this process is killed.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Component, Path};
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::{Asked, Plan, StopRequests};
use exports::{Brought, LEAD_S, LONGEST_SECRET, LoadJob};
use reports::workers::folder_name;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio::task::JoinSet;

use super::local::{LOG, begin};
use super::sent_folder::Received;
use crate::cli::Load;
use crate::report;
use crate::signals::Signals;

/// How often the cluster is asked.
const EVERY: Duration = Duration::from_secs(1);

/// So much longer than its load a pod is waited for: it starts, and tells what it wrote.
const LONGER: Duration = Duration::from_secs(600);

/// So long it is waited for once its job is deleted: Kubernetes gives it half a minute.
const ENDING: Duration = Duration::from_secs(120);

/// Submits the job, waits for its pods, and judges; the exit code is the verdict's.
///
/// # Errors
/// If there is no image, the cluster does not take the job, its pods do not start in time, or there is no folder to write in.
pub fn run(arguments: &Load, plan: &Plan, count: u64) -> Result<u8, Box<dyn Error>> {
    let image = arguments.workers.image.as_ref().ok_or("`--workers kubernetes:N` needs `--image`, a container image with this program")?;
    if !arguments.to_url.headers.is_empty() {
        return Err("`--header` would be readable in the cluster; write a file whose header takes its value from a variable".into());
    }
    let job = LoadJob { name: plan.name.clone(), file: format!("{}.toml", plan.name), workers: count, length: plan.timeline.end() };
    let (runtime, signals) = Signals::begin()?;
    let mut brought = brought(arguments, plan, &job, image)?;
    let (folder, start_at) = begin(arguments, plan, count, Duration::from_secs(LEAD_S))?;
    brought.variables.insert("BROWNOUT_START_AT".to_owned(), dates::milliseconds(start_at));
    let out = folder.path().to_owned();
    let asked = runtime.block_on(async {
        let submitted = Submitted::create(&job, &brought).await?;
        let followed = follow(&submitted, count, start_at, start_at + job.length + LONGER, &out, signals).await;
        submitted.delete().await;
        followed
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    let asked = asked?;
    let code = report::of_workers(folder.path(), arguments.json)?;
    Ok(asked.map_or(code, Asked::exit_code))
}

/// What the pods get: the file as it was read, and all that was read beside it.
fn brought(arguments: &Load, plan: &Plan, job: &LoadJob, image: &str) -> Result<Brought, String> {
    let beside = Path::new(&arguments.target).parent().filter(|_| Path::new(&arguments.target).is_file()).unwrap_or(Path::new("."));
    let mut files = BTreeMap::from([(job.file.clone(), plan.text.clone().into_bytes())]);
    for path in &plan.read.files {
        let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let name: Vec<_> =
            path.components().filter_map(|part| if let Component::Normal(name) = part { name.to_str() } else { None }).collect();
        if !inside || name.is_empty() {
            return Err(format!("`{}` is not below the folder of the file, and only what is there goes to the cluster", path.display()));
        }
        let bytes = fs::read(beside.join(path)).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
        files.insert(name.join("/"), bytes);
    }
    let length: usize = files.values().map(Vec::len).sum();
    if length > LONGEST_SECRET {
        return Err(format!(
            "the file and what it names have {length} bytes, and a secret holds {LONGEST_SECRET}; `brownout export kubernetes` writes a job \
             that reads them from a volume"
        ));
    }
    let values = plan.read.variables.iter().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?)));
    let submitted = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let of = job.workers.to_string();
    let file = Brought::path(&job.file);
    let told = ["load", &file, "--worker", "--of", &of, "--out", Brought::OUT, "--send-folder"].map(str::to_owned);
    let seed = arguments.seed.iter().flat_map(|seed| ["--seed".to_owned(), seed.to_string()]);
    Ok(Brought {
        name: Brought::name(job, u32::try_from(submitted).unwrap_or_default()),
        image: image.to_owned(),
        arguments: told.into_iter().chain(seed).collect(),
        files,
        variables: values.collect(),
    })
}

/// A job in the cluster, with its secret.
struct Submitted {
    name: String,
}

impl Submitted {
    async fn create(job: &LoadJob, brought: &Brought) -> Result<Self, String> {
        let submitted = Self { name: brought.name.clone() };
        kubectl(&["create", "-f", "-"], Some(&brought.secret())).await?;
        match kubectl(&["create", "-f", "-", "-o", "json"], Some(&brought.job(job))).await {
            Ok(created) => {
                submitted.own_secret(&created).await;
                eprintln!("job {} is submitted; what a worker says is in `worker-N/{LOG}`", submitted.name);
                Ok(submitted)
            }
            Err(error) => {
                submitted.delete().await;
                Err(error)
            }
        }
    }

    /// Lets the secret go with its job, however this process ends.
    async fn own_secret(&self, job: &str) {
        let created: Value = serde_json::from_str(job).unwrap_or_default();
        let owner = json!({"apiVersion": "batch/v1", "kind": "Job", "name": self.name, "uid": created.pointer("/metadata/uid")});
        let patch = json!({"metadata": {"ownerReferences": [owner]}}).to_string();
        if let Err(error) = kubectl(&["patch", "secret", &self.name, "--type=merge", "--patch", &patch], None).await {
            eprintln!("note: secret {} is deleted at the end by this process alone: {error}", self.name);
        }
    }

    /// Ends the pods that still run; they say what they have.
    async fn stop(&self) {
        if let Err(error) = kubectl(&["delete", "job", &self.name, "--ignore-not-found", "--wait=false"], None).await {
            eprintln!("job {} could not be stopped: {error}", self.name);
        }
    }

    async fn delete(&self) {
        if let Err(error) = kubectl(&["delete", "job,secret", &self.name, "--ignore-not-found", "--wait=false"], None).await {
            eprintln!("job and secret {} could not be deleted: {error}", self.name);
        }
    }

    /// The pods that there are.
    async fn pods(&self) -> Result<Vec<Pod>, String> {
        let selector = format!("--selector=job-name={}", self.name);
        let listed: Value = serde_json::from_str(&kubectl(&["get", "pods", &selector, "-o", "json"], None).await?)
            .map_err(|error| format!("`kubectl get pods` does not answer in JSON: {error}"))?;
        Ok(list(listed.pointer("/items")).filter_map(Pod::read).collect())
    }
}

/// A pod of the job.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pod {
    index: u64,
    name: String,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Why, where the cluster says so.
    Waiting(String),
    /// Its program runs, or has ended.
    Begun,
}

impl Pod {
    /// Source: Kubernetes, `batch.kubernetes.io/job-completion-index` and `PodStatus` of API v1.
    fn read(pod: &Value) -> Option<Self> {
        let text = |of: &Value, path: &str| of.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let index = text(pod, "/metadata/annotations/batch.kubernetes.io~1job-completion-index")?.parse().ok()?;
        let state = match text(pod, "/status/phase").as_deref() {
            Some("Running" | "Succeeded" | "Failed") => State::Begun,
            _ => {
                let of_container = text(pod, "/status/containerStatuses/0/state/waiting/reason");
                let is_unmet = |condition: &&Value| text(condition, "/status").is_some_and(|status| status == "False");
                let unmet = || list(pod.pointer("/status/conditions")).filter(is_unmet).find_map(|condition| text(condition, "/message"));
                State::Waiting(of_container.or_else(unmet).unwrap_or_else(|| "pending".to_owned()))
            }
        };
        Some(Self { index, name: text(pod, "/metadata/name")?, state })
    }
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

/// Follows every pod to its end. A signal stops all, and so does a pod that has not begun when it should send.
async fn follow(
    submitted: &Submitted,
    count: u64,
    start_at: SystemTime,
    mut until: SystemTime,
    out: &Path,
    mut signals: Signals,
) -> Result<Option<Asked>, Box<dyn Error>> {
    let mut followed: BTreeMap<u64, String> = BTreeMap::new();
    let mut reading = JoinSet::new();
    let mut asked = None;
    loop {
        tokio::select! {
            signal = signals.asked(), if asked.is_none() => {
                eprintln!("asked to stop: deleting job {}", submitted.name);
                asked = Some(signal);
                submitted.stop().await;
                until = SystemTime::now() + ENDING;
            }
            () = tokio::time::sleep(EVERY) => {}
        }
        while reading.try_join_next().is_some() {}
        if reading.is_empty() && (asked.is_some() || followed.len() as u64 == count) {
            return Ok(asked);
        }
        let now = SystemTime::now();
        if now > until {
            submitted.stop().await;
            return Err(format!("job {} does not end", submitted.name).into());
        }
        if asked.is_some() || followed.len() as u64 == count {
            continue;
        }
        let pods = submitted.pods().await?;
        for pod in pods.iter().filter(|pod| pod.state == State::Begun) {
            if followed.insert(pod.index, pod.name.clone()).is_none() {
                reading.spawn(read(pod.name.clone(), out.join(folder_name(pod.index))));
            }
        }
        if now > start_at && (followed.len() as u64) < count {
            submitted.stop().await;
            return Err(late(count, &pods).into());
        }
    }
}

/// Which pods have not begun, and why.
fn late(count: u64, pods: &[Pod]) -> String {
    let why = |index: u64| match pods.iter().find(|pod| pod.index == index) {
        Some(Pod { state: State::Begun, .. }) => None,
        Some(Pod { state: State::Waiting(why), .. }) => Some(format!("worker {index}: {why}")),
        None => Some(format!("worker {index}: there is no pod")),
    };
    let all: Vec<_> = (0..count).filter_map(why).collect();
    format!("not every pod runs when all should send, so none does; a later `--start-at` gives them more time: {}", all.join("; "))
}

/// Reads a pod's log to its end; a connection that breaks is opened again.
async fn read(pod: String, folder: std::path::PathBuf) {
    for _ in 0..5 {
        match read_once(&pod, &folder).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => eprintln!("note: {pod}: {error}"),
        }
        tokio::time::sleep(EVERY).await;
    }
    eprintln!("{pod} ended without its results; its last words are in `{}`", folder.join(LOG).display());
}

/// Whether the worker's results are here.
async fn read_once(pod: &str, folder: &Path) -> std::io::Result<bool> {
    let mut said = File::create(folder.join(LOG))?;
    let mut command = Command::new("kubectl");
    command.args(["logs", "--follow", pod]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(said.try_clone()?);
    // Of a group of its own: Ctrl-C comes to this process, which stops the job.
    let mut logs = command.process_group(0).kill_on_drop(true).spawn()?;
    let mut received = Received::default();
    if let Some(output) = logs.stdout.take() {
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some(other) = received.line(&line) {
                writeln!(said, "{other}")?;
            }
        }
    }
    logs.wait().await?;
    if received.is_whole() {
        received.unpack(folder)?;
    }
    Ok(received.is_whole())
}

/// What `kubectl` prints.
async fn kubectl(arguments: &[&str], input: Option<&Value>) -> Result<String, String> {
    let mut command = Command::new("kubectl");
    command.args(arguments).process_group(0).kill_on_drop(true);
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() }).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("`kubectl` cannot be started ({error}); it leads to the cluster"))?;
    let said = |error: std::io::Error| format!("`kubectl {}`: {error}", arguments.first().unwrap_or(&""));
    if let (Some(value), Some(mut stdin)) = (input, child.stdin.take()) {
        stdin.write_all(value.to_string().as_bytes()).await.map_err(said)?;
    }
    let output = child.wait_with_output().await.map_err(said)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("`kubectl {}`: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
    }
}
