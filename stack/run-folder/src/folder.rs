//! The folder that the harness and the stack share. They communicate only through it, so a process
//! that dies leaves complete files and no half-finished exchange. It belongs to one run: a folder
//! in use is refused, and an earlier run's files are replaced only on request.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use faults::Plan;

use crate::Deployment;
use crate::lock::Lock;

/// Everything that a run writes, except `logs/` and the locks.
pub const FILES: [&str; 16] = [
    "deployment.json",
    "plan.json",
    "stack.json",
    "ledger.ndjson",
    "sightings.ndjson",
    "platform.json",
    "wrapper",
    "latency.hlog",
    "service.hlog",
    "worker.json",
    "goose.json",
    "journal.ndjson",
    "result.json",
    "report.html",
    "summary.md",
    "junit.xml",
];

/// Folders that a stack makes: the functions' unpacked code, and the environments' temporary files.
/// No user calls a folder of their own so: they are removed whole.
pub const FOLDERS: [&str; 2] = [CODE, TEMPORARY];
const CODE: &str = "brownout-code";
const TEMPORARY: &str = "brownout-tmp";

/// Locked by the run while it lasts. The file stays after the run, so that two runs never lock two
/// files of one name.
const RUN_LOCK: &str = "run.lock";

/// Locked by the stack's own process, which outlives a dead harness until its lease expires.
const STACK_LOCK: &str = "stack.lock";

/// Why a folder cannot be used for a run.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It holds an earlier run's files.
    #[error("`{0}` holds the files of an earlier run; choose another folder, or replace them with `--force`")]
    Used(PathBuf),
    /// A run is using it.
    #[error("a run is under way in `{0}`; choose another folder, or wait for its end")]
    Busy(PathBuf),
    /// It is not a folder.
    #[error("`{0}` is a file; choose a folder")]
    File(PathBuf),
    /// The functions get the plan's path as text.
    #[error("the path `{0}` is not UTF-8; choose a folder with another name")]
    NotUtf8(PathBuf),
    /// A file in it cannot be read.
    #[error("`{path}` cannot be read; it is written by `brownout run` of the same version")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// It cannot be written.
    #[error("`{path}` cannot be written; choose a writable folder with free space")]
    Unwritable {
        /// The folder or the file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

impl FolderError {
    fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |cause| Self::Unwritable { path, cause }
    }
}

/// A run's folder. The harness writes the plan, the stack everything else.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
    /// The lock, released with the last clone.
    _lock: Option<Arc<Lock>>,
}

