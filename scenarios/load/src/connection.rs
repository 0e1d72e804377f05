//! One connection, in the protocol that both sides speak: HTTP/1.1, or HTTP/2 where TLS has agreed on it (ALPN, RFC 7301).

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::header::{HOST, HeaderValue};
use hyper::http::uri::{Authority, Scheme};
use hyper::{Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::no_answer::NoAnswer;
use crate::origin::Dialled;
use crate::tls::Protocol;

/// At most so many requests at a time on one connection in HTTP/2, which is what servers commonly allow; further ones get another
/// connection, for within one they would wait for each other.
const MOST_STREAMS: usize = 100;

type Sent = Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>>;

/// A connection on which a request can be sent.
#[derive(Debug)]
pub(crate) enum Connection {
    /// HTTP/1.1: for one request at a time.
    Alone(http1::SendRequest<Full<Bytes>>),
    /// HTTP/2: one of the requests that share it.
    Shared(Shared),
}

/// A connection in HTTP/2. Each request in flight holds a clone.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    sender: http2::SendRequest<Full<Bytes>>,
    users: Arc<()>,
}

impl Shared {
    /// Whether one more request may be sent on it. The connections' own clone is not in flight.
    fn has_room(&self) -> bool {
        Arc::strong_count(&self.users) <= MOST_STREAMS
    }
}

impl Connection {
    /// Speaks HTTP over what was dialled.
    pub(crate) async fn over(dialled: Dialled) -> Result<Self, NoAnswer> {
        let stream = TokioIo::new(dialled.stream);
        match dialled.speaks {
            Protocol::Http1 => {
                let (sender, task) = http1::handshake(stream).await.map_err(NoAnswer::Connection)?;
                tokio::spawn(task);
                Ok(Self::Alone(sender))
            }
            Protocol::Http2 => {
                let (sender, task) = http2::handshake(TokioExecutor::new(), stream).await.map_err(NoAnswer::Connection)?;
                tokio::spawn(task);
                Ok(Self::Shared(Shared { sender, users: Arc::default() }))
            }
        }
    }

    /// False where it has ended.
    pub(crate) async fn is_ready(&mut self) -> bool {
        match self {
            Self::Alone(sender) => sender.ready().await.is_ok(),
            Self::Shared(shared) => shared.sender.ready().await.is_ok(),
        }
    }

    /// The answer, or the request again where not one byte of it was sent.
    pub(crate) async fn try_send(&mut self, request: Request<Full<Bytes>>) -> Sent {
        match self {
            Self::Alone(sender) => sender.try_send_request(relative(request)).await,
            Self::Shared(shared) => shared.sender.try_send_request(absolute(request)).await,
        }
    }
}

/// The connections that are open, but for those of HTTP/1.1 on which a request is.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    alone: Vec<http1::SendRequest<Full<Bytes>>>,
    shared: Vec<Shared>,
}

impl Kept {
    /// Keeps one, for others in HTTP/2 and for afterwards in HTTP/1.1.
    pub(crate) fn put(&mut self, connection: Connection) {
        match connection {
            Connection::Alone(sender) => self.alone.push(sender),
            Connection::Shared(shared) if self.shared.iter().any(|kept| Arc::ptr_eq(&kept.users, &shared.users)) => (),
            Connection::Shared(shared) => self.shared.push(shared),
        }
    }

    /// One that may have ended meanwhile: of HTTP/2 the first one with room, of HTTP/1.1 the one that was used last.
    pub(crate) fn take(&mut self) -> Option<Connection> {
        self.shared.retain(|shared| !shared.sender.is_closed());
        let shared = self.shared.iter().find(|shared| shared.has_room()).cloned();
        shared.map(Connection::Shared).or_else(|| self.alone.pop().map(Connection::Alone))
    }

    #[cfg(test)]
    pub(crate) fn last_is_closed(&self) -> bool {
        self.alone.last().is_none_or(http1::SendRequest::is_closed)
    }

    /// Whether it needs no further connection before requests come.
    pub(crate) fn is_shared(&self) -> bool {
        !self.shared.is_empty()
    }
}

