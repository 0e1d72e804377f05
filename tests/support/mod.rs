//! Runs the real command as a user would, alone on this machine if time is judged, and ends what it
//! started even if a test fails.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The command under test.
pub const BROWNOUT: &str = env!("CARGO_BIN_EXE_brownout");

/// The places for runs on this machine.
const PLACES: usize = 12;

/// After so long others let one that takes all of them come first.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// The folder of the command and of the programs that it starts, all of them built: once, and not by each run.
pub fn programs() -> &'static Path {
    static BUILT: LazyLock<()> = LazyLock::new(|| {
        let mut build = Command::new(env!("CARGO"));
        // Build scripts that look at what cargo tells this test would run again.
        let told = |name: &str| ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|begin| name.starts_with(begin));
        for (name, _) in std::env::vars().filter(|(name, _)| told(name)) {
            build.env_remove(name);
        }
        build.args(["build", "--release", "--workspace", "--bins", "--quiet"]);
        assert!(build.status().unwrap().success());
    });
    LazyLock::force(&BUILT);
    Path::new(BROWNOUT).parent().unwrap()
}

/// A program that says of itself that it is a Python with the runtime's client.
pub fn python(folder: &Path) -> PathBuf {
    program(folder, "python", "#!/bin/sh\necho 3.12\necho\necho client\n")
}

/// A program that says of itself that it is Node.
pub fn node(folder: &Path) -> PathBuf {
    program(folder, "node", "#!/bin/sh\necho v20.0.0\n")
}

fn program(folder: &Path, name: &str, script: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Held while a run goes on.
pub struct Turn(#[allow(dead_code, reason = "held for its locks")] Vec<File>);

/// How much of this machine a run takes.
#[derive(Clone, Copy)]
pub enum Share {
    /// Nothing else runs: two at once on two cores would measure each other.
    All,
    /// For hundreds of requests a second.
    Third,
    /// For runs that use the processors, and whose latency is not judged finely.
    Sixth,
    /// For runs that mostly wait, and whose latency is not judged finely.
    Place,
}

impl Share {
    const fn places(self) -> usize {
        match self {
            Self::All => PLACES,
            Self::Third => PLACES / 3,
            Self::Sixth => PLACES / 6,
            Self::Place => 1,
        }
    }

    /// Waits for it. Others may pass, but not for ever.
    pub fn take(self) -> Turn {
        let gate = File::create(std::env::temp_dir().join("brownout-tests.lock")).unwrap();
        let (begun, mut is_shut) = (Instant::now(), false);
        loop {
            if !is_shut && matches!(self, Self::All) && begun.elapsed() > LONGEST_WAIT {
                gate.lock().unwrap();
                is_shut = true;
            }
            let may_enter = is_shut || gate.try_lock_shared().is_ok();
            if let Some(turn) = may_enter.then(|| self.free()).flatten() {
                return turn;
            }
            if !is_shut {
                gate.unlock().unwrap();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// All of its places at once, or none.
    fn free(self) -> Option<Turn> {
        let open = |n| File::create(std::env::temp_dir().join(format!("brownout-tests-{n}.lock"))).unwrap();
        let taken: Vec<_> = (0..PLACES).map(open).filter(|place| place.try_lock().is_ok()).take(self.places()).collect();
        (taken.len() == self.places()).then_some(Turn(taken))
    }

    /// Runs an experiment, given as text, to its end, on this share.
    pub fn run(self, text: &str, arguments: &[&str]) -> Outcome {
        let _turn = self.take();
        let folder = tempfile::tempdir().unwrap();
        let running = start(folder.path(), text, arguments);
        ended(running, folder)
    }
}

/// Runs `test` for each case at once; each waits for its turn. If one fails, the caller fails once
/// the others have ended.
pub fn for_each<T: Sync>(cases: &[T], test: impl Fn(&T) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| test(case));
        }
    });
}

/// What a run left behind.
pub struct Outcome {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The run's folder, removed with this value.
    pub folder: tempfile::TempDir,
}

impl Outcome {
    /// result.json.
    pub fn result(&self) -> Value {
        let path = self.folder.path().join("result.json");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}: {}\n{}", path.display(), self.stderr));
        serde_json::from_str(&text).unwrap()
    }

    /// The invariants that were broken, by id.
    pub fn broken(&self) -> Vec<String> {
        let result = self.result();
        let invariants = result["invariants"].as_array().unwrap();
        let broken = invariants.iter().filter(|i| i["broken"].as_u64().unwrap() > 0);
        broken.map(|i| i["id"].as_str().unwrap().to_owned()).collect()
    }

    /// The details to print if an assertion fails.
    pub fn story(&self) -> String {
        let invariants = std::fs::read_to_string(self.folder.path().join("summary.md")).unwrap_or_default();
        format!("exit {}\n{}\n{}\n{invariants}", self.code, self.stderr, self.stdout)
    }
}

/// Waits for the end of a run whose report is in `folder`.
pub fn ended(mut running: Running, folder: tempfile::TempDir) -> Outcome {
    let output = running.finish();
    Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        folder,
    }
}

