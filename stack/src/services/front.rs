//! The one HTTP address behind which all services stand: tells by a request's head whose call it is and hands it on.
//! It looks into no body but a form, whose field `Action` is its operation.

use std::io;
use std::sync::Arc;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use s3s::Body;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::cognito::Cognito;
use super::neighbour::{Neighbour, Striker};
use super::page::{self, Window};
use super::s3::Objects;
use super::sqs;
use super::wire::{Answer, Call, JSON_1_0, REST_JSON, form, request_id};

/// DynamoDB takes requests of 16 MB, the others less.
const LARGEST_BODY: usize = 16 * 1024 * 1024;
/// A mail of 40 MB in base64, and what stands around it.
const LARGEST_MAIL: usize = 56 * 1024 * 1024;
/// Where SES sends mail.
const OUTBOUND_EMAILS: &str = "/v2/email/outbound-emails";

/// The services behind the front, each behind its faults.
pub struct Front {
    /// DynamoDB.
    pub dynamodb: Arc<Neighbour>,
    /// Verified Permissions.
    pub verifiedpermissions: Arc<Neighbour>,
    /// Cognito user pools.
    pub cognito: Arc<Neighbour>,
    /// The same without its faults, for what only this machine has.
    pub controls: Arc<Cognito>,
    /// What a person sees of all services.
    pub window: Window,
    /// IoT data.
    pub iotdata: Arc<Neighbour>,
    /// SES.
    pub ses: Arc<Neighbour>,
    /// SQS.
    pub sqs: Arc<Neighbour>,
    /// SNS.
    pub sns: Arc<Neighbour>,
    /// CloudWatch.
    pub cloudwatch: Arc<Neighbour>,
    /// Step Functions.
    pub states: Arc<Neighbour>,
    /// S3, whose bodies are not collected here, behind its own faults.
    pub objects: Objects,
    /// What strikes them.
    pub striker: Arc<Striker>,
}

/// Whose call it is.
enum Route<'a> {
    Service {
        neighbour: &'a Arc<Neighbour>,
        operation: &'a str,
    },
    /// The operation stands in the form.
    Query {
        neighbour: &'a Arc<Neighbour>,
    },
    Objects,
    Control,
    Window,
    Nowhere,
}

