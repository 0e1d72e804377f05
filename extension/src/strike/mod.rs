//! Carries out what was decided about one invocation. Whatever is done to it stands in the ledger before its last answer has gone to the platform,
//! and a fault that cannot be carried out leaves the invocation as it is, with `done: false` in its line.
//!
//! Several faults on one invocation are carried out in this order, those of one step in the plan's order:
//!
//! 1. the waits before the handler, one after the other;
//! 2. the first that takes the event away (refuse, hold of the deadline, kill before): with it the rest is over;
//! 3. all edits of the event, each on what the one before has left;
//! 4. the handler runs;
//! 5. hand twice: the first answer is thrown away at once and the handler runs again. Of two such faults only the first is carried out;
//! 6. the waits after the handler;
//! 7. the answer to an edited event that could allow something becomes an error: with it the rest is over;
//! 8. the first ender (lose the answer, replace, cut, corrupt, drop, stream, kill after); of those behind it none is carried out.
//!
//! An error of the handler's own stays what it is: steps 5, 7 and 8 are not for it.

mod alter;
mod answer;
mod edit;
mod pace;
mod refuse;
mod twice;
mod upload;

use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::ledger::{Open, lock};
use crate::proxy::Proxy;
use crate::route::INVOCATION;
use crate::wait::{Waited, wait, wait_while};

/// The platform's answer to a response that it has taken, for a response that it never saw. Source: what the Runtime API really sends.
const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";

/// How a hold ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// In its time.
    Fully,
    /// Before it: the fault is not in force any more.
    Over,
    /// The runtime went away.
    Abandoned,
}

impl Proxy {
    /// Waits for `time` on behalf of the fault at `at`, for as long as that is in force, and measures it.
    pub(crate) async fn hold(&self, runtime: &Connection, open: &Open, at: usize, time: Duration) -> Held {
        let began = begin(open, at);
        let held = tokio::select! {
            biased;
            waited = wait_while(time, &runtime.stream) => if waited == Waited::Fully { Held::Fully } else { Held::Abandoned },
            () = self.over(open, at) => Held::Over,
        };
        end(open, at, began);
        self.done(open, at, held != Held::Abandoned);
        held
    }

    /// Ends when the fault at `at` is not in force any more.
    pub(crate) fn over(&self, open: &Open, at: usize) -> impl Future<Output = ()> + Send + use<> {
        let page = lock(open);
        let fault = page.lines.get(at).map(|line| line.decision.fault.clone());
        self.plans.over(page.run.clone(), fault.into_iter().collect())
    }

    /// The fault at `at` was carried out, or not.
    pub(crate) fn done(&self, open: &Open, at: usize, done: bool) {
        if let Some(line) = lock(open).lines.get_mut(at) {
            line.done = done;
        }
    }
}

fn begin(open: &Open, at: usize) -> Instant {
    let began = Instant::now();
    if let Some(line) = lock(open).lines.get_mut(at) {
        line.since = Some(began);
    }
    began
}

fn end(open: &Open, at: usize, began: Instant) {
    if let Some(line) = lock(open).lines.get_mut(at) {
        line.since = None;
        line.waited += began.elapsed();
    }
}

/// One fault's line in the ledger, for those who carry it out.
struct Page<'a> {
    proxy: &'a Proxy,
    open: &'a Open,
    at: usize,
}

impl Page<'_> {
    fn done(&self, done: bool) {
        self.proxy.done(self.open, self.at, done);
    }

    fn tell(&self) {
        self.proxy.ledger.tell(self.open);
    }

    /// Whether the fault is still in force after `time`; where not, the wait ends with it.
    async fn wait(&self, time: Duration) -> bool {
        let began = begin(self.open, self.at);
        let in_force = tokio::select! {
            biased;
            () = wait(time) => true,
            () = self.proxy.over(self.open, self.at) => false,
        };
        end(self.open, self.at, began);
        in_force
    }
}

/// `POST .../error`. Source: AWS Lambda developer guide, "Invocation error".
fn error_request(id: &str, host: &str, error_type: &str, message: &str) -> Vec<u8> {
    let body = serde_json::json!({ "errorMessage": message, "errorType": error_type, "stackTrace": [] }).to_string();
    let headers = format!("Content-Type: application/vnd.aws.lambda.error+json\r\nLambda-Runtime-Function-Error-Type: {error_type}\r\n");
    request(id, "error", host, &headers, &body)
}

fn response_request(id: &str, host: &str, body: &str) -> Vec<u8> {
    request(id, "response", host, "Content-Type: application/json\r\n", body)
}

fn request(id: &str, what: &str, host: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let mut request =
        format!("POST {INVOCATION}{id}/{what} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {length}\r\n\r\n").into_bytes();
    request.extend_from_slice(body.as_bytes());
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_posted_as_the_runtime_would() {
        let request = String::from_utf8(error_request("r-1", "127.0.0.1:9001", "Brownout.Injected", "say \"no\"")).unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /2018-06-01/runtime/invocation/r-1/error HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n"), "{head}");
        assert!(head.contains("Lambda-Runtime-Function-Error-Type: Brownout.Injected"), "{head}");
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
        assert_eq!(body, r#"{"errorMessage":"say \"no\"","errorType":"Brownout.Injected","stackTrace":[]}"#);
    }
}
