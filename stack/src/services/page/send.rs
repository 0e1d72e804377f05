//! Sends a request of a person to an API of the stack: a script may only ask its own origin, and the
//! gateway must answer as AWS does, so the page's server sends it. It reaches nothing else.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{HOST, HeaderMap};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Page, missing};
use crate::services::wire::{Answer, REST_JSON};

/// Longer than every API waits for its function.
const LONGEST: Duration = Duration::from_secs(60);
/// The most bytes of an answer; API Gateway's own limit.
const LARGEST: usize = 10 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The API, by its name in the template.
    api: String,
    method: String,
    /// Without the stage, percent-encoded, with the query.
    path: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
}

impl Page {
    /// The answer of the API as JSON.
    pub(super) async fn send(&self, body: &[u8]) -> Answer {
        let asked: Asked = match serde_json::from_slice(body) {
            Ok(asked) => asked,
            Err(why) => return Answer::error(REST_JSON, 400, "BadRequest", &why.to_string()),
        };
        let Some(at) = self.running.get().and_then(|running| running.addresses.api(&asked.api)) else {
            return missing(&format!("found no API `{}`", asked.api));
        };
        match tokio::time::timeout(LONGEST, sent(asked, at)).await {
            Ok(Ok(answer)) => Answer::ok(REST_JSON, &answer),
            Ok(Err(why)) => Answer::error(REST_JSON, 400, "NotSent", &why),
            Err(_) => Answer::error(REST_JSON, 504, "NoAnswer", &format!("no answer within {} s", LONGEST.as_secs())),
        }
    }
}

async fn sent(asked: Asked, at: &run_folder::addresses::Api) -> Result<Value, String> {
    if !asked.path.starts_with('/') {
        return Err(format!("found the path `{}`, expected one that begins with `/`", asked.path));
    }
    let mut request = Request::builder().method(asked.method.as_str()).uri(format!("{}{}", at.stage, asked.path)).header(HOST, &at.host);
    for (name, value) in &asked.headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(Bytes::from(asked.body))).map_err(|why| why.to_string())?;
    let stream = TcpStream::connect(&at.address).await.map_err(|why| format!("{} cannot be reached: {why}", at.address))?;
    let began = Instant::now();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|why| why.to_string())?;
    // The connection ends with this request.
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    let response = sender.send_request(request).await.map_err(|why| format!("no answer: {why}"))?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, LARGEST).collect().await.map_err(|why| format!("the answer broke off: {why}"))?.to_bytes();
    let milliseconds = began.elapsed().as_secs_f64() * 1000.0;
    let (text, bytes) = (std::str::from_utf8(&body).ok(), body.len());
    Ok(json!({"status": head.status.as_u16(), "milliseconds": milliseconds, "headers": pairs(&head.headers), "body": text, "bytes": bytes}))
}

fn pairs(headers: &HeaderMap) -> Vec<(&str, String)> {
    headers.iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect()
}
