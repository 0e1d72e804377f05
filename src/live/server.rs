//! Serves the snapshots of a run over HTTP until the run has ended. Readers see the newest one or miss
//! it: nothing is kept for them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use stack::services::page::is_own;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::news::Latest;
use super::patient::Patient;
use super::{events, openmetrics};

/// How long readers can take the last snapshot, once the run has ended.
const LAST_LOOK: Duration = Duration::from_millis(800);

/// The most connections at once; further ones are closed.
const MOST: usize = 32;

/// What waits for a reader in this process, in bytes.
const BUFFER: usize = 16 * 1024;

const PAGE: &str = include_str!("page.html");

/// The page runs its own script, speaks to its own server, and is shown in no frame.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Serves until the sender of the snapshots is gone, and a little longer if anything has read them.
pub async fn serve(listener: std::net::TcpListener, at: SocketAddr, latest: Latest) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut ending = latest.clone();
    let mut server = Server { listener, at, latest, connections: JoinSet::new(), was_read: false };
    tokio::select! {
        () = server.accept() => {}
        () = async { while ending.changed().await.is_ok() {} } => {}
    }
    if server.was_read {
        let _ = timeout(LAST_LOOK, server.accept()).await;
    }
}

struct Server {
    listener: TcpListener,
    at: SocketAddr,
    latest: Latest,
    connections: JoinSet<()>,
    was_read: bool,
}

impl Server {
    /// Accepts connections for ever.
    async fn accept(&mut self) {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) if self.connections.len() < MOST => {
                        self.was_read = true;
                        // If the socket refuses, it is only slower.
                        let _ = stream.set_nodelay(true);
                        self.connections.spawn(connection(stream, self.at, self.latest.clone()));
                    }
                    Ok(_) => {}
                    // Out of file descriptors: those in use are freed soon.
                    Err(_) => sleep(Duration::from_millis(10)).await,
                },
                Some(_) = self.connections.join_next(), if !self.connections.is_empty() => {}
            }
        }
    }
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin>(stream: S, at: SocketAddr, latest: Latest) {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer(&request, at, &latest);
        async move { Ok::<_, Infallible>(answer) }
    });
    // A reader that is gone, or that was dropped because it is too slow, needs no answer.
    let _ =
        hyper::server::conn::http1::Builder::new().max_buf_size(BUFFER).serve_connection(TokioIo::new(Patient::new(stream)), service).await;
}

fn answer(request: &Request<Incoming>, at: SocketAddr, latest: &Latest) -> Response<Piece> {
    if !is_own(request.headers(), at) {
        return text(StatusCode::FORBIDDEN, &format!("ask for http://{at}/; a forwarded port must have the same number\n"));
    }
    if request.method() != Method::GET {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served\n");
    }
    match request.uri().path() {
        "/" => respond(StatusCode::OK, "text/html; charset=utf-8", Piece::whole(PAGE)),
        "/events" => {
            let (frames, body) = mpsc::channel(1);
            tokio::spawn(feed(latest.clone(), frames));
            respond(StatusCode::OK, "text/event-stream", Piece::Streamed(body))
        }
        "/metrics" => {
            let newest = latest.borrow().newest.clone();
            respond(StatusCode::OK, openmetrics::CONTENT_TYPE, Piece::whole(openmetrics::write(newest.as_deref())))
        }
        _ => text(StatusCode::NOT_FOUND, "here are /, /events and /metrics\n"),
    }
}

/// Hands a reader each snapshot, the newest if it is slow, and at last how the run has ended.
async fn feed(mut latest: Latest, frames: mpsc::Sender<Bytes>) {
    // So that the browser knows at once that it is connected.
    let mut next = Some(": connected\n\n".to_owned());
    latest.mark_changed();
    while let Some(frame) = next.take() {
        if frames.send(frame.into()).await.is_err() {
            return;
        }
        while next.is_none() && latest.changed().await.is_ok() {
            let newest = latest.borrow_and_update().newest.clone();
            next = newest.map(|snapshot| format!("data: {}\n\n", events::json(&snapshot)));
        }
    }
    let end = events::end(latest.borrow().judged.as_ref());
    let _ = frames.send(format!("event: end\ndata: {end}\n\n").into()).await;
}

