//! The HTTP gateway: REST APIs, HTTP APIs and functions' URLs, with their authorizers and proxy
//! integrations. It reads no template and starts no process.

mod answers;
mod authorize;
mod call;
mod carry;
mod condition;
mod cors;
mod event_v1;
mod event_v2;
mod grant;
mod issuers;
mod keys;
mod policy;
mod refusal;
mod routes;
#[cfg(test)]
mod sample;
mod signature;
mod stream;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use hyper::header::{HOST, HeaderName, HeaderValue, ORIGIN};
use hyper::{Request, Response, body::Incoming, http::request::Parts};

pub use keys::make_up;

use run_folder::addresses::Pool;
use template::apis::Api;
use template::blueprint::Url;

use super::functions::Functions;
use super::http::{self, Piece};
use super::names;
use super::spelling::Spelling;
use authorize::Authorizers;
use call::Call;
use issuers::Issuers;
use refusal::Refusal;
use routes::{Arrival, Front, NotFound, Routes};

/// The gateway's limit for a body, in bytes. Sources: "Quotas for REST APIs", "Quotas for HTTP
/// APIs". A URL's is that of the event.
const LARGEST_BODY: usize = 10 * 1024 * 1024;

/// The HTTP gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    routes: Routes,
    functions: Arc<Functions>,
    authorizers: Authorizers,
}

/// What has an address of its own, as no path tells it apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Apart {
    /// Its number among all.
    pub number: usize,
    /// The name of the function whose URL it is, or the id of the HTTP API.
    pub name: String,
    /// Whether it is a function's URL.
    pub is_url: bool,
}

/// Where a request came in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Door {
    /// The port.
    pub port: u16,
    /// The number of the one that is served there; `None` at the address of all.
    pub number: Option<usize>,
}

impl Gateway {
    /// A gateway for these APIs and for the URLs of these functions; tokens of these pools are known.
    pub(crate) fn new(apis: Vec<Api>, urls: BTreeMap<String, Url>, pools: Vec<Pool>, functions: Arc<Functions>) -> Self {
        let authorizers = Authorizers::new(apis.iter(), Issuers::new(pools));
        Self { routes: Routes::new(apis, urls), functions, authorizers }
    }

    /// What needs an address of its own.
    pub(crate) fn apart(&self) -> Vec<Apart> {
        let all = self.routes.0.iter().enumerate().filter(|(_, served)| served.is_apart());
        let apart = |(number, served): (usize, &routes::Served)| {
            let is_url = served.front == Front::Url;
            Apart { number, name: if is_url { served.api.name.clone() } else { served.api.id.clone() }, is_url }
        };
        all.map(apart).collect()
    }
}

/// Answers one request.
pub(crate) async fn answer(gateway: Arc<Gateway>, door: Door, request: Request<Incoming>, peer: IpAddr) -> Response<Piece> {
    let (head, body) = request.into_parts();
    let trace = names::trace_of(head.headers.get("x-amzn-trace-id").and_then(|trace| trace.to_str().ok()));
    let request_id = names::uuid();
    let (front, outcome) = carry(&gateway, door, &head, body, (&trace, &request_id), peer).await;
    let mut response = outcome.unwrap_or_else(|refusal| refusal.response(front));
    let own = match front {
        Front::Rest | Front::Url => [Some(("x-amzn-trace-id", trace)), Some(("x-amzn-requestid", request_id))],
        Front::Http => [Some(("apigw-requestid", request_id)), None],
    };
    for (name, value) in own.into_iter().flatten() {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

async fn carry(
    gateway: &Gateway,
    door: Door,
    head: &Parts,
    body: Incoming,
    (trace, request_id): (&str, &str),
    peer: IpAddr,
) -> (Front, Result<Response<Piece>, Refusal>) {
    // The body is read before anything else: leaving it unread would cost the caller its
    // connection. If it breaks off, there is no caller left to answer.
    let body = http::whole(body, LARGEST_BODY).await;
    let arrival = door.number.map_or_else(|| Arrival::Shared(head.headers.get(HOST).and_then(|host| host.to_str().ok())), Arrival::At);
    let reached = gateway.routes.find(arrival, head.method.as_str(), head.uri.path());
    let served = match &reached {
        Ok(reached) => reached.served,
        Err(NotFound::Route(served)) => served,
        Err(NotFound::Stage) => return (Front::Rest, Err(body.map_or(Refusal::TooLarge, |_| Refusal::NoStage))),
    };
    let (front, cors) = (served.front, served.api.cors.as_ref().filter(|_| served.front != Front::Rest));
    if let Some(answer) = cors.and_then(|cors| cors::preflight(cors, front, &head.method, &head.headers)) {
        return (front, Ok(answer));
    }
    let (body, reached) = match (body, reached) {
        (Err(_), _) => return (front, Err(Refusal::TooLarge)),
        (Ok(_), Err(_)) => return (front, Err(Refusal::NoRoute)),
        (Ok(body), Ok(reached)) => (body.bytes, reached),
    };
    let key = match keys::given(&served.api.keys, &head.headers) {
        None if reached.found.route.key_required => return (front, Err(Refusal::NoKey)),
        key => key.filter(|_| reached.found.route.key_required),
    };
    let call = Call {
        front,
        api: &served.api,
        found: reached.found,
        key,
        method: head.method.as_str(),
        path: &reached.path,
        sent_path: head.uri.path(),
        query: head.uri.query(),
        headers: &head.headers,
        spelling: head.extensions.get().unwrap_or(Spelling::plain()),
        trace,
        request_id,
        peer,
        port: door.port,
        region: gateway.functions.region(),
        time: names::now(),
    };
    let grant = match gateway.authorizers.authorize(&gateway.functions, served.policy.as_ref(), &call, &body).await {
        Ok(grant) => grant,
        Err(refusal) => return (front, Err(refusal)),
    };
    let mut answer = carry::answer(&gateway.functions, &call, &grant, body).await;
    if let (Some(cors), Ok(answer)) = (cors, &mut answer) {
        cors::add(cors, front, head.headers.get(ORIGIN), answer.headers_mut());
    }
    (front, answer)
}
