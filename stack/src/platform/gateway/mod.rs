//! The HTTP gateway: a REST API's routes, request authorizers and proxy integration. It reads no template and starts no process.

mod answers;
mod authorize;
mod event;
mod keys;
mod policy;
mod routes;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, Response, body::Incoming, http::request::Parts};

pub use keys::make_up;

use template::apis::{Api, Integration};

use super::functions::Functions;
use super::http::{self, Piece};
use super::invocation::InvokeError;
use super::names;
use answers::Refusal;
use event::Call;
use routes::{NotFound, Routes};

/// The gateway's limit for an integration. Source: API Gateway's quotas.
const INTEGRATION: Duration = Duration::from_secs(29);
/// The gateway's limit for a body, in bytes. Source: API Gateway's quotas.
const LARGEST_BODY: usize = 10 * 1024 * 1024;

/// The HTTP gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    routes: Routes,
    functions: Arc<Functions>,
    kept: authorize::Kept,
    port: u16,
}

impl Gateway {
    /// A gateway for these routes.
    pub(crate) fn new(apis: Vec<Api>, functions: Arc<Functions>, address: SocketAddr) -> Self {
        Self { routes: Routes(apis), functions, kept: authorize::Kept::default(), port: address.port() }
    }
}

/// Answers one request.
pub(crate) async fn answer(gateway: Arc<Gateway>, request: Request<Incoming>, peer: IpAddr) -> Response<Piece> {
    let (head, body) = request.into_parts();
    let trace = names::trace_of(head.headers.get("x-amzn-trace-id").and_then(|trace| trace.to_str().ok()));
    let request_id = names::uuid();
    let mut response = match carry(&gateway, &head, body, &trace, &request_id, peer).await {
        Ok(response) => response,
        Err(refusal) => refusal.response(),
    };
    for (name, value) in [("x-amzn-trace-id", trace), ("x-amzn-requestid", request_id)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

async fn carry(
    gateway: &Gateway,
    head: &Parts,
    body: Incoming,
    trace: &str,
    request_id: &str,
    peer: IpAddr,
) -> Result<Response<Piece>, Refusal> {
    // The body is read before anything else: leaving it unread would cost the caller its
    // connection. If it breaks off, there is no caller left to answer.
    let body = http::whole(body, LARGEST_BODY).await.map_err(|_| Refusal::TooLarge)?.bytes;
    let (api, found, path) = gateway.routes.find(head.method.as_str(), head.uri.path()).map_err(|lacks| match lacks {
        NotFound::Stage => Refusal::NoStage,
        NotFound::Route => Refusal::NoRoute,
    })?;
    let route = found.route;
    let key = match keys::given(&api.keys, &head.headers) {
        None if route.key_required => return Err(Refusal::NoKey),
        key => key.filter(|_| route.key_required),
    };
    let call = Call {
        api,
        found,
        key,
        method: head.method.as_str(),
        path,
        query: head.uri.query(),
        headers: &head.headers,
        trace,
        request_id,
        peer,
        port: gateway.port,
        region: gateway.functions.region(),
        time: names::now(),
    };
    let policy = match route.authorizer.as_ref().map(|name| api.authorizers.get(name)) {
        None => None,
        // A route whose authorizer is missing must not be open.
        Some(None) => return Err(Refusal::AuthorizerFailed),
        Some(Some(authorizer)) => Some(gateway.kept.authorize(&gateway.functions, authorizer, &call).await?),
    };
    let Integration::Function { name: function, .. } = &route.integration else { return Err(Refusal::NoRoute) };
    let event = call.event(policy.as_ref().map(|policy| &policy.context), &body);
    // Up to 10 MB that are not needed while the function works.
    drop(body);
    let invoked = tokio::time::timeout(INTEGRATION, gateway.functions.invoke(function, event, Some(trace), None)).await;
    match invoked {
        Err(_) => Err(Refusal::TimedOut),
        Ok(Err(InvokeError::Throttled)) => Err(Refusal::Throttled),
        Ok(Err(InvokeError::TooLarge)) => Err(Refusal::TooLarge),
        Ok(Err(InvokeError::Unknown(_) | InvokeError::Stopped)) => Err(Refusal::BadGateway),
        Ok(Ok(invoked)) if invoked.failed => Err(Refusal::BadGateway),
        Ok(Ok(invoked)) => answers::from_result(&invoked.payload).ok_or(Refusal::BadGateway),
    }
}
