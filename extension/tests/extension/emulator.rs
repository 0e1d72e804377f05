//! AWS's own emulator, `aws-lambda-rie` from the PyPI package `aws-sam-cli`, starts the extension
//! from a layer in `/opt`, serves a function on the published runtime client through it, and ends
//! it. It runs without a container, in separate mount and process namespaces, so that nothing of it
//! can be left. `AWS_SAM_CLI` names the folder that the package is installed in
//! (`pip install --no-deps --target FOLDER aws-sam-cli`).
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use faults::ledger::Eligible;
use faults::{Arm, Entry, Start};
use serde_json::{Value, json};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The namespaces. Their processes die with the process that created them.
const UNSHARE: [&str; 6] = ["--mount", "--pid", "--mount-proc", "--fork", "--kill-child", "--"];
/// The first process in the namespaces: puts the layer in place, starts the emulator, ends it when
/// its own input ends, and prints which processes are left then.
const SCRIPT: &str = r#"
mount --bind "$1" /opt || exit 90
shift
"$@" </dev/null &
emulator=$!
while read -r _; do :; done
kill -TERM "$emulator"
wait "$emulator"
echo "the emulator ended with $?"
for process in /proc/[0-9]*; do
    if [ "$process" != /proc/1 ] && [ -e "$process/exe" ]; then read -r name <"$process/comm"; echo "left: $name"; fi
done
"#;
const PLAN: &str = r#"json:{"version":1,"run":"r","sequence":1,"lease_ms":60000,"until_ms":4102444800000,"seed":7,"faults":[
    {"name":"late","place":{"function":"f"},"share":1,"when":{"pointer":{"/n":1}},"kind":{"latency":{"time":"300ms"}}},
    {"name":"refuse","place":{"function":"f"},"share":1,"when":{"pointer":{"/n":2}},"kind":{"error":{"type":"Brownout.Refused"}}}]}"#;

/// What the test needs from this machine: the emulator and the function.
fn needed() -> Result<(PathBuf, PathBuf), String> {
    let package = std::env::var_os("AWS_SAM_CLI").map(PathBuf::from).ok_or("`AWS_SAM_CLI` names no folder with the package aws-sam-cli")?;
    let processor = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    let emulator = package.join(format!("samcli/local/rapid/aws-lambda-rie-{processor}"));
    let function = Path::new(env!("CARGO_BIN_EXE_brownout-extension")).with_file_name("echo");
    if !emulator.is_file() {
        return Err(format!("there is no `{}`", emulator.display()));
    }
    if !function.is_file() {
        return Err("the function is not built; `cargo build --release -p functions --bin echo`".to_owned());
    }
    if !rustix::process::geteuid().is_root() {
        return Err("only root may put a layer into /opt".to_owned());
    }
    let tried = Command::new("unshare").args(UNSHARE).args(["mount", "--bind", "/opt", "/opt"]).output();
    let tried = tried.map_err(|error| format!("there is no `unshare`: {error}"))?;
    if !tried.status.success() {
        return Err(format!("this machine gives no namespaces: {}", String::from_utf8_lossy(&tried.stderr).trim()));
    }
    Ok((emulator, function))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::copy(from, to).unwrap();
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The emulator with the layer; it and all that it started die when this is dropped.
struct Emulator {
    child: Child,
    address: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
    readers: Vec<std::thread::JoinHandle<()>>,
    folder: tempfile::TempDir,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the emulator, the extension and the function said:\n{}", self.lines().join("\n"));
        }
    }
}