impl RunFolder {
    /// Creates the folder if it does not exist, without claiming it.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn create(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        std::fs::create_dir_all(path.join("logs"))?;
        Ok(Self { path: path.canonicalize()?, _lock: None })
    }

    /// Claims the folder for one run; files that are not a run's may be in it. `replace` removes
    /// those of an earlier run.
    ///
    /// # Errors
    /// If a run is under way in it, if it holds an earlier run's files and `replace` is false, or
    /// if it cannot be written.
    pub fn claim(path: &Path, replace: bool) -> Result<Self, FolderError> {
        if path.is_file() {
            return Err(FolderError::File(path.to_owned()));
        }
        let folder = Self::create(path).map_err(FolderError::unwritable(path))?;
        if folder.path.to_str().is_none() {
            return Err(FolderError::NotUtf8(folder.path));
        }
        let mut lock = folder.lock(RUN_LOCK)?;
        // Tested, not kept: the stack's process locks it again.
        drop(folder.lock(STACK_LOCK)?);
        stamp(lock.file()).map_err(FolderError::unwritable(&folder.path))?;
        if replace {
            folder.empty().map_err(FolderError::unwritable(&folder.path))?;
        } else if FILES.iter().any(|name| folder.path.join(name).exists()) {
            return Err(FolderError::Used(folder.path));
        }
        Ok(Self { _lock: Some(Arc::new(lock)), ..folder })
    }

    /// Claims a folder that no run used before: `path`, or `path-2`, `path-3` and so on if it is
    /// taken.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn claim_new(path: &Path) -> Result<Self, FolderError> {
        let parent = path.parent().unwrap_or(Path::new(""));
        std::fs::create_dir_all(parent).map_err(FolderError::unwritable(parent))?;
        let numbered = (2_u32..).map(|number| {
            let mut name = path.as_os_str().to_owned();
            name.push(format!("-{number}"));
            PathBuf::from(name)
        });
        for path in std::iter::once(path.to_owned()).chain(numbered) {
            match std::fs::create_dir(&path) {
                Ok(()) => return Self::claim(&path, false),
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
                Err(cause) => return Err(FolderError::Unwritable { path, cause }),
            }
        }
        Err(FolderError::Busy(path.to_owned()))
    }

    /// Joins the run that claimed the folder, in the stack's own process.
    ///
    /// # Errors
    /// If another stack still uses it, or it cannot be written.
    pub fn join(path: &Path) -> Result<Self, FolderError> {
        let folder = Self::create(path).map_err(FolderError::unwritable(path))?;
        let lock = folder.lock(STACK_LOCK)?;
        Ok(Self { _lock: Some(Arc::new(lock)), ..folder })
    }

    /// Whether a run is under way in the folder `path`.
    pub fn is_under_way(path: &Path) -> bool {
        File::open(path.join(RUN_LOCK)).is_ok_and(|file| matches!(Lock::take(file), Err(TryLockError::WouldBlock)))
    }

    fn lock(&self, name: &str) -> Result<Lock, FolderError> {
        let path = self.path.join(name);
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(FolderError::unwritable(&path))?;
        Lock::take(file).map_err(|why| match why {
            TryLockError::WouldBlock => FolderError::Busy(self.path.clone()),
            TryLockError::Error(cause) => FolderError::Unwritable { path, cause },
        })
    }

    /// Removes what a run wrote, and nothing else.
    fn empty(&self) -> io::Result<()> {
        let files = FILES.iter().map(|name| self.path.join(name));
        let logs = std::fs::read_dir(self.path.join("logs"))?.flatten().map(|entry| entry.path());
        let logs = logs.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
        for path in files.flat_map(|path| [beside(&path), path]).chain(logs) {
            match std::fs::remove_file(path) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
                _ => {}
            }
        }
        FOLDERS.iter().try_for_each(|name| removed(&self.path.join(name)))
    }

    /// Where the code of functions is unpacked.
    pub fn code(&self) -> PathBuf {
        self.path.join(CODE)
    }

    /// Where the environments' temporary files are, emptied.
    ///
    /// # Errors
    /// If what a killed stack left there cannot be removed.
    pub fn emptied_temporary(&self) -> io::Result<PathBuf> {
        let folder = self.path.join(TEMPORARY);
        removed(&folder).map(|()| folder)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the stack deploys: one [`crate::Deployment`] as JSON.
    pub fn deployment(&self) -> PathBuf {
        self.path.join("deployment.json")
    }

    /// The plan in force: replaced as a whole, never written in place.
    pub fn plan(&self) -> PathBuf {
        self.path.join("plan.json")
    }

    /// The addresses; the file exists once the stack is up.
    pub fn addresses(&self) -> PathBuf {
        self.path.join("stack.json")
    }

    /// The entries of all extensions and services, one [`faults::Entry`] a line, in order of
    /// arrival.
    pub fn ledger(&self) -> PathBuf {
        self.path.join("ledger.ndjson")
    }

    /// What the services observed, one [`crate::Sighting`] a line.
    pub fn sightings(&self) -> PathBuf {
        self.path.join("sightings.ndjson")
    }

    /// The platform's own counts: one [`crate::Health`] as JSON, rewritten every second.
    pub fn health(&self) -> PathBuf {
        self.path.join("platform.json")
    }

    /// The standard output and error of one function.
    pub fn log(&self, function: &str) -> PathBuf {
        self.path.join("logs").join(format!("{function}.log"))
    }

    /// Puts `plan` in force: writes it to another file, then renames that over the old plan.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn write_plan(&self, plan: &Plan) -> io::Result<()> {
        self.replace(&self.plan(), plan.to_json().as_bytes())
    }

    /// Writes what to deploy.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn write_deployment(&self, deployment: &Deployment) -> Result<(), FolderError> {
        let path = self.deployment();
        let written = serde_json::to_vec(deployment).map_err(io::Error::other).and_then(|json| self.replace(&path, &json));
        written.map_err(FolderError::unwritable(&path))
    }

    /// Reads what to deploy.
    ///
    /// # Errors
    /// If the file does not exist, or is invalid.
    pub fn read_deployment(&self) -> Result<Deployment, FolderError> {
        let path = self.deployment();
        let read = std::fs::read(&path).and_then(|json| serde_json::from_slice(&json).map_err(io::Error::other));
        read.map_err(|cause| FolderError::Unreadable { path, cause })
    }

    /// Replaces a file of the folder in one step.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let beside = beside(path);
        std::fs::write(&beside, bytes)?;
        std::fs::rename(&beside, path)
    }

    /// Replaces a file that holds a secret in one step. From its first byte on only its owner can
    /// read it.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn replace_private(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let beside = beside(path);
        // A left-over file may be readable by other users.
        match std::fs::remove_file(&beside) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            _ => {}
        }
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        std::fs::rename(&beside, path)
    }
}

