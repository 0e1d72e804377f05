//! The stack on this machine: a separate process, reached only through the run's folder. If the
//! harness dies, that process sees its standard input end, waits until the lease has run out and
//! exits.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use faults::{Entry, Plan};
use protocol::Left;
use run_folder::{Addresses, Health, RunFolder, Sighting};
use stack::guard;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep};

use super::tail::Tail;
use crate::target::{Target, TargetError};

/// The longest wait for the stack to start. It ends by itself where an environment does not start, so this is long: a busy machine takes
/// its time for many of them.
const COMING_UP: Duration = Duration::from_secs(180);

/// The longest wait for the stack to stop on request; then it is killed.
const GOING_DOWN: Duration = Duration::from_secs(10);

/// How the stack's process is started.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The command and its arguments; a line `stop` on its standard input stops it, and the end of
    /// the input means that the harness died.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its environment variables, besides the harness's own.
    pub variables: Vec<(String, String)>,
    /// The value of `BROWNOUT_STACK` in the environment of every process of the stack.
    pub marker: String,
}

/// The stack on this machine.
#[derive(Debug)]
pub struct Local {
    folder: RunFolder,
    launch: Launch,
    child: Option<(Child, ChildStdin)>,
    ledger: Tail,
    sightings: Tail,
}

impl Local {
    /// A stack that is not started yet.
    pub fn new(folder: RunFolder, launch: Launch) -> Self {
        let (ledger, sightings) = (Tail::new(folder.ledger()), Tail::new(folder.sightings()));
        Self { folder, launch, child: None, ledger, sightings }
    }

    fn spawn(&self) -> std::io::Result<(Child, ChildStdin)> {
        let log = std::fs::File::create(self.folder.log("stack"))?;
        let mut child = Command::new(&self.launch.program)
            .args(&self.launch.arguments)
            .envs(self.launch.variables.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            // The harness has already built everything.
            .env_remove("CARGO")
            // A separate process group: Ctrl-C in the terminal reaches only the harness, which then
            // stops the stack.
            .process_group(0)
            .spawn()?;
        let stdin = child.stdin.take().ok_or_else(|| std::io::Error::other("the stack has no standard input"))?;
        Ok((child, stdin))
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.folder.log("stack")).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("; ")
    }
}

#[async_trait]
impl Target for Local {
    async fn deploy(&mut self) -> Result<Addresses, TargetError> {
        let child = self.spawn();
        // From here on the child is in `self`: however the wait ends, `restore` finds it.
        let (child, _) =
            self.child.insert(child.map_err(|cause| TargetError::Io { what: "the stack could not be started".into(), cause })?);
        let deadline = Instant::now() + COMING_UP;
        loop {
            if let Ok(text) = std::fs::read(self.folder.addresses())
                && let Ok(addresses) = serde_json::from_slice::<Addresses>(&text)
            {
                return Ok(addresses);
            }
            if let Ok(Some(status)) = child.try_wait() {
                return Err(TargetError::Down(format!("the stack ended before it was up ({status}): {}", self.last_words())));
            }
            if Instant::now() > deadline {
                return Err(TargetError::Down(format!("the stack was not up after {} s: {}", COMING_UP.as_secs(), self.last_words())));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn strike(&mut self, plan: &Plan) -> Result<(), TargetError> {
        let path = self.folder.plan();
        let what = || format!("`{}` cannot be written; choose a writable folder with free space", path.display());
        self.folder.write_plan(plan).map_err(|cause| TargetError::Io { what: what(), cause })
    }

    async fn observe(&mut self) -> Result<Vec<Entry>, TargetError> {
        self.ledger.lines(Entry::from_line).map_err(|cause| TargetError::Io { what: "the ledger could not be read".into(), cause })
    }

    fn sightings(&mut self) -> Result<Vec<Sighting>, TargetError> {
        let read = self.sightings.lines(Sighting::from_line);
        read.map_err(|cause| TargetError::Io { what: "what the services saw could not be read".into(), cause })
    }

    fn log(&self, function: &str) -> Option<PathBuf> {
        Some(self.folder.log(function))
    }

    fn health(&mut self) -> Result<Health, TargetError> {
        if let Some((child, _)) = &mut self.child
            && let Ok(Some(status)) = child.try_wait()
        {
            return Err(TargetError::Down(format!("the stack went away ({status}): {}", self.last_words())));
        }
        let text = std::fs::read(self.folder.health()).unwrap_or_default();
        Ok(serde_json::from_slice(&text).unwrap_or_default())
    }

    /// Lines are written before the answer is sent.
    fn ledger_lag(&self) -> Duration {
        Duration::from_millis(700)
    }

    async fn restore(&mut self) -> Option<Left> {
        let (mut child, mut stdin) = self.child.take()?;
        let asked = stdin.write_all(b"stop\n").await;
        if asked.is_err() || tokio::time::timeout(GOING_DOWN, child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
        drop(stdin);
        // The guard process ends what the stack left; it needs a moment.
        let deadline = Instant::now() + Duration::from_secs(6);
        loop {
            let left = guard::marked(&self.launch.marker);
            if left.is_empty() {
                return None;
            }
            if Instant::now() > deadline {
                let pids: Vec<_> = left.iter().map(ToString::to_string).collect();
                let what = pids.iter().map(|pid| format!("process {pid}")).collect();
                return Some(Left { what, command: format!("kill -9 {}", pids.join(" ")) });
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}
