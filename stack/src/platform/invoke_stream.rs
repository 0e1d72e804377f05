//! `InvokeWithResponseStream`: passes a function's answer on as it is written, in the frames that
//! an SDK reads. `invoke_api.rs` serves all other invocations.

use base64::Engine;
use bytes::Bytes;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::event_stream;
use super::http::Piece;
use super::invocation::Invoked;

/// How many pieces may wait between the function and its caller. A caller that reads slowly slows
/// the function down, as at Lambda.
const PIECES: usize = 8;

/// The sender for a function's pieces.
pub(crate) type Sink = mpsc::Sender<Bytes>;

/// Both ends for the pieces of one answer.
pub(crate) fn pieces() -> (Sink, mpsc::Receiver<Bytes>) {
    mpsc::channel(PIECES)
}

/// The answer to the caller, which begins at once and ends when the function has.
pub(crate) fn answer(pieces: mpsc::Receiver<Bytes>, end: oneshot::Receiver<Invoked>, tail: oneshot::Receiver<Bytes>) -> Response<Piece> {
    let (frames, body) = mpsc::channel(PIECES);
    tokio::spawn(copy(pieces, end, tail, frames));
    let mut response = Response::new(Piece::Streamed(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/vnd.amazon.eventstream"));
    response
}

/// The caller may be gone; then the pieces are dropped, and the function runs on, as at Lambda.
async fn copy(
    mut pieces: mpsc::Receiver<Bytes>,
    end: oneshot::Receiver<Invoked>,
    tail: oneshot::Receiver<Bytes>,
    frames: mpsc::Sender<Bytes>,
) {
    while let Some(piece) = pieces.recv().await {
        let _ = frames.send(chunk(&piece)).await;
    }
    // A platform that stops drops the invocation; then the stream breaks off.
    let Ok(invoked) = end.await else { return };
    let mut complete = if invoked.failed {
        json!({ "ErrorCode": "Unhandled", "ErrorDetails": String::from_utf8_lossy(&invoked.payload) })
    } else {
        // The whole answer of a function that does not stream.
        if !invoked.payload.is_empty() {
            let _ = frames.send(chunk(&invoked.payload)).await;
        }
        json!({})
    };
    // Only a caller that asked for it gets the end of the log.
    if let (Ok(tail), Some(complete)) = (tail.await, complete.as_object_mut()) {
        complete.insert("LogResult".to_owned(), base64::engine::general_purpose::STANDARD.encode(tail).into());
    }
    let _ = frames.send(event_stream::event("InvokeComplete", "application/json", complete.to_string().as_bytes())).await;
}

fn chunk(piece: &[u8]) -> Bytes {
    event_stream::event("PayloadChunk", "application/octet-stream", piece)
}
