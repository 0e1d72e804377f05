//! The server for the generators: answers at once, pauses at times, or takes 11 ms. It measures
//! only itself.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", serde_json::json!({ "address": listener.local_addr()?.to_string() }));
        let took = Arc::new(Mutex::new(Vec::new()));
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(connection(stream, mode, Arc::clone(&took)));
        }
    })
}

type Times = Arc<Mutex<Vec<f64>>>;

async fn connection(stream: TcpStream, mode: Mode, took: Times) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| answer(request.uri().path() == "/median", mode, Arc::clone(&took)));
    // A generator that ends closes its connections early.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
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
