//! Single requests beside the load: sign-ins and looks at shadows. Never part of what is measured.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;

use crate::error::TrafficError;
use crate::sender::Connections;

/// How long such a request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends one request over a connection of its own and reads the answer.
///
/// # Errors
/// If no answer comes.
pub async fn once(address: &str, request: Request<Full<Bytes>>) -> Result<(u16, Bytes), TrafficError> {
    let asked = format!("{} {}", request.method(), request.uri().path());
    Connections::new(address, PATIENCE)
        .send(request)
        .await
        .map_err(|error| TrafficError::Preparation(format!("`{asked}` at `{address}` was not answered: {error}")))
}

/// A request of JSON to `host:port` in the clear, or to `https://host`.
///
/// # Errors
/// If a name or value is not a valid header.
pub fn json(address: &str, path: &str, headers: &[(&str, &str)], body: String) -> Result<Request<Full<Bytes>>, TrafficError> {
    let mut request = Request::post(path).header("host", address.strip_prefix("https://").unwrap_or(address));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::from(body)).map_err(|error| TrafficError::Preparation(error.to_string()))
}
