//! Shell scripts in place of the programs that targets start.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// A program that is `script`, in a separate folder. Another process writes it: if a parallel test
/// forks while this process has the file open for writing, the kernel refuses to run it ("text file
/// busy").
pub(super) fn program(script: &str) -> (PathBuf, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("program");
    let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$2\" && chmod +x \"$2\"";
    assert!(Command::new("sh").args(["-c", write, "sh", script]).arg(&path).status().unwrap().success());
    (path, folder)
}