/// HTTP/2 sends scheme and authority with each request, in place of `Host` (RFC 9113, 8.3.1).
fn absolute(mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    let host = request.headers_mut().remove(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    if let Some(host) = host {
        let mut parts = request.uri().clone().into_parts();
        (parts.scheme, parts.authority) = (Some(Scheme::HTTPS), Some(host));
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

/// The same request for HTTP/1.1, after a connection in HTTP/2 has not taken it.
fn relative(mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    let parts = request.uri().clone().into_parts();
    let host = parts.authority.and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    if let (Some(host), Some(path)) = (host, parts.path_and_query) {
        request.headers_mut().insert(HOST, host);
        *request.uri_mut() = Uri::from(path);
    }
    request
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use hyper::service::service_fn;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Barrier;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::crypto::aws_lc_rs;
    use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

    use super::*;
    use crate::sender::Connections;
    use crate::tls::{Http, Tls};

    /// What a server has seen, and what it waits for.
    struct Server {
        connections: AtomicUsize,
        /// So many requests are answered together.
        together: Barrier,
    }

    impl Server {
        /// The answer: the protocol and the authority of the request. `/never` gets none.
        async fn answer(&self, request: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>> {
            if request.uri().path() == "/never" {
                std::future::pending::<()>().await;
            }
            self.together.wait().await;
            let host = request.headers().get(HOST).map(|host| host.to_str().unwrap().to_owned());
            let host = host.or_else(|| request.uri().authority().map(ToString::to_string));
            Ok(Response::new(Full::from(format!("{:?} {} {}", request.version(), host.unwrap(), request.uri().path()))))
        }

        async fn serve(self: Arc<Self>, stream: TcpStream, acceptor: TlsAcceptor) {
            let stream = acceptor.accept(stream).await.unwrap();
            self.connections.fetch_add(1, Ordering::SeqCst);
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(Protocol::Http2.name());
            let service = service_fn(move |request| {
                let server = Arc::clone(&self);
                async move { server.answer(request).await }
            });
            let stream = TokioIo::new(stream);
            let _ = if is_http2 {
                hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await
            } else {
                hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await
            };
        }
    }

    const BOTH: [Protocol; 2] = [Protocol::Http2, Protocol::Http1];

    /// A server at `localhost` that speaks these protocols, and connections to it.
    async fn server(together: usize, speaks: &[Protocol], http: Http, patience: Duration) -> (Arc<Server>, SocketAddr, Arc<Connections>) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, made.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.key_pair.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let mut config = config.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        config.alpn_protocols = speaks.iter().map(|protocol| protocol.name().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Arc::new(Server { connections: AtomicUsize::new(0), together: Barrier::new(together) });
        let accepting = Arc::clone(&server);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&accepting).serve(stream, acceptor.clone()));
            }
        });
        let tls = Tls::read(Some(&ca), None).unwrap().speaking(http);
        let connections = Connections::new(&format!("https://localhost:{}", address.port()), patience).over(tls);
        (server, address, Arc::new(connections))
    }

    const LONG: Duration = Duration::from_secs(60);

    fn get(path: &str, address: SocketAddr) -> Request<Full<Bytes>> {
        Request::get(path).header("host", format!("localhost:{}", address.port())).body(Full::default()).unwrap()
    }

    async fn answers(connections: &Arc<Connections>, address: SocketAddr, count: usize) -> Vec<String> {
        let sent: Vec<_> = (0..count)
            .map(|n| {
                let connections = Arc::clone(connections);
                tokio::spawn(async move { connections.send(get(&format!("/{n}"), address)).await.unwrap() })
            })
            .collect();
        let mut answers = Vec::new();
        for answer in sent {
            answers.push(String::from_utf8(answer.await.unwrap().1.to_vec()).unwrap());
        }
        answers
    }

    #[tokio::test]
    async fn requests_share_a_connection_in_http2_until_it_is_full() {
        const COUNT: usize = MOST_STREAMS + 50;
        let (server, address, connections) = server(COUNT, &BOTH, Http::Either, LONG).await;
        for _ in 0..COUNT {
            connections.open_one().await.unwrap();
        }
        // All of them are in flight at once, or none is answered.
        let answers = answers(&connections, address, COUNT).await;
        let expected: Vec<_> = (0..COUNT).map(|n| format!("HTTP/2.0 localhost:{} /{n}", address.port())).collect();
        assert_eq!(answers, expected);
        // Only now has the server heard of all of them, for a client is done with TLS 1.3 first. The first was shared, and each request beyond may
        // have opened one.
        assert!((2..=51).contains(&server.connections.load(Ordering::SeqCst)), "{:?}", server.connections);
    }

    #[tokio::test]
    async fn a_request_without_an_answer_gives_up_its_stream_and_not_the_connection() {
        let (server, address, connections) = server(1, &BOTH, Http::Http2, Duration::from_secs(2)).await;
        connections.open_one().await.unwrap();
        let late = connections.send(get("/never", address)).await.unwrap_err();
        assert!(matches!(late, NoAnswer::Patience(_)), "{late}");
        assert_eq!(answers(&connections, address, 1).await.len(), 1);
        assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn both_sides_agree_or_there_is_no_connection() {
        for (speaks, http) in [(&[Protocol::Http1][..], Http::Either), (&[], Http::Either), (&BOTH, Http::Http1)] {
            let (_server, address, connections) = server(1, speaks, http, LONG).await;
            assert_eq!(answers(&connections, address, 1).await, [format!("HTTP/1.1 localhost:{} /0", address.port())]);
        }
        let (_server, address, connections) = server(1, &[], Http::Http2, LONG).await;
        let refused = connections.send(get("/", address)).await.unwrap_err();
        assert!(refused.to_string().contains("the server does not speak HTTP/2"), "{refused}");
    }

    #[test]
    fn a_request_that_http2_did_not_take_is_the_same_for_http1() {
        let (before, address) = (|| get("/a?b=c", SocketAddr::from(([127, 0, 0, 1], 80))), "localhost:80");
        let between = absolute(before());
        assert_eq!((between.uri().to_string(), between.headers().len()), (format!("https://{address}/a?b=c"), 0));
        let after = relative(between);
        assert_eq!((after.uri(), after.headers()), (before().uri(), before().headers()));
    }
}
