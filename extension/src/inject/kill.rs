//! Kills the runtime's process while brownout holds an event or an answer. If the process is not
//! found, both pass untouched.

use faults::{Action, Death};

use super::context::{Context, Injection};
use super::steps::discard;
use crate::connection::Connection;
use crate::exchange::Broken;
use crate::lock::lock;
use crate::message::RequestHead;
use crate::runtime_process::RuntimeProcess;

/// The note in the ledger if the runtime's process is not found.
pub(crate) const NOT_FOUND: &str = "the runtime's process is not found: the invocation passes untouched";

/// Kills the runtime's process before it has the event; false if it is not found.
pub(super) async fn before(injection: Injection<'_>, runtime: &Connection) -> bool {
    let Some(process) = RuntimeProcess::find(&runtime.stream).await else {
        injection.note(NOT_FOUND);
        return false;
    };
    tell_and_kill(injection, &process);
    true
}

/// Reads the handler's answer to its end and kills the runtime's process; the platform never gets
/// the answer. False if there is no such fault, or the process is not found.
///
/// # Errors
/// If the runtime closes the connection too early.
pub(super) async fn after(context: Context<'_>, runtime: &mut Connection, request: &RequestHead) -> Result<bool, Broken> {
    let is_it = |action: &Action| matches!(action, Action::Kill(Death::After));
    let Some(at) = lock(context.record).actions().iter().position(is_it) else { return Ok(false) };
    let Some(process) = RuntimeProcess::find(&runtime.stream).await else {
        context.note(NOT_FOUND);
        return Ok(false);
    };
    discard(runtime, request).await?;
    tell_and_kill(context.at(at), &process);
    Ok(true)
}

/// The environment dies with the runtime, so its line is written first.
fn tell_and_kill(injection: Injection<'_>, process: &RuntimeProcess) {
    injection.done(true);
    injection.tell();
    if !process.kill() {
        injection.note("the runtime's process had already ended when it was to be killed");
    }
}