impl Emulator {
    fn start(emulator: &Path, function: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (layer, scripts) = (folder.path().join("opt"), Path::new(env!("CARGO_MANIFEST_DIR")).join("layer"));
        copy(Path::new(env!("CARGO_BIN_EXE_brownout-extension")), &layer.join("extensions/brownout-extension"));
        copy(&scripts.join("wrapper"), &layer.join("brownout/wrapper"));
        copy(emulator, &layer.join("emulator"));
        copy(function, &layer.join("function"));
        let (address, runtime, listen) = (free(), free(), free());
        let mut child = Command::new("unshare")
            .args(UNSHARE)
            .args(["sh", "-c", SCRIPT, "sh"])
            .arg(&layer)
            .args(["/opt/emulator", "--log-level", "info", "--runtime-interface-emulator-address", &address.to_string()])
            .args(["--runtime-api-address", &runtime.to_string(), "/opt/brownout/wrapper", "/opt/function"])
            .env("BROWNOUT_PLAN", PLAN)
            .env("BROWNOUT_LISTEN", SocketAddr::from(([127, 0, 0, 2], listen.port())).to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "f")
            .env("TMPDIR", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (out, errors) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let readers = vec![reader(out, Arc::clone(&lines)), reader(errors, Arc::clone(&lines))];
        Self { child, address, lines, readers, folder }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    fn entries(&self) -> Vec<Entry> {
        self.lines().iter().filter_map(|line| Entry::from_line(line)).collect()
    }

    /// The decisions in the ledger.
    fn eligible(&self) -> Vec<Eligible> {
        self.entries().iter().flat_map(Entry::eligible).collect()
    }

    /// The decision about one invocation; its line may come later than the answer, because the
    /// emulator passes it on.
    fn eligible_as(&self, fault: &str) -> Eligible {
        until(&format!("the ledger has `{fault}`"), || self.eligible().into_iter().find(|line| line.fault == fault))
    }

    /// The number of ready files in the folder for temporary files.
    fn ready_files(&self) -> usize {
        std::fs::read_dir(self.folder.path()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file()).count()
    }

    /// Makes one call over HTTP and returns the answer.
    fn invoke(&self, event: &Value) -> Value {
        let mut stream = until("the emulator listens", || TcpStream::connect(self.address).ok());
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let event = event.to_string();
        let length = event.len();
        let path = "/2015-03-31/functions/function/invocations";
        write!(stream, "POST {path} HTTP/1.0\r\nHost: {}\r\nContent-Length: {length}\r\n\r\n{event}", self.address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
        serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {answer}"))
    }

    /// Ends it like the end of the container; returns the exit status of its first process, once
    /// all output has been read.
    fn end(&mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        let ended = until("the emulator ends", || self.child.try_wait().unwrap());
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        ended
    }
}

fn reader(from: impl Read + Send + 'static, into: Arc<Mutex<Vec<String>>>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            into.lock().unwrap().push(line);
        }
    })
}

#[test]
fn the_emulator_starts_the_extension_serves_through_it_and_ends_it() {
    let (emulator, function) = match needed() {
        Ok(needed) => needed,
        Err(why) => return println!("SKIPPED: {why}"),
    };
    let mut emulator = Emulator::start(&emulator, &function);
    for _ in 0..2 {
        let answer = emulator.invoke(&json!({ "n": 0, "text": "a \u{e9}" }));
        assert_eq!(answer["event"], json!({ "n": 0, "text": "a \u{e9}" }), "{answer}");
    }
    let registered = |line: &String| line.contains("agent brownout-extension") && line.contains("subscribed to [SHUTDOWN]");
    until("the emulator says that the extension has registered", || emulator.lines().iter().find(|line| registered(line)).cloned());

    let began = Instant::now();
    let answer = emulator.invoke(&json!({ "n": 1 }));
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    assert_eq!(answer["event"], json!({ "n": 1 }), "{answer}");
    let late = emulator.eligible_as("late");
    assert_eq!((late.action.as_str(), late.arm, late.start, late.done), ("wait-before", Arm::Treatment, Start::Warm, true));
    assert_eq!(answer["requestId"], late.request_id);
    assert!(late.waited_us >= 300_000, "{late:?}");

    let answer = emulator.invoke(&json!({ "n": 2 }));
    assert_eq!(answer["errorType"], "Brownout.Refused", "{answer}");
    let refused = emulator.eligible_as("refuse");
    assert_eq!((refused.action.as_str(), refused.arm, refused.start, refused.done), ("refuse", Arm::Treatment, Start::Warm, true));

    // The environment is still alive.
    assert_eq!(emulator.invoke(&json!({ "n": 3 }))["event"], json!({ "n": 3 }));
    assert_eq!(emulator.ready_files(), 1, "the wrapper has found the extension by it");

    let ended = emulator.end();
    let lines = emulator.lines();
    assert!(ended.success() && lines.iter().any(|line| line == "the emulator ended with 0"), "{ended}");
    assert_eq!(emulator.eligible().len(), 2, "no fault applies to the others");
    let cold = emulator.entries().iter().filter(|entry| matches!(entry, Entry::ColdStart { .. })).count();
    assert_eq!(cold, 1, "it was one environment all the time");
    let left: Vec<_> = lines.iter().filter(|line| line.starts_with("left: ")).collect();
    assert!(left.is_empty(), "{left:?}");
    let killed = |line: &&String| line.contains("SIGKILL") && line.contains("extension");
    assert_eq!(lines.iter().find(killed), None, "it ends when it is told to, within the time it is given");
    assert_eq!(emulator.ready_files(), 0, "it has cleared up behind it");
}
