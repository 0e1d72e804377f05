//! The one HTTP address behind which all services stand: tells whose call it is and hands it on. It never looks into a body.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::cognito::Cognito;
use super::neighbour::{Neighbour, Striker};
use super::wire::{Answer, Call, JSON_1_0, REST_JSON, request_id};

/// DynamoDB takes requests of 16 MB, the others less.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

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
        // A client that goes away in mid-answer is its own business.
        let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(socket), service).await;
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let id = request_id();
        let (parts, body) = request.into_parts();
        let answer = match Limited::new(body, LARGEST_BODY).collect().await {
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
                match self.route(&parts.method, path, &parts.headers) {
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

    fn route<'a>(&'a self, method: &Method, path: &str, headers: &'a HeaderMap) -> Route<'a> {
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
        if signed_for(headers) == Some("iotdata") || path.starts_with("/things/") {
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

/// The service in the credential scope: `Credential=<key>/<date>/<region>/<service>/aws4_request`.
fn signed_for(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    header.split_once("Credential=")?.1.split('/').nth(3)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_stands_in_the_credential_scope() {
        let mut headers = HeaderMap::new();
        assert_eq!(signed_for(&headers), None);
        let value = "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/iotdata/aws4_request, SignedHeaders=host, Signature=0";
        headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
        assert_eq!(signed_for(&headers), Some("iotdata"));
    }
}
