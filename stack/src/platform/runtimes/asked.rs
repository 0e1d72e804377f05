//! What interpreters answered, and the clients for those that have none. Each is started once,
//! however many functions it runs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use super::clients::Clients;

/// The answers so far, by program.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    answers: Mutex<BTreeMap<PathBuf, Vec<String>>>,
    pub(super) clients: Clients,
}

impl Asked {
    /// Nothing is asked yet; interpreters without a client get one of these.
    pub(crate) fn with(clients: Clients) -> Self {
        Self { answers: Mutex::default(), clients }
    }

    /// The lines that a program prints on standard output; none if it cannot be started.
    pub(super) fn lines(&self, program: &Path, arguments: &[&str], variable: Option<(&str, &OsString)>) -> Vec<String> {
        // Nothing panics while it holds the lock; even then the map would be consistent.
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lines) = answers.get(program) {
            return lines.clone();
        }
        let mut command = Command::new(program);
        command.args(arguments).envs(variable).stdin(Stdio::null()).stderr(Stdio::null());
        let text = command.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        answers.insert(program.to_owned(), lines.clone());
        lines
    }
}
