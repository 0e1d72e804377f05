//! What one environment writes to its function's log: the output of its processes, and Lambda's own
//! lines about each invocation in the order in which Lambda writes them. The end of a log that a
//! caller asked for is collected here.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use template::blueprint::LogFormat;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::oneshot;

use super::invocation::Failure;
use super::log::Log;
use super::report::Report;

/// How much of the log a caller gets. Source: Lambda API reference, Invoke, `LogType`: the last 4 KB.
const TAIL: usize = 4096;
/// How much is read in one go, so that a function in a loop does not keep others from the log.
const READS: usize = 32;
/// How often the memory of a process is looked up.
const LOOK: Duration = Duration::from_millis(200);

/// The log as one environment writes it.
#[derive(Debug)]
pub(crate) struct Lines {
    log: Log,
    format: LogFormat,
    memory_mb: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    outputs: Vec<Arc<Receiver>>,
    running: Option<Running>,
    /// How long the start took, until it is reported.
    init: Option<Duration>,
    tail: Option<Tail>,
    peak_kb: u64,
    looked: Option<Instant>,
}

#[derive(Debug)]
struct Running {
    request_id: String,
    since: Instant,
}

#[derive(Debug)]
struct Tail {
    sender: oneshot::Sender<Bytes>,
    bytes: Vec<u8>,
}

/// How an invocation ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome<'a> {
    /// The runtime answered, perhaps with an error.
    Answered {
        /// With an error.
        failed: bool,
    },
    /// The environment failed.
    Failed(&'a Failure),
}

impl Lines {
    /// Writes to this log.
    pub(crate) fn new(log: Log, format: LogFormat, memory_mb: u32) -> Self {
        Self { log, format, memory_mb, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock; even then the state would be consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, state: &mut State, bytes: &[u8]) {
        self.log.write(bytes);
        if let Some(tail) = &mut state.tail {
            tail.bytes.extend_from_slice(bytes);
            // Twice the limit, so that a short line does not move everything before it.
            if tail.bytes.len() > 2 * TAIL {
                tail.bytes.drain(..tail.bytes.len() - TAIL);
            }
        }
    }

    /// Takes the output of a process; it is copied as long as the result is polled.
    ///
    /// # Errors
    /// If it is no pipe.
    pub(crate) fn attach(self: &Arc<Self>, output: OwnedFd) -> io::Result<impl Future<Output = ()> + Send + use<>> {
        let output = Arc::new(Receiver::from_owned_fd(output)?);
        self.state().outputs.push(Arc::clone(&output));
        let lines = Arc::clone(self);
        Ok(async move {
            while output.readable().await.is_ok() && !lines.take(&output) {
                // A function that prints without end must not keep this thread.
                tokio::task::yield_now().await;
            }
        })
    }

    /// Copies what has arrived; true at the end of the output.
    fn take(&self, output: &Receiver) -> bool {
        let mut state = self.state();
        let mut buffer = [0; 8 * 1024];
        for _ in 0..READS {
            match output.try_read(&mut buffer) {
                Ok(0) => return true,
                Ok(size) => self.write(&mut state, buffer.get(..size).unwrap_or_default()),
                Err(why) => return why.kind() != io::ErrorKind::WouldBlock,
            }
        }
        false
    }

    /// Copies all that the processes have written, whether or not this thread was told of it: a line
    /// that was written before the answer comes before the line about the answer.
    fn drain(&self, state: &mut State) {
        let mut buffer = [0; 8 * 1024];
        for output in state.outputs.clone() {
            for _ in 0..READS {
                match rustix::io::read(&*output, &mut buffer) {
                    Ok(size @ 1..) => self.write(state, buffer.get(..size).unwrap_or_default()),
                    _ => break,
                }
            }
        }
    }

    /// The environment is ready after this time.
    pub(crate) fn started(&self, init: Duration) {
        self.state().init = Some(init);
    }

    /// An invocation begins, or began at `since`; `tail` gets the end of its log once it is over.
    pub(crate) fn begin(&self, request_id: &str, version: &str, tail: Option<oneshot::Sender<Bytes>>, since: Instant) {
        let mut state = self.state();
        // What the function prints while it starts comes first.
        if state.init.is_some() {
            self.drain(&mut state);
        }
        state.tail = tail.map(|sender| Tail { sender, bytes: Vec::new() });
        state.running = Some(Running { request_id: request_id.to_owned(), since });
        let line = super::report::start(self.format, request_id, version);
        self.write(&mut state, line.as_bytes());
    }

    /// The invocation is over; `process` is the runtime, whose memory is told.
    pub(crate) fn finish(&self, outcome: Outcome<'_>, process: Option<u32>) {
        let mut state = self.state();
        let Some(Running { request_id, since }) = state.running.take() else { return };
        let duration = since.elapsed();
        self.drain(&mut state);
        if state.looked.is_none_or(|looked| looked.elapsed() > LOOK) {
            state.looked = Some(Instant::now());
            state.peak_kb = state.peak_kb.max(process.and_then(peak_kb).unwrap_or_default());
        }
        let report = Report {
            request_id: &request_id,
            duration,
            init: state.init.take(),
            memory_mb: self.memory_mb,
            peak_mb: state.peak_kb.div_ceil(1024),
            outcome,
        };
        let text = report.text(self.format);
        self.write(&mut state, text.as_bytes());
        if let Some(Tail { sender, mut bytes }) = state.tail.take() {
            bytes.drain(..bytes.len().saturating_sub(TAIL));
            // The caller may be gone.
            let _ = sender.send(bytes.into());
        }
    }
}

/// The most memory that a process has used so far.
fn peak_kb(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches("kB").trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn output_comes_before_the_line_about_the_end_and_the_caller_gets_the_end_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.log");
        let lines = Arc::new(Lines::new(Log::open(&path).unwrap(), LogFormat::Text, 128));
        let (read, mut write) = std::io::pipe().unwrap();
        let copying = lines.attach(read.into()).unwrap();
        lines.started(Duration::from_millis(5));
        let (sender, tail) = oneshot::channel();
        std::io::Write::write_all(&mut write, b"at the start\n").unwrap();
        lines.begin("r", "$LATEST", Some(sender), Instant::now());
        let long = "x".repeat(5000);
        // The task that copies has not run at all.
        std::io::Write::write_all(&mut write, format!("{long}\nlast\n").as_bytes()).unwrap();
        lines.finish(Outcome::Answered { failed: false }, Some(std::process::id()));
        let tail = String::from_utf8(tail.await.unwrap().to_vec()).unwrap();
        assert_eq!(tail.len(), TAIL);
        assert!(tail.contains("x\nlast\nEND RequestId: r\nREPORT RequestId: r\tDuration: "), "{tail}");
        drop(write);
        copying.await;
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.starts_with("at the start\nSTART RequestId: r Version: $LATEST\nxxx"), "{text}");
        assert!(!text.contains("Max Memory Used: 0 MB"), "{text}");
    }
}
