//! How a caller wrote the names of its headers: hyper hands them on in lower case, REST APIs as
//! they were sent. It reads heads, skips bodies, and changes nothing.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A longer line is not looked at.
const LONGEST_LINE: usize = 64 * 1024;

/// The names of one request that are not in lower case, by their lower case.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Spelling(HashMap<String, String>);

impl Spelling {
    /// All names are in lower case.
    pub(crate) fn plain() -> &'static Self {
        static PLAIN: LazyLock<Spelling> = LazyLock::new(Spelling::default);
        &PLAIN
    }

    /// Whether all names are in lower case.
    pub(crate) fn is_plain(&self) -> bool {
        self.0.is_empty()
    }

    /// A name as it was sent.
    pub(crate) fn of<'a>(&'a self, lower: &'a str) -> &'a str {
        self.0.get(lower).map_or(lower, String::as_str)
    }
}

/// Where in a request the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In the request line.
    Request,
    /// In a header.
    Header,
    /// In a body of which this much is left.
    Body(u64),
    /// In the line with the size of a chunk.
    Size,
    /// In a chunk of which this much is left, its line break included.
    Chunk(u64),
    /// In a line after the last chunk.
    Trailer,
}

/// Reads requests as they pass.
#[derive(Debug)]
struct Reader {
    at: At,
    line: Vec<u8>,
    length: u64,
    chunked: bool,
    names: HashMap<String, String>,
    /// Of the requests whose heads are complete and not taken yet.
    complete: std::collections::VecDeque<Spelling>,
}

impl Reader {
    fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.at {
                At::Body(left) | At::Chunk(left) => {
                    let size = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = bytes.get(size..).unwrap_or_default();
                    let left = left - size as u64;
                    self.at = match self.at {
                        At::Body(_) if left == 0 => At::Request,
                        At::Body(_) => At::Body(left),
                        _ if left == 0 => At::Size,
                        _ => At::Chunk(left),
                    };
                }
                At::Request | At::Header | At::Size | At::Trailer => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
                    bytes = rest;
                    if self.line.len() + part.len() <= LONGEST_LINE {
                        self.line.extend_from_slice(part);
                    }
                    if end.is_some() {
                        let line = std::mem::take(&mut self.line);
                        self.end_of_line(String::from_utf8_lossy(&line).trim_end());
                        self.line = line;
                        self.line.clear();
                    }
                }
            }
        }
    }

    fn end_of_line(&mut self, line: &str) {
        self.at = match self.at {
            // Empty lines before a request are allowed.
            At::Request if line.is_empty() => At::Request,
            At::Request => {
                (self.length, self.chunked) = (0, false);
                At::Header
            }
            At::Header if line.is_empty() => {
                self.complete.push_back(Spelling(std::mem::take(&mut self.names)));
                match (self.chunked, self.length) {
                    (true, _) => At::Size,
                    (false, 0) => At::Request,
                    (false, length) => At::Body(length),
                }
            }
            At::Header => {
                self.header(line);
                At::Header
            }
            At::Size => match u64::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16) {
                Ok(0) | Err(_) => At::Trailer,
                Ok(size) => At::Chunk(size.saturating_add(2)),
            },
            At::Trailer if line.is_empty() => At::Request,
            at => at,
        };
    }

    fn header(&mut self, line: &str) {
        let Some((name, value)) = line.split_once(':') else { return };
        if name.eq_ignore_ascii_case("content-length") {
            self.length = value.trim().parse().unwrap_or(0);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            self.chunked = value.to_ascii_lowercase().contains("chunked");
        }
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.names.insert(name.to_ascii_lowercase(), name.to_owned());
        }
    }
}

/// A connection whose requests are read as they pass.
pub(crate) struct Spelled<S> {
    stream: S,
    reader: Arc<Mutex<Reader>>,
}

/// Takes the spelling of each request of a connection, in their order.
#[derive(Debug, Clone)]
pub(crate) struct Spellings(Arc<Mutex<Reader>>);

impl Spellings {
    /// Of the next request.
    pub(crate) fn next(&self) -> Option<Spelling> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).complete.pop_front()
    }
}

impl<S> Spelled<S> {
    /// The connection, and what takes the spellings of its requests.
    pub(crate) fn new(stream: S) -> (Self, Spellings) {
        let reader =
            Reader { at: At::Request, line: Vec::new(), length: 0, chunked: false, names: HashMap::new(), complete: Default::default() };
        let reader = Arc::new(Mutex::new(reader));
        (Self { stream, reader: Arc::clone(&reader) }, Spellings(reader))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Spelled<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        self.reader.lock().unwrap_or_else(PoisonError::into_inner).read(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Spelled<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;

    use super::*;

    const THREE: &[u8] = b"POST / HTTP/1.1\r\nX-One: 1\r\nContent-Length: 17\r\n\r\nX-Body: a\r\n\r\nGET \r\n\
        POST / HTTP/1.1\r\nx-two: 1\r\nTransfer-Encoding: chunked\r\n\r\na;x=y\r\nX-Chunk: a\r\n0\r\nX-Trailer: 1\r\n\r\n\
        GET / HTTP/1.1\r\nX-Three: 3\r\n\r\n";

    async fn spellings(bytes: &[u8], size: usize) -> Vec<Vec<String>> {
        let (mut spelled, spellings) = Spelled::new(bytes);
        let mut buffer = vec![0; size];
        while spelled.read(&mut buffer).await.unwrap() > 0 {}
        let mut all = Vec::new();
        while let Some(spelling) = spellings.next() {
            let mut names: Vec<_> = spelling.0.into_values().collect();
            names.sort();
            all.push(names);
        }
        all
    }

    #[tokio::test]
    async fn heads_are_read_and_bodies_are_not_however_they_are_cut() {
        for size in [1, 2, 7, 64, 4096] {
            let all = spellings(THREE, size).await;
            assert_eq!(all, [vec!["Content-Length", "X-One"], vec!["Transfer-Encoding"], vec!["X-Three"]], "{size}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let spellings = Spelled::new(()).1;
            spellings.0.lock().unwrap().read(&bytes);
        }
    }
}
