//! Serves HTTP/1.1 on a listener until it is dropped. It knows no address and nothing of Lambda.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::spelling::Spelled;

/// Room for one header of 1 MiB (`Lambda-Runtime-Function-XRay-Error-Cause`); hyper's own limit
/// would answer 431.
const BUFFER: usize = 2 * 1024 * 1024;
/// How much of a body that is too large is read and discarded, so that its sender can read the
/// answer.
const PATIENCE: usize = 64 * 1024 * 1024;

/// A body broke off: then its connection does too, so that its reader can tell.
#[derive(Debug, thiserror::Error)]
#[error("the body broke off")]
pub(crate) struct Broken;

/// A body that is one piece, one that is sent as one chunk of chunked encoding, or one of many
/// chunks.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Sent with Content-Length.
    Sized(Full<Bytes>),
    /// Sent chunked.
    Chunked(Option<Bytes>),
    /// Sent chunk by chunk as they come.
    Streamed(mpsc::Receiver<Bytes>),
    /// Sent chunk by chunk as they come; it may break off.
    Relayed(UnsyncBoxBody<Bytes, Broken>),
}

impl From<Bytes> for Piece {
    fn from(bytes: Bytes) -> Self {
        Self::Sized(Full::new(bytes))
    }
}

impl Body for Piece {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Sized(full) => Pin::new(full).poll_frame(context).map_err(|never| match never {}),
            Self::Relayed(body) => Pin::new(body).poll_frame(context),
            Self::Chunked(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Streamed(chunks) => chunks.poll_recv(context).map(|chunk| chunk.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Sized(full) => full.is_end_stream(),
            Self::Chunked(bytes) => bytes.is_none(),
            Self::Streamed(_) | Self::Relayed(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Sized(full) => full.size_hint(),
            Self::Chunked(_) | Self::Streamed(_) | Self::Relayed(_) => SizeHint::default(),
        }
    }
}

/// A task that ends with its handle.
#[derive(Debug)]
pub(crate) struct Served(JoinHandle<()>);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether handlers learn how the names of headers were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// They get them in lower case, as hyper hands them on.
    Lower,
    /// The request's extensions have a [`Spelling`](super::spelling::Spelling), unless all are in
    /// lower case.
    AsSent,
}

/// Serves `listener` in the background until the handle is dropped; the connections end with it.
pub(crate) fn serve<H, F>(listener: TcpListener, handler: H) -> Served
where
    H: Fn(Request<Incoming>, IpAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Piece>> + Send + 'static,
{
    Served(tokio::spawn(accept(listener, handler, Names::Lower)))
}

/// The same for handlers that need the names of headers as they were sent.
pub(crate) fn serve_spelled<H, F>(listener: TcpListener, handler: H) -> Served
where
    H: Fn(Request<Incoming>, IpAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Piece>> + Send + 'static,
{
    Served(tokio::spawn(accept(listener, handler, Names::AsSent)))
}

async fn accept<H, F>(listener: TcpListener, handler: H, names: Names)
where
    H: Fn(Request<Incoming>, IpAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Piece>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let peer = stream.peer_addr().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.ip());
                    // Without it an answer may wait 40 ms for the peer's delayed acknowledgement.
                    // If the socket refuses, it is only slower.
                    let _ = stream.set_nodelay(true);
                    connections.spawn(connection(stream, peer, handler.clone(), names));
                }
                // Out of file descriptors: those in use are freed soon.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn connection<S, H, F>(stream: S, peer: IpAddr, handler: H, names: Names)
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Request<Incoming>, IpAddr) -> F,
    F: Future<Output = Response<Piece>>,
{
    if names == Names::Lower {
        return requests(stream, |request| handler(request, peer)).await;
    }
    let (stream, spellings) = Spelled::new(stream);
    let spelled = |mut request: Request<Incoming>| {
        if let Some(spelling) = spellings.next().filter(|spelling| !spelling.is_plain()) {
            request.extensions_mut().insert(spelling);
        }
        handler(request, peer)
    };
    requests(stream, spelled).await;
}

async fn requests<S, H, F>(stream: S, handler: H)
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Piece>>,
{
    let service = service_fn(|request| {
        let answer = handler(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    // The peer may be gone, which needs no answer; a caller that waits has a timeout of its own.
    let _ = hyper::server::conn::http1::Builder::new()
        .title_case_headers(true)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// A whole body, with its trailers.
#[derive(Debug)]
pub(crate) struct Whole {
    /// The bytes.
    pub bytes: Bytes,
    /// The trailers.
    pub trailers: HeaderMap,
}

/// Why a body could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// Larger than the limit; the rest was discarded.
    TooLarge,
    /// The connection broke before its end.
    Broken,
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn whole<B>(mut body: B, limit: usize) -> Result<Whole, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    let mut trailers = HeaderMap::new();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyError::Broken)?;
        match frame.into_data() {
            Ok(bytes) => {
                size += bytes.len();
                if size > limit {
                    more.clear();
                    if size > limit + PATIENCE {
                        break;
                    }
                } else if first.is_empty() {
                    first = bytes;
                } else {
                    if more.is_empty() {
                        more.extend_from_slice(&first);
                    }
                    more.extend_from_slice(&bytes);
                }
            }
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    if size > limit {
        return Err(BodyError::TooLarge);
    }
    Ok(Whole { bytes: if more.is_empty() { first } else { more.freeze() }, trailers })
}

/// An answer of JSON text.
pub(crate) fn json(status: u16, body: impl Into<Bytes>) -> Response<Piece> {
    let mut response = Response::new(Piece::from(body.into()));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_of_the_limit_passes_and_one_byte_more_does_not() {
        let body = |size| Full::new(Bytes::from(vec![b'x'; size]));
        assert_eq!(whole(body(10), 10).await.unwrap().bytes.len(), 10);
        assert_eq!(whole(body(11), 10).await.unwrap_err(), BodyError::TooLarge);
    }

    #[tokio::test]
    async fn a_request_is_answered_on_a_connection_that_stays() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut client, server) = tokio::io::duplex(1024);
        let task = tokio::spawn(connection(server, IpAddr::V4(Ipv4Addr::LOCALHOST), |_, _| async { json(200, "{}") }, Names::AsSent));
        for _ in 0..2 {
            client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            let mut text = Vec::new();
            while !text.ends_with(b"{}") {
                text.push(client.read_u8().await.unwrap());
            }
            assert!(text.starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&text));
        }
        drop(client);
        task.await.unwrap();
    }
}