/// A run in progress; ended when dropped.
pub struct Running {
    child: Option<Child>,
    /// The run's folder.
    pub out: PathBuf,
}

/// Starts a run of `text` with its report in `folder`.
pub fn start(folder: &Path, text: &str, arguments: &[&str]) -> Running {
    start_by(Command::new(BROWNOUT), folder, text, arguments)
}

/// The same with another program, which becomes brownout.
pub fn start_by(mut program: Command, folder: &Path, text: &str, arguments: &[&str]) -> Running {
    let file = folder.join("experiment.toml");
    std::fs::write(&file, text).unwrap();
    let child = program
        .env("BROWNOUT_PROGRAMS", programs())
        .arg("run")
        .arg(&file)
        .arg("--out")
        .arg(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Running { child: Some(child), out: folder.to_owned() }
}

impl Running {
    /// The process id of the command.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Waits for its end.
    pub fn finish(&mut self) -> std::process::Output {
        self.child.take().unwrap().wait_with_output().unwrap()
    }

    /// Sends a signal, such as `INT`.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// The addresses of its stack, once it is up.
    pub fn addresses(&mut self) -> Value {
        within(Duration::from_secs(60), "the stack to come up", || {
            assert!(self.child.as_mut().unwrap().try_wait().unwrap().is_none(), "it ended before its stack was up");
            serde_json::from_slice(&std::fs::read(self.out.join("stack.json")).ok()?).ok()
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // A signal first, so that it takes its stack down.
            signal(child.id(), "TERM");
            let deadline = Instant::now() + Duration::from_secs(20);
            while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Sends a signal to a process.
pub fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status();
}

/// The processes that a process has started.
pub fn children(pid: u32) -> Vec<u32> {
    let parent = |stat: &str| stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse::<u32>().ok();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    pids.filter(|one| std::fs::read_to_string(format!("/proc/{one}/stat")).is_ok_and(|stat| parent(&stat) == Some(pid))).collect()
}

/// Kills a process and those that it has started, all at once, as when their machine dies.
pub fn kill_all(pid: u32) {
    let pids = children(pid).into_iter().chain([pid]).map(|pid| pid.to_string());
    assert!(Command::new("kill").arg("-KILL").args(pids).status().unwrap().success());
}

/// Waits until `look` returns something.
pub fn within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The processes that belong to the run with this folder: it, or their stack's marker, is in their
/// command line or environment.
pub fn processes_of(out: &Path) -> Vec<String> {
    let folder = out.to_string_lossy().into_owned();
    let run = std::fs::read(out.join("plan.json")).ok().and_then(|plan| serde_json::from_slice::<Value>(&plan).ok());
    let mark = run.and_then(|plan| plan["run"].as_str().map(str::to_owned));
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        if pid == std::process::id() {
            continue;
        }
        let read = |name: &str| String::from_utf8_lossy(&std::fs::read(entry.path().join(name)).unwrap_or_default()).replace('\0', " ");
        let (line, environment) = (read("cmdline"), read("environ"));
        let marked = |text: &str| text.contains(&folder) || mark.as_deref().is_some_and(|mark| text.contains(mark));
        if marked(&line) || marked(&environment) {
            found.push(format!("{pid} {line}"));
        }
    }
    found
}

/// An experiment of the repository with shorter phases.
pub fn shortened(name: &str, phases: &str) -> String {
    let (_, text) = engine::shipped::find(name).unwrap();
    let (before, rest) = text.split_once("[phases]").unwrap();
    let keeps = if rest.contains("strike-a-broken-baseline = true") { "strike-a-broken-baseline = true\n" } else { "" };
    let (_, after) = rest.split_once("\n[").unwrap();
    // A recovery that is watched for 3 s cannot have an aim of 10 s.
    format!("{before}[phases]\n{phases}\n{keeps}\n[{after}").replace("recovery = \"<= 10s\"", "recovery = \"<= 3s\"")
}

/// Long enough that at 20 arrivals a second every journey occurs once in the baseline, which is 100
/// arrivals.
pub const SHORT: &str = "warm-up = \"2s\"\nbaseline = \"6s\"\nfault = \"8s\"\nrecovery = \"3s\"";

/// All text in the files of a folder.
pub fn everything_below(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&everything_below(&path));
        } else {
            text.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        }
    }
    text
}

/// A server that answers every request with 200 until the test ends.
fn server() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let (mut read, mut some) = (Vec::new(), [0; 4096]);
                while let Ok(count @ 1..) = stream.read(&mut some) {
                    read.extend_from_slice(&some[..count]);
                    while let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                        read.drain(..end + 4);
                        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    address
}

/// An experiment that sends requests to its own [`server`] for some seconds.
pub fn shop() -> String {
    format!(
        "question = \"Does it answer?\"\n[phases]\nwarm-up = \"1s\"\nbaseline = \"3s\"\nfault = \"3s\"\nrecovery = \"1s\"\n\
         [[load.requests]]\nof = \"shop GET /\"\nurl = \"http://{}/\"\nrate = \"20/s\"\n[[expect]]\nof = \"shop GET /\"\np50 = \"<= 20s\"\n",
        server()
    )
}
