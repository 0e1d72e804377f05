//! The Lambda Invoke API over HTTP, so that an SDK's client can invoke the functions here, streams
//! too. It serves nothing else of Lambda's API.

use std::sync::Arc;

use base64::Engine;
use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Request, Response, body::Incoming};
use serde_json::json;
use tokio::sync::oneshot;

use super::asynchronous::Asynchronous;
use super::functions::{Functions, OfCaller};
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
            invoke(&functions, &name, way, request).await
        }
        _ => refusal(404, "UnknownOperationException", "only Invoke and InvokeWithResponseStream are served here"),
    };
    with(response, "x-amzn-requestid", names::uuid())
}

/// The headers and the query of a call, read once.
struct Asked {
    qualifier: Option<String>,
    kind: String,
    tail: bool,
    trace: String,
    context: Option<String>,
}

impl Asked {
    fn read(qualifier: Option<&str>, request: &Request<Incoming>) -> Result<Self, Box<Response<Piece>>> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let invalid = |message: &str| Box::new(refusal(400, "InvalidParameterValueException", message));
        let query = request.uri().query().unwrap_or_default();
        let named = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "Qualifier").map(|(_, value)| value.into_owned());
        if qualifier.is_some() && named.is_some() && qualifier != named.as_deref() {
            return Err(invalid("The derived qualifier from the function name does not match the specified qualifier."));
        }
        let tail = match header("x-amz-log-type").as_deref() {
            None | Some("None") => false,
            Some("Tail") => true,
            Some(other) => return Err(invalid(&format!("log type {other} is none of None, Tail"))),
        };
        let context = header("x-amz-client-context").and_then(|context| base64::engine::general_purpose::STANDARD.decode(context).ok());
        Ok(Self {
            qualifier: named.or_else(|| qualifier.map(str::to_owned)),
            kind: header("x-amz-invocation-type").unwrap_or_else(|| "RequestResponse".to_owned()),
            tail,
            trace: names::trace_of(header("x-amzn-trace-id").as_deref()),
            context: context.and_then(|context| String::from_utf8(context).ok()),
        })
    }
}

async fn invoke(functions: &Arc<Functions>, reference: &str, way: Way, request: Request<Incoming>) -> Response<Piece> {
    let (name, qualifier) = names::reference(reference);
    let asked = match Asked::read(qualifier, &request) {
        Ok(asked) => asked,
        Err(refused) => return *refused,
    };
    let limit = if asked.kind == "Event" { LARGEST_ASYNCHRONOUS } else { LARGEST_EVENT };
    let Ok(body) = http::whole(request.into_body(), limit).await else {
        let message = format!("Request must be smaller than {limit} bytes for the InvokeFunction operation");
        return refusal(413, "RequestTooLargeException", &message);
    };
    let event = if body.bytes.is_empty() { Bytes::from_static(b"{}") } else { body.bytes };
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&event) {
        return refusal(400, "InvalidRequestContentException", &format!("Could not parse request body into json: {error}"));
    }
    let pool = match functions.find(name, asked.qualifier.as_deref()) {
        Ok(pool) => pool,
        Err(error) => return refused(functions, &error),
    };
    let version = pool.deployed.executed(asked.qualifier.as_deref());
    match asked.kind.as_str() {
        "DryRun" => http::json(204, Bytes::new()),
        "Event" if way == Way::Streamed => refusal(400, "InvalidParameterValueException", "a stream has no invocation type Event"),
        "Event" => match Asynchronous::accept(functions, name, asked.qualifier, event, asked.trace, asked.context) {
            Ok(()) => http::json(202, Bytes::new()),
            Err(error) => refused(functions, &error),
        },
        "RequestResponse" => {
            let trace = asked.trace.clone();
            let called = match way {
                Way::Whole => whole(functions, name, event, asked).await,
                Way::Streamed => streamed(functions, name, event, asked),
            };
            let called =
                called.map(|response| with(with(response, "x-amz-executed-version", version.to_owned()), "x-amzn-trace-id", trace));
            called.unwrap_or_else(|error| refused(functions, &error))
        }
        other => {
            refusal(400, "InvalidParameterValueException", &format!("invocation type {other} is none of RequestResponse, Event, DryRun"))
        }
    }
}

/// The end of the log is there once the invocation is over, after its answer.
async fn whole(functions: &Functions, name: &str, event: Bytes, asked: Asked) -> Result<Response<Piece>, InvokeError> {
    let (sender, tail) = oneshot::channel();
    let of_caller = OfCaller { sink: None, tail: asked.tail.then_some(sender), qualifier: asked.qualifier };
    let answer = functions.submit(name, event, Some(&asked.trace), asked.context, of_caller)?;
    let invoked = answer.await.map_err(|_| InvokeError::Stopped)?;
    let response = http::json(200, invoked.payload);
    let response = if invoked.failed { with(response, "x-amz-function-error", "Unhandled".to_owned()) } else { response };
    match tail.await {
        Ok(tail) => Ok(with(response, "x-amz-log-result", base64::engine::general_purpose::STANDARD.encode(tail))),
        // Not asked for, or the platform is being stopped.
        Err(_) => Ok(response),
    }
}

fn streamed(functions: &Functions, name: &str, event: Bytes, asked: Asked) -> Result<Response<Piece>, InvokeError> {
    let (sink, pieces) = invoke_stream::pieces();
    let (sender, tail) = oneshot::channel();
    let of_caller = OfCaller { sink: Some(sink), tail: asked.tail.then_some(sender), qualifier: asked.qualifier };
    let end = functions.submit(name, event, Some(&asked.trace), asked.context, of_caller)?;
    Ok(invoke_stream::answer(pieces, end, tail))
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
