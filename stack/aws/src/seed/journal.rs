//! The journal of a seed: one JSON line before each thing is created and one after, each on disk before the next call. A seed that was killed
//! anywhere is deleted by it.

use std::collections::BTreeMap;
use std::fs::TryLockError;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use run_folder::SeedFolder;
use run_folder::lock::Lock;
use serde::{Deserialize, Serialize};

use super::item::Item;

/// Its name in the seed's folder.
const FILE: &str = "journal.ndjson";

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum Entry {
    /// The first line.
    Begun(Begun),
    /// Something is about to be created.
    Creating { number: u32, item: Item },
    /// It was created; the service gave it this id.
    Created { number: u32, id: Option<String> },
    /// It is not there any more.
    Deleted { number: u32 },
    /// All is deleted.
    Over,
}

/// Where a seed was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begun {
    /// The mark of all that is created: 16 hexadecimal digits.
    pub id: String,
    /// The stack's name.
    pub stack: String,
    /// Its Region.
    pub region: String,
    /// Its account.
    pub account: String,
    /// Its partition.
    pub partition: String,
    /// When, in seconds since 1970.
    pub at: u64,
}

/// Something that may have been created and was not deleted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// Its number in the journal.
    pub number: u32,
    /// What it is.
    pub item: Item,
    /// Whether it is known to have been created.
    pub created: bool,
    /// The id that the service gave it.
    pub id: Option<String>,
}

/// What is wrong with a seed's folder.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It holds a seed.
    #[error(
        "`{folder}` holds a seed of stack `{stack}`; delete it first with `brownout unseed {folder}`, or choose another folder with `--out`"
    )]
    Used {
        /// The folder.
        folder: PathBuf,
        /// The stack.
        stack: String,
    },
    /// It never held one.
    #[error("`{0}` holds no seed; name the folder that `brownout seed` printed, or the stack with `--stack`")]
    None(PathBuf),
    /// Another process works on it.
    #[error("a `brownout seed` or `unseed` is at work in `{0}`; wait for its end")]
    Busy(PathBuf),
    /// It cannot be read.
    #[error("`{path}` cannot be read; it is written by `brownout seed` of the same version")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// It cannot be written; what it announces must not be done.
    #[error("`{path}` cannot be written; choose a writable folder with free space")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
}

/// The journal of one seed, locked while it is open.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    begun: Begun,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: Lock,
    next: u32,
}

impl Journal {
    /// Begins a seed. The folder may hold one that was deleted.
    ///
    /// # Errors
    /// If it holds another seed, or cannot be written.
    pub fn begin(folder: &Path, begun: Begun) -> Result<Self, JournalError> {
        let path = folder.join(FILE);
        let unwritable = |cause| JournalError::Unwritable { path: path.clone(), cause };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unwritable)?;
        let mut file = locked(folder, &path, true)?;
        if let Some(before) = read(&path)?.filter(|read| !read.over) {
            return Err(JournalError::Used { folder: folder.to_owned(), stack: before.begun.stack });
        }
        file.file().set_len(0).map_err(unwritable)?;
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritable)?;
        let journal = Self { path, begun: begun.clone(), state: Mutex::new(State { file, next: 0 }) };
        journal.write(|_| Entry::Begun(begun))?;
        Ok(journal)
    }

    /// Opens the journal of a seed to delete it; with what may be there, or `None` if all was deleted.
    ///
    /// # Errors
    /// If there is none, or another process works on it.
    pub fn resume(folder: &Path) -> Result<(Self, Option<Vec<Noted>>), JournalError> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Err(JournalError::None(folder.to_owned()));
        }
        let file = locked(folder, &path, false)?;
        let Some(found) = read(&path)? else { return Err(JournalError::None(folder.to_owned())) };
        let next = found.noted.keys().next_back().map_or(0, |last| last.saturating_add(1));
        let journal = Self { path, begun: found.begun, state: Mutex::new(State { file, next }) };
        // A line that was cut short must not be joined with the next one.
        journal.put(b"\n")?;
        Ok((journal, (!found.over).then(|| found.noted.into_values().collect())))
    }

    /// Where it was begun.
    pub fn begun(&self) -> &Begun {
        &self.begun
    }

    pub(super) fn creating(&self, item: &Item) -> Result<u32, JournalError> {
        self.write(|number| Entry::Creating { number, item: item.clone() })
    }

    pub(super) fn created(&self, number: u32, id: Option<String>) -> Result<(), JournalError> {
        self.write(|_| Entry::Created { number, id }).map(drop)
    }

    pub(super) fn deleted(&self, number: u32) -> Result<(), JournalError> {
        self.write(|_| Entry::Deleted { number }).map(drop)
    }

    /// All is deleted: the folder may be used again.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn over(&self) -> Result<(), JournalError> {
        self.write(|_| Entry::Over).map(drop)
    }

    fn write(&self, entry: impl FnOnce(u32) -> Entry) -> Result<u32, JournalError> {
        let unwritable = |cause| JournalError::Unwritable { path: self.path.clone(), cause };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let number = state.next;
        let entry = entry(number);
        if matches!(entry, Entry::Creating { .. }) {
            state.next += 1;
        }
        let mut line = serde_json::to_vec(&entry).map_err(|error| unwritable(error.into()))?;
        line.push(b'\n');
        let file = state.file.file();
        file.write_all(&line).and_then(|()| file.sync_data()).map_err(unwritable)?;
        Ok(number)
    }

    fn put(&self, bytes: &[u8]) -> Result<(), JournalError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.file.file().write_all(bytes).map_err(|cause| JournalError::Unwritable { path: self.path.clone(), cause })
    }

    /// The finished seed, for a run.
    pub(super) fn finished(&self, password: &str) -> SeedFolder {
        let Begun { id, stack, region, account, .. } = self.begun.clone();
        SeedFolder { id, stack, region, account, password: password.to_owned(), certificates: PathBuf::new() }
    }
}

