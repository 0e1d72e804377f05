//! The Extensions API: register, wait for the end. For SHUTDOWN only: with INVOKE every invocation would wait for us.
//! A refusal must never stop the proxy: then it serves on, and the ledger says so.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::End;
use crate::connection::{Connection, MOST_KEPT, malformed};
use crate::ledger::Ledger;
use crate::message::{AnswerHead, header};
use crate::settings::Settings;

/// How often a platform that does not answer is asked again, 50 ms apart, before it counts as gone.
const TRIES: u32 = 3;

/// The platform's answer to one request.
struct Answer {
    status: u16,
    head: Vec<u8>,
    body: Vec<u8>,
}

/// Registers and waits until the platform ends us or is gone. Where it refuses us, this never ends.
pub async fn run(settings: &Settings, ledger: &Ledger) -> End {
    let host = &settings.platform;
    let register = format!(
        "POST /2020-01-01/extension/register HTTP/1.1\r\nHost: {host}\r\nLambda-Extension-Name: {}\r\n\
         Content-Type: application/json\r\nContent-Length: 23\r\n\r\n{{\"events\":[\"SHUTDOWN\"]}}",
        settings.extension_name
    );
    let Some(answer) = ask(host, &register).await else { return End::PlatformGone };
    let id = header(&answer.head, "lambda-extension-identifier").filter(|_| answer.status == 200);
    let Some(id) = id else { return refused(ledger, "registration", answer.status).await };
    let next = format!("GET /2020-01-01/extension/event/next HTTP/1.1\r\nHost: {host}\r\nLambda-Extension-Identifier: {id}\r\n\r\n");
    loop {
        let Some(answer) = ask(host, &next).await else { return End::PlatformGone };
        if answer.status != 200 {
            return refused(ledger, "waiting for the end", answer.status).await;
        }
        let event: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
        if event.is_some_and(|event| event.get("eventType").is_some_and(|kind| kind == "SHUTDOWN")) {
            return End::Shutdown;
        }
    }
}

async fn refused(ledger: &Ledger, what: &str, status: u16) -> End {
    ledger.note(&format!("the platform refused {what} with status {status}; events are served on"));
    std::future::pending().await
}

/// Sends a request on a connection of its own and waits for the answer, for as long as it takes. `None` where nobody is there any more.
async fn ask(host: &str, request: &str) -> Option<Answer> {
    for tried in 0..TRIES {
        if tried > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        match exchange(host, request).await {
            Ok(answer) => return Some(answer),
            // Nobody listens: the platform has ended, and nobody else will end us.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused && tried > 0 => return None,
            Err(_) => (),
        }
    }
    None
}

async fn exchange(host: &str, request: &str) -> io::Result<Answer> {
    let mut connection = Connection::new(TcpStream::connect(host).await?);
    connection.stream.write_all(request.as_bytes()).await?;
    let length = connection.read_head().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let AnswerHead { status, mut body, .. } = AnswerHead::read(&connection.buffer, length, false).map_err(malformed)?;
    connection.read_whole(length, body, MOST_KEPT).await?;
    let (head, rest) = connection.buffer.split_at_checked(length).unwrap_or_default();
    let mut payload = Vec::new();
    body.advance_into(rest, |piece| payload.extend_from_slice(piece)).map_err(malformed)?;
    Ok(Answer { status, head: head.to_vec(), body: payload })
}
