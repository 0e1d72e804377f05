//! `brownout load` by several workers: each arrival is sent exactly once, and only what is whole gets a verdict.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{self, BROWNOUT};

/// How long anything here may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

type Asked = Arc<Mutex<BTreeMap<String, u64>>>;

/// A server that answers 200 and counts the paths. It ends when it is dropped.
pub(crate) struct Counting {
    pub(crate) url: String,
    asked: Asked,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Counting {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (url, asked) = (format!("http://{}", listener.local_addr().unwrap()), Asked::default());
        let counted = Arc::clone(&asked);
        runtime.spawn(async move {
            while let Ok((wire, _)) = listener.accept().await {
                tokio::spawn(serve(wire, Arc::clone(&counted)));
            }
        });
        Self { url, asked, runtime: Some(runtime) }
    }

    pub(crate) fn total(&self) -> u64 {
        self.asked.lock().unwrap().values().sum()
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

async fn serve(mut wire: TcpStream, asked: Asked) {
    let mut head = Vec::new();
    loop {
        let mut bytes = [0; 4096];
        let Ok(read @ 1..) = wire.read(&mut bytes).await else { return };
        head.extend_from_slice(&bytes[..read]);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8(std::mem::take(&mut head)).unwrap();
        let path = text.split(' ').nth(1).unwrap().to_owned();
        *asked.lock().unwrap().entry(path).or_default() += 1;
        if wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.is_err() {
            return;
        }
    }
}

/// A load of 50 arrivals a second, each with a row of its own: 1 s of warm-up and `measured` seconds.
pub(crate) fn file(folder: &Path, url: &str, measured: u64) -> PathBuf {
    let rows: String = (0..50 * (measured + 1)).map(|row| format!("{row}\n")).collect();
    std::fs::write(folder.join("orders.csv"), format!("id\n{rows}")).unwrap();
    let text = format!(
        "[phases]\nwarm-up = \"1s\"\nmeasured = \"{measured}s\"\n[[journey]]\nname = \"buy\"\nurl = \"{url}\"\nrate = \"50/s\"\n\
         data = \"orders.csv\"\n[[journey.request]]\nname = \"look\"\nget = \"/orders/{{{{id}}}}\"\n"
    );
    let file = folder.join("shop.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// So many seconds from now, as `--start-at` reads it: time for workers to get ready on a busy machine.
pub(crate) fn soon() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    (now.as_secs() + 10).to_string()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn report(folder: &Path) -> Output {
    Command::new(BROWNOUT).arg("report").arg(folder).output().unwrap()
}

pub(crate) fn result(folder: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join("result.json")).unwrap()).unwrap()
}

#[track_caller]
pub(crate) fn each_once(server: &Counting, arrivals: u64) {
    let expected: BTreeMap<String, u64> = (0..arrivals).map(|row| (format!("/orders/{row}"), 1)).collect();
    assert_eq!(*server.asked.lock().unwrap(), expected);
}

#[test]
fn workers_of_this_machine_send_each_arrival_exactly_once_and_get_one_verdict() {
    let _turn = support::Share::Place.take();
    let (server, folder) = (Counting::start(), tempfile::tempdir().unwrap());
    let (file, out) = (file(folder.path(), &server.url, 4), folder.path().join("out"));
    let load = || {
        let mut load = Command::new(BROWNOUT);
        load.arg("load").arg(&file).args(["--workers", "local:3"]).arg("--out").arg(&out);
        load
    };
    let output = load().args(["--start-at", &soon()]).output().unwrap();
    let (said, printed) = (text(&output.stderr), text(&output.stdout));
    assert_eq!(output.status.code(), Some(0), "{said}{printed}");
    each_once(&server, 250);
    assert!(printed.contains("\nheld: 200 of 200 requests were served."), "{printed}");
    let result = result(&out);
    assert_eq!((result["verdict"].as_str(), result["books"]["sent"].as_u64()), (Some("held"), Some(200)));
    assert!(result["notes"][0].as_str().unwrap().starts_with("3 workers sent it"), "{}", result["notes"]);
    // Judged again, to the same report.
    let log = std::fs::read(out.join("latency.hlog")).unwrap();
    assert_eq!(report(&out).status.code(), Some(0));
    assert!(std::fs::read(out.join("latency.hlog")).unwrap() == log, "the merged log differs");
    // The folder is used: nothing is started.
    let again = load().output().unwrap();
    assert!(again.status.code() == Some(2) && text(&again.stderr).contains("--force"), "{}", text(&again.stderr));
    std::fs::remove_dir_all(out.join("worker-1")).unwrap();
    let output = report(&out);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()));
    assert!(text(&output.stderr).contains("worker 1 of 3 is missing"), "{}", text(&output.stderr));
    each_once(&server, 250);
}

