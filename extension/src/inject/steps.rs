//! What several injections do with the handler's answer: read it completely, confirm it, pass it
//! on, or send another request instead.

use tokio::io::AsyncWriteExt;

use super::context::Context;
use crate::connection::Connection;
use crate::exchange::{self, Broken, Ended};
use crate::message::RequestHead;

/// The platform's answer to an accepted response, sent for a response that it never saw. Source:
/// observed answers of the Runtime API.
const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";

/// Passes on the answer unchanged.
pub(super) async fn pass_on(context: Context<'_>, runtime: &mut Connection, request: &RequestHead) -> Result<Ended, Broken> {
    context.tell();
    context.platform.pass(runtime, request).await
}

/// Tells a runtime that waits for a `100 Continue` to go on.
pub(super) async fn send_continue(runtime: &mut Connection, request: &RequestHead) -> Result<(), Broken> {
    if request.expects_continue && runtime.buffer.len() == request.length {
        runtime.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(|_| Broken::Runtime)?;
    }
    Ok(())
}

/// Reads the handler's answer to its end and discards it.
pub(super) async fn discard(runtime: &mut Connection, request: &RequestHead) -> Result<(), Broken> {
    send_continue(runtime, request).await?;
    runtime.discard(request.length, request.body).await.map_err(|_| Broken::Runtime)
}

/// Tells the runtime, as the platform would, that its answer was accepted.
pub(super) async fn confirm(runtime: &mut Connection, request: &RequestHead) -> Result<Ended, Broken> {
    runtime.stream.write_all(ACCEPTED).await.map_err(|_| Broken::Runtime)?;
    Ok(Ended { keep_runtime: request.keep_alive, keep_platform: false })
}

/// Discards the handler's answer and sends `replacement` instead, for the fault at `at` if there is
/// one; the runtime gets the platform's answer to that.
pub(super) async fn replace(
    context: Context<'_>,
    runtime: &mut Connection,
    request: &RequestHead,
    at: Option<usize>,
    replacement: &[u8],
) -> Result<Ended, Broken> {
    discard(runtime, request).await?;
    if let Some(at) = at {
        context.at(at).done(true);
    }
    context.tell();
    for _ in 0..2 {
        let mut platform = context.platform.connection().await?;
        if platform.stream.write_all(replacement).await.is_err() {
            continue;
        }
        match exchange::answer(runtime, &mut platform, false).await {
            Ok(ended) => {
                context.platform.keep(platform, ended);
                return Ok(Ended { keep_runtime: ended.keep_runtime && request.keep_alive, ..ended });
            }
            Err(Broken::Unanswered) => (),
            Err(broken) => return Err(broken),
        }
    }
    context.note("the platform did not take the request that replaces an answer");
    Err(Broken::Unanswered)
}
