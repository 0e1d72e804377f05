//! The one HTTP address in front of all services: finds the service of a request by its head and
//! passes it on. It reads no body except a form, whose field `Action` is the operation.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use s3s::Body;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::cognito::Cognito;
use super::described::Described;
use super::events::{self, Events};
use super::lambda::{self, Lambda};
use super::neighbour::Striker;
use super::page::{self, Page};
use super::relayed::Relayed;
use super::s3::{self, Objects};
use super::wire::{Answer, Call, JSON_1_0, LARGEST_REQUEST, REST_JSON, Service, delivery, form, function, request_id, trace_root};

/// The services behind the front.
pub struct Front {
    /// The services whose calls are read whole, behind their faults.
    pub services: Vec<Arc<dyn Service>>,
    /// Cognito without its faults, for the operations of this machine only.
    pub controls: Arc<Cognito>,
    /// EventBridge without its faults, likewise.
    pub events: Arc<Events>,
    /// The page of the stack.
    pub page: Page,
    /// Where the front is.
    pub address: SocketAddr,
    /// S3, whose bodies are not collected here, behind its own faults.
    pub objects: Objects,
    /// Lambda, whose bodies are not collected here, behind its own faults.
    pub lambda: Lambda,
    /// The services that run somewhere else, in place of these.
    pub elsewhere: Relayed,
    /// Applies faults to them.
    pub striker: Arc<Striker>,
}

/// Where a call goes.
#[derive(Clone, Copy)]
enum Route<'a> {
    Service {
        service: &'a Arc<dyn Service>,
        /// `None` if it is in the form.
        operation: Option<&'a str>,
    },
    Objects,
    Lambda(&'static str),
    Control,
    Page,
    /// From a script of another site.
    Foreign,
    Nowhere,
}

