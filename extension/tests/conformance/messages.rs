//! The messages of both ends, as Lambda and its runtimes really send them.

use std::time::{SystemTime, UNIX_EPOCH};

pub const NEXT: &[u8] =
    b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nUser-Agent: aws-lambda-rust/1.0\r\n\r\n";

pub const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";

/// The beginning of a streamed response.
pub const STREAM: &[u8] =
    b"POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n\
      Content-Type: application/octet-stream\r\nTrailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\
      Transfer-Encoding: chunked\r\n\r\n";

/// A request or an answer with a body and its length.
pub fn message(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("{head}\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// The handler's answer.
pub fn response(id: &str, body: &[u8]) -> Vec<u8> {
    let line = format!("POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1");
    message(&format!("{line}\r\nHost: 127.0.0.1:9001\r\nContent-Type: application/json"), body)
}

/// The handler's error.
pub fn error(id: &str, headers: &str) -> Vec<u8> {
    let line = format!("POST /2018-06-01/runtime/invocation/{id}/error HTTP/1.1\r\nHost: 127.0.0.1:9001");
    message(&format!("{line}\r\n{headers}Content-Type: application/vnd.aws.lambda.error+json"), br#"{"errorMessage":"m","errorType":"T"}"#)
}

/// An event with more headers; with its length up to 2,048 bytes, above that as one chunk.
pub fn event_with(id: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let ahead = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() + 30_000;
    event_until(id, ahead, headers, body)
}

/// An event whose deadline is given in milliseconds since the epoch.
pub fn event_until(id: &str, deadline_ms: u128, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: {id}\r\nLambda-Runtime-Deadline-Ms: {deadline_ms}\r\n\
         Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:f\r\n\
         Lambda-Runtime-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0\r\n{headers}"
    );
    if body.len() <= 2048 {
        return message(head.trim_end(), body);
    }
    [format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", body.len()).as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
}

pub fn event(id: &str, body: &[u8]) -> Vec<u8> {
    event_with(id, "", body)
}

/// This many bytes, without a pattern that could hide a cut.
pub fn noise(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 + at / 251) as u8).collect()
}
