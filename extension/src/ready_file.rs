//! A small file that exists while the extension listens: the wrapper scripts point a runtime at the
//! extension only if they find it. It must never exist before the listener does.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The file, removed when this is dropped. If the extension is killed it stays; the scripts check
/// whether the process named in it is alive.
#[derive(Debug)]
pub struct ReadyFile(PathBuf);

impl ReadyFile {
    /// Writes `<folder>/brownout-<address>.ready`: the extension's process id, then a line
    /// `NAME=value` for each variable that the runtime should get.
    ///
    /// # Errors
    /// If it cannot be written; then no runtime is pointed at the extension.
    pub fn write(folder: &Path, address: SocketAddr, variables: &[(String, String)]) -> io::Result<Self> {
        let path = folder.join(format!("brownout-{address}.ready"));
        let unfinished = folder.join(format!("brownout-{address}.{}", std::process::id()));
        let lines: String = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        // Renamed, so that no script reads half a process id.
        let written = fs::write(&unfinished, format!("{}\n{lines}", std::process::id())).and_then(|()| fs::rename(&unfinished, &path));
        if let Err(error) = written {
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
        Ok(Self(path))
    }

    /// Removes the file of an extension that was killed here before: its process id may belong to
    /// another process by now.
    pub fn remove(folder: &Path, address: SocketAddr) {
        let _ = fs::remove_file(folder.join(format!("brownout-{address}.ready")));
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
