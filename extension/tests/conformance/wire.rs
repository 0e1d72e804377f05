//! HTTP/1.1 as bytes, for both ends of the suite. It shares no code with the proxy under test, and
//! never accepts a malformed message.

use std::time::Duration;

use rustix::net::RecvFlags;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// The result of a case, with the reason if it fails.
pub type Outcome<T = ()> = Result<T, String>;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

pub async fn in_time<T>(what: &str, future: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| Err(format!("waited {} s in vain for {what}", PATIENCE.as_secs())))
}

/// How the end of a body is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    None,
    Length,
    Chunked,
    UntilClose,
}

/// Which kind of message a head begins.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Request,
    Answer,
    AnswerToHead,
}

#[derive(Debug, Clone, Copy)]
enum Rest {
    Length(u64),
    Size,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    UntilClose,
    Done,
}

/// A body that is being read.
#[derive(Debug)]
pub struct Body {
    pub framing: Framing,
    rest: Rest,
    /// What was read since this was last taken, including chunk sizes and trailers.
    pub raw: Vec<u8>,
    pub trailers: String,
}

/// The next piece of a body's payload.
#[derive(Debug)]
pub enum Piece {
    Bytes(Vec<u8>),
    End,
    /// The connection ended before the body did.
    Broken,
}

/// A whole message. Text is Latin-1, one character a byte, so that nothing is lost.
#[derive(Debug, Clone)]
pub struct Message {
    pub head: String,
    pub framing: Framing,
    pub raw: Vec<u8>,
    pub body: Vec<u8>,
    pub trailers: String,
    pub broken: bool,
}

/// The lines of a head after its first, as (name, value).
pub fn headers(head: &str) -> Vec<(&str, &str)> {
    head.split("\r\n").skip(1).filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim())).collect()
}

/// The values of all headers with a name, in any case.
pub fn values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    headers(head).into_iter().filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

pub fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| *byte as char).collect()
}

pub fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|letter| letter as u8).collect()
}

impl Message {
    pub fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub fn values(&self, name: &str) -> Vec<&str> {
        values(&self.head, name)
    }

    /// The whole message as it came.
    pub fn whole(&self) -> Vec<u8> {
        [bytes(&self.head), self.raw.clone()].concat()
    }
}

impl Body {
    pub fn of(head: &str, kind: Kind) -> Outcome<Self> {
        let status = head.split(' ').nth(1).unwrap_or_default();
        let none = match kind {
            Kind::Request => false,
            Kind::Answer => status.starts_with('1') || status == "204" || status == "304",
            Kind::AnswerToHead => true,
        };
        let (framing, rest) = match (values(head, "transfer-encoding").as_slice(), values(head, "content-length").as_slice()) {
            _ if none => (Framing::None, Rest::Done),
            ([chunked], []) if chunked.eq_ignore_ascii_case("chunked") => (Framing::Chunked, Rest::Size),
            ([], [length]) => (Framing::Length, Rest::Length(length.parse().map_err(|_| format!("a Content-Length of `{length}`"))?)),
            ([], []) if matches!(kind, Kind::Request) => (Framing::None, Rest::Done),
            ([], []) => (Framing::UntilClose, Rest::UntilClose),
            other => return Err(format!("framing that makes no sense: {other:?}")),
        };
        Ok(Self { framing, rest, raw: Vec::new(), trailers: String::new() })
    }
}

/// One direction of a connection.
#[derive(Debug)]
pub struct Reader {
    half: OwnedReadHalf,
    kept: Vec<u8>,
}

impl Reader {
    /// Reads more; returns whether there was anything. A reset counts as the end.
    pub async fn more(&mut self) -> bool {
        let mut chunk = [0; 64 << 10];
        let count = self.half.read(&mut chunk).await.unwrap_or(0);
        self.kept.extend_from_slice(&chunk[..count]);
        count > 0
    }