/// The file that is written before it is renamed to `path`.
fn beside(path: &Path) -> PathBuf {
    path.with_extension("new")
}

/// Writes the lock's holder into it. This also finds a full disk before anything is started.
fn stamp(lock: &mut File) -> io::Result<()> {
    lock.write_all(format!("{:<10}\n", std::process::id()).as_bytes())?;
    lock.sync_data()
}

fn removed(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(why),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_with_a_secret_is_readable_only_by_its_owner_even_if_it_replaces_another() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(folder.path()).unwrap();
        std::fs::write(run.addresses(), "old").unwrap();
        std::fs::write(run.addresses().with_extension("new"), "left behind").unwrap();
        run.replace_private(&run.addresses(), b"secret").unwrap();
        assert_eq!(std::fs::read(run.addresses()).unwrap(), b"secret");
        assert_eq!(std::fs::metadata(run.addresses()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_folder_belongs_to_one_run_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = RunFolder::claim(folder.path(), false).unwrap();
        for replace in [false, true] {
            let error = RunFolder::claim(folder.path(), replace).unwrap_err();
            assert!(matches!(error, FolderError::Busy(_)), "{error}");
        }
        // The stack outlives its harness by the lease.
        let stack = RunFolder::join(folder.path()).unwrap();
        drop(first);
        assert!(matches!(RunFolder::claim(folder.path(), true), Err(FolderError::Busy(_))));
        drop(stack);
        RunFolder::claim(folder.path(), false).unwrap();
    }

    #[test]
    fn the_files_of_an_earlier_run_are_replaced_only_by_choice_and_no_others() {
        for name in FILES {
            let folder = tempfile::tempdir().unwrap();
            let write = |name: &str| std::fs::write(folder.path().join(name), "old").unwrap();
            write("experiment.toml");
            let run = RunFolder::claim(folder.path(), false).unwrap();
            write(name);
            write("logs/f.log");
            write("logs/mine.txt");
            drop(run);
            let error = RunFolder::claim(folder.path(), false).unwrap_err().to_string();
            let path = folder.path().canonicalize().unwrap();
            assert!(error.contains(path.to_str().unwrap()) && error.contains("`--force`"), "{name}: {error}");
            RunFolder::claim(folder.path(), true).unwrap();
            let there = |name: &str| folder.path().join(name).exists();
            assert!(!there(name) && !there("logs/f.log") && there("experiment.toml") && there("logs/mine.txt"), "{name}");
        }
    }

    #[test]
    fn runs_in_the_same_second_get_separate_folders() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = folder.path().join("runs/20260131-235959-quiet");
        let runs = [(); 3].map(|()| RunFolder::claim_new(&wanted).unwrap());
        let names = runs.each_ref().map(|run| run.path().file_name().unwrap().to_str().unwrap());
        assert_eq!(names, ["20260131-235959-quiet", "20260131-235959-quiet-2", "20260131-235959-quiet-3"]);
    }

    #[test]
    fn an_unusable_folder_is_named_with_the_fix() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let raw = folder.path().join(std::ffi::OsString::from_vec(b"run-\xff".to_vec()));
        for (path, says) in [
            (file.clone(), "is a file; choose a folder"),
            (file.join("below"), "choose a writable folder"),
            (PathBuf::from("/proc/run"), "choose a writable folder"),
            (raw, "is not UTF-8; choose a folder with another name"),
        ] {
            let error = RunFolder::claim(&path, false).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains(&path.display().to_string()), "{error}");
        }
        let mut full = File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(stamp(&mut full).unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
