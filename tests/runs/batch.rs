//! `brownout load --workers batch:N` with AWS's own command line, whose AWS Batch is played here: its containers are processes that see the
//! shared folder as `/load` and have nothing but what the job gives them.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::containers::{Answer, Asked, Container, serve};
use crate::load_workers::{Counting, each_once, file, result, soon, text, wait_for};
use crate::support::{BROWNOUT, Share};

/// A queue whose machines never come.
const STUCK: &str = "stuck";

#[derive(Default)]
struct Batch {
    containers: Vec<Container>,
    /// Those that were terminated before they ran.
    failed: usize,
}

impl Batch {
    fn submit(&mut self, job: &Value, shared: &Path) -> Value {
        let size = job["arrayProperties"]["size"].as_u64().unwrap();
        let label = job["jobName"].as_str().unwrap();
        assert!(label.len() <= 128 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{label}");
        assert!((2..=10_000).contains(&size) && job["timeout"]["attemptDurationSeconds"].as_u64().unwrap() >= 60, "{job}");
        assert_eq!((&job["retryStrategy"]["attempts"], &job["jobDefinition"]), (&json!(1), &json!("worker")));
        let container = |index| {
            let log = shared.join(format!("{index}.log"));
            if job["jobQueue"] == STUCK {
                return Container { child: None, log };
            }
            let overrides = &job["containerOverrides"];
            let command: Vec<&str> = overrides["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
            assert_eq!(command[0], "brownout");
            let at = |word: &str| word.strip_prefix("/load/").map_or_else(|| word.into(), |below| shared.join(below));
            let variable = |of: &Value| (of["name"].as_str().unwrap().to_owned(), of["value"].as_str().unwrap().to_owned());
            let given = overrides["environment"].as_array().unwrap().iter().map(variable);
            let own = [("AWS_BATCH_JOB_ARRAY_INDEX", index), ("AWS_BATCH_JOB_ARRAY_SIZE", size)];
            let own = own.map(|(name, value)| (name.to_owned(), value.to_string()));
            Container::start(log, command[1..].iter().copied(), at, given.chain(own))
        };
        self.containers = (0..size).map(container).collect();
        json!({"jobArn": "arn:aws:batch:eu-west-1:123456789012:job/1", "jobName": label, "jobId": "job-1"})
    }

    fn describe(&mut self) -> Value {
        let phases: Vec<_> = self.containers.iter_mut().map(Container::phase).collect();
        let count = |phase| phases.iter().filter(|one| **one == phase).count();
        let waiting = count("Pending") - self.failed;
        let failed = count("Failed") + self.failed;
        let is_over = waiting + count("Running") == 0;
        let status = if !is_over {
            "PENDING"
        } else if failed > 0 {
            "FAILED"
        } else {
            "SUCCEEDED"
        };
        let summary = json!({
            "STARTING": 0, "RUNNABLE": waiting, "PENDING": 0, "SUBMITTED": 0,
            "RUNNING": count("Running"), "SUCCEEDED": count("Succeeded"), "FAILED": failed,
        });
        let size = self.containers.len();
        json!({"jobs": [{
            "jobId": "job-1", "jobName": "-", "jobQueue": "-", "status": status, "startedAt": 0, "jobDefinition": "worker",
            "arrayProperties": {"size": size, "statusSummary": summary},
        }]})
    }

    fn terminate(&mut self) -> Value {
        self.failed = self.containers.iter().filter(|container| container.child.is_none()).count();
        self.containers.iter_mut().for_each(Container::terminate);
        json!({})
    }
}

/// A folder that the containers share, and the service beside it.
struct Account {
    shared: tempfile::TempDir,
    batch: Arc<Mutex<Batch>>,
    endpoint: String,
}

impl Drop for Account {
    fn drop(&mut self) {
        self.batch.lock().unwrap().containers.clear();
    }
}

impl Account {
    fn start() -> Self {
        let (shared, batch) = (tempfile::tempdir().unwrap(), Arc::<Mutex<Batch>>::default());
        let (at, played) = (shared.path().canonicalize().unwrap(), Arc::clone(&batch));
        let address = serve(move |asked: &Asked| {
            let mut batch = played.lock().unwrap();
            match (asked.method.as_str(), asked.path.as_str()) {
                ("POST", "/v1/submitjob") => (200, Answer::Json(batch.submit(&asked.json(), &at))),
                ("POST", "/v1/describejobs") => (200, Answer::Json(batch.describe())),
                ("POST", "/v1/terminatejob") if asked.json()["reason"].is_string() => (200, Answer::Json(batch.terminate())),
                _ => (404, Answer::Json(json!({"message": asked.path}))),
            }
        });
        Self { shared, batch, endpoint: format!("http://{address}") }
    }

    fn load(&self, queue: &str, more: &[&str]) -> Child {
        let mut load = Command::new(BROWNOUT);
        load.args(["load", "shop.toml", "--workers", "batch:3", "--job-queue", queue, "--job-definition", "worker", "--start-at", &soon()]);
        load.args(["--shared", "."]).args(more).env("AWS_ENDPOINT_URL", &self.endpoint).env("AWS_DEFAULT_REGION", "eu-west-1");
        load.env("AWS_ACCESS_KEY_ID", "AKIA1").env("AWS_SECRET_ACCESS_KEY", "secret").env("HOME", self.shared.path());
        load.current_dir(self.shared.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

#[test]
fn an_array_job_sends_each_arrival_once_and_is_terminated_where_it_should_not_go_on() {
    let mut skeleton = Command::new("aws");
    skeleton.args(["batch", "describe-jobs", "--generate-cli-skeleton"]).stdout(Stdio::null()).stderr(Stdio::null());
    if !skeleton.status().is_ok_and(|status| status.success()) {
        println!("SKIPPED: AWS's command line is not there");
        return;
    }
    let _turn = Share::Place.take();
    let (server, account) = (Counting::start(), Account::start());
    file(account.shared.path(), &server.url, 4);
    let output = account.load("queue", &["--out", "out"]).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stderr), text(&output.stdout));
    each_once(&server, 250);
    assert_eq!(result(&account.shared.path().join("out"))["verdict"], "held");

    let (server, account) = (Counting::start(), Account::start());
    file(account.shared.path(), &server.url, 300);
    let load = account.load("queue", &["--out", "out"]);
    wait_for("requests", || server.total() > 100);
    kill_process(Pid::from_child(&load), Signal::INT).unwrap();
    let output = load.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("worker 2 was interrupted before its end"), "{}", text(&output.stderr));

    // Where no machine comes, nothing is sent, and the job does not wait for one.
    let (server, account) = (Counting::start(), Account::start());
    file(account.shared.path(), &server.url, 4);
    let output = account.load(STUCK, &[]).wait_with_output().unwrap();
    assert_eq!((output.status.code(), server.total()), (Some(2), 0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("only 0 of 3 containers run"), "{}", text(&output.stderr));
    assert_eq!(account.batch.lock().unwrap().failed, 3);

    // What the containers would not see is refused first.
    let elsewhere = tempfile::tempdir().unwrap();
    let output = account.load("queue", &["--out", &elsewhere.path().display().to_string()]).wait_with_output().unwrap();
    assert!(
        output.status.code() == Some(2) && text(&output.stderr).contains("the folder that the containers share"),
        "{}",
        text(&output.stderr)
    );
}
