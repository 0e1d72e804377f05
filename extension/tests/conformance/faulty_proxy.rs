//! A proxy that passes everything on, but with one bug. It shows that the suite can fail, and that
//! the right cases fail.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::wire::{Body, Framing, Kind, Outcome, Piece, Reader, Wire, bytes, values};

/// What proxies on common HTTP libraries do wrong, one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    None,
    LowerCasesHeaders,
    SortsHeaders,
    KeepsTheLastOfRepeatedHeaders,
    DropsHeadersItDoesNotKnow,
    SpeaksForItself,
    RefusesLongHeads,
    RefusesUnknownCalls,
    CollectsBodies,
    WritesJsonAgain,
    ReadsBodiesAsText,
    ChangesBodies,
    GivesEverythingALength,
    ChunksEverything,
    TakesEmptyForMissing,
    DropsTrailers,
    EndsWhatBrokeOff,
    Turns403Into200,
    AnswersForThePlatform,
    SwallowsACancelledNext,
    TiresOfWaiting,
    RefusesLateEvents,
    ServesOneAtATime,
    TakesAConnectionForEachCall,
    WritesIntoADroppedConnection,
    ForgetsToClose,
    UsesAClosingConnectionAgain,
}

/// A running proxy with a bug.
pub struct FaultyProxy {
    pub address: SocketAddr,
    accepting: AbortHandle,
}

impl Drop for FaultyProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl FaultyProxy {
    pub async fn start(upstream: SocketAddr, bug: Bug) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let accepting = tokio::spawn(async move {
            let idle = Idle::default();
            while let Ok((stream, _)) = listener.accept().await {
                let served = serve(stream, upstream, bug, Arc::clone(&idle));
                if bug == Bug::ServesOneAtATime {
                    served.await;
                } else {
                    tokio::spawn(served);
                }
            }
        });
        Ok(Self { address, accepting: accepting.abort_handle() })
    }
}

/// Requests that have no answer yet: how each is answered, and whether it is a `next`.
type Asked = Arc<Mutex<VecDeque<(Kind, bool)>>>;
/// Connections to the platform that are reused.
type Idle = Arc<Mutex<Vec<Wire>>>;

async fn serve(runtime: TcpStream, upstream: SocketAddr, bug: Bug, idle: Idle) {
    let kept = idle.lock().unwrap().pop().filter(|wire| !wire.is_closed());
    let platform = match kept {
        Some(wire) => wire,
        None => match TcpStream::connect(upstream).await {
            Ok(stream) => Wire::new(stream),
            Err(_) => return,
        },
    };
    let (runtime, asked) = (Wire::new(runtime), Asked::default());
    let (mut platform_reader, mut runtime_reader) = (platform.reader, runtime.reader);
    let mut up = Pump { bug, writer: platform.writer, asked: Arc::clone(&asked), upward: true, closing: false };
    let mut down = Pump { bug, writer: runtime.writer, asked: Arc::clone(&asked), upward: false, closing: false };
    let (ended_by_runtime, clean) = tokio::select! {
        ended = up.run(&mut runtime_reader) => (true, ended.is_ok()),
        ended = down.run(&mut platform_reader) => (false, ended.is_ok()),
    };
    let waits = asked.lock().unwrap().front().copied();
    match bug {
        Bug::SwallowsACancelledNext if ended_by_runtime && waits.is_some_and(|(_, is_next)| is_next) => {
            while platform_reader.more().await {}
        }
        Bug::WritesIntoADroppedConnection if !ended_by_runtime => while runtime_reader.more().await {},
        Bug::ForgetsToClose if !ended_by_runtime && up.closing => while runtime_reader.more().await {},
        Bug::UsesAClosingConnectionAgain if ended_by_runtime && clean && waits.is_none() => {
            idle.lock().unwrap().push(Wire { reader: platform_reader, writer: up.writer });
        }
        _ => (),
    }
}

/// One direction of one connection.
struct Pump {
    bug: Bug,
    writer: OwnedWriteHalf,
    asked: Asked,
    upward: bool,
    /// Whether a close was requested.
    closing: bool,
}

