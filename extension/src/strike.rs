//! The faults that put something else in the place of what came: an event refused, an answer lost or replaced, and the waits around them.
//! Whatever is done to an invocation stands in the ledger before its last answer goes to the platform.

use std::time::{Duration, Instant};

use faults::{Action, Moment};
use tokio::io::AsyncWriteExt;

use crate::connection::Connection;
use crate::exchange::{self, Broken, Ended};
use crate::ledger::{Open, lock};
use crate::message::{AnswerHead, RequestHead};
use crate::proxy::{Event, Proxy};
use crate::route::INVOCATION;
use crate::wait::{Waited, wait_while};

impl Proxy {
    /// Waits for `time` on behalf of the fault at `at`, and measures it; true where the runtime went away meanwhile.
    pub(crate) async fn hold(&self, runtime: &Connection, open: &Open, at: usize, time: Duration) -> bool {
        let began = Instant::now();
        if let Some(line) = lock(open).lines.get_mut(at) {
            line.since = Some(began);
        }
        let waited = wait_while(time, &runtime.stream).await;
        if let Some(line) = lock(open).lines.get_mut(at) {
            line.since = None;
            line.waited = began.elapsed();
            line.done = waited == Waited::Fully;
        }
        waited == Waited::Abandoned
    }

    /// Takes an event from the runtime and answers the platform with an error in its place.
    pub(crate) async fn refuse(&self, event: Event, open: &Open, at: usize, error_type: &str, message: &str) {
        self.discard(event).await;
        let id = lock(open).request_id.clone();
        self.done(open, at);
        self.ledger.tell(open);
        let accepted = match self.post(&error_request(&id, self.upstream.address(), error_type, message)).await {
            // It is ours and may be repeated: a second one for the same id would only be refused.
            Err(Broken::Unanswered) => self.post(&error_request(&id, self.upstream.address(), error_type, message)).await,
            other => other,
        };
        if accepted != Ok(202) {
            self.ledger.note("the platform did not take an injected error");
        }
    }

    /// Sends a request of our own and reads its answer to the end; the status.
    pub(crate) async fn post(&self, request: &[u8]) -> Result<u16, Broken> {
        let mut platform = self.platform().await?;
        platform.stream.write_all(request).await.map_err(|_| Broken::Unanswered)?;
        let head = exchange::read_answer(&mut platform.stream, &mut platform.buffer, false).await?;
        let AnswerHead { length, status, body, keep_alive } = head;
        platform.discard(length, body).await.map_err(|_| Broken::Platform)?;
        if keep_alive {
            self.upstream.give_back(platform);
        }
        Ok(status)
    }

    fn done(&self, open: &Open, at: usize) {
        if let Some(line) = lock(open).lines.get_mut(at) {
            line.done = true;
        }
    }

    /// Hands on what the runtime answers to an event about which something was decided.
    pub(crate) async fn struck_answer(
        &self,
        runtime: &mut Connection,
        request: &RequestHead,
        open: &Open,
        is_response: bool,
    ) -> Result<Ended, Broken> {
        let actions = lock(open).actions();
        for (at, action) in actions.iter().enumerate() {
            // A runtime that goes away meanwhile has answered all the same: the wait is cut short and its answer goes on.
            if let Action::Wait { moment: Moment::After, time } = action {
                self.hold(runtime, open, at, *time).await;
            }
        }
        if self.kill_after(runtime, request, open).await? {
            return Err(Broken::Runtime);
        }
        let id = lock(open).request_id.clone();
        // An error of the handler's own stays what it is: there is no answer to lose or to replace.
        let other = actions.iter().enumerate().filter(|_| is_response).find_map(|(at, action)| match action {
            Action::LoseAnswer { error_type, message } => Some((at, error_request(&id, self.upstream.address(), error_type, message))),
            Action::Replace { body } => Some((at, response_request(&id, self.upstream.address(), body))),
            _ => None,
        });
        match other {
            Some((at, in_its_place)) => self.put_in_its_place(runtime, request, open, at, &in_its_place).await,
            None => {
                self.ledger.tell(open);
                self.pass(runtime, request).await
            }
        }
    }

    /// Swallows the handler's answer and sends another request; the runtime gets the platform's answer to that one.
    async fn put_in_its_place(
        &self,
        runtime: &mut Connection,
        request: &RequestHead,
        open: &Open,
        at: usize,
        in_its_place: &[u8],
    ) -> Result<Ended, Broken> {
        if request.expects_continue && runtime.buffer.len() == request.length {
            runtime.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(|_| Broken::Runtime)?;
        }
        runtime.discard(request.length, request.body).await.map_err(|_| Broken::Runtime)?;
        self.done(open, at);
        self.ledger.tell(open);
        for _ in 0..2 {
            let mut platform = self.platform().await?;
            if platform.stream.write_all(in_its_place).await.is_err() {
                continue;
            }
            match exchange::answer(runtime, &mut platform, false).await {
                Ok(ended) => {
                    self.keep(platform, ended);
                    return Ok(Ended { keep_runtime: ended.keep_runtime && request.keep_alive, ..ended });
                }
                Err(Broken::Unanswered) => (),
                Err(broken) => return Err(broken),
            }
        }
        self.ledger.note("the platform did not take what was put in the place of an answer");
        Err(Broken::Unanswered)
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
