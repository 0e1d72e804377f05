//! Lambda behind the services' address: calls of its Invoke API are passed on to the platform, behind
//! their faults. It reads no body.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use hyper::header::{HeaderMap, HeaderValue};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode, Uri};
use s3s::Body;

use super::described::{Described, Protocol};
use super::neighbour::{Striker, failure_status};
use super::passing::{Passed, Passing};
use super::wire::REST_JSON;

/// The description of this service.
pub const DESCRIBED: Described =
    Described { name: "lambda", title: "Lambda", protocol: Protocol::Rest(operation), operations: &["Invoke", "InvokeWithResponseStream"] };

/// The operation of a call. Source: Lambda API reference, Invoke and InvokeWithResponseStream.
pub fn operation(method: &Method, uri: &Uri) -> Option<&'static str> {
    let within = |begin: &str, end: &str| uri.path().strip_prefix(begin).is_some_and(|rest| rest.ends_with(end));
    match *method {
        Method::POST if within("/2015-03-31/functions/", "/invocations") => Some("Invoke"),
        Method::POST if within("/2021-11-15/functions/", "/response-streaming-invocations") => Some("InvokeWithResponseStream"),
        _ => None,
    }
}

/// The address of the platform's Invoke API, set once the platform is up.
#[derive(Debug, Clone, Default)]
pub struct Address(Arc<OnceLock<Authority>>);

impl Address {
    /// Sets the address; a second call is ignored.
    pub fn put(&self, address: SocketAddr) {
        let _ = address.to_string().parse().map(|address| self.0.set(address));
    }
}

/// Passes calls on.
pub struct Lambda {
    address: Address,
    passing: Passing,
}

impl Lambda {
    /// Passes calls on to `address`.
    pub fn new(address: Address, striker: Arc<Striker>) -> Self {
        Self { address, passing: Passing::new(striker) }
    }

    /// Answers a call whose body is still being received.
    pub async fn answer(&self, operation: &'static str, request: Request<Body>, id: &str) -> Response<Body> {
        if self.address.0.get().is_none() {
            return failure("ServiceException", "no function runs on this machine yet");
        }
        self.passing.answer(Passed { service: DESCRIBED.name, operation, to: self.address.0.get(), fail: failure }, request, id).await
    }
}

fn failure(kind: &str, message: &str) -> Response<Body> {
    let status = failure_status(kind, REST_JSON);
    let side = if status < 500 { "User" } else { "Service" };
    let body = serde_json::json!({ "Type": side, "Message": message, "message": message }).to_string();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static(REST_JSON));
    if let Ok(kind) = HeaderValue::from_str(kind) {
        headers.insert("x-amzn-errortype", kind);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_recognised_by_their_paths() {
        for (method, path, found) in [
            (Method::POST, "/2015-03-31/functions/f/invocations", Some("Invoke")),
            (Method::POST, "/2015-03-31/functions/f%3A1/invocations?Qualifier=1", Some("Invoke")),
            (Method::POST, "/2021-11-15/functions/f/response-streaming-invocations", Some("InvokeWithResponseStream")),
            (Method::GET, "/2015-03-31/functions/f/invocations", None),
            (Method::GET, "/2015-03-31/functions/f", None),
        ] {
            assert_eq!(operation(&method, &path.parse().unwrap()), found, "{method} {path}");
        }
    }
}
