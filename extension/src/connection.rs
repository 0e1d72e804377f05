//! One connection with the bytes that were read from it and not yet passed on. Its buffer grows for
//! a long head, or if a fault needs a whole body; it must never grow with a body that only passes
//! through.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::body::{Body, Malformed};
use crate::message::head_end;

/// The longest head that is accepted: `Lambda-Runtime-Function-XRay-Error-Cause` alone may have 1
/// MiB.
pub const LONGEST_HEAD: usize = 4 << 20;

/// The most that is kept of one message if a fault needs all of it: Lambda's 6,291,556 bytes, with
/// room for head and framing.
pub const MOST_KEPT: usize = 7 << 20;

/// The buffer of an idle connection, and of a small message.
const SMALL: usize = 8 << 10;
/// The most that is read at once of a body that only passes through.
pub const LARGE: usize = 512 << 10;

/// A socket and the bytes that were read ahead.
#[derive(Debug)]
pub struct Connection {
    /// The socket.
    pub stream: TcpStream,
    /// What was read from it and not yet passed on.
    pub buffer: BytesMut,
}

/// Which end of a copy failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The end that was read from: it closed too early or sent a malformed message.
    Source,
    /// The end that was written to.
    Sink,
    /// The end that was written to, before the whole head was sent: it is still in the buffer.
    SinkBeforeHead,
}

impl Connection {
    /// Wraps a connected socket; small messages are sent at once.
    pub fn new(stream: TcpStream) -> Self {
        // With Nagle's algorithm and delayed acknowledgements every event would be 40 ms late.
        let _ = stream.set_nodelay(true);
        Self { stream, buffer: BytesMut::new() }
    }

    /// Reads until the buffer begins with a whole head. Returns its length, or `None` if the
    /// connection ended before its first byte.
    ///
    /// # Errors
    /// If it ends within a head, or the head is too long.
    pub async fn read_head(&mut self) -> io::Result<Option<usize>> {
        read_head(&mut self.stream, &mut self.buffer).await
    }

