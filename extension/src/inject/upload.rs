//! Changes the body of an answer while it passes from the runtime to the platform. Memory is
//! bounded for any size: the runtime is read only as fast as the platform is written to.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use faults::kinds::stream::Pace;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::WriteHalf;

use super::alter::{self, Corruption};
use super::context::Injection;
use super::pace;
use super::steps::{confirm, send_continue};
use crate::body::Body;
use crate::connection::{self, Connection, LARGE, LONGEST_HEAD, make_room};
use crate::exchange::{self, Broken, Ended};
use crate::message::{AnswerHead, RequestHead};
use crate::wait::gone;

/// How long the platform has to notice that an answer was cut off before the runtime may request
/// another event.
const NOTICING: Duration = Duration::from_secs(1);

/// The change of the body.
pub(super) enum Change<'a> {
    Cut { bytes: u64 },
    Corrupt(Corruption),
    Pace(&'a Pace),
}

/// How far the request went.
pub(super) enum Sent {
    /// Completely.
    Whole,
    /// The connection must be closed within it.
    Cut,
}

/// The handler's answer between the runtime and the platform.
pub(super) struct Flow<'a> {
    from: &'a mut TcpStream,
    buffer: &'a mut BytesMut,
    pub(super) body: &'a mut Body,
    to: WriteHalf<'a>,
    pub(super) chunked: bool,
}

impl Flow<'_> {
    /// The next piece of the payload, at most `most` bytes; `None` after its end.
    pub(super) async fn next(&mut self, most: usize) -> Result<Option<BytesMut>, connection::Broken> {
        loop {
            if self.body.is_past_payload() {
                return Ok(None);
            }
            // Framing only adds bytes, so the payload is never longer than them.
            let here = self.buffer.get(..most.min(self.buffer.len())).unwrap_or_default();
            let mut piece = BytesMut::new();
            let taken = self.body.advance_to_trailers(here, |bytes| piece.extend_from_slice(bytes));
            let taken = taken.map_err(|_| connection::Broken::Source)?;
            self.buffer.advance(taken);
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
            if taken == 0 {
                self.read_more().await?;
            }
        }
    }

    /// The trailer lines after the payload of a chunked answer, with the empty line that ends them.
    pub(super) async fn trailers(&mut self) -> Result<BytesMut, connection::Broken> {
        let mut lines = BytesMut::new();
        while !self.body.is_done() {
            let taken = self.body.advance(self.buffer).map_err(|_| connection::Broken::Source)?;
            lines.extend_from_slice(&self.buffer.split_to(taken));
            if lines.len() > LONGEST_HEAD {
                return Err(connection::Broken::Source);
            }
            if !self.body.is_done() {
                self.read_more().await?;
            }
        }
        Ok(lines)
    }

    async fn read_more(&mut self) -> Result<(), connection::Broken> {
        make_room(self.buffer, self.body.expected(LARGE));
        match self.from.read_buf(self.buffer).await {
            Ok(read) if read > 0 => Ok(()),
            _ => Err(connection::Broken::Source),
        }
    }

    /// Sends a piece of the payload in the answer's own framing; a chunked answer gets new chunks.
    pub(super) async fn pass_on(&mut self, piece: &[u8]) -> Result<(), connection::Broken> {
        if !self.chunked {
            return self.write(piece).await;
        }
        let mut chunk = Vec::with_capacity(piece.len() + 20);
        chunk.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(b"\r\n");
        self.write(&chunk).await
    }

    /// Ends a chunked answer with these trailer lines.
    pub(super) async fn end(&mut self, trailers: &[u8]) -> Result<(), connection::Broken> {
        if self.chunked { self.write(&[b"0\r\n", trailers].concat()).await } else { Ok(()) }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), connection::Broken> {
        self.to.write_all(bytes).await.map_err(|_| connection::Broken::Sink)
    }

    async fn send(&mut self, head: &[u8], change: Change<'_>, injection: &Injection<'_>) -> Result<Sent, connection::Broken> {
        self.write(head).await?;
        match change {
            Change::Cut { bytes } => alter::cut(self, bytes, injection).await,
            Change::Corrupt(corruption) => alter::corrupt(self, corruption, injection).await,
            Change::Pace(pace) => pace::send(self, pace, injection).await,
        }
    }
}

/// Why sending ended.
enum Outcome {
    Sent(Result<Sent, connection::Broken>),
    /// The platform answered before it had everything.
    Answered(AnswerHead),
}

/// Sends `head` and, changed, the body of the request at the front of the runtime's buffer. The
/// runtime gets the platform's answer when all of its own has been read. If the platform's
/// connection was cut, it gets the usual answer: for the runtime nothing went wrong.
pub(super) async fn upload(
    injection: Injection<'_>,
    runtime: &mut Connection,
    request: &RequestHead,
    head: &[u8],
    change: Change<'_>,
) -> Result<Ended, Broken> {
    send_continue(runtime, request).await?;
    let mut platform = injection.context.platform.connection().await?;
    runtime.buffer.advance(request.length);
    let mut body = request.body;
    let outcome = {
        let (mut reads, to) = platform.stream.split();
        let chunked = body.is_chunked();
        let mut flow = Flow { from: &mut runtime.stream, buffer: &mut runtime.buffer, body: &mut body, to, chunked };
        tokio::select! {
            biased;
            sent = flow.send(head, change, &injection) => Outcome::Sent(sent),
            answer = final_answer(&mut reads, &mut platform.buffer) => Outcome::Answered(answer?),
        }
    };
    injection.tell();
    if matches!(outcome, Outcome::Sent(Ok(Sent::Cut))) {
        let _ = platform.stream.shutdown().await;
    }
    runtime.discard(0, body).await.map_err(|_| Broken::Runtime)?;
    let whole = matches!(outcome, Outcome::Sent(Ok(Sent::Whole)));
    let answer = match outcome {
        Outcome::Sent(Err(connection::Broken::Source)) => return Err(Broken::Runtime),
        Outcome::Sent(Ok(Sent::Cut)) => {
            // A `next` before that would be refused, and the runtime would exit.
            let _ = tokio::time::timeout(NOTICING, platform.stream.read_buf(&mut platform.buffer)).await;
            drop(platform);
            return confirm(runtime, request).await;
        }
        Outcome::Sent(Ok(Sent::Whole) | Err(_)) => {
            tokio::select! {
                biased;
                answer = final_answer(&mut platform.stream, &mut platform.buffer) => answer?,
                () = gone(&runtime.stream) => return Err(Broken::Runtime),
            }
        }
        Outcome::Answered(answer) => answer,
    };
    let ended = exchange::hand_over(runtime, &mut platform, answer).await?;
    injection.context.platform.keep(platform, Ended { keep_platform: ended.keep_platform && whole && request.keep_alive, ..ended });
    Ok(Ended { keep_runtime: ended.keep_runtime && request.keep_alive, ..ended })
}
/// The platform's final answer; interim ones are skipped.
async fn final_answer(from: &mut (impl tokio::io::AsyncRead + Unpin), buffer: &mut BytesMut) -> Result<AnswerHead, Broken> {
    loop {
        let head = exchange::read_answer(from, buffer, false).await?;
        if !head.is_interim() {
            return Ok(head);
        }
        buffer.advance(head.length);
    }
}