fn text(status: StatusCode, text: &str) -> Response<Piece> {
    respond(status, "text/plain; charset=utf-8", Piece::whole(text.to_owned()))
}

fn respond(status: StatusCode, content_type: &'static str, body: Piece) -> Response<Piece> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
    ];
    response.headers_mut().extend(headers.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

/// The body of an answer.
enum Piece {
    Whole(Full<Bytes>),
    Streamed(mpsc::Receiver<Bytes>),
}

impl Piece {
    fn whole(text: impl Into<Bytes>) -> Self {
        Self::Whole(Full::new(text.into()))
    }
}

impl Body for Piece {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(full) => Pin::new(full).poll_frame(context),
            Self::Streamed(frames) => frames.poll_recv(context).map(|frame| frame.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(full) => full.size_hint(),
            Self::Streamed(_) => SizeHint::default(),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(full) => full.is_end_stream(),
            Self::Streamed(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::sync::watch;

    use super::super::news::News;
    use super::super::patient::PATIENCE;
    use super::*;
    use crate::sample::snapshot;

    const AT: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 9000));

    /// A connection over which a request has been sent; the kernel would hold `room` bytes.
    async fn ask(request: &str, latest: &Latest, room: usize) -> (DuplexStream, tokio::task::JoinHandle<()>) {
        let (mut client, server) = tokio::io::duplex(room);
        let served = tokio::spawn(connection(server, AT, latest.clone()));
        client.write_all(request.as_bytes()).await.unwrap();
        (client, served)
    }

    async fn answer_to(request: &str, latest: &Latest) -> String {
        let (mut client, _) = ask(request, latest, 1 << 20).await;
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        text
    }

    fn news(newest: engine::snapshot::Snapshot) -> News {
        News { newest: Some(Arc::new(newest)), judged: None }
    }

    fn get(path: &str, host: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    }

    #[tokio::test]
    async fn each_path_has_its_answer_and_other_sites_get_none() {
        let (_news, latest) = watch::channel(news(snapshot()));
        let own = "127.0.0.1:9000";
        for (request, status, part) in [
            (get("/", own), 200, "text/html; charset=utf-8"),
            (get("/", own), 200, "new EventSource"),
            (get("/metrics", "localhost:9000"), 200, openmetrics::CONTENT_TYPE),
            (get("/metrics", own), 200, "brownout_struck_total 471\n"),
            (get("/nowhere", own), 404, "/metrics"),
            (get("/metrics", "evil.example:9000"), 403, "ask for http://127.0.0.1:9000/"),
            (get("/", own).replace("GET", "POST"), 405, "only GET"),
        ] {
            let text = answer_to(&request, &latest).await;
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")) && text.contains(part), "{request}{text}");
            assert!(text.to_lowercase().contains("content-security-policy: default-src 'none'"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_reader_gets_the_newest_snapshot_and_at_last_the_end() {
        let (sender, latest) = watch::channel(News::default());
        let (mut client, served) = ask(&get("/events", "127.0.0.1:9000"), &latest, 1 << 20).await;
        for sent in [1, 2] {
            sender.send_replace(news(engine::snapshot::Snapshot { sent, ..snapshot() }));
            let mut text = Vec::new();
            while !text.ends_with(format!("\"sent\":{sent},").as_bytes()) {
                text.push(client.read_u8().await.unwrap());
            }
        }
        drop(sender);
        let mut rest = String::new();
        client.read_to_string(&mut rest).await.unwrap();
        assert!(rest.contains("event: end\ndata: {\"verdict\":null,\"sentence\":null}\n\n"), "nothing was judged: {rest}");
        served.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_is_dropped_and_holds_up_nothing() {
        let (sender, latest) = watch::channel(news(snapshot()));
        let (_client, served) = ask(&get("/events", "127.0.0.1:9000"), &latest, 256).await;
        let began = tokio::time::Instant::now();
        // The run goes on as if nothing were there.
        let mut seconds = 0;
        while !served.is_finished() && seconds < 600 {
            sender.send_replace(news(snapshot()));
            sleep(Duration::from_secs(1)).await;
            seconds += 1;
        }
        served.await.unwrap();
        assert!(began.elapsed() >= PATIENCE && began.elapsed() < PATIENCE * 3, "{:?}", began.elapsed());
    }
}