impl Pump {
    /// Runs until the connection ends, or until an error, which ends both connections.
    async fn run(&mut self, reader: &mut Reader) -> Outcome {
        while let Some(head) = self.head(reader).await? {
            let kind = if self.upward { Kind::Request } else { self.asked.lock().unwrap().front().map_or(Kind::Answer, |(kind, _)| *kind) };
            let interim = !self.upward && head.starts_with("HTTP/1.1 1");
            if self.upward {
                let kind = if head.starts_with("HEAD ") { Kind::AnswerToHead } else { Kind::Answer };
                self.asked.lock().unwrap().push_back((kind, head.starts_with("GET /2018-06-01/runtime/invocation/next ")));
                self.closing |= values(&head, "connection").contains(&"close");
            } else if !interim {
                self.asked.lock().unwrap().pop_front();
            }
            let mut body = Body::of(&head, kind)?;
            let head = self.changed(head)?;
            if self.collects(&body, &head) {
                self.collected(reader, head, body).await?;
            } else {
                self.write(&bytes(&head)).await?;
                self.relay(reader, &mut body).await?;
            }
            if !self.upward && !interim && self.bug == Bug::TakesAConnectionForEachCall {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn head(&self, reader: &mut Reader) -> Outcome<Option<String>> {
        let mut read = std::pin::pin!(reader.head());
        loop {
            if let Ok(head) = tokio::time::timeout(Duration::from_secs(4), &mut read).await {
                return head;
            }
            let waits = !self.upward && self.asked.lock().unwrap().front().is_some_and(|(_, is_next)| *is_next);
            if waits && self.bug == Bug::TiresOfWaiting {
                return Err("tired".to_owned());
            }
        }
    }

    fn collects(&self, body: &Body, head: &str) -> bool {
        match self.bug {
            Bug::CollectsBodies => true,
            Bug::GivesEverythingALength => body.framing == Framing::Chunked,
            Bug::ChunksEverything | Bug::WritesJsonAgain | Bug::ReadsBodiesAsText => {
                body.framing == Framing::Length && !head.contains("Expect")
            }
            _ => false,
        }
    }

    async fn collected(&mut self, reader: &mut Reader, head: String, body: Body) -> Outcome {
        let message = reader.message(head, body).await?;
        if message.broken {
            return Err("it broke off".to_owned());
        }
        let body = match self.bug {
            Bug::CollectsBodies => return self.write(&message.whole()).await,
            Bug::WritesJsonAgain => match serde_json::from_slice::<serde_json::Value>(&message.body) {
                Ok(json) => serde_json::to_vec(&json).unwrap(),
                Err(_) => return self.write(&message.whole()).await,
            },
            Bug::ReadsBodiesAsText => String::from_utf8_lossy(&message.body).into_owned().into_bytes(),
            _ => message.body,
        };
        let (length, body) = match self.bug {
            Bug::ChunksEverything if body.is_empty() => ("Transfer-Encoding: chunked".to_owned(), b"0\r\n\r\n".to_vec()),
            Bug::ChunksEverything => {
                let chunk = [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
                ("Transfer-Encoding: chunked".to_owned(), chunk)
            }
            _ => (format!("Content-Length: {}", body.len()), body),
        };
        let framing = |line: &str| {
            let name = line.to_ascii_lowercase();
            name.starts_with("content-length:") || name.starts_with("transfer-encoding:")
        };
        let lines: Vec<_> = message.head.trim_end().split("\r\n").map(|line| if framing(line) { length.as_str() } else { line }).collect();
        self.write(&[bytes(&lines.join("\r\n")), b"\r\n\r\n".to_vec(), body].concat()).await
    }

    async fn relay(&mut self, reader: &mut Reader, body: &mut Body) -> Outcome {
        loop {
            let piece = reader.piece(body).await?;
            let mut raw = std::mem::take(&mut body.raw);
            if self.bug == Bug::ChangesBodies
                && let (Piece::Bytes(_), Some(last)) = (&piece, raw.last_mut())
            {
                *last ^= 1;
            }
            if self.bug == Bug::DropsTrailers && !body.trailers.is_empty() {
                raw = b"0\r\n\r\n".to_vec();
            }
            self.write(&raw).await?;
            match piece {
                Piece::Bytes(_) => (),
                Piece::End => return Ok(()),
                Piece::Broken if self.bug == Bug::EndsWhatBrokeOff => return self.write(&body.ending()).await,
                Piece::Broken => return Err("it broke off".to_owned()),
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Outcome {
        let written = self.writer.write_all(bytes).await;
        if written.is_err() && self.bug == Bug::WritesIntoADroppedConnection {
            return Ok(());
        }
        written.map_err(|error| error.to_string())
    }

    /// A head as the bug changes it, or an error if the call is refused.
    fn changed(&self, head: String) -> Outcome<String> {
        let (first, rest) = head.split_once("\r\n").unwrap();
        let lines: Vec<&str> = rest.trim_end().split("\r\n").filter(|line| !line.is_empty()).collect();
        let name = |line: &str| line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let again = |first: &str, lines: Vec<String>| {
            std::iter::once(first.to_owned()).chain(lines).map(|line| line + "\r\n").collect::<String>() + "\r\n"
        };
        let kept = |keeps: &dyn Fn(&str) -> bool| lines.iter().filter(|line| keeps(&name(line))).map(|line| (*line).to_owned()).collect();
        Ok(match self.bug {
            Bug::LowerCasesHeaders => {
                let lower = |line: &&str| line.split_once(':').map(|(name, value)| format!("{}:{value}", name.to_ascii_lowercase()));
                again(first, lines.iter().filter_map(lower).collect())
            }
            Bug::SortsHeaders => {
                let mut sorted: Vec<String> = kept(&|_| true);
                sorted.sort_by_key(|line| name(line));
                again(first, sorted)
            }
            Bug::KeepsTheLastOfRepeatedHeaders => {
                let last = |(at, line): &(usize, &&str)| !lines.iter().skip(at + 1).any(|later| name(later) == name(line));
                again(first, lines.iter().enumerate().filter(last).map(|(_, line)| (*line).to_owned()).collect())
            }
            Bug::DropsHeadersItDoesNotKnow => again(first, kept(&|name| KNOWN.contains(&name))),
            Bug::SpeaksForItself if self.upward => {
                let own = |line: &&str| if name(line) == "user-agent" { "User-Agent: faulty/1".to_owned() } else { (*line).to_owned() };
                again(first, lines.iter().map(own).collect())
            }
            Bug::TakesAConnectionForEachCall if !self.upward && !first.starts_with("HTTP/1.1 1") => {
                format!("{first}\r\nConnection: close\r\n{rest}")
            }
            Bug::ForgetsToClose => again(first, kept(&|name| name != "connection")),
            Bug::Turns403Into200 => head.replacen("HTTP/1.1 403 ", "HTTP/1.1 200 ", 1),
            Bug::AnswersForThePlatform if !self.upward && !first.starts_with("HTTP/1.1 1") => format!("HTTP/1.1 200 OK\r\n{rest}"),
            Bug::TakesEmptyForMissing if values(&head, "content-length").contains(&"0") => return Err("missing".to_owned()),
            Bug::RefusesLongHeads if head.len() > 8 << 10 || lines.len() > 100 => return Err("too long".to_owned()),
            Bug::RefusesUnknownCalls if self.upward && !is_known(first) => return Err("unknown".to_owned()),
            Bug::RefusesLateEvents if values(&head, "lambda-runtime-deadline-ms").iter().any(|at| is_odd(at)) => {
                return Err("late".to_owned());
            }
            _ => head,
        })
    }
}

const KNOWN: [&str; 13] = [
    "host",
    "content-type",
    "content-length",
    "transfer-encoding",
    "trailer",
    "connection",
    "expect",
    "user-agent",
    "lambda-runtime-aws-request-id",
    "lambda-runtime-deadline-ms",
    "lambda-runtime-invoked-function-arn",
    "lambda-runtime-trace-id",
    "lambda-runtime-function-error-type",
];

fn is_known(line: &str) -> bool {
    let mut words = line.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match path.strip_prefix("/2018-06-01/runtime/invocation/") {
        Some("next") => method == "GET",
        Some(rest) => method == "POST" && (rest.ends_with("/response") || rest.ends_with("/error")),
        None => false,
    }
}

/// Whether a deadline is not plausible by this machine's clock.
fn is_odd(deadline_ms: &str) -> bool {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    deadline_ms.parse::<u128>().is_ok_and(|at| at.abs_diff(now) > 900_000)
}
