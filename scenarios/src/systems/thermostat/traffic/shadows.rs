//! Reads every shadow over the IoT data API, once everything has settled.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use load::{TrafficError, http};
use serde_json::Value;

use crate::exchange::ThermostatState;
use crate::systems::thermostat::traffic::device::read_state;

/// A thing's name, its desired state, its reported state, its version.
pub type Shadow = (String, ThermostatState, ThermostatState, i64);

/// Unsigned, but with the credential scope by which the local services tell one service from
/// another.
const SCOPE: &str = "AWS4-HMAC-SHA256 Credential=brownout/20260101/us-east-1/iotdata/aws4_request, SignedHeaders=host, Signature=0";

/// Reads the shadows of `things`; skips a thing that has none.
pub(crate) async fn read(services: &str, things: &[String]) -> Result<Vec<Shadow>, TrafficError> {
    let mut shadows = Vec::with_capacity(things.len());
    for some in things.chunks(16) {
        let looks = some.iter().map(|thing| read_one(services, thing));
        shadows.extend(futures::future::try_join_all(looks).await?.into_iter().flatten());
    }
    Ok(shadows)
}

async fn read_one(services: &str, thing: &str) -> Result<Option<Shadow>, TrafficError> {
    let path = format!("/things/{thing}/shadow");
    let request = Request::get(&path).header("host", services).header("authorization", SCOPE).body(Full::<Bytes>::default());
    let request = request.map_err(|error| TrafficError::Preparation(error.to_string()))?;
    let (status, body) = http::once(services, request).await?;
    if status == 404 {
        return Ok(None);
    }
    let document: Value = serde_json::from_slice(&body).unwrap_or_default();
    let state = |part| document.pointer(part).map(read_state).unwrap_or_default();
    match document.get("version").and_then(Value::as_i64) {
        Some(version) if status == 200 => Ok(Some((thing.to_owned(), state("/state/desired"), state("/state/reported"), version))),
        _ => Err(TrafficError::Preparation(format!("the shadow of `{thing}` could not be read: status {status}"))),
    }
}
