//! The one HTTP address behind which all services stand: tells whose call it is and hands it on. It never looks into a body.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::cognito::Cognito;
use super::neighbour::{Neighbour, Striker};
use super::wire::{Answer, Call, JSON_1_0, REST_JSON, request_id};

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
    /// IoT data.
    pub iotdata: Arc<Neighbour>,
    /// SES.
    pub ses: Arc<Neighbour>,
    /// What strikes them.
    pub striker: Striker,
}

/// Whose call it is.
enum Route<'a> {
    Service { neighbour: &'a Arc<Neighbour>, operation: &'a str },
    Control,
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

    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let id = request_id();
        let (parts, body) = request.into_parts();
        let answer = match Limited::new(body, largest_body(parts.uri.path())).collect().await {
            Err(_) => Answer::error(JSON_1_0, 413, "RequestEntityTooLargeException", "the request is too large"),
            Ok(body) => {
                let path = parts.uri.path();
                let call = |operation: &str| Call {
                    operation: operation.to_owned(),
                    request_id: id.clone(),
                    root: parts
                        .headers
                        .get("x-amzn-trace-id")
                        .and_then(|v| v.to_str().ok())
                        .and_then(faults::trace_root)
                        .map(str::to_owned),
                    path: path.to_owned(),
                    body: body.to_bytes(),
                };
                match self.route(&parts.method, &parts.uri, &parts.headers) {
                    Route::Service { neighbour, operation } => self.striker.answer(neighbour, call(operation)).await,
                    Route::Control => self.controls.control(&call(path)).await,
                    Route::Nowhere => {
                        Answer::error(REST_JSON, 404, "UnknownOperationException", "no service of this machine has such an operation")
                    }
                }
            }
        };
        response(answer, &id)
    }

    fn route<'a>(&'a self, method: &Method, uri: &Uri, headers: &'a HeaderMap) -> Route<'a> {
        let path = uri.path();
        if let Some(target) = headers.get("x-amz-target").and_then(|v| v.to_str().ok()) {
            let neighbour = match target.split_once('.') {
                Some(("DynamoDB_20120810", _)) => &self.dynamodb,
                Some(("VerifiedPermissions", _)) => &self.verifiedpermissions,
                Some(("AWSCognitoIdentityProviderService", _)) => &self.cognito,
                _ => return Route::Nowhere,
            };
            return Route::Service { neighbour, operation: target.split_once('.').map_or("", |(_, operation)| operation) };
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
        Route::Nowhere
    }
}

fn largest_body(path: &str) -> usize {
    if path == OUTBOUND_EMAILS { LARGEST_MAIL } else { LARGEST_BODY }
}

fn response(answer: Answer, id: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(answer.body));
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
