//! Lambda's Runtime API for one environment. It delivers the environment's events and takes its
//! answers; it starts and ends nothing.

use std::sync::Arc;

use base64::Engine;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, body::Incoming};

use super::environment::{Environment, Event};
use super::extensions_api;
use super::host::{Host, accepted, not_found, refusal};
use super::http::{self, BodyError, Piece, Whole};
use super::invocation::{Failure, LARGEST_EVENT};
use super::invoke_stream::Sink;

/// Lambda accepts 100 bytes more here than for an event.
const LARGEST_RESPONSE: usize = LARGEST_EVENT + 100;
/// Lambda's limit for a streamed response.
const LARGEST_STREAM: usize = 200 * 1024 * 1024;
/// Larger events are sent in chunked encoding, smaller ones with Content-Length, as Lambda does.
const LARGEST_PLAIN: usize = 2048;

/// Answers one call of the runtime or an extension.
pub(crate) async fn answer(host: Arc<Host>, request: Request<Incoming>) -> Response<Piece> {
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    if let Some(rest) = path.strip_prefix("/2018-06-01/runtime/") {
        return runtime(&host, &method, rest, request).await;
    }
    if let Some(rest) = path.strip_prefix("/2020-01-01/extension/") {
        return extensions_api::answer(&host, &method, rest, request).await;
    }
    if matches!(path.as_str(), "/2022-07-01/telemetry" | "/2020-08-15/logs") {
        return refusal(202, "Telemetry.NotSupported", "Telemetry API is not supported");
    }
    not_found()
}

async fn runtime(host: &Host, method: &Method, rest: &str, request: Request<Incoming>) -> Response<Piece> {
    let parts: Vec<&str> = rest.split('/').collect();
    match (method, parts.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => next(host).await,
        (&Method::POST, ["invocation", id, "response"]) => response(&host.environment, id, request).await,
        (&Method::POST, ["invocation", id, "error"]) => error(&host.environment, id, request).await,
        (&Method::POST, ["init", "error"]) => {
            let why = http::whole(request.into_body(), LARGEST_RESPONSE).await.map(|whole| whole.bytes).unwrap_or_default();
            host.environment.init_failed(why);
            accepted()
        }
        (_, ["invocation", "next"] | ["invocation", _, "response" | "error"] | ["init", "error"]) => {
            refusal(405, "MethodNotAllowed", "Method not allowed")
        }
        _ => not_found(),
    }
}

async fn next(host: &Host) -> Response<Piece> {
    let Some(poll) = host.environment.poll() else {
        return refusal(403, "InvalidStateTransition", "State transition from InvocationInProgress to Ready is not allowed");
    };
    host.settle();
    event_as_response(poll.event().await)
}

fn event_as_response(event: Event) -> Response<Piece> {
    let chunked = event.body.len() > LARGEST_PLAIN;
    let mut response = Response::new(if chunked { Piece::Chunked(Some(event.body)) } else { Piece::from(event.body) });
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in [
        ("lambda-runtime-aws-request-id", Some(event.request_id)),
        ("lambda-runtime-deadline-ms", Some(event.deadline_ms.to_string())),
        ("lambda-runtime-invoked-function-arn", Some(event.arn)),
        ("lambda-runtime-trace-id", Some(event.trace)),
        ("lambda-runtime-client-context", event.client_context),
    ] {
        if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
            headers.insert(name, value);
        }
    }
    response
}

async fn response(environment: &Environment, id: &str, request: Request<Incoming>) -> Response<Piece> {
    if !environment.works_on(id) {
        return unknown_id(request).await;
    }
    let streams = request.headers().get("lambda-runtime-function-response-mode").is_some_and(|mode| mode == "streaming");
    let body = request.into_body();
    let taken = match environment.sink(id).filter(|_| streams) {
        Some(sink) => forward(body, &sink).await,
        None => http::whole(body, LARGEST_RESPONSE).await,
    };
    match taken {
        Ok(whole) => {
            let answer = error_in(&whole.trailers).map_or(Ok(whole.bytes), Err);
            if environment.answer(id, answer) { accepted() } else { no_such_id() }
        }
        Err(BodyError::TooLarge) => {
            environment.answer(id, Err(Failure::ResponseTooLarge.payload(id)));
            refusal(413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (6291556 bytes).")
        }
        Err(BodyError::Broken) => {
            environment.answer(id, Err(Failure::ResponseCut.payload(id)));
            refusal(400, "TruncatedResponse", "The response broke off")
        }
    }
}

/// Passes a streamed body on, piece by piece; returns its trailers. If the caller is gone, the
/// pieces are dropped.
async fn forward(mut body: Incoming, sink: &Sink) -> Result<Whole, BodyError> {
    let mut trailers = HeaderMap::new();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        match frame.map_err(|_| BodyError::Broken)?.into_data() {
            Ok(bytes) => {
                size += bytes.len();
                if size > LARGEST_STREAM {
                    return Err(BodyError::TooLarge);
                }
                let _ = sink.send(bytes).await;
            }
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    Ok(Whole { bytes: Bytes::new(), trailers })
}

/// The error that a stream ended with, if it did.
fn error_in(trailers: &HeaderMap) -> Option<Bytes> {
    let kind = trailers.get("lambda-runtime-function-error-type")?;
    let body =
        trailers.get("lambda-runtime-function-error-body").and_then(|body| base64::engine::general_purpose::STANDARD.decode(body).ok());
    Some(body.map_or_else(
        || Bytes::from(serde_json::json!({ "errorType": String::from_utf8_lossy(kind.as_bytes()), "errorMessage": "" }).to_string()),
        Bytes::from,
    ))
}

async fn error(environment: &Environment, id: &str, request: Request<Incoming>) -> Response<Piece> {
    if !environment.works_on(id) {
        return unknown_id(request).await;
    }
    match http::whole(request.into_body(), LARGEST_RESPONSE).await {
        Ok(whole) if environment.answer(id, Err(whole.bytes.clone())) => accepted(),
        Ok(_) => no_such_id(),
        Err(BodyError::TooLarge) => {
            environment.answer(id, Err(Failure::ResponseTooLarge.payload(id)));
            refusal(413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (6291556 bytes).")
        }
        Err(BodyError::Broken) => refusal(400, "TruncatedResponse", "The error broke off"),
    }
}

async fn unknown_id(request: Request<Incoming>) -> Response<Piece> {
    // A body that is left unread would cost the runtime its connection.
    let _ = http::whole(request.into_body(), LARGEST_RESPONSE).await;
    no_such_id()
}

fn no_such_id() -> Response<Piece> {
    refusal(400, "InvalidRequestID", "Invalid request ID")
}
