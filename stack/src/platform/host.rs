//! The environment whose APIs are called, and the answers that they share.

use std::sync::Arc;

use bytes::Bytes;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use super::environment::{Environment, Phase};
use super::http::{self, Piece};

/// Whose API this is.
pub(crate) struct Host {
    pub environment: Arc<Environment>,
    /// Called when the environment waits for an event, with its phase until then.
    pub settled: Box<dyn Fn(Phase) + Send + Sync>,
}

impl Host {
    /// Passes the environment on when the runtime and all extensions wait.
    pub(crate) fn settle(&self) {
        if let Some(before) = self.environment.settle() {
            (self.settled)(before);
        }
    }
}

/// Lambda's `202 {"status":"OK"}`.
pub(crate) fn accepted() -> Response<Piece> {
    http::json(202, Bytes::from_static(b"{\"status\":\"OK\"}\n"))
}

/// Lambda's plain 404.
pub(crate) fn not_found() -> Response<Piece> {
    let mut response = http::json(404, Bytes::from_static(b"404 page not found\n"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// An error answer, worded as in the Runtime API.
pub(crate) fn refusal(status: u16, kind: &str, message: &str) -> Response<Piece> {
    http::json(status, serde_json::json!({ "errorMessage": message, "errorType": kind }).to_string())
}
