//! Passes one request to the platform and its answer back, in both directions at once and byte for
//! byte. It decides nothing.

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::connection::{self, Connection, copy, give_back_room, read_head};
use crate::message::{AnswerHead, RequestHead, tidy};
use crate::wait::gone;

/// What may be done with the two connections afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The runtime's connection may carry another request.
    pub keep_runtime: bool,
    /// The platform's connection may be used again.
    pub keep_platform: bool,
}

impl Ended {
    /// Neither connection is used again if the request asked to close: the platform has read that
    /// too, and closes by itself.
    pub const fn after(self, request: &RequestHead) -> Self {
        Self { keep_runtime: self.keep_runtime && request.keep_alive, keep_platform: self.keep_platform && request.keep_alive }
    }
}

/// Why an exchange did not complete. Both connections must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The runtime disconnected.
    Runtime,
    /// The runtime disconnected before a byte of the answer was passed on; the answer is still in
    /// the platform's buffer.
    RuntimeBeforeAnswer,
    /// Not a byte of the request was sent: any request may be sent again.
    Unsent,
    /// The platform closed the connection without a byte of an answer, and may have processed the
    /// request; nothing was sent to the runtime.
    Unanswered,
    /// The platform closed the connection during an answer, or sent a malformed one.
    Platform,
}

/// Reads the next answer's head from the platform, which may be an interim one. Cancel safe.
///
/// # Errors
/// See [`Broken`].
pub async fn read_answer(from: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut, to_head: bool) -> Result<AnswerHead, Broken> {
    match read_head(from, buffer).await {
        Ok(Some(length)) => {
            let head = AnswerHead::read(buffer, length, to_head).map_err(|_| Broken::Platform)?;
            if !head.untidy {
                return Ok(head);
            }
            let length = tidy(buffer, length);
            Ok(AnswerHead { length, ..head })
        }
        Ok(None) => Err(Broken::Unanswered),
        Err(_) if buffer.is_empty() => Err(Broken::Unanswered),
        Err(_) => Err(Broken::Platform),
    }
}

/// Sends the beginning of a request.
///
/// # Errors
/// [`Broken::Unsent`] if nothing of it was sent, else [`Broken::Unanswered`].
pub async fn send(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), Broken> {
    let sent = to.write(bytes).await.map_err(|_| Broken::Unsent)?;
    to.write_all(bytes.get(sent..).unwrap_or_default()).await.map_err(|_| Broken::Unanswered)
}

/// Passes an answer whose head was read on to the runtime.
async fn hand_on(
    head: AnswerHead,
    from: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    runtime: &mut (impl AsyncWrite + Unpin),
) -> Result<Ended, Broken> {
    let mut body = head.body;
    copy(from, buffer, runtime, head.length, &mut body).await.map_err(|broken| match broken {
        connection::Broken::Source => Broken::Platform,
        connection::Broken::Sink => Broken::Runtime,
        connection::Broken::SinkBeforeHead => Broken::RuntimeBeforeAnswer,
    })?;
    Ok(Ended { keep_runtime: !head.body.ends_with_connection() && head.keep_alive, keep_platform: head.keep_alive })
}

/// Passes on the request at the front of the runtime's buffer, and its answer back.
///
/// # Errors
/// See [`Broken`].
pub async fn carry(runtime: &mut Connection, request: &RequestHead, platform: &mut Connection) -> Result<Ended, Broken> {
    let to_head = request.method(&runtime.buffer) == b"HEAD";
    let mut body = request.body;
    let read_ahead = runtime.buffer.get(request.length..).unwrap_or_default();
    let here = request.length + body.advance(read_ahead).map_err(|_| Broken::Runtime)?;
    let sent = send(&mut platform.stream, runtime.buffer.get(..here).unwrap_or_default()).await;
    if body.is_done() || sent == Err(Broken::Unsent) {
        sent?;
        let ended = answer(runtime, platform, to_head).await?;
        runtime.buffer.advance(here);
        give_back_room(&mut runtime.buffer);
        return Ok(ended.after(request));
    }
    runtime.buffer.advance(here);
    let (mut runtime_reads, mut runtime_writes) = runtime.stream.split();
    let (mut platform_reads, mut platform_writes) = platform.stream.split();
    let upload = async {
        let copied = copy(&mut runtime_reads, &mut runtime.buffer, &mut platform_writes, 0, &mut body).await;
        match copied {
            Ok(()) => Ok(true),
            Err(connection::Broken::Source) => Err(Broken::Runtime),
            // The platform stopped reading. Its answer may still come, and the runtime's connection
            // must not be closed before it has read that.
            Err(connection::Broken::Sink | connection::Broken::SinkBeforeHead) => {
                let rest = copy(&mut runtime_reads, &mut runtime.buffer, &mut tokio::io::sink(), 0, &mut body).await;
                rest.map(|()| false).map_err(|_| Broken::Runtime)
            }
        }
    };
    let download = async {
        loop {
            let head = read_answer(&mut platform_reads, &mut platform.buffer, to_head).await?;
            if !head.is_interim() {
                return hand_on(head, &mut platform_reads, &mut platform.buffer, &mut runtime_writes).await;
            }
            let interim = platform.buffer.split_to(head.length);
            runtime_writes.write_all(&interim).await.map_err(|_| Broken::Runtime)?;
        }
    };
    let (uploaded, ended) = tokio::try_join!(upload, download)?;
    Ok(Ended { keep_runtime: ended.keep_runtime && uploaded, keep_platform: ended.keep_platform && uploaded }.after(request))
}

/// Waits for the platform's answer to a request that was sent completely, and passes it on.
///
/// # Errors
/// See [`Broken`].
pub async fn answer(runtime: &mut Connection, platform: &mut Connection, to_head: bool) -> Result<Ended, Broken> {
    loop {
        let head = await_answer(runtime, platform, to_head).await?;
        if !head.is_interim() {
            return hand_over(runtime, platform, head).await;
        }
        let interim = platform.buffer.split_to(head.length);
        runtime.stream.write_all(&interim).await.map_err(|_| Broken::Runtime)?;
    }
}

/// Waits for the head of the platform's answer for as long as the runtime is connected.
///
/// # Errors
/// See [`Broken`].
pub async fn await_answer(runtime: &Connection, platform: &mut Connection, to_head: bool) -> Result<AnswerHead, Broken> {
    tokio::select! {
        biased;
        head = read_answer(&mut platform.stream, &mut platform.buffer, to_head) => head,
        () = gone(&runtime.stream) => Err(Broken::Runtime),
    }
}

/// Passes on an answer whose head is at the front of the platform's buffer.
///
/// # Errors
/// See [`Broken`].
pub async fn hand_over(runtime: &mut Connection, platform: &mut Connection, head: AnswerHead) -> Result<Ended, Broken> {
    hand_on(head, &mut platform.stream, &mut platform.buffer, &mut runtime.stream).await
}
