//! Shell scripts in the place of the programs that targets start.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// A program that is `script`, in a folder of its own. Another process writes it: where a test beside this one starts a process while this one has
/// the file open, the kernel would not run it ("text file busy").
pub(super) fn program(script: &str) -> (PathBuf, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("program");
    let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$2\" && chmod +x \"$2\"";
    assert!(Command::new("sh").args(["-c", write, "sh", script]).arg(&path).status().unwrap().success());
    (path, folder)
}
