//! The process that uses up CPU, memory and disk. It is a separate process, so that everything is
//! released when it ends, for any reason. It must never outlive the extension or its time.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use rustix::fs::{FallocateFlags, OFlags};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// The first argument of this process.
const WORD: &str = "load";
/// The stack of a thread, in bytes.
const STACK: usize = 64 << 10;

/// What the process uses up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// Threads that burn CPU.
    pub cpu_threads: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of disk.
    pub disk: u64,
    /// The folder on that disk.
    pub folder: PathBuf,
    /// For how long at most.
    pub time: Duration,
    /// The extension's process; this one ends with it.
    pub extension: u32,
}

impl Load {
    /// The arguments that [`Load::read`] reads.
    pub fn arguments(&self) -> Vec<OsString> {
        let numbers = [u64::from(self.cpu_threads), self.memory, self.disk, milliseconds(self.time), u64::from(self.extension)];
        let numbers = numbers.iter().map(|number| OsString::from(number.to_string()));
        std::iter::once(WORD.into()).chain(numbers).chain([self.folder.clone().into()]).collect()
    }

    /// Reads the arguments of a process without its name; `None` if it is not a load process.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut arguments = arguments.into_iter();
        if arguments.next()? != WORD {
            return None;
        }
        let mut number = || arguments.next()?.to_str()?.parse::<u64>().ok();
        Some(Self {
            cpu_threads: u32::try_from(number()?).ok()?,
            memory: number()?,
            disk: number()?,
            time: Duration::from_millis(number()?),
            extension: u32::try_from(number()?).ok()?,
            folder: PathBuf::from(arguments.next()?),
        })
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Allocates everything, reports that with one byte on standard output, and holds it until its time
/// has passed or standard input ends.
pub fn run(load: &Load) -> ExitCode {
    match hold(load) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn hold(load: &Load) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let parent = getppid().map(|parent| parent.as_raw_nonzero().get().unsigned_abs());
    if parent != Some(load.extension) {
        // The extension ended before the kernel was asked to report its death.
        return Err(io::ErrorKind::NotFound.into());
    }
    // If memory still runs out, the kernel must kill this process and not the function.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let time = load.time;
    thread(move || std::thread::sleep(time))?;
    thread(|| while matches!(io::stdin().read(&mut [0]), Ok(1..)) {})?;
    let _memory = memory(load.memory)?;
    let _disk = disk(&load.folder, load.disk)?;
    for _ in 0..load.cpu_threads {
        thread(|| {
            loop {
                std::hint::spin_loop();
            }
        })?;
    }
    io::stdout().write_all(b"!")?;
    io::stdout().flush()?;
    loop {
        std::thread::park();
    }
}

/// Starts a thread; when it ends, so does the process.
fn thread(body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let built = std::thread::Builder::new().stack_size(STACK).spawn(move || {
        body();
        std::process::exit(0);
    });
    built.map(drop)
}

/// Allocates memory and writes to every page, so that it is really used.
fn memory(bytes: u64) -> io::Result<Vec<u8>> {
    let bytes = usize::try_from(bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut held = Vec::new();
    held.try_reserve_exact(bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
    held.resize(bytes, 1);
    Ok(held)
}

/// Uses disk with an unnamed file, which disappears with this process.
fn disk(folder: &Path, bytes: u64) -> io::Result<Option<File>> {
    if bytes == 0 {
        return Ok(None);
    }
    let mut file = nameless(folder)?;
    if rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes).is_ok() {
        return Ok(Some(file));
    }
    // A file system that cannot reserve space must be written to.
    let block = vec![1; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        let here = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        file.write_all(block.get(..here).unwrap_or_default())?;
        left -= here as u64;
    }
    Ok(Some(file))
}

fn nameless(folder: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::TMPFILE.bits()).unwrap_or(0);
    if let Ok(file) = OpenOptions::new().write(true).mode(0o600).custom_flags(flags).open(folder) {
        return Ok(file);
    }
    let path = folder.join(format!("brownout-load-{}", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_read_back() {
        let load = Load {
            cpu_threads: 2,
            memory: 3 << 20,
            disk: 4,
            folder: PathBuf::from("/tmp/a b"),
            time: Duration::from_millis(1500),
            extension: 77,
        };
        assert_eq!(Load::read(load.arguments()), Some(load));
        for other in [vec![], vec!["load"], vec!["load", "1", "2", "x", "4", "5", "/tmp"], vec!["--help"]] {
            assert_eq!(Load::read(other.iter().map(OsString::from)), None, "{other:?}");
        }
    }

    #[test]
    fn an_impossible_amount_of_memory_is_an_error() {
        assert!(memory(u64::MAX).is_err());
        assert_eq!(memory(5000).unwrap().len(), 5000);
    }

    #[test]
    fn the_file_uses_disk_and_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = disk(folder.path(), 3 << 20).unwrap().unwrap();
        assert_eq!(file.metadata().unwrap().len(), 3 << 20);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(disk(folder.path(), 0).unwrap().is_none());
    }
}
