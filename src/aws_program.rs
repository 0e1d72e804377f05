//! Finds and runs the program that calls AWS. This command does not link the SDK of AWS's control
//! plane.

use std::error::Error;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use protocol::{Answer, PROGRAM, Resolve, Resolved, Task};

use crate::artifacts;

/// Looks a stack up. Errors of the program are this function's.
///
/// # Errors
/// If it is missing, does not answer, or the stack cannot be looked up.
pub fn look_up(asked: Resolve) -> Result<Resolved, Box<dyn Error>> {
    let line = protocol::to_line(&Task::Resolve(asked))?;
    let mut child = Command::new(artifacts::program(PROGRAM)?).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // If it exited before it got the task, it has printed why.
        let _ = stdin.write_all(line.as_bytes());
    }
    let said = child.wait_with_output()?;
    match protocol::read(String::from_utf8_lossy(&said.stdout).trim_end()) {
        Ok(Answer::Resolved(stack)) => Ok(*stack),
        Ok(Answer::Failed(why)) => Err(why.into()),
        _ if !said.status.success() => Err(format!("`{PROGRAM}` ended with {}", said.status).into()),
        Ok(_) => Err(format!("`{PROGRAM}` gave the answer to another request").into()),
        Err(error) => Err(protocol::chain(&error).into()),
    }
}

/// Runs it with a task, and returns its exit code. Its output goes to this command's output.
///
/// # Errors
/// If it is missing, or the task cannot be sent to it.
pub fn carry_out(task: &Task) -> Result<u8, Box<dyn Error>> {
    let line = protocol::to_line(task)?;
    let mut child = Command::new(artifacts::program(PROGRAM)?).stdin(Stdio::piped()).spawn()?;
    let told = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(line.as_bytes()));
    let status = child.wait()?;
    // If it exited before it got the task, it has printed why.
    told.or_else(|error| if status.success() { Err(error) } else { Ok(()) })?;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    Ok(u8::try_from(code).unwrap_or(crate::exit::INTERNAL))
}