    /// Reads until the buffer holds the whole of `body`, which begins at `from`, and returns where
    /// it ends; nothing is passed on. `None` if it has more than `most` bytes: then a part of it is
    /// in the buffer.
    ///
    /// # Errors
    /// If the connection ends before the body does.
    pub async fn read_whole(&mut self, from: usize, mut body: Body, most: usize) -> io::Result<Option<usize>> {
        let mut counted = from;
        loop {
            counted += body.advance(self.buffer.get(counted..).unwrap_or_default()).map_err(malformed)?;
            if counted - from > most {
                return Ok(None);
            }
            if body.is_done() {
                return Ok(Some(counted));
            }
            make_room(&mut self.buffer, body.expected(LARGE));
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return if body.ends_with_connection() { Ok(Some(counted)) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    /// Reads until `least` bytes of `body`, which begins at `from`, are in the buffer, or all of it
    /// is. Returns whether all of it is.
    ///
    /// # Errors
    /// If the connection ends before that, or the body is malformed.
    pub async fn read_at_least(&mut self, from: usize, mut body: Body, least: usize) -> io::Result<bool> {
        let mut counted = from;
        loop {
            counted += body.advance(self.buffer.get(counted..).unwrap_or_default()).map_err(malformed)?;
            if body.is_done() || counted - from >= least {
                return Ok(body.is_done());
            }
            make_room(&mut self.buffer, body.expected(least));
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return if body.ends_with_connection() { Ok(true) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    /// Reads the rest of a message, `head` bytes and `body`, and discards it.
    ///
    /// # Errors
    /// If the connection ends before the body does.
    pub async fn discard(&mut self, head: usize, mut body: Body) -> io::Result<()> {
        self.buffer.advance(head.min(self.buffer.len()));
        let copied = copy(&mut self.stream, &mut self.buffer, &mut tokio::io::sink(), 0, &mut body).await;
        copied.map_err(|_| io::ErrorKind::UnexpectedEof.into())
    }
}

/// A malformed message as an I/O error.
pub fn malformed(_: Malformed) -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// [`Connection::read_head`] on its parts.
///
/// # Errors
/// If the connection ends within a head, or the head is too long.
pub async fn read_head(from: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> io::Result<Option<usize>> {
    let mut searched = 0;
    loop {
        if searched == 0 {
            // RFC 9112, 2.2: empty lines before a message are skipped.
            while let Some(empty) = [&b"\r\n"[..], b"\n"].iter().find(|empty| buffer.starts_with(empty)) {
                buffer.advance(empty.len());
            }
        }
        if let Some(end) = head_end(buffer, searched) {
            return Ok(Some(end));
        }
        searched = if &buffer[..] == b"\r" { 0 } else { buffer.len() };
        if buffer.len() > LONGEST_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        make_room(buffer, buffer.len());
        if from.read_buf(buffer).await? == 0 {
            return if buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    }
}

/// Copies the first `head` bytes of `buffer` and then `body`, whose rest is read from `from`, to
/// `to`. Each piece is passed on as soon as it arrives.
///
/// # Errors
/// Which of the two ends failed.
pub async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    to: &mut (impl AsyncWrite + Unpin),
    mut head: usize,
    body: &mut Body,
) -> Result<(), Broken> {
    loop {
        let here = head + body.advance(buffer.get(head..).unwrap_or_default()).map_err(|_| Broken::Source)?;
        if here > 0 {
            let written = to.write_all(buffer.get(..here).unwrap_or_default()).await;
            written.map_err(|_| if head > 0 { Broken::SinkBeforeHead } else { Broken::Sink })?;
            buffer.advance(here);
            head = 0;
        }
        if body.is_done() {
            give_back_room(buffer);
            return Ok(());
        }
        make_room(buffer, body.expected(LARGE));
        if from.read_buf(buffer).await.map_err(|_| Broken::Source)? == 0 {
            return if body.ends_with_connection() { Ok(()) } else { Err(Broken::Source) };
        }
    }
}

/// Makes room for the next read: `expected` bytes, but never too few to be worth a system call.
pub fn make_room(buffer: &mut BytesMut, expected: usize) {
    let wanted = expected.max(SMALL / 2);
    if buffer.capacity() - buffer.len() < wanted {
        buffer.reserve(wanted.max(SMALL));
    }
}

/// Shrinks the buffer after a large message: an environment has many connections and little memory.
pub fn give_back_room(buffer: &mut BytesMut) {
    if buffer.is_empty() && buffer.capacity() > 4 * SMALL {
        *buffer = BytesMut::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_head_is_read_in_pieces_and_what_follows_stays() {
        let (mut near, mut far) = tokio::io::duplex(64);
        let sent = tokio::spawn(async move {
            for piece in ["\r\n\n", "\r", "\nGET / HT", "TP/1.1\r\nHost: x\r", "\n\r", "\nrest"] {
                near.write_all(piece.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
            near
        });
        let mut buffer = BytesMut::new();
        let length = read_head(&mut far, &mut buffer).await.unwrap().unwrap();
        assert_eq!(&buffer[..length], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        drop(sent.await.unwrap());
    }

    #[tokio::test]
    async fn a_large_body_passes_through_a_small_buffer() {
        let length = 3 << 20;
        let (mut near, mut far) = tokio::io::duplex(LARGE);
        let writer = tokio::spawn(async move { near.write_all(&vec![7; length]).await.map(|()| near) });
        let (mut buffer, mut body) = (BytesMut::new(), Body::of_length(length as u64));
        copy(&mut far, &mut buffer, &mut tokio::io::sink(), 0, &mut body).await.unwrap();
        assert!(body.is_done());
        assert!(buffer.capacity() <= 4 * SMALL, "{}", buffer.capacity());
        drop(writer.await.unwrap().unwrap());
    }

    #[tokio::test]
    async fn a_copy_reports_whether_anything_was_passed_on() {
        let (near, mut far) = tokio::io::duplex(64);
        drop(near);
        let mut buffer = BytesMut::from(&b"headbody"[..]);
        let broken = copy(&mut tokio::io::empty(), &mut buffer, &mut far, 4, &mut Body::of_length(4)).await;
        assert_eq!((broken, &buffer[..]), (Err(Broken::SinkBeforeHead), &b"headbody"[..]));
        let broken = copy(&mut tokio::io::empty(), &mut buffer, &mut far, 0, &mut Body::of_length(8)).await;
        assert_eq!(broken, Err(Broken::Sink));
    }

    #[tokio::test]
    async fn a_body_that_ends_early_is_detected() {
        let (mut near, mut far) = tokio::io::duplex(64);
        near.write_all(b"5\r\nhel").await.unwrap();
        drop(near);
        let mut body = Body::CHUNKED;
        assert_eq!(copy(&mut far, &mut BytesMut::new(), &mut tokio::io::sink(), 0, &mut body).await, Err(Broken::Source));
    }
}
