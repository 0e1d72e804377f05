//! The second copy of the way back: one JSON line before each change, on the disk before the change is made.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::marker::{Record, Run};

/// What is about to be done. No value of a variable is in it but those of keys of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Entry {
    /// A function is about to be attached to.
    Attaching {
        /// The function.
        function: String,
        /// What will be set, and the way back.
        record: Record,
    },
    /// A run is about to be taken out of a function.
    Undoing {
        /// The function.
        function: String,
        /// Whose it is.
        run: Run,
    },
    /// A version with ours in it is about to be published.
    Publishing {
        /// The function.
        function: String,
        /// Whose it is.
        run: Run,
    },
    /// An alias is about to give a version with ours a share, or to take it away (`share` 0).
    Shifting {
        /// The function.
        function: String,
        /// Whose it is.
        run: Run,
        /// The alias.
        alias: String,
        /// The version with ours.
        version: String,
        /// In thousandths.
        share_thousandths: u16,
    },
    /// A version with ours in it is about to be deleted.
    DeletingVersion {
        /// The function.
        function: String,
        /// Whose it is.
        run: Run,
        /// The version.
        version: String,
    },
    /// A plan is about to be written.
    Arming {
        /// Where, as `BROWNOUT_PLAN` names it.
        plan: String,
        /// Whose it is.
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

/// Why a line is not in the journal: the change that it announces must not be made.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` cannot be written; choose a writable folder with free space")]
pub struct JournalError {
    /// The file.
    pub path: String,
    /// Why.
    #[source]
    pub cause: std::io::Error,
}

/// Where changes are written down before they are made.
pub trait Journal: Send + Sync {
    /// Writes one line; it is safe once this returns.
    ///
    /// # Errors
    /// Where it is not known to be safe.
    fn note(&self, entry: &Entry) -> Result<(), JournalError>;
}

/// A journal in a file.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    file: Mutex<std::fs::File>,
}

impl File {
    /// Opens a journal to add to it; its folder has to be there.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let opened = std::fs::File::options().create(true).append(true).open(path).and_then(|file| {
            // The file's name is safe only once its folder is.
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            std::fs::File::open(folder)?.sync_all()?;
            Ok(file)
        });
        let file = opened.map_err(|cause| JournalError { path: path.display().to_string(), cause })?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }
}

impl File {
    /// What stands in it.
    ///
    /// # Errors
    /// Where it cannot be read.
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

/// The entries of a journal. A line that is not understood is left out: the last one may have been cut short, and its change was not made then.
///
/// # Errors
/// Where the file cannot be read.
pub fn read(path: &Path) -> std::io::Result<Vec<Entry>> {
    let text = std::fs::read(path)?;
    Ok(text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// The last record that a journal has of each function, for those of `run` if one is named.
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
    fn what_is_noted_is_read_back_and_a_cut_line_is_left_out() {
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
    fn a_journal_that_cannot_be_written_says_which() {
        let error = File::open(Path::new("/nowhere/journal")).unwrap_err();
        assert!(error.to_string().contains("`/nowhere/journal`"), "{error}");
    }
}
