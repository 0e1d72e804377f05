//! The folder that the harness and the stack share. It is the whole of what passes between them: whoever dies leaves files, not a half-spoken conversation.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use faults::Plan;

/// A run's folder. The harness writes the plan, the stack everything else.
#[derive(Debug, Clone)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// Makes the folder where it is not there.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn create(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        std::fs::create_dir_all(path.join("logs"))?;
        Ok(Self(path.canonicalize()?))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The plan in force: replaced as a whole, never written in place.
    pub fn plan(&self) -> PathBuf {
        self.0.join("plan.json")
    }

    /// The addresses, there once the stack is up.
    pub fn addresses(&self) -> PathBuf {
        self.0.join("stack.json")
    }

    /// The entries of all extensions and services, one [`faults::Entry`] a line, in the order of their arrival.
    pub fn ledger(&self) -> PathBuf {
        self.0.join("ledger.ndjson")
    }

    /// What the services saw happen, one [`crate::Sighting`] a line.
    pub fn sightings(&self) -> PathBuf {
        self.0.join("sightings.ndjson")
    }

    /// What the platform counted: one [`crate::Health`] as JSON, rewritten every second.
    pub fn health(&self) -> PathBuf {
        self.0.join("platform.json")
    }

    /// What one function wrote to its standard output and error.
    pub fn log(&self, function: &str) -> PathBuf {
        self.0.join("logs").join(format!("{function}.log"))
    }

    /// Puts `plan` in force: written beside, then renamed over the old one.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn write_plan(&self, plan: &Plan) -> io::Result<()> {
        self.replace(&self.plan(), plan.to_json().as_bytes())
    }

    /// Replaces a file of the folder in one step.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let beside = path.with_extension("new");
        std::fs::write(&beside, bytes)?;
        std::fs::rename(&beside, path)
    }

    /// Replaces a file that holds a secret in one step: it is nobody's but its owner's from its first byte on.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn replace_private(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let beside = path.with_extension("new");
        // One that was left behind may be anybody's.
        match std::fs::remove_file(&beside) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            _ => {}
        }
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        std::fs::rename(&beside, path)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_with_a_secret_is_its_owners_alone_whatever_lay_there() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(folder.path()).unwrap();
        std::fs::write(run.addresses(), "old").unwrap();
        std::fs::write(run.addresses().with_extension("new"), "left behind").unwrap();
        run.replace_private(&run.addresses(), b"secret").unwrap();
        assert_eq!(std::fs::read(run.addresses()).unwrap(), b"secret");
        assert_eq!(std::fs::metadata(run.addresses()).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
