//! Sends one record over a connection of its own and reads the answer, which may come before the
//! whole record has been sent.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use load::{NoAnswer, origin};

use crate::systems::audit::traffic::content::Content;

/// How much of a body hyper buffers, besides the kernel's buffer.
const BUFFER: usize = 64 * 1024;

/// Sends `request` to `host:port` or `https://host` and reads the whole answer.
pub(crate) async fn send(address: &str, request: Request<Content>) -> Result<(u16, Bytes), NoAnswer> {
    let stream = origin::dial(address).await?;
    let handshake = http1::Builder::new().max_buf_size(BUFFER).handshake(TokioIo::new(stream));
    let (mut connection, task) = handshake.await.map_err(NoAnswer::Connection)?;
    tokio::spawn(task);
    let answer = connection.send_request(request).await.map_err(NoAnswer::Connection)?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.map_err(NoAnswer::Connection)?.to_bytes();
    Ok((status, body))
}
