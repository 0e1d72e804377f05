//! A server on loopback that answers each request with a function; it ends when dropped.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

pub mod broker;
pub mod sign_in;
pub mod smtp;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What a handler receives.
pub struct Asked {
    pub method: String,
    pub path: String,
    pub target: String,
    pub authorization: Option<String>,
    pub trace: Option<String>,
    pub key: Option<String>,
    pub body: Bytes,
}

pub struct Server {
    pub address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Server {
    pub async fn start<F, A>(answer: F) -> Self
    where
        F: Fn(Asked) -> A + Send + Sync + 'static,
        A: Future<Output = (u16, String)> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(answer);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let answer = Arc::clone(&answer);
                connections.spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        let answer = Arc::clone(&answer);
                        async move {
                            let (status, body) = answer(read(request).await).await;
                            Ok::<_, hyper::Error>(Response::builder().status(status).body(Full::new(Bytes::from(body))).unwrap())
                        }
                    });
                    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, _tasks: tasks }
    }
}

async fn read(request: Request<Incoming>) -> Asked {
    let (parts, body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
    Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        target: header("x-amz-target").unwrap_or_default(),
        authorization: header("authorization"),
        trace: header("x-amzn-trace-id"),
        key: header("x-api-key"),
        body: body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default(),
    }
}