impl Front {
    /// Serves until it is dropped; a connection that fails does not affect the others.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((socket, _)) => {
                        connections.spawn(Arc::clone(&self).connection(socket));
                    }
                    // Out of file descriptors: the next connection may find some again.
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn connection(self: Arc<Self>, socket: TcpStream) {
        // Without it an answer may wait 40 ms for an acknowledgement.
        let _ = socket.set_nodelay(true);
        let service = service_fn(move |request| {
            let front = Arc::clone(&self);
            async move { Ok::<_, io::Error>(front.respond(request).await) }
        });
        // An idle connection is kept for as long as its client likes, so that a function that was
        // frozen can use it again.
        let server = http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(socket), service);
        // A client may go away before the answer is complete.
        let _ = server.await;
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Body> {
        let id = request_id();
        let (parts, body) = request.into_parts();
        let route = self.route(&parts.method, &parts.uri, &parts.headers);
        if matches!(route, Route::Objects) {
            if self.elsewhere.has(&s3::DESCRIBED) {
                let operation = s3::operation(&parts.method, &parts.uri, &parts.headers);
                return self.elsewhere.answer(&s3::DESCRIBED, operation, Request::from_parts(parts, Body::from(body)), &id).await;
            }
            return self.objects.answer(Request::from_parts(parts, Body::from(body)), &id).await;
        }
        if let Route::Lambda(operation) = route {
            return self.lambda.answer(operation, Request::from_parts(parts, Body::from(body)), &id).await;
        }
        let largest = if let Route::Service { service, .. } = route { service.largest_request() } else { LARGEST_REQUEST };
        let Ok(body) = Limited::new(body, largest).collect().await else {
            return response(Answer::error(JSON_1_0, 413, "RequestEntityTooLargeException", "the request is too large"), &id);
        };
        if let Route::Service { service, operation } = route
            && self.elsewhere.has(service.described())
        {
            let body = body.to_bytes();
            let operation = operation.map_or_else(|| form(&body).remove("Action").unwrap_or_default(), str::to_owned);
            let described = service.described();
            return self.elsewhere.answer(described, &operation, Request::from_parts(parts, Body::from(body)), &id).await;
        }
        let call = |operation: String| Call {
            operation,
            request_id: id.clone(),
            root: trace_root(&parts.headers),
            function: function(&parts.headers),
            delivery: delivery(&parts.headers),
            path: parts.uri.path().to_owned(),
            body: body.to_bytes(),
        };
        let answer = match route {
            Route::Service { service, operation } => {
                let mut call = call(operation.unwrap_or_default().to_owned());
                if operation.is_none() {
                    call.operation = form(&call.body).remove("Action").unwrap_or_default();
                }
                self.striker.answer(service, call).await
            }
            Route::Control if parts.uri.path() == events::FIRE => self.events.control(&call(String::new())),
            Route::Control => self.controls.control(&call(parts.uri.path().to_owned())).await,
            Route::Page => return paged(self.page.answer(&parts.method, &parts.uri, call(String::new()).body).await, &id),
            Route::Foreign => {
                Answer::error(REST_JSON, 403, "Forbidden", "the page and the controls of this machine answer only to the page itself")
            }
            Route::Objects | Route::Lambda(_) | Route::Nowhere => {
                Answer::error(REST_JSON, 404, "UnknownOperationException", "no service of this machine has such an operation")
            }
        };
        let query_error = match (route, &answer.error_type) {
            (Route::Service { service, .. }, Some(kind)) => service.query_error(kind, answer.status),
            _ => None,
        };
        with_query_error(response(answer, &id), query_error)
    }

    fn route<'a>(&'a self, method: &Method, uri: &Uri, headers: &'a HeaderMap) -> Route<'a> {
        let path = uri.path();
        let signed = signed_for(uri, headers);
        if signed == Some(s3::DESCRIBED.name) {
            return Route::Objects;
        }
        if let Some(operation) = lambda::operation(method, uri) {
            return Route::Lambda(operation);
        }
        // SES has a second API at paths of its own.
        let signed = signed.filter(|_| path == "/");
        if let Some(service) = signed.and_then(|name| self.services.iter().find(|service| service.described().takes_forms_for(name))) {
            return Route::Service { service, operation: None };
        }
        if let Some(target) = headers.get("x-amz-target").and_then(|v| v.to_str().ok()) {
            return self.told(|service| service.targeted(target));
        }
        if path == page::AT || path.starts_with("/brownout/") {
            return match *method {
                _ if !page::is_own(headers, self.address) => Route::Foreign,
                Method::GET => Route::Page,
                Method::POST if path == page::SEND => Route::Page,
                Method::POST => Route::Control,
                _ => Route::Nowhere,
            };
        }
        match self.told(|service| service.addressed(method, uri)) {
            // Not signed: S3 itself answers that.
            Route::Nowhere if self.objects.owns(path) => Route::Objects,
            route => route,
        }
    }

    /// The service that has the operation.
    fn told<'a>(&'a self, operation: impl Fn(&Described) -> Option<&'a str>) -> Route<'a> {
        let told = self.services.iter().find_map(|service| Some((service, operation(service.described())?)));
        told.map_or(Route::Nowhere, |(service, operation)| Route::Service { service, operation: Some(operation) })
    }
}

fn with_query_error(mut response: Response<Body>, error: Option<String>) -> Response<Body> {
    if let Some(Ok(error)) = error.map(HeaderValue::try_from) {
        response.headers_mut().insert(HeaderName::from_static("x-amzn-query-error"), error);
    }
    response
}

/// The service in the signature's credential scope, `<key>/<day>/<region>/<service>/aws4_request`,
/// in the header or in a presigned query.
fn signed_for<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let in_header = || headers.get(AUTHORIZATION)?.to_str().ok()?.split_once("Credential=")?.1.split([',', ' ']).next()?.split('/').nth(3);
    let in_query = || {
        let credential = uri.query()?.split('&').find_map(|field| field.strip_prefix("X-Amz-Credential="))?;
        credential.split("%2F").flat_map(|part| part.split('/')).nth(3)
    };
    in_header().or_else(in_query)
}

/// A part of the page, of which a browser runs only what is the page's own.
fn paged(answer: Answer, id: &str) -> Response<Body> {
    let mut response = response(answer, id);
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, page::POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// An answer with the headers that tell its kind.
pub(super) fn response(answer: Answer, id: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-amzn-requestid"), id);
    }
    if let Some(Ok(kind)) = answer.error_type.as_deref().map(HeaderValue::from_str) {
        headers.insert(HeaderName::from_static("x-amzn-errortype"), kind);
    }
    response
}
