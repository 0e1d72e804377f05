//! Streamed answers: the prelude with status and headers, then the function's pieces as they come.
//! Sources: "Set up a Lambda proxy integration with payload response streaming in API Gateway" and
//! the content type `application/vnd.awslambda.http-integration-response` of Lambda's runtimes: JSON,
//! eight bytes of zero, the body.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Body, Frame};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use super::answers;
use super::refusal::Refusal;
use super::routes::Front;
use crate::platform::http::{Broken, Piece};
use crate::platform::invocation::Invoked;

const DELIMITER: [u8; 8] = [0; 8];
/// A longer beginning is no prelude.
const LONGEST_PRELUDE: usize = 1024 * 1024;

/// What a stream begins with.
#[derive(Debug, PartialEq)]
enum Head {
    /// Not decided yet.
    More,
    /// No prelude.
    Raw,
    /// A prelude; the body begins at `body`.
    Prelude { declared: Map<String, Value>, body: usize },
}

/// The answer, once the function has said how it begins. A REST API takes no stream without a
/// prelude, a URL takes it as the body.
pub(crate) async fn answer(
    front: Front,
    mut pieces: mpsc::Receiver<Bytes>,
    end: oneshot::Receiver<Invoked>,
) -> Result<Response<Piece>, Refusal> {
    let mut begun = BytesMut::new();
    let mut end = Some(end);
    let head = loop {
        match pieces.recv().await {
            Some(piece) => begun.extend_from_slice(&piece),
            // It has ended: a function that does not stream has answered whole.
            None => {
                let Some(end) = end.take() else { break Head::Raw };
                let invoked = end.await.map_err(|_| Refusal::BadGateway)?;
                if invoked.failed {
                    return Err(Refusal::BadGateway);
                }
                begun.extend_from_slice(&invoked.payload);
            }
        }
        match head(&begun) {
            Head::More if end.is_some() => {}
            Head::More => break Head::Raw,
            head => break head,
        }
    };
    let mut response = Response::new(Piece::from(Bytes::new()));
    match head {
        Head::Prelude { declared, body } => {
            answers::prelude(front, &declared, &mut response).ok_or(Refusal::BadGateway)?;
            begun.advance(body);
        }
        Head::Raw | Head::More if front == Front::Url => {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        }
        Head::Raw | Head::More => return Err(Refusal::BadGateway),
    }
    let first = Some(begun.freeze()).filter(|first| !first.is_empty());
    *response.body_mut() = Piece::Relayed(Relay { first, pieces, end }.boxed_unsync());
    Ok(response)
}

fn head(bytes: &[u8]) -> Head {
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => return Head::More,
        Some(b'{') if bytes.len() <= LONGEST_PRELUDE => {}
        Some(_) => return Head::Raw,
    }
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Err(error)) if error.is_eof() => return Head::More,
        Some(Ok(_)) => {}
        _ => return Head::Raw,
    }
    let (json, rest) = bytes.split_at(values.byte_offset());
    let delimiter = rest.get(..DELIMITER.len()).unwrap_or(rest);
    if delimiter.iter().any(|byte| *byte != 0) {
        return Head::Raw;
    }
    if delimiter.len() < DELIMITER.len() {
        return Head::More;
    }
    match serde_json::from_slice(json) {
        Ok(declared) => Head::Prelude { declared, body: json.len() + DELIMITER.len() },
        Err(_) => Head::Raw,
    }
}

/// The rest of a stream. It breaks off if the function fails: a caller must be able to tell.
struct Relay {
    first: Option<Bytes>,
    pieces: mpsc::Receiver<Bytes>,
    end: Option<oneshot::Receiver<Invoked>>,
}

impl Body for Relay {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if let Some(piece) = std::task::ready!(this.pieces.poll_recv(context)) {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let Some(end) = &mut this.end else { return Poll::Ready(None) };
        let invoked = std::task::ready!(Pin::new(end).poll(context));
        this.end = None;
        Poll::Ready(match invoked {
            Ok(invoked) if !invoked.failed => None,
            _ => Some(Err(Broken)),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_prelude_is_told_from_a_body() {
        let declared = |value: Value| value.as_object().unwrap().clone();
        for (bytes, found) in [
            (b"".as_slice(), Head::More),
            (b"{\"statusCode\":201", Head::More),
            (b"{\"statusCode\":201}", Head::More),
            (b"{\"statusCode\":201}\0\0\0", Head::More),
            (b"{\"statusCode\":201}\0\0\0\0\0\0\0\0body", Head::Prelude { declared: declared(json!({ "statusCode": 201 })), body: 26 }),
            (b"{\"a\":1}\n{\"a\":2}", Head::Raw),
            (b"{\"a\":1}\0\0\0x", Head::Raw),
            (b"<html>", Head::Raw),
            (b"{broken", Head::Raw),
        ] {
            assert_eq!(head(bytes), found, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[tokio::test]
    async fn a_stream_whose_function_fails_breaks_off() {
        for (failed, is_whole) in [(false, true), (true, false)] {
            let (sink, pieces) = mpsc::channel(4);
            let (done, end) = oneshot::channel();
            sink.send(Bytes::from_static(b"{}\0\0\0\0\0\0\0\0a")).await.unwrap();
            let response = answer(Front::Rest, pieces, end).await.unwrap();
            sink.send(Bytes::from_static(b"b")).await.unwrap();
            drop(sink);
            done.send(Invoked { request_id: "r".into(), payload: Bytes::new(), failed }).unwrap();
            let body = response.into_body().collect().await;
            assert_eq!(body.map(|body| body.to_bytes()).ok().as_deref(), is_whole.then_some(b"ab".as_slice()));
        }
    }

    #[tokio::test]
    async fn only_a_url_takes_a_stream_without_a_prelude() {
        for (front, status) in [(Front::Url, Some(200)), (Front::Rest, None)] {
            let (sink, pieces) = mpsc::channel(4);
            let (_done, end) = oneshot::channel();
            sink.send(Bytes::from_static(b"<html>")).await.unwrap();
            assert_eq!(answer(front, pieces, end).await.ok().map(|response| response.status().as_u16()), status, "{front:?}");
        }
    }
}
