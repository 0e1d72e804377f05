//! The real binary in front of the small platform, and what it writes. It is killed when the test
//! ends, even if that fails.

use std::io::BufRead;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use faults::Entry;
use tokio::net::TcpStream;

use super::{PATIENCE, Platform, Runtime, until};

/// The extension as it is deployed.
pub const BINARY: &str = env!("CARGO_BIN_EXE_brownout-extension");

/// The real binary, killed on drop.
pub struct Extension {
    pub child: Child,
    pub listen: SocketAddr,
    lines: Arc<Mutex<Vec<(Instant, String)>>>,
    /// Ends when standard output has ended and every line has been read.
    pub reader: std::thread::JoinHandle<()>,
    pub folder: tempfile::TempDir,
}

impl Drop for Extension {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Extension {
    /// Starts it in front of the platform with a plan's source, or with the file `plan.json` in its folder, and waits until it listens.
    pub async fn start(platform: &Platform, plan: Option<&str>) -> Self {
        Self::start_with(platform, plan, &[]).await
    }

    /// The same with more variables.
    pub async fn start_with(platform: &Platform, plan: Option<&str>, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(BINARY);
        command.envs(variables.iter().copied());
        Self::start_by(command, platform, plan).await
    }

    /// The same with a command that runs or becomes the binary, with its own variables.
    pub async fn start_by(mut command: Command, platform: &Platform, plan: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = platform.address.unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 2], address.port()));
        let file = format!("file:{}", folder.path().join("plan.json").display());
        let mut child = command
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("BROWNOUT_LISTEN", listen.to_string())
            .env("BROWNOUT_PLAN", plan.unwrap_or(&file))
            .env("AWS_LAMBDA_FUNCTION_NAME", "f")
            .env("TMPDIR", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (out, into) = (std::io::BufReader::new(child.stdout.take().unwrap()), Arc::clone(&lines));
        let reader = std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                into.lock().unwrap().push((Instant::now(), line));
            }
        });
        let extension = Self { child, listen, lines, reader, folder };
        let began = Instant::now();
        while TcpStream::connect(listen).await.is_err() {
            assert!(began.elapsed() < PATIENCE, "it never listens");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        extension
    }

    pub async fn connect(&self) -> Runtime {
        let stream = TcpStream::connect(self.listen).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Runtime { stream, kept: Vec::new() }
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.lines
            .lock()
            .unwrap()
            .iter()
            .map(|(_, line)| Entry::from_line(line).unwrap_or_else(|| panic!("not a ledger line: {line}")))
            .collect()
    }

    /// The lines of standard output so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().iter().map(|(_, line)| line.clone()).collect()
    }

    pub fn line_count(&self) -> usize {
        self.lines.lock().unwrap().len()
    }

    pub fn notes(&self) -> Vec<String> {
        let note = |entry| if let Entry::Note { what, .. } = entry { Some(what) } else { None };
        self.entries().into_iter().filter_map(note).collect()
    }

    /// The eligible lines about an invocation, waiting for at least `count`.
    pub async fn eligible(&self, id: &str, count: usize) -> Vec<faults::ledger::Eligible> {
        until(&format!("{count} lines about {id}"), || {
            let lines: Vec<_> =
                self.entries().into_iter().flat_map(|entry| entry.eligible()).filter(|line| line.request_id == id).collect();
            (lines.len() >= count).then_some(lines)
        })
        .await
    }

    /// Replaces the plan's file by renaming.
    pub fn write_plan(&self, plan: &str) {
        let new = self.folder.path().join("plan.new");
        std::fs::write(&new, plan).unwrap();
        std::fs::rename(new, self.folder.path().join("plan.json")).unwrap();
    }

    pub async fn exit_code(&mut self) -> Option<i32> {
        until("it exits", || self.child.try_wait().unwrap()).await.code()
    }
}
