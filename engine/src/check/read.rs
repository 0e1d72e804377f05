//! What is read beside a file while it is checked.

use std::path::{Path, PathBuf};

use super::Check;

impl Check<'_> {
    /// The path of a file that this one names, to be read now.
    pub(super) fn named(&mut self, path: &Path) -> PathBuf {
        self.read.files.insert(path.to_owned());
        self.folder.join(path)
    }

    /// The value of an environment variable.
    pub(super) fn variable(&mut self, name: &str) -> Option<String> {
        self.read.variables.insert(name.to_owned());
        std::env::var(name).ok()
    }
}