impl Front {
    /// Serves until it is dropped; a connection that fails ends alone.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((socket, _)) => {
                        connections.spawn(Arc::clone(&self).connection(socket));
                    }
                    // Out of descriptors: the next one may find some again.
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
        // An idle connection is kept for as long as its client likes: a function that was frozen finds it as it left it.
        let server = http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(socket), service);
        // A client that goes away in mid-answer is its own business.
        let _ = server.await;
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Body> {
        let id = request_id();
        let (parts, body) = request.into_parts();
        let route = self.route(&parts.method, &parts.uri, &parts.headers);
        if matches!(route, Route::Objects) {
            return self.objects.answer(Request::from_parts(parts, Body::from(body)), &id).await;
        }
        let Ok(body) = Limited::new(body, largest_body(parts.uri.path())).collect().await else {
            return response(Answer::error(JSON_1_0, 413, "RequestEntityTooLargeException", "the request is too large"), &id);
        };
        let call = |operation: String| Call {
            operation,
            request_id: id.clone(),
            root: trace_root(&parts.headers),
            path: parts.uri.path().to_owned(),
            body: body.to_bytes(),
        };
        let is_sqs = matches!(&route, Route::Service { neighbour, .. } if Arc::ptr_eq(neighbour, &self.sqs));
        let answer = match route {
            Route::Service { neighbour, operation } => self.striker.answer(neighbour, call(operation.to_owned())).await,
            Route::Query { neighbour } => {
                let mut call = call(String::new());
                call.operation = form(&call.body).remove("Action").unwrap_or_default();
                self.striker.answer(neighbour, call).await
            }
            Route::Control => self.controls.control(&call(parts.uri.path().to_owned())).await,
            Route::Window => self.window.answer(parts.uri.path()),
            Route::Objects | Route::Nowhere => {
                Answer::error(REST_JSON, 404, "UnknownOperationException", "no service of this machine has such an operation")
            }
        };
        let query_error = answer.error_type.as_deref().filter(|_| is_sqs).map(|kind| sqs::query_error(kind, answer.status));
        let mut response = response(answer, &id);
        if let Some(Ok(error)) = query_error.map(HeaderValue::try_from) {
            response.headers_mut().insert(HeaderName::from_static("x-amzn-query-error"), error);
        }
        response
    }

    fn route<'a>(&'a self, method: &Method, uri: &Uri, headers: &'a HeaderMap) -> Route<'a> {
        let path = uri.path();
        match signed_for(uri, headers) {
            Some("s3") => return Route::Objects,
            Some("sns") => return Route::Query { neighbour: &self.sns },
            _ => {}
        }
        if let Some(target) = headers.get("x-amz-target").and_then(|v| v.to_str().ok()) {
            let neighbour = match target.split_once('.') {
                Some(("DynamoDB_20120810", _)) => &self.dynamodb,
                Some(("VerifiedPermissions", _)) => &self.verifiedpermissions,
                Some(("AWSCognitoIdentityProviderService", _)) => &self.cognito,
                Some(("AmazonSQS", _)) => &self.sqs,
                Some(("GraniteServiceVersion20100801", _)) => &self.cloudwatch,
                Some(("AWSStepFunctions", _)) => &self.states,
                _ => return Route::Nowhere,
            };
            return Route::Service { neighbour, operation: target.split_once('.').map_or("", |(_, operation)| operation) };
        }
        if (path == page::AT || path.starts_with(page::OBJECTS)) && method == Method::GET {
            return Route::Window;
        }
        if path.starts_with("/brownout/") && method == Method::POST {
            return Route::Control;
        }
        if path.ends_with("/.well-known/jwks.json") {
            return Route::Service { neighbour: &self.cognito, operation: "Jwks" };
        }
        if path.ends_with("/.well-known/openid-configuration") {
            return Route::Service { neighbour: &self.cognito, operation: "OpenIdConfiguration" };
        }
        if path == OUTBOUND_EMAILS && method == Method::POST {
            return Route::Service { neighbour: &self.ses, operation: "SendEmail" };
        }
        // A shadow with a name is another one than the classic, which is the only one here.
        if path.starts_with("/things/") && path.ends_with("/shadow") && uri.query().is_none_or(|query| !query.contains("name=")) {
            let operation = match method.as_str() {
                "GET" => "GetThingShadow",
                "POST" => "UpdateThingShadow",
                "DELETE" => "DeleteThingShadow",
                _ => return Route::Nowhere,
            };
            return Route::Service { neighbour: &self.iotdata, operation };
        }
        // Not signed: S3 says itself what it thinks of that.
        if self.objects.owns(path) { Route::Objects } else { Route::Nowhere }
    }
}

fn largest_body(path: &str) -> usize {
    if path == OUTBOUND_EMAILS { LARGEST_MAIL } else { LARGEST_BODY }
}

/// The root of the trace id, where the caller sent one.
pub fn trace_root(headers: &HeaderMap) -> Option<String> {
    headers.get("x-amzn-trace-id").and_then(|value| value.to_str().ok()).and_then(faults::trace_root).map(str::to_owned)
}

/// The service of the signature's credential scope, `<key>/<day>/<region>/<service>/aws4_request`, in the header or in a presigned query.
fn signed_for<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let in_header = || headers.get(AUTHORIZATION)?.to_str().ok()?.split_once("Credential=")?.1.split([',', ' ']).next()?.split('/').nth(3);
    let in_query = || {
        let credential = uri.query()?.split('&').find_map(|field| field.strip_prefix("X-Amz-Credential="))?;
        credential.split("%2F").flat_map(|part| part.split('/')).nth(3)
    };
    in_header().or_else(in_query)
}

fn response(answer: Answer, id: &str) -> Response<Body> {
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
