//! The programs that make up the stack, and where they are.

use std::path::{Path, PathBuf};

/// The extension's and the functions' binaries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifacts {
    /// The folder that holds them.
    pub folder: PathBuf,
}

/// A program that does not exist.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{missing}` is not in `{folder}`; run `cargo build --release --workspace --bins` in a checkout of brownout and set `BROWNOUT_PROGRAMS` to its \
     folder `target/release`, or copy the programs from there beside this command"
)]
pub struct MissingArtifact {
    /// The missing file.
    pub missing: String,
    /// The folder that was searched.
    pub folder: String,
}

impl Artifacts {
    /// The name of the extension's binary.
    pub const EXTENSION: &str = "brownout-extension";

    /// The name of the program that gives environments folders of their own.
    pub const NAMESPACE: &str = "brownout-namespace";

    /// The name of the program that is every function of the sample systems, by the name it is called by.
    pub const FUNCTIONS: &str = "brownout-functions";

    /// Checks that all `programs` are in `folder`; functions may be one program there.
    ///
    /// # Errors
    /// Names the first missing program.
    pub fn in_folder(folder: &Path, programs: &[&str]) -> Result<Self, MissingArtifact> {
        let has = |name: &str| folder.join(name).is_file();
        let is_missing = |name: &str| !has(name) && (name.starts_with("brownout-") || !has(Self::FUNCTIONS));
        if let Some(missing) = programs.iter().find(|name| is_missing(name)) {
            return Err(MissingArtifact { missing: (*missing).to_owned(), folder: folder.display().to_string() });
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// The program that gives environments folders of their own, if it is there.
    pub fn namespace(&self) -> Option<PathBuf> {
        Some(self.folder.join(Self::NAMESPACE)).filter(|program| program.is_file())
    }

    /// The extension's binary.
    pub fn extension(&self) -> PathBuf {
        self.folder.join(Self::EXTENSION)
    }
}
