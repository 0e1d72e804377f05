//! A lock on a file. It is free again as soon as it is dropped: a process that another thread has just forked has a copy of the file until
//! it becomes another program, and would hold the lock so long.

use std::fs::{File, TryLockError};

/// A file that no other process can lock meanwhile.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Locks the file.
    ///
    /// # Errors
    /// If it is locked, or cannot be.
    pub fn take(file: File) -> Result<Self, TryLockError> {
        file.try_lock().map(|()| Self(file))
    }

    /// The file.
    pub fn file(&mut self) -> &mut File {
        &mut self.0
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A lock that cannot be given back ends with the file.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_free_once_it_is_dropped_although_a_copy_of_its_file_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let open = || File::create(folder.path().join("lock")).unwrap();
        let file = open();
        let copy = file.try_clone().unwrap();
        let lock = Lock::take(file).unwrap();
        assert!(matches!(Lock::take(open()), Err(TryLockError::WouldBlock)));
        drop(lock);
        drop(Lock::take(open()).unwrap());
        drop(copy);
    }
}
