//! The HTTP proxy that the function's clients are pointed at: tunnels by CONNECT, anything else by `plain.rs`.
//! Source: RFC 9110, 9.3.6, and RFC 9112, 3.2.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::authority::authority;
use super::{Outbound, plain, tunnel, tunnel::Cut};
use crate::connection::Connection;
use crate::message::RequestHead;
use bytes::Buf;
use std::sync::Arc;
use std::time::Duration;

/// The answer if a host cannot be reached.
pub const UNREACHABLE: &[u8] = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
/// The answer to anything that is not a proxy request.
pub const MALFORMED: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Accepts connections for ever and passes each to `serve`.
pub async fn accept<F: Future<Output = ()> + Send + 'static>(listener: TcpListener, serve: impl Fn(Connection) -> F) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(serve(Connection::new(stream)))),
            // For example, no descriptor is left: that may be temporary.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Serves one connection from the function to the proxy.
pub async fn serve(outbound: Arc<Outbound>, mut function: Connection) {
    let mut kept = None;
    while let Ok(Some(length)) = function.read_head().await {
        let read = RequestHead::read(&function.buffer, length).map(|request| request.tidied(&mut function.buffer));
        let Ok(request) = read else {
            let _ = function.stream.write_all(MALFORMED).await;
            return;
        };
        if request.method(&function.buffer) == b"CONNECT" {
            let target = authority(request.path(&function.buffer), None);
            function.buffer.advance(request.length);
            return through(&outbound, function, target).await;
        }
        if !plain::serve(&outbound, &mut function, &request, &mut kept).await {
            return;
        }
    }
}

async fn through(outbound: &Outbound, mut function: Connection, target: Option<(String, u16)>) {
    let Some((host, port)) = target else {
        let _ = function.stream.write_all(MALFORMED).await;
        return;
    };
    match tunnel::open(&outbound.outages, &function.stream, &host, port).await {
        Ok(far) => {
            if function.stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_ok() {
                tunnel::run(&outbound.outages, &host, function.stream, function.buffer, far).await;
            }
        }
        Err(Cut::Refused) => drop(function.stream.write_all(UNREACHABLE).await),
        Err(Cut::Reset) => tunnel::reset(&function.stream),
        Err(Cut::Closed) => (),
    }
}
