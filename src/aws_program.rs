//! The program that calls AWS: where it is, and what it does on this terminal. This command links no SDK of AWS's control plane.

use std::error::Error;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use protocol::{PROGRAM, Task};

use crate::artifacts;

/// Lets it carry out a task, and gives its exit code. What it says goes where this command's words go.
///
/// # Errors
/// Where it is missing, or cannot be told the task.
pub fn carry_out(task: &Task) -> Result<u8, Box<dyn Error>> {
    let line = protocol::to_line(task)?;
    let mut child = Command::new(artifacts::program(PROGRAM)?).stdin(Stdio::piped()).spawn()?;
    let told = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(line.as_bytes()));
    let status = child.wait()?;
    // Where it went before it was told, it has said why.
    told.or_else(|error| if status.success() { Err(error) } else { Ok(()) })?;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    Ok(u8::try_from(code).unwrap_or(crate::exit::INTERNAL))
}
