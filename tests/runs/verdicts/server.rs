//! An HTTP server on loopback that answers as configured, well or badly. It and its connections end
//! when it is dropped.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The answer to a request.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// This status, at once.
    Now(u16),
    /// This status, after this time.
    After(Duration, u16),
    /// Status 200, and the body in two parts with this time between them.
    InParts(Duration),
    /// Status 200, and [`PLACED`] compressed by gzip.
    Compressed,
    /// No answer, ever.
    Never,
}

/// `{"state":"PLACED"}`, compressed by gzip.
const PLACED: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x2a\x2e\x49\x2c\x49\x55\xb2\x52\x0a\xf0\x71\x74\x76\x75\x51\xaa\x05\x00\xcc\x0e\x78\x5a\x12\x00\x00\x00";

/// The answers of a server: always the same, or another one after some time since its first
/// request.
#[derive(Debug, Clone, Copy)]
pub enum Answers {
    Always(Answer),
    Turning { well: Answer, after: Duration, then: Answer },
}

impl Answers {
    fn at(self, age: Duration) -> Answer {
        match self {
            Self::Always(answer) => answer,
            Self::Turning { well, after, then } => {
                if age < after {
                    well
                } else {
                    then
                }
            }
        }
    }
}

pub struct Server {
    address: SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Server {
    pub fn start(answers: Answers) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            let first = Arc::new(OnceLock::new());
            while let Ok((wire, _)) = listener.accept().await {
                tokio::spawn(serve(wire, answers, Arc::clone(&first)));
            }
        });
        Self { address, runtime: Some(runtime) }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

/// Requests have no body.
async fn serve(mut wire: TcpStream, answers: Answers, first: Arc<OnceLock<Instant>>) {
    let mut head = Vec::new();
    loop {
        let mut bytes = [0; 4096];
        let Ok(read @ 1..) = wire.read(&mut bytes).await else { return };
        head.extend_from_slice(&bytes[..read]);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        head.clear();
        let (status, head, parts, between) = match answers.at(first.get_or_init(Instant::now).elapsed()) {
            Answer::Now(status) => (status, "", [&b""[..], b"{}"], Duration::ZERO),
            Answer::After(time, status) => {
                tokio::time::sleep(time).await;
                (status, "", [&b""[..], b"{}"], Duration::ZERO)
            }
            Answer::InParts(between) => (200, "", [&b"{"[..], b"}"], between),
            Answer::Compressed => (200, "Content-Encoding: gzip\r\n", [&b""[..], PLACED], Duration::ZERO),
            Answer::Never => return std::future::pending().await,
        };
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let head = format!("HTTP/1.1 {status} Told\r\n{head}Content-Length: {length}\r\n\r\n");
        if wire.write_all(&[head.as_bytes(), parts[0]].concat()).await.is_err() {
            return;
        }
        tokio::time::sleep(between).await;
        if wire.write_all(parts[1]).await.is_err() {
            return;
        }
    }
}
