//! The second copy of the undo records: one JSON line before each change, synced to disk before the
//! change is made.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::marker::{Record, Run};

/// A change that is about to be made. It contains values only of variables that brownout sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Entry {
    /// The layer is about to be attached to a function.
    Attaching {
        /// The function.
        function: String,
        /// What will be set, and how to undo it.
        record: Record,
    },
    /// A run's changes to a function are about to be undone.
    Undoing {
        /// The function.
        function: String,
        /// The run.
        run: Run,
    },
    /// A version with the layer is about to be published.
    Publishing {
        /// The function.
        function: String,
        /// The run.
        run: Run,
    },
    /// An alias is about to give a version with the layer a share of its calls, or none (`share`
    /// 0).
    Shifting {
        /// The function.
        function: String,
        /// The run.
        run: Run,
        /// The alias.
        alias: String,
        /// The version with the layer.
        version: String,
        /// The share in thousandths.
        share_thousandths: u16,
    },
    /// A version with the layer is about to be deleted.
    DeletingVersion {
        /// The function.
        function: String,
        /// The run.
        run: Run,
        /// The version.
        version: String,
    },
    /// A plan is about to be written.
    Arming {
        /// Where, as `BROWNOUT_PLAN` names it.
        plan: String,
        /// The run.
        run: String,
        /// The plan's sequence.
        sequence: u64,
        /// Whether it has no faults.
        calm: bool,
    },
    /// A plan is about to be deleted.
    Disarming {
        /// Where, as `BROWNOUT_PLAN` names it.
        plan: String,
    },
}

/// A journal line could not be written; the change that it announces must not be made.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` cannot be written; choose a writable folder with free space")]
pub struct JournalError {
    /// The file.
    pub path: String,
    /// Why.
    #[source]
    pub cause: std::io::Error,
}

/// Records changes before they are made.
pub trait Journal: Send + Sync {
    /// Writes one line; it is on disk once this returns.
    ///
    /// # Errors
    /// If it is not known to be on disk.
    fn note(&self, entry: &Entry) -> Result<(), JournalError>;
}

/// A journal in a file.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    file: Mutex<std::fs::File>,
}

impl File {
    /// Opens a journal to append to it; its folder must exist.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let opened = std::fs::File::options().create(true).append(true).open(path).and_then(|file| {
            // The file's name is durable only once its folder is synced.
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            std::fs::File::open(folder)?.sync_all()?;
            Ok(file)
        });
        let file = opened.map_err(|cause| JournalError { path: path.display().to_string(), cause })?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }
}

impl File {
    /// Its entries.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn entries(&self) -> std::io::Result<Vec<Entry>> {
        read(&self.path)
    }
}

impl Journal for File {
    fn note(&self, entry: &Entry) -> Result<(), JournalError> {
        let written = serde_json::to_vec(entry).map_err(std::io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.write_all(&line)?;
            file.sync_data()
        });
        written.map_err(|cause| JournalError { path: self.path.display().to_string(), cause })
    }
}

/// The entries of a journal. A line that cannot be parsed is skipped: the last one may have been
/// cut short, and then its change was not made.
///
/// # Errors
/// If the file cannot be read.
pub fn read(path: &Path) -> std::io::Result<Vec<Entry>> {
    let text = std::fs::read(path)?;
    Ok(text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// The last record of each function in a journal, only those of `run` if one is given.
pub fn records<'a>(entries: &'a [Entry], run: Option<&'a Run>) -> std::collections::BTreeMap<&'a str, &'a Record> {
    let attaching = entries.iter().filter_map(|entry| match entry {
        Entry::Attaching { function, record } if run.is_none_or(|run| record.run == *run) => Some((function.as_str(), record)),
        _ => None,
    });
    attaching.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_back_and_a_cut_line_is_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.ndjson");
        let entry = Entry::Undoing { function: "f".to_owned(), run: Run::try_from("r".to_owned()).unwrap() };
        File::open(&path).unwrap().note(&entry).unwrap();
        File::open(&path).unwrap().note(&entry).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        assert_eq!(read(&path).unwrap(), [entry]);
    }

    #[test]
    fn a_journal_that_cannot_be_written_is_named_in_the_error() {
        let error = File::open(Path::new("/nowhere/journal")).unwrap_err();
        assert!(error.to_string().contains("`/nowhere/journal`"), "{error}");
    }
}
