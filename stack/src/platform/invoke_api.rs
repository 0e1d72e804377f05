//! The Lambda Invoke API over HTTP, so that an SDK's client can invoke the functions here, streams
//! too. It serves nothing else of Lambda's API.

use std::sync::Arc;

use base64::Engine;
use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Request, Response, body::Incoming};
use serde_json::json;

use super::asynchronous::Asynchronous;
use super::functions::Functions;
use super::http::{self, Piece};
use super::invocation::{InvokeError, LARGEST_EVENT};
use super::invoke_stream;
use super::names;

/// Lambda's limit for an asynchronous event, in bytes.
const LARGEST_ASYNCHRONOUS: usize = 1024 * 1024;

/// How the caller wants to receive the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Invoke.
    Whole,
    /// InvokeWithResponseStream.
    Streamed,
}

/// Answers one call.
pub(crate) async fn answer(functions: Arc<Functions>, request: Request<Incoming>) -> Response<Piece> {
    let path = request.uri().path().to_owned();
    let within = |begin: &str, end: &str| path.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end));
    let whole = within("/2015-03-31/functions/", "/invocations").map(|name| (name, Way::Whole));
    let called = whole.or_else(|| within("/2021-11-15/functions/", "/response-streaming-invocations").map(|name| (name, Way::Streamed)));
    let response = match (request.method(), called) {
        (&Method::POST, Some((name, way))) => {
            // The SDKs escape the colons of an ARN.
            let name = name.replace("%3A", ":").replace("%3a", ":");
            invoke(&functions, names::function_name(&name), way, request).await
        }
        _ => refusal(404, "UnknownOperationException", "only Invoke and InvokeWithResponseStream are served here"),
    };
    with(response, "x-amzn-requestid", names::uuid())
}

async fn invoke(functions: &Arc<Functions>, name: &str, way: Way, request: Request<Incoming>) -> Response<Piece> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let kind = header("x-amz-invocation-type").unwrap_or_else(|| "RequestResponse".to_owned());
    let trace = names::trace_of(header("x-amzn-trace-id").as_deref());
    let context = header("x-amz-client-context")
        .and_then(|context| base64::engine::general_purpose::STANDARD.decode(context).ok())
        .and_then(|context| String::from_utf8(context).ok());
    let limit = if kind == "Event" { LARGEST_ASYNCHRONOUS } else { LARGEST_EVENT };
    let Ok(body) = http::whole(request.into_body(), limit).await else {
        let message = format!("Request must be smaller than {limit} bytes for the InvokeFunction operation");
        return refusal(413, "RequestTooLargeException", &message);
    };
    let event = if body.bytes.is_empty() { Bytes::from_static(b"{}") } else { body.bytes };
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&event) {
        return refusal(400, "InvalidRequestContentException", &format!("Could not parse request body into json: {error}"));
    }
    match kind.as_str() {
        "DryRun" if functions.has(name) => http::json(204, Bytes::new()),
        "DryRun" => refused(functions, &InvokeError::Unknown(name.to_owned())),
        "RequestResponse" if way == Way::Streamed => {
            let (sink, pieces) = invoke_stream::pieces();
            match functions.submit(name, event, Some(&trace), context, Some(sink)) {
                Ok(end) => {
                    with(with(invoke_stream::answer(pieces, end), "x-amz-executed-version", "$LATEST".to_owned()), "x-amzn-trace-id", trace)
                }
                Err(error) => refused(functions, &error),
            }
        }
        "Event" if way == Way::Streamed => refusal(400, "InvalidParameterValueException", "a stream has no invocation type Event"),
        "Event" => match Asynchronous::accept(functions, name, event, trace, context) {
            Ok(()) => http::json(202, Bytes::new()),
            Err(error) => refused(functions, &error),
        },
        "RequestResponse" => match functions.invoke(name, event, Some(&trace), context).await {
            Ok(invoked) => {
                let response = http::json(200, invoked.payload);
                let response = if invoked.failed { with(response, "x-amz-function-error", "Unhandled".to_owned()) } else { response };
                with(with(response, "x-amz-executed-version", "$LATEST".to_owned()), "x-amzn-trace-id", trace)
            }
            Err(error) => refused(functions, &error),
        },
        other => {
            refusal(400, "InvalidParameterValueException", &format!("invocation type {other} is none of RequestResponse, Event, DryRun"))
        }
    }
}

fn refused(functions: &Functions, error: &InvokeError) -> Response<Piece> {
    match error {
        InvokeError::Unknown(name) => refusal(404, "ResourceNotFoundException", &format!("Function not found: {}", functions.arn(name))),
        InvokeError::Throttled => {
            let body =
                json!({ "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User", "message": "Rate Exceeded." });
            with(http::json(429, body.to_string()), "x-amzn-errortype", "TooManyRequestsException".to_owned())
        }
        InvokeError::TooLarge => refusal(413, "RequestTooLargeException", &error.to_string()),
        InvokeError::Stopped => refusal(500, "ServiceException", &error.to_string()),
    }
}

fn refusal(status: u16, kind: &str, message: &str) -> Response<Piece> {
    let side = if status < 500 { "User" } else { "Service" };
    let body = json!({ "Type": side, "Message": message, "message": message });
    with(http::json(status, body.to_string()), "x-amzn-errortype", kind.to_owned())
}

fn with(mut response: Response<Piece>, name: &'static str, value: String) -> Response<Piece> {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    response
}
