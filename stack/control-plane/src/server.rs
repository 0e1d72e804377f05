//! The control plane over HTTP.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request as HttpRequest, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::answer::{Answer, Request};
use crate::script::{Outcome, Scripted};

/// Serves every connection, until the listener is gone or the future is dropped.
///
/// # Errors
/// If the listener fails.
pub async fn serve(listener: TcpListener, plane: Arc<Mutex<Scripted>>) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let plane = Arc::clone(&plane);
        tokio::spawn(async move {
            let service = service_fn(|request| respond(request, &plane));
            // A caller may disconnect during a request.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Answers one request.
///
/// # Errors
/// If the request cannot be read, or an accident closes the connection without an answer.
pub async fn respond(request: HttpRequest<Incoming>, plane: &Mutex<Scripted>) -> std::io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let request = Request {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        target: head.headers.get("x-amz-target").and_then(|target| target.to_str().ok()),
        principal: head.headers.get("x-amzn-principal").and_then(|arn| arn.to_str().ok()),
        caller: head.headers.get("authorization").and_then(|signed| access_key(signed.to_str().ok()?)),
        body: &body,
    };
    let outcome = {
        let mut scripted = plane.lock().unwrap_or_else(PoisonError::into_inner);
        scripted.plane.clock_ms = unix_ms();
        scripted.call(&request)
    };
    match outcome {
        Outcome::Answered(answer) => written(&answer, &request).map_err(std::io::Error::other),
        Outcome::Closed => Err(std::io::Error::other("the connection closes without an answer")),
        Outcome::Dead => std::future::pending().await,
    }
}

/// The access key in `AWS4-HMAC-SHA256 Credential=<key>/<date>/...`.
fn access_key(signed: &str) -> Option<&str> {
    signed.split_once("Credential=")?.1.split('/').next()
}

fn unix_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn written(answer: &Answer, request: &Request<'_>) -> hyper::http::Result<Response<Full<Bytes>>> {
    let (form, body) = answer.written(request);
    let mut response = Response::builder().status(answer.status).header("content-type", form);
    if let Some(error) = answer.error {
        response = response.header("x-amzn-errortype", error);
    }
    response.body(Full::new(Bytes::from(body)))
}
