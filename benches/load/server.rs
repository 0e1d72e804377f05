//! The server for the generators: answers at once, pauses at times, or takes 11 ms. It measures
//! only itself.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::{Done, end_with_parent, machine_clock, median, setting};

/// It pauses for the first `STILL` of every `PERIOD` of the machine's clock.
pub const PERIOD: Duration = Duration::from_secs(5);
/// How long it pauses.
pub const STILL: Duration = Duration::from_secs(1);

#[derive(Clone, Copy)]
enum Mode {
    Instant,
    StandsStill,
    Eleven,
}

/// How long a server that pauses at times keeps a request that comes at `moment` of the machine's
/// clock.
pub fn kept_waiting(moment: Duration) -> Duration {
    let into = Duration::from_nanos(u64::try_from(moment.as_nanos() % PERIOD.as_nanos()).unwrap_or(0));
    STILL.saturating_sub(into)
}

/// The part `server`: prints its address and serves until standard input ends.
pub fn serve() -> Done {
    end_with_parent();
    let mode = match setting::<String>("MODE")?.as_str() {
        "stands-still" => Mode::StandsStill,
        "eleven" => Mode::Eleven,
        _ => Mode::Instant,
    };
    if let Ok(core) = setting("CORE") {
        let mut cores = rustix::thread::CpuSet::new();
        cores.set(core);
        rustix::thread::sched_setaffinity(None, &cores)?;
    }
    let encrypts = setting::<PathBuf>("CA").ok().map(|ca| acceptor(&ca)).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", serde_json::json!({ "address": listener.local_addr()?.to_string() }));
        let took = Arc::new(Mutex::new(Vec::new()));
        loop {
            let (stream, _) = listener.accept().await?;
            let _ = stream.set_nodelay(true);
            match encrypts.clone() {
                None => tokio::spawn(connection(TokioIo::new(stream), mode, Arc::clone(&took), false)),
                Some(acceptor) => tokio::spawn(encrypted(acceptor, stream, mode, Arc::clone(&took))),
            };
        }
    })
}

/// A certificate for `localhost`, which is also the authority that is written to `ca`; HTTP/2 and 1.1.
fn acceptor(ca: &Path) -> Done<TlsAcceptor> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    std::fs::write(ca, made.cert.pem())?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.key_pair.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider())).with_safe_default_protocol_versions()?;
    let mut config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn encrypted(acceptor: TlsAcceptor, stream: TcpStream, mode: Mode, took: Times) {
    if let Ok(stream) = acceptor.accept(stream).await {
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        connection(TokioIo::new(stream), mode, took, is_http2).await;
    }
}

type Times = Arc<Mutex<Vec<f64>>>;

async fn connection<S: AsyncRead + AsyncWrite + Unpin + 'static>(stream: TokioIo<S>, mode: Mode, took: Times, is_http2: bool) {
    let service = service_fn(move |request: Request<Incoming>| answer(request.uri().path() == "/median", mode, Arc::clone(&took)));
    // A generator that ends closes its connections early.
    let _ = if is_http2 {
        hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await
    } else {
        hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await
    };
}

async fn answer(of_itself: bool, mode: Mode, took: Times) -> Result<Response<Full<Bytes>>, hyper::Error> {
    if of_itself {
        let median = median(&mut took.lock().unwrap_or_else(PoisonError::into_inner));
        return Ok(Response::new(Full::from(median.to_string())));
    }
    let began = Instant::now();
    match mode {
        Mode::Instant => {}
        Mode::StandsStill => {
            // Blocks the server's only thread: no request is read or answered.
            std::thread::sleep(kept_waiting(machine_clock()));
        }
        // tokio's timer is about a millisecond late; the real time is measured.
        Mode::Eleven => {
            tokio::time::sleep(Duration::from_millis(10)).await;
            took.lock().unwrap_or_else(PoisonError::into_inner).push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(Response::new(Full::from("ok")))
}

/// The median time of the server at `address`, in milliseconds.
pub fn own_median(address: &str) -> Done<f64> {
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.write_all(b"GET /median HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    Ok(body.trim().parse()?)
}