#[test]
fn workers_of_an_engine_share_the_load_and_are_judged_afterwards() {
    let _turn = support::Share::Place.take();
    let (server, folder) = (Counting::start(), tempfile::tempdir().unwrap());
    let (file, out, start_at) = (file(folder.path(), &server.url, 4), folder.path().join("out"), soon());
    let worker = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut load = Command::new(BROWNOUT);
        load.arg("load").arg(&file).args(arguments).arg("--out").arg(&out).env("BROWNOUT_START_AT", &start_at);
        load.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let [first, second] =
        [worker(&["--worker"], &[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "2")]), worker(&["--of", "2"], &[("JOB_COMPLETION_INDEX", "1")])];
    for worker in [first, second] {
        let output = worker.wait_with_output().unwrap();
        // No verdict: a worker knows only its part.
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), String::new()), "{}", text(&output.stderr));
    }
    each_once(&server, 250);
    assert!(!out.join("worker-0/result.json").exists() && !out.join("result.json").exists());
    let output = report(&out);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stderr), text(&output.stdout));
    assert_eq!(result(&out)["verdict"], "held");
    let late = Command::new(BROWNOUT).arg("load").arg(&file).args(["--index", "0", "--of", "2", "--start-at", "1000"]).output().unwrap();
    assert!(late.status.code() == Some(2) && text(&late.stderr).contains("`--start-at` was "), "{}", text(&late.stderr));
}

/// A long load by two workers, which send already.
struct LongLoad {
    child: Child,
    out: PathBuf,
    workers: [Pid; 2],
    _server: Counting,
    _folder: tempfile::TempDir,
}

impl LongLoad {
    fn begin() -> Self {
        let (server, folder) = (Counting::start(), tempfile::tempdir().unwrap());
        let (file, out) = (file(folder.path(), &server.url, 300), folder.path().join("out"));
        let mut load = Command::new(BROWNOUT);
        load.arg("load").arg(&file).args(["--workers", "local:2"]).arg("--out").arg(&out);
        let child = load.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for("requests", || server.total() > 20);
        let pid = |index: u64| {
            let holder = std::fs::read_to_string(out.join(format!("worker-{index}/run.lock"))).unwrap();
            Pid::from_raw(holder.trim().parse().unwrap()).unwrap()
        };
        let workers = [pid(0), pid(1)];
        Self { child, out, workers, _server: server, _folder: folder }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap()).unwrap()
    }

    /// What it said; its workers are gone.
    fn ended(self) -> (Output, PathBuf, tempfile::TempDir) {
        let output = self.child.wait_with_output().unwrap();
        for worker in self.workers {
            wait_for("the end of the workers", || !is_alive(worker));
        }
        (output, self.out, self._folder)
    }
}

fn is_alive(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
}

pub(crate) fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < until, "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_worker_that_is_killed_is_named_and_there_is_no_verdict() {
    let _turn = support::Share::Place.take();
    let load = LongLoad::begin();
    kill_process(load.workers[1], Signal::KILL).unwrap();
    let (output, out, _folder) = load.ended();
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()), "{said}");
    assert!(said.contains("worker 1 ended early (signal: 9"), "{said}");
    assert!(said.contains("error: worker 1 was cut off: it began and did not end"), "{said}");
    assert!(!out.join("result.json").exists());
}

#[test]
fn ctrl_c_stops_all_workers_and_the_report_is_not_green() {
    let _turn = support::Share::Place.take();
    let load = LongLoad::begin();
    kill_process(load.pid(), Signal::INT).unwrap();
    let (output, out, _folder) = load.ended();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    let result = result(&out);
    assert_eq!(result["verdict"], "not-shown", "{result}");
}

#[test]
fn workers_end_with_the_process_that_started_them() {
    let _turn = support::Share::Place.take();
    let load = LongLoad::begin();
    kill_process(load.pid(), Signal::KILL).unwrap();
    let (output, ..) = load.ended();
    assert_eq!(output.status.code(), None);
}

#[test]
fn a_load_is_exported_for_the_engine_of_its_workers_and_only_with_their_number() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(folder.path(), "http://127.0.0.1:1", 4);
    let export = |arguments: &[&str]| {
        let mut export = Command::new(BROWNOUT);
        export.arg("export").args(arguments).arg("--out").arg(folder.path().join("out"));
        export.output().unwrap()
    };
    let file = file.to_str().unwrap();
    for (engine, name, says) in [
        ("slurm", "load.sbatch", "#SBATCH --array=0-7"),
        ("batch", "batch.yaml", "--array-properties size=8"),
        ("kubernetes", "job.yaml", "completions: 8"),
    ] {
        let output = export(&[engine, file, "--workers", "8"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let written = std::fs::read_to_string(folder.path().join("out").join(name)).unwrap();
        assert!(written.contains(says) && written.contains("--worker"), "{written}");
    }
    for (arguments, says) in [
        (&["slurm", file][..], "`--workers N` is for the exports of a load, and needed there"),
        (&["github-actions", "quiet", "--workers", "8"], "`--workers N` is for the exports of a load"),
        (&["slurm", "quiet", "--workers", "8"], "is for `brownout run`"),
        (&["slurm", file, "--workers", "1"], "2..=1000"),
    ] {
        let output = export(arguments);
        assert!(output.status.code() == Some(2) && text(&output.stderr).contains(says), "{arguments:?}: {}", text(&output.stderr));
    }
}
