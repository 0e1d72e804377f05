//! Runtime clients of our own, for interpreters that lack the published one: files beside the
//! environments' folders.

use std::io;
use std::path::{Path, PathBuf};

/// A file that stands between the Runtime API and a handler, which it finds in `_HANDLER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    Python,
    Node,
}

impl Client {
    const ALL: [Self; 2] = [Self::Python, Self::Node];

    /// Named as in Lambda's own runtimes, but for the extension that makes it no ES module.
    const fn file(self) -> &'static str {
        match self {
            Self::Python => "bootstrap.py",
            Self::Node => "index.cjs",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Python => include_str!("bootstrap.py"),
            Self::Node => include_str!("index.cjs"),
        }
    }
}

/// Where the clients are.
#[derive(Debug, Default)]
pub(crate) struct Clients(PathBuf);

impl Clients {
    /// Writes them below `folder`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write(folder: &Path) -> io::Result<Self> {
        let folder = folder.join("clients");
        std::fs::create_dir_all(&folder)?;
        Client::ALL.into_iter().try_for_each(|client| std::fs::write(folder.join(client.file()), client.text()))?;
        Ok(Self(folder))
    }

    pub(super) fn path(&self, client: Client) -> PathBuf {
        self.0.join(client.file())
    }
}
