//! Carries a request out that is let pass: invokes the function, whole or streamed, or gives the
//! fixed answer.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use template::apis::{Integration, Payload};

use super::call::Call;
use super::grant::Grant;
use super::refusal::Refusal;
use super::routes::Front;
use super::{answers, event_v1, event_v2, stream};
use crate::platform::functions::{Functions, OfCaller};
use crate::platform::http::Piece;
use crate::platform::invocation::InvokeError;
use crate::platform::invoke_stream;

/// How long an integration may take unless its route says otherwise. Sources: "Quotas for REST
/// APIs", "Quotas for HTTP APIs"; "Stream the integration response for your proxy integrations": up to
/// 15 minutes; a URL waits as long as the function may run.
fn limit(front: Front, streams: bool) -> Option<Duration> {
    match (front, streams) {
        (Front::Rest, false) => Some(Duration::from_secs(29)),
        (Front::Rest, true) => Some(Duration::from_secs(15 * 60)),
        (Front::Http, _) => Some(Duration::from_secs(30)),
        (Front::Url, _) => None,
    }
}

/// The answer of the route's integration.
pub(crate) async fn answer(functions: &Functions, call: &Call<'_>, grant: &Grant, body: Bytes) -> Result<Response<Piece>, Refusal> {
    let (name, payload, streams, timeout) = match &call.found.route.integration {
        Integration::Function { name, payload, streams, timeout } => (name, *payload, *streams, *timeout),
        Integration::Mock { status, headers, body } => {
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            return fixed(*status, headers, body).ok_or(Refusal::BadGateway);
        }
    };
    let event = match payload {
        Payload::V1 => event_v1::of_function(call, grant, &body),
        Payload::V2 => event_v2::of_function(call, grant, &body),
    };
    // Up to 10 MB that are not needed while the function works.
    drop(body);
    let limit = timeout.or_else(|| limit(call.front, streams));
    if streams {
        let (sink, pieces) = invoke_stream::pieces();
        let of_caller = OfCaller { sink: Some(sink), ..OfCaller::default() };
        let end = functions.submit(name, event, Some(call.trace), None, of_caller).map_err(not_run)?;
        return within(limit, stream::answer(call.front, pieces, end)).await?;
    }
    let invoked = within(limit, functions.invoke(name, event, Some(call.trace), None)).await?.map_err(not_run)?;
    if invoked.failed {
        return Err(Refusal::BadGateway);
    }
    answers::from_result(call, payload, invoked.payload).ok_or(Refusal::BadGateway)
}

async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Result<T, Refusal> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, work).await.map_err(|_| Refusal::TimedOut),
        None => Ok(work.await),
    }
}

fn not_run(error: InvokeError) -> Refusal {
    match error {
        InvokeError::Throttled => Refusal::Throttled,
        InvokeError::TooLarge => Refusal::TooLarge,
        InvokeError::Unknown(_) | InvokeError::Stopped => Refusal::BadGateway,
    }
}

fn fixed<'a>(status: u16, headers: impl Iterator<Item = (&'a str, &'a str)>, body: &str) -> Option<Response<Piece>> {
    let mut response = Response::new(Piece::from(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = StatusCode::from_u16(status).ok()?;
    for (name, value) in headers {
        response.headers_mut().append(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
    }
    Some(response)
}
