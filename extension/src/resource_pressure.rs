//! Starts and ends the processes that use up CPU, memory and disk. None may outlive its invocation.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use faults::kinds::resource::Pressure;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::headroom;
use crate::load_process::Load;

/// The most processes at once.
const MOST: usize = 4;
/// The longest time an event is held until everything is allocated.
const LONGEST_START: Duration = Duration::from_secs(1);
/// The longest wait for the end of a killed process, which is normally much faster.
const LONGEST_END: Duration = Duration::from_secs(1);

/// The resource pressures of one environment.
#[derive(Debug)]
pub struct ResourcePressures {
    running: Arc<Semaphore>,
    folder: PathBuf,
    /// The function's memory, in bytes.
    memory: Option<u64>,
}

/// A process that holds the fault's resources. It is killed on drop.
#[derive(Debug)]
pub struct LoadProcess {
    child: Child,
    /// Whether the environment had less left than the fault needs.
    pub short: bool,
    _permit: OwnedSemaphorePermit,
}

impl ResourcePressures {
    /// No process yet; disk is used below `folder`.
    pub fn new(folder: PathBuf, memory: Option<u64>) -> Self {
        Self { running: Arc::new(Semaphore::new(MOST)), folder, memory }
    }

    /// Allocates the fault's resources, as far as the environment has them left, and returns when
    /// they are held.
    ///
    /// # Errors
    /// Why nothing is held.
    pub async fn begin(&self, asked: Pressure, runtime: Option<u32>) -> Result<LoadProcess, &'static str> {
        let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() else { return Err("four resource pressures run already") };
        let (load, short) = self.load(asked, runtime).await;
        if load.cpu_threads == 0 && load.memory == 0 && load.disk == 0 {
            return Err("the environment has nothing left that could be taken");
        }
        let mut command = Command::new("/proc/self/exe");
        command.arg0("brownout-load").args(load.arguments()).env_clear().kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(child) = command.spawn() else { return Err("no process can be started for a resource pressure") };
        let mut process = LoadProcess { child, short, _permit: permit };
        if process.is_ready().await {
            return Ok(process);
        }
        process.end().await;
        Err("what a resource pressure asks for could not be taken within a second")
    }

    async fn load(&self, asked: Pressure, runtime: Option<u32>) -> (Load, bool) {
        let (folder, function) = (self.folder.clone(), self.memory);
        // Reads many small files of the kernel, so not on the thread that serves.
        let left = tokio::task::spawn_blocking(move || (headroom::memory(runtime, function), headroom::disk(&folder))).await;
        let (memory_left, (disk_left, in_memory)) = left.unwrap_or_default();
        let (memory_asked, disk_asked) = (u64::from(asked.memory_mib) << 20, u64::from(asked.tmp_mib) << 20);
        let memory = memory_asked.min(memory_left);
        let disk = disk_asked.min(if in_memory { disk_left.min(memory_left - memory) } else { disk_left });
        let load = Load {
            cpu_threads: asked.cpu_threads,
            memory,
            disk,
            folder: self.folder.clone(),
            time: asked.time.duration(),
            extension: std::process::id(),
        };
        (load, memory < memory_asked || disk < disk_asked)
    }
}

impl LoadProcess {
    async fn is_ready(&mut self) -> bool {
        let Some(report) = &mut self.child.stdout else { return false };
        matches!(timeout(LONGEST_START, report.read_u8()).await, Ok(Ok(_)))
    }

    /// Ends the process; when this returns, everything is released.
    pub async fn end(mut self) {
        let _ = self.child.start_kill();
        let _ = timeout(LONGEST_END, self.child.wait()).await;
    }
}
