//! Ends the runtime's process with an event or an answer in our hands. Where the process is not found, both pass untouched.

use faults::{Action, Death};
use tokio::io::AsyncWriteExt;

use crate::connection::Connection;
use crate::exchange::Broken;
use crate::ledger::{Open, lock};
use crate::meanwhile::NOT_FOUND;
use crate::message::RequestHead;
use crate::proxy::Proxy;
use crate::runtime_process::RuntimeProcess;

impl Proxy {
    /// Kills the runtime's process with an event in our hands; false where it is not found.
    pub(crate) async fn kill_before(&self, runtime: &Connection, open: &Open, at: usize) -> bool {
        let Some(process) = RuntimeProcess::find(&runtime.stream).await else {
            self.ledger.note(NOT_FOUND);
            return false;
        };
        self.tell_and_kill(open, at, &process);
        true
    }

    /// Reads the handler's answer to its end and kills the runtime's process; the platform never hears of it. False where nothing is of that kind
    /// or the process is not found.
    ///
    /// # Errors
    /// Where the runtime breaks off.
    pub(crate) async fn kill_after(&self, runtime: &mut Connection, request: &RequestHead, open: &Open) -> Result<bool, Broken> {
        let is_it = |action: &Action| matches!(action, Action::Kill(Death::After));
        let Some(at) = lock(open).actions().iter().position(is_it) else { return Ok(false) };
        let Some(process) = RuntimeProcess::find(&runtime.stream).await else {
            self.ledger.note(NOT_FOUND);
            return Ok(false);
        };
        if request.expects_continue && runtime.buffer.len() == request.length {
            runtime.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(|_| Broken::Runtime)?;
        }
        runtime.discard(request.length, request.body).await.map_err(|_| Broken::Runtime)?;
        self.tell_and_kill(open, at, &process);
        Ok(true)
    }

    /// The environment dies with the runtime: its line comes first.
    fn tell_and_kill(&self, open: &Open, at: usize, process: &RuntimeProcess) {
        if let Some(line) = lock(open).lines.get_mut(at) {
            line.done = true;
        }
        self.ledger.tell(open);
        if !process.kill() {
            self.ledger.note("the runtime's process had ended by the time it was to be killed");
        }
    }
}
