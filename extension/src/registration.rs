//! The Extensions API: registers and waits for the end. It registers only for SHUTDOWN: with INVOKE
//! every invocation would wait for the extension. A refused registration must never stop the proxy:
//! it continues to serve, and the ledger has a note.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::body::Malformed;
use crate::connection::{Connection, MOST_KEPT, malformed};
use crate::ledger::Ledger;
use crate::message::{AnswerHead, head_end, header};
use crate::settings::Settings;

/// After this many refused connections in a row the platform counts as gone.
const REFUSALS: u32 = 2;
/// The pause before a retry; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Why the extension ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The platform sent SHUTDOWN.
    Shutdown,
    /// The platform accepts no connection any more.
    PlatformGone,
}

/// The platform's answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Answer {
    /// Reads the answer that `bytes` begin with; the rest is ignored.
    ///
    /// # Errors
    /// If it is not HTTP/1, or the head is incomplete.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let length = head_end(bytes, 0).ok_or(Malformed)?;
        let AnswerHead { status, mut body, .. } = AnswerHead::read(bytes, length, false)?;
        let (head, rest) = bytes.split_at_checked(length).ok_or(Malformed)?;
        let mut payload = Vec::new();
        body.advance_into(rest, |piece| payload.extend_from_slice(piece))?;
        Ok(Self { status, head: head.to_vec(), body: payload })
    }

    /// The identifier of this extension, if the platform registered it; it is valid as a header's
    /// value.
    pub fn identifier(&self) -> Option<&str> {
        let id = header(&self.head, "lambda-extension-identifier").filter(|_| self.status == 200)?;
        (!id.bytes().any(|byte| byte.is_ascii_control())).then_some(id)
    }

    /// Whether this is the event that ends the extension. Source: AWS Lambda developer guide,
    /// "Lambda Extensions API", the event `SHUTDOWN`.
    pub fn is_shutdown(&self) -> bool {
        let event: Option<serde_json::Value> = serde_json::from_slice(&self.body).ok();
        event.is_some_and(|event| event.get("eventType").is_some_and(|kind| kind == "SHUTDOWN"))
    }
}

/// Registers and waits until the platform ends the extension or is gone. If the platform refuses the registration, this never ends.
pub async fn run(settings: &Settings, ledger: &Ledger) -> End {
    let host = &settings.platform;
    let register = format!(
        "POST /2020-01-01/extension/register HTTP/1.1\r\nHost: {host}\r\nLambda-Extension-Name: {}\r\n\
         Content-Type: application/json\r\nContent-Length: 23\r\n\r\n{{\"events\":[\"SHUTDOWN\"]}}",
        settings.extension_name
    );
    let Some(answer) = ask(host, &register, ledger).await else { return End::PlatformGone };
    let Some(id) = answer.identifier() else { return refused(ledger, "registration", answer.status).await };
    let next = format!("GET /2020-01-01/extension/event/next HTTP/1.1\r\nHost: {host}\r\nLambda-Extension-Identifier: {id}\r\n\r\n");
    loop {
        let Some(answer) = ask(host, &next, ledger).await else { return End::PlatformGone };
        if answer.status != 200 {
            return refused(ledger, "waiting for the end", answer.status).await;
        }
        if answer.is_shutdown() {
            return End::Shutdown;
        }
        // An event that was not registered for: a platform that sends it again and again must not
        // keep the extension busy.
        tokio::time::sleep(PAUSE).await;
    }
}

async fn refused(ledger: &Ledger, what: &str, status: u16) -> End {
    ledger.note(&format!("the platform refused {what} with status {status}; events are served on"));
    std::future::pending().await
}

/// Sends a request on a separate connection and waits for the answer, for any time. `None` if the
/// platform refuses connections. Only that counts as the platform's end: if an answer is cut off or
/// malformed, or no descriptor is left, ending would break the function.
async fn ask(host: &str, request: &str, ledger: &Ledger) -> Option<Answer> {
    let (mut refusals, mut pause) = (0, PAUSE);
    loop {
        let error = match exchange(host, request).await {
            Ok(answer) => return Some(answer),
            Err(error) => error,
        };
        refusals = if error.kind() == io::ErrorKind::ConnectionRefused { refusals + 1 } else { 0 };
        // The platform has ended, so no SHUTDOWN will come.
        if refusals == REFUSALS {
            return None;
        }
        // If the platform drops the call while the environment is frozen, the retry needs no note.
        if refusals == 0 && pause == 2 * PAUSE {
            ledger.note(&format!("the Extensions API did not answer ({}): it is asked again and events are served on", error.kind()));
        }
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

async fn exchange(host: &str, request: &str) -> io::Result<Answer> {
    let mut connection = Connection::new(TcpStream::connect(host).await?);
    connection.stream.write_all(request.as_bytes()).await?;
    let length = connection.read_head().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = AnswerHead::read(&connection.buffer, length, false).map_err(malformed)?;
    connection.read_whole(length, head.body, MOST_KEPT).await?;
    Answer::read(&connection.buffer).map_err(malformed)
}
