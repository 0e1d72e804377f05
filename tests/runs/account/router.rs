//! Who answers a request to the account: an API by its host, the control plane, or a service.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use control_plane::{Scripted, respond};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use run_folder::Addresses;
use tokio::net::{TcpListener, TcpStream};

use crate::account::devices::Issuer;

/// The services of the local stack, by the prefix of `X-Amz-Target`; everything else that is called is of the control plane.
const SERVICES: [&str; 2] = ["AWSCognitoIdentityProviderService.", "DynamoDB_20120810."];

/// What the control plane tells of the pools that a stack declares.
const OF_THE_PLANE: [&str; 2] = [".DescribeUserPool", ".ListUserPoolClients"];

/// What a connection needs to answer.
struct Account {
    plane: Arc<Mutex<Scripted>>,
    addresses: Addresses,
    issuer: Option<Issuer>,
}

/// Serves every connection until the future is dropped.
pub async fn serve(listener: TcpListener, plane: Arc<Mutex<Scripted>>, addresses: Addresses, issuer: Option<Issuer>) {
    let account = Arc::new(Account { plane, addresses, issuer });
    while let Ok((stream, _)) = listener.accept().await {
        let account = Arc::clone(&account);
        tokio::spawn(async move {
            let service = service_fn(|request| answered(request, &account));
            // A caller may disconnect during a request.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answered(request: Request<Incoming>, account: &Account) -> std::io::Result<Response<Full<Bytes>>> {
    let Account { plane, addresses, issuer } = account;
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header("host").contains(".execute-api.") {
        return forwarded(&addresses.gateway, request).await;
    }
    let target = header("x-amz-target");
    let is_declared = OF_THE_PLANE.iter().any(|operation| target.ends_with(operation));
    // A device and its functions have one shadow.
    let is_shadow = request.uri().path().starts_with("/things/") && request.uri().path().ends_with("/shadow");
    if is_shadow || !is_declared && SERVICES.iter().any(|service| target.starts_with(service)) {
        return forwarded(&addresses.services, request).await;
    }
    let is_asked_for = request.method() == "POST" && request.uri().path() == "/certificates";
    let answer = respond(request, plane).await?;
    match issuer.as_ref().filter(|_| is_asked_for && answer.status().is_success()) {
        Some(issuer) => issuer.signed(answer, plane).await,
        None => Ok(answer),
    }
}

async fn forwarded(to: &str, request: Request<Incoming>) -> std::io::Result<Response<Full<Bytes>>> {
    let failed = |error: hyper::Error| std::io::Error::other(error);
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(failed)?.to_bytes();
    let stream = TcpStream::connect(to).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    tokio::spawn(connection);
    let (head, body) = sender.send_request(Request::from_parts(head, Full::new(body))).await.map_err(failed)?.into_parts();
    let body = body.collect().await.map_err(failed)?.to_bytes();
    Ok(Response::from_parts(head, Full::new(body)))
}
