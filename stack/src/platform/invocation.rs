//! One invocation, and its result.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::invoke_stream::Sink;
use super::names;
use run_folder::effects::{Change, Effect, Place};

/// The largest synchronous event and response, in bytes. Source: Lambda's quotas; the Runtime API
/// allows 100 bytes more.
pub(crate) const LARGEST_EVENT: usize = 6 * 1024 * 1024;

/// The result of an invocation that ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoked {
    /// Lambda's request id.
    pub request_id: String,
    /// The function's response, or the description of its error.
    pub payload: Bytes,
    /// True if the payload describes an error (`X-Amz-Function-Error: Unhandled`).
    pub failed: bool,
}

/// Why an invocation did not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// There is no such function.
    #[error("function `{0}` is not deployed here")]
    Unknown(String),
    /// The function's reserved concurrency is in use.
    #[error("throttled by reserved concurrency")]
    Throttled,
    /// The event is larger than Lambda accepts.
    #[error("the event is larger than 6 MB")]
    TooLarge,
    /// The platform is being stopped.
    #[error("the platform is being stopped")]
    Stopped,
}

/// What causes the wait if an invocation waits for an environment of a function that is at its
/// limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    /// This machine: Lambda would have started another environment.
    Machine,
    /// The caller, which has a limit of its own and would wait at AWS too.
    Caller,
}

/// An invocation that waits for an environment.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub request_id: String,
    pub event: Bytes,
    /// The whole trace header.
    pub trace: String,
    /// JSON, for `Lambda-Runtime-Client-Context`.
    pub client_context: Option<String>,
    pub arrived: Instant,
    pub waits: Waits,
    /// It waits although no environment may be started for it: the function's limit on this
    /// machine.
    pub at_limit: bool,
    /// Where the pieces of a streamed response go; without it the caller gets the response whole.
    pub sink: Option<Sink>,
    /// Where the end of the log goes once the invocation is over.
    pub tail: Option<oneshot::Sender<Bytes>>,
    /// The alias or version that the caller named.
    pub qualifier: Option<String>,
    /// How many environments failed to start for it.
    pub failed_starts: u32,
    pub answer: oneshot::Sender<Invoked>,
}

/// How the platform itself failed an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It exceeded the function's timeout.
    TimedOut(Duration),
    /// The runtime ended: an exit status or a signal, as Lambda words it.
    RuntimeExit(String),
    /// The extension ended.
    ExtensionExit(String),
    /// The runtime or extension reported why it could not start, in its own words.
    Init(Bytes),
    /// A process could not be started.
    Start(String),
    /// The response was larger than allowed.
    ResponseTooLarge,
    /// The response broke off.
    ResponseCut,
}

impl Failure {
    /// What the caller gets, as Lambda words it.
    pub(crate) fn payload(&self, request_id: &str) -> Bytes {
        if let Self::Init(payload) = self {
            return payload.clone();
        }
        let (kind, message) = self.described(request_id);
        Bytes::from(serde_json::json!({ "errorType": kind, "errorMessage": message }).to_string())
    }

    /// Its error type and message.
    pub(crate) fn described(&self, request_id: &str) -> (String, String) {
        let of_request = |kind: &str, why: &str| (kind.to_owned(), format!("RequestId: {request_id} Error: {why}"));
        match self {
            Self::Init(payload) => {
                let read: serde_json::Value = serde_json::from_slice(payload).unwrap_or_default();
                let text = |key: &str| read.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
                (text("errorType"), text("errorMessage"))
            }
            Self::TimedOut(limit) => of_request("Sandbox.Timedout", &format!("Task timed out after {:.2} seconds", limit.as_secs_f64())),
            Self::RuntimeExit(how) => of_request("Runtime.ExitError", how),
            Self::ExtensionExit(how) => of_request("Extension.Crash", how),
            Self::Start(why) => of_request("Runtime.InvalidEntrypoint", why),
            Self::ResponseTooLarge => (
                "Function.ResponseSizeTooLarge".to_owned(),
                format!("Response payload size exceeded maximum allowed payload size ({} bytes).", LARGEST_EVENT + 100),
            ),
            Self::ResponseCut => of_request("Runtime.TruncatedResponse", "the response broke off"),
        }
    }
}

impl Invocation {
    /// An invocation, and the channel on which its answer will arrive.
    pub(crate) fn new(event: Bytes, trace: Option<&str>, client_context: Option<String>) -> (Self, oneshot::Receiver<Invoked>) {
        let (answer, answered) = oneshot::channel();
        let invocation = Self {
            request_id: names::uuid(),
            event,
            trace: names::trace_of(trace),
            client_context,
            arrived: Instant::now(),
            waits: Waits::Machine,
            at_limit: false,
            sink: None,
            tail: None,
            qualifier: None,
            failed_starts: 0,
            answer,
        };
        (invocation, answered)
    }

    /// What the rules that name its function are told.
    pub(crate) fn effect(&self, place: Place) -> Effect {
        let root = faults::trace_root(&self.trace).map(str::to_owned);
        let text = String::from_utf8_lossy(&self.event).into_owned();
        Effect { root, text, ..Effect::new(place, self.request_id.clone(), Change::Made) }
    }

    /// Fails it before it ran. The caller may be gone; then the failure is dropped.
    pub(crate) fn fail(self, failure: &Failure) {
        let payload = failure.payload(&self.request_id);
        let _ = self.answer.send(Invoked { request_id: self.request_id, payload, failed: true });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_worded_as_lambda_does() {
        let payload = Failure::TimedOut(Duration::from_secs(3)).payload("r");
        let read: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(read["errorType"], "Sandbox.Timedout");
        assert_eq!(read["errorMessage"], "RequestId: r Error: Task timed out after 3.00 seconds");
    }
}