    async fn until(&mut self, mark: &[u8]) -> Option<Vec<u8>> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.kept[searched..].windows(mark.len()).position(|window| window == mark) {
                return Some(self.kept.drain(..searched + at + mark.len()).collect());
            }
            searched = self.kept.len().saturating_sub(mark.len() - 1);
            if !self.more().await {
                return None;
            }
        }
    }

    /// The next head, or `None` if the connection ended before it.
    pub async fn head(&mut self) -> Outcome<Option<String>> {
        match self.until(b"\r\n\r\n").await {
            Some(head) => Ok(Some(latin(&head))),
            None if self.kept.is_empty() => Ok(None),
            None => Err(format!("the connection ended within a head: `{}`", latin(&self.kept))),
        }
    }

    pub async fn piece(&mut self, body: &mut Body) -> Outcome<Piece> {
        loop {
            match body.rest {
                Rest::Done => return Ok(Piece::End),
                Rest::Length(0) => body.rest = Rest::Done,
                Rest::Chunk(0) => body.rest = Rest::ChunkEnd,
                Rest::Length(_) | Rest::Chunk(_) | Rest::UntilClose => {
                    if self.kept.is_empty() && !self.more().await {
                        let closed = matches!(body.rest, Rest::UntilClose);
                        return Ok(if closed { Piece::End } else { Piece::Broken });
                    }
                    return Ok(Piece::Bytes(self.payload(body)));
                }
                Rest::Size | Rest::ChunkEnd | Rest::Trailers => {
                    let Some(line) = self.until(b"\r\n").await else { return Ok(Piece::Broken) };
                    body.raw.extend_from_slice(&line);
                    body.line(latin(&line).trim_end())?;
                }
            }
        }
    }

    fn payload(&mut self, body: &mut Body) -> Vec<u8> {
        let count = match &mut body.rest {
            Rest::Length(left) | Rest::Chunk(left) => {
                let count = (*left).min(self.kept.len() as u64);
                *left -= count;
                count as usize
            }
            _ => self.kept.len(),
        };
        let payload: Vec<u8> = self.kept.drain(..count).collect();
        body.raw.extend_from_slice(&payload);
        payload
    }

    /// Reads the body that belongs to a head.
    pub async fn message(&mut self, head: String, mut body: Body) -> Outcome<Message> {
        let mut payload = Vec::new();
        let broken = loop {
            match self.piece(&mut body).await? {
                Piece::Bytes(bytes) => payload.extend(bytes),
                Piece::End => break false,
                Piece::Broken => break true,
            }
        };
        Ok(Message { head, framing: body.framing, raw: body.raw, body: payload, trailers: body.trailers, broken })
    }
}

impl Body {
    /// Bytes that would end the body as if it were complete.
    pub fn ending(&self) -> Vec<u8> {
        match self.rest {
            Rest::Length(left) => vec![b' '; left as usize],
            Rest::Chunk(left) => [vec![b' '; left as usize], b"\r\n0\r\n\r\n".to_vec()].concat(),
            Rest::Size => b"0\r\n\r\n".to_vec(),
            Rest::ChunkEnd => b"\r\n0\r\n\r\n".to_vec(),
            Rest::Trailers => b"\r\n".to_vec(),
            Rest::UntilClose | Rest::Done => Vec::new(),
        }
    }

    fn line(&mut self, line: &str) -> Outcome {
        self.rest = match self.rest {
            Rest::Size => {
                let digits = line.split(';').next().unwrap_or_default().trim();
                match u64::from_str_radix(digits, 16).map_err(|_| format!("a chunk of size `{line}`"))? {
                    0 => Rest::Trailers,
                    size => Rest::Chunk(size),
                }
            }
            Rest::ChunkEnd if line.is_empty() => Rest::Size,
            Rest::ChunkEnd => return Err(format!("`{line}` behind a chunk")),
            _ if line.is_empty() => Rest::Done,
            other => {
                self.trailers.push_str(&format!("{line}\r\n"));
                other
            }
        };
        Ok(())
    }
}

/// A connection.
#[derive(Debug)]
pub struct Wire {
    pub reader: Reader,
    pub writer: OwnedWriteHalf,
}

impl Wire {
    pub fn new(stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(true);
        let (half, writer) = stream.into_split();
        Self { reader: Reader { half, kept: Vec::new() }, writer }
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Outcome {
        in_time("bytes to be taken", async { self.writer.write_all(bytes).await.map_err(|error| format!("cannot send: {error}")) }).await
    }

    /// Whether the other end has closed. It asks the kernel.
    pub fn is_closed(&self) -> bool {
        let mut byte = [0_u8];
        let peeked = rustix::net::recv(self.reader.half.as_ref(), &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        self.reader.kept.is_empty() && !matches!(peeked, Ok((_, 1)) | Err(rustix::io::Errno::AGAIN))
    }
}

/// Checks that both are the same bytes.
pub fn same(what: &str, got: impl AsRef<[u8]>, wanted: impl AsRef<[u8]>) -> Outcome {
    let (got, wanted) = (got.as_ref(), wanted.as_ref());
    if got == wanted {
        return Ok(());
    }
    let at = got.iter().zip(wanted).position(|(a, b)| a != b).unwrap_or_else(|| got.len().min(wanted.len()));
    let around = |all: &[u8]| latin(&all[at.saturating_sub(10)..all.len().min(at + 30)]);
    Err(format!("{what}: {} bytes in place of {}, from byte {at}: {:?} for {:?}", got.len(), wanted.len(), around(got), around(wanted)))
}

pub fn check(holds: bool, otherwise: impl Into<String>) -> Outcome {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}
