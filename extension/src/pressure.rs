//! Starts and ends the processes that take CPU, memory and disk away. None may stay when its invocation is over.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use faults::kinds::resource::Pressure;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::press::Take;
use crate::room;

/// How many may run at once.
const MOST: usize = 4;
/// How long an event is held until everything is taken.
const LONGEST_START: Duration = Duration::from_secs(1);
/// A killed process is gone well before this.
const LONGEST_END: Duration = Duration::from_secs(1);

/// The pressures of one environment.
#[derive(Debug)]
pub struct Pressures {
    running: Arc<Semaphore>,
    folder: PathBuf,
    /// What Lambda gives to the function, in bytes.
    memory: Option<u64>,
}

/// A process that holds what was asked. It is killed on drop.
#[derive(Debug)]
pub struct Pressing {
    child: Child,
    /// Whether the environment had less left than was asked.
    pub short: bool,
    _one_of_few: OwnedSemaphorePermit,
}

impl Pressures {
    /// None runs yet; disk is taken below `folder`.
    pub fn new(folder: PathBuf, memory: Option<u64>) -> Self {
        Self { running: Arc::new(Semaphore::new(MOST)), folder, memory }
    }

    /// Takes what is asked, as far as the environment has it left, and returns when it is held.
    ///
    /// # Errors
    /// Why nothing is held.
    pub async fn begin(&self, asked: Pressure, runtime: Option<u32>) -> Result<Pressing, &'static str> {
        let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() else { return Err("four pressures run already") };
        let (take, short) = self.take(asked, runtime).await;
        if take.cpu_threads == 0 && take.memory == 0 && take.disk == 0 {
            return Err("the environment has nothing left that could be taken");
        }
        let mut command = Command::new("/proc/self/exe");
        command.arg0("brownout-press").args(take.arguments()).env_clear().kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(child) = command.spawn() else { return Err("no process can be started for a pressure") };
        let mut pressing = Pressing { child, short, _one_of_few: permit };
        if pressing.holds().await {
            return Ok(pressing);
        }
        pressing.end().await;
        Err("what a pressure asks for could not be taken within a second")
    }

    async fn take(&self, asked: Pressure, runtime: Option<u32>) -> (Take, bool) {
        let (folder, function) = (self.folder.clone(), self.memory);
        // Many small files of the kernel are read: not on the thread that serves.
        let left = tokio::task::spawn_blocking(move || (room::memory(runtime, function), room::disk(&folder))).await;
        let (memory_left, (disk_left, in_memory)) = left.unwrap_or_default();
        let (memory_asked, disk_asked) = (u64::from(asked.memory_mib) << 20, u64::from(asked.tmp_mib) << 20);
        let memory = memory_asked.min(memory_left);
        let disk = disk_asked.min(if in_memory { disk_left.min(memory_left - memory) } else { disk_left });
        let take = Take {
            cpu_threads: asked.cpu_threads,
            memory,
            disk,
            folder: self.folder.clone(),
            time: asked.time.duration(),
            extension: std::process::id(),
        };
        (take, memory < memory_asked || disk < disk_asked)
    }
}

impl Pressing {
    async fn holds(&mut self) -> bool {
        let Some(report) = &mut self.child.stdout else { return false };
        matches!(timeout(LONGEST_START, report.read_u8()).await, Ok(Ok(_)))
    }

    /// Ends the process; when this returns, everything is given back.
    pub async fn end(mut self) {
        let _ = self.child.start_kill();
        let _ = timeout(LONGEST_END, self.child.wait()).await;
    }
}
