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
    /// No answer, ever.
    Never,
}

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
        let status = match answers.at(first.get_or_init(Instant::now).elapsed()) {
            Answer::Now(status) => status,
            Answer::After(time, status) => {
                tokio::time::sleep(time).await;
                status
            }
            Answer::Never => return std::future::pending().await,
        };
        if wire.write_all(format!("HTTP/1.1 {status} Told\r\nContent-Length: 2\r\n\r\n{{}}").as_bytes()).await.is_err() {
            return;
        }
    }
}