fn locked(folder: &Path, path: &Path, create: bool) -> Result<Lock, JournalError> {
    let opened = std::fs::File::options().create(create).append(true).mode(0o600).open(path);
    let file = opened.map_err(|cause| JournalError::Unwritable { path: path.to_owned(), cause })?;
    Lock::take(file).map_err(|why| match why {
        TryLockError::WouldBlock => JournalError::Busy(folder.to_owned()),
        TryLockError::Error(cause) => JournalError::Unwritable { path: path.to_owned(), cause },
    })
}

struct Read {
    begun: Begun,
    noted: BTreeMap<u32, Noted>,
    over: bool,
}

/// What a journal says; `None` if not even its first line was written. A line that cannot be parsed was cut short: what it announces was not done,
/// or is found by the line before it.
fn read(path: &Path) -> Result<Option<Read>, JournalError> {
    let bytes = std::fs::read(path).map_err(|cause| JournalError::Unreadable { path: path.to_owned(), cause })?;
    let mut entries = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(serde_json::from_slice::<Entry>);
    let begun = match entries.next() {
        None => return Ok(None),
        Some(Ok(Entry::Begun(begun))) => begun,
        // Only the first line was begun: nothing was created.
        Some(_) if bytes.iter().filter(|byte| **byte == b'\n').count() <= 1 => return Ok(None),
        Some(_) => {
            let cause = std::io::Error::other("its first line is not that of a seed");
            return Err(JournalError::Unreadable { path: path.to_owned(), cause });
        }
    };
    let mut read = Read { begun, noted: BTreeMap::new(), over: false };
    for entry in entries.flatten() {
        match entry {
            Entry::Creating { number, item } => drop(read.noted.insert(number, Noted { number, item, created: false, id: None })),
            Entry::Created { number, id } => {
                if let Some(noted) = read.noted.get_mut(&number) {
                    (noted.created, noted.id) = (true, id);
                }
            }
            Entry::Deleted { number } => drop(read.noted.remove(&number)),
            Entry::Over => read.over = true,
            Entry::Begun(_) => {}
        }
    }
    Ok(Some(read))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> Begun {
        let [id, stack, region, account, partition] = ["7f", "clinic-dev", "eu-west-1", "123456789012", "aws"].map(str::to_owned);
        Begun { id, stack, region, account, partition, at: 1_000 }
    }

    fn thing(name: &str) -> Item {
        Item::Thing { name: name.to_owned() }
    }

    #[test]
    fn what_may_be_there_is_read_back_also_behind_a_line_that_was_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::begin(folder.path(), begun()).unwrap();
        assert!(matches!(Journal::resume(folder.path()), Err(JournalError::Busy(_))));
        for name in ["a", "b", "c"] {
            journal.creating(&thing(name)).unwrap();
        }
        journal.created(1, Some("id".to_owned())).unwrap();
        journal.deleted(2).unwrap();
        drop(journal);
        let path = folder.path().join(FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend(br#"{"created":{"num"#);
        std::fs::write(&path, bytes).unwrap();
        for _ in 0..2 {
            let (journal, noted) = Journal::resume(folder.path()).unwrap();
            let noted = noted.unwrap();
            assert_eq!(journal.begun(), &begun());
            let seen: Vec<_> = noted.iter().map(|noted| (noted.number, noted.created, noted.id.as_deref())).collect();
            assert_eq!(seen, [(0, false, None), (1, true, Some("id"))]);
        }
        let (journal, _) = Journal::resume(folder.path()).unwrap();
        journal.deleted(0).unwrap();
        drop(journal);
        assert_eq!(Journal::resume(folder.path()).unwrap().1.unwrap().len(), 1);
    }

    #[test]
    fn a_folder_is_used_again_only_once_all_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Journal::resume(folder.path()), Err(JournalError::None(_))));
        drop(Journal::begin(folder.path(), begun()).unwrap());
        let error = Journal::begin(folder.path(), begun()).unwrap_err().to_string();
        assert!(error.contains("brownout unseed") && error.contains("`clinic-dev`"), "{error}");
        Journal::resume(folder.path()).unwrap().0.over().unwrap();
        assert_eq!(Journal::resume(folder.path()).unwrap().1, None);
        let journal = Journal::begin(folder.path(), begun()).unwrap();
        journal.creating(&thing("a")).unwrap();
        drop(journal);
        assert_eq!(Journal::resume(folder.path()).unwrap().1.unwrap().len(), 1, "the earlier seed is forgotten");
    }
}
