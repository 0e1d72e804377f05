//! Passes calls on to a service of another process, behind their faults. It reads no body, and changes
//! nothing of a call: its signature, which covers `Host`, stays valid.

use std::sync::Arc;

use faults::cases::Caller;
use hyper::http::uri::Authority;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use s3s::Body;

use super::neighbour::{Origin, Striker};
use super::wire::{delivery, function, trace_root};

/// Passes calls on.
pub struct Passing {
    client: Client<HttpConnector, Body>,
    striker: Arc<Striker>,
}

/// What is called, and where it is.
pub struct Passed<'a> {
    /// The service, as a fault names it.
    pub service: &'static str,
    /// The operation.
    pub operation: &'a str,
    /// Where it is; `None` if it is not there yet.
    pub to: Option<&'a Authority>,
    /// The answer for an error of this kind, with a message.
    pub fail: fn(&str, &str) -> Response<Body>,
}

impl Passing {
    /// `striker` applies faults to the calls.
    pub fn new(striker: Arc<Striker>) -> Self {
        let mut connector = HttpConnector::new();
        // Without it an answer may wait 40 ms for an acknowledgement.
        connector.set_nodelay(true);
        Self { client: Client::builder(TokioExecutor::new()).build(connector), striker }
    }

    /// Answers a call whose body may still be being received; `id` is this machine's id of it.
    pub async fn answer(&self, passed: Passed<'_>, request: Request<Body>, id: &str) -> Response<Body> {
        let Passed { service, operation, to, fail } = passed;
        let (root, function) = (trace_root(request.headers()), function(request.headers()));
        let caller = Caller { function: function.as_deref(), delivery: delivery(request.headers()) };
        let origin = Origin { request_id: id, root: root.as_deref(), caller };
        let struck = self.striker.decide(service, operation, &origin);
        let (client, to) = (self.client.clone(), to.cloned());
        let act = async move {
            pass_on(client, to, request).await.unwrap_or_else(|why| fail("ServiceUnavailable", &format!("`{service}` {why}")))
        };
        match struck {
            None => act.await,
            Some(struck) => {
                let answer = self.striker.carry_out(struck, act, fail).await;
                answer.unwrap_or_else(|| fail("ServiceException", "the services are going down"))
            }
        }
    }
}

async fn pass_on(client: Client<HttpConnector, Body>, to: Option<Authority>, mut request: Request<Body>) -> Result<Response<Body>, String> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let to = to.ok_or("is not there yet")?;
    *request.uri_mut() = format!("http://{to}{path}").parse::<Uri>().map_err(|why| format!("cannot be asked for `{path}`: {why}"))?;
    let answered = client.request(request).await;
    answered.map(|response| response.map(Body::from)).map_err(|_| format!("does not answer at http://{to}"))
}
