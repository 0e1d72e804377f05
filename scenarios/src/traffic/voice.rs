//! Turns what was asked and answered into an event for the oracles: everything they need, no token and no body.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use super::chance;
use super::open_model::{Answer, Arrival, Ask, Hands};
use crate::exchange::Said;
use crate::{Asked, Event, Exchange};

/// What the requests of one system have in common.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    pub(super) events: UnboundedSender<Event>,
    pub(super) seed: u64,
    /// Keeps the trace ids of the systems apart.
    pub(super) system: u64,
    /// `host:port` to which the requests go.
    pub(super) gateway: String,
    pub(super) stage: &'static str,
    /// Whether the trace header says when the request was sent: see [`Voice::trace`].
    pub(super) stamped: bool,
}

/// One request in words.
pub(super) struct Line<'a> {
    pub(super) endpoint: &'static str,
    pub(super) method: &'static str,
    /// Without the stage.
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, &'a str)>,
    pub(super) body: String,
    pub(super) asked: Asked,
}

impl Voice {
    /// Sends `line` when it is due and tells what became of it. `step` counts the requests of a journey.
    pub(super) async fn say(
        &self,
        hands: &mut Hands<'_>,
        arrival: Arrival,
        step: u64,
        due: std::time::Duration,
        line: Line<'_>,
    ) -> Option<Answer> {
        let root = chance::trace_root(self.seed, self.system, arrival.number, step);
        let mut request = Request::builder()
            .method(line.method)
            .uri(format!("{}{}", self.stage, line.path))
            .header("host", self.gateway.as_str())
            .header("x-amzn-trace-id", self.trace(&root));
        for (name, value) in &line.headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(line.body))).ok()?;
        let row = line.endpoint.split_once(' ').map_or(line.endpoint, |(_, row)| row);
        let answer = hands.ask(Ask { due, row, request }).await?;
        let exchange = Exchange {
            endpoint: line.endpoint,
            root,
            phase: answer.phase,
            due: answer.due,
            sent: answer.sent,
            done: answer.done,
            outcome: answer.outcome,
            status: answer.status,
            method: line.method,
            path: line.path,
            asked: line.asked,
            said: said(&answer.body),
            struck: Vec::new(),
        };
        // Nobody listens once the harness has gone on.
        let _ = self.events.send(Event::Exchange(Box::new(exchange)));
        Some(answer)
    }
}

impl Voice {
    /// The trace header. The root is the same for the same seed on any day, so it tells no time; where the time matters it stands in
    /// `Self=1-<epoch seconds in 8 hex digits>-<24 hex digits>`, as a load balancer adds it. Source: Elastic Load Balancing, request tracing.
    fn trace(&self, root: &str) -> String {
        if !self.stamped {
            return format!("Root={root}");
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let own = root.rsplit('-').next().unwrap_or_default();
        format!("Root={root};Self=1-{now:08x}-{own}")
    }
}

/// What an answer said; a body that is not understood said nothing.
pub(super) fn said(body: &[u8]) -> Said {
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return Said::default() };
    let text = |pointer| value.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned);
    let devices = value.as_array().into_iter().flatten().filter_map(|row| row.get("deviceId")?.as_str().map(ToOwned::to_owned));
    Said {
        decision: text("/evaluation/decision"),
        reported_temperature: value.pointer("/payload/reportedTemperature").and_then(whole),
        devices: devices.collect(),
        appointment: text("/appointment/id"),
        exception: text("/__type").and_then(|name| name.rsplit('#').next().map(ToOwned::to_owned)),
    }
}

/// A whole number, however JSON writes it.
pub(super) fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().filter(|number| number.fract() == 0.0).map(|number| number as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_tells_the_time_beside_a_root_that_does_not() {
        let (events, _) = tokio::sync::mpsc::unbounded_channel();
        let mut voice = Voice { events, seed: 7, system: 0, gateway: String::new(), stage: "", stamped: false };
        let root = chance::trace_root(7, 0, 1, 0);
        assert_eq!(voice.trace(&root), format!("Root={root}"));
        voice.stamped = true;
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let header = voice.trace(&root);
        assert_eq!(faults::trace_root(&header), Some(root.as_str()));
        let own = header.split_once(";Self=1-").unwrap().1;
        let stamp = u64::from_str_radix(&own[..8], 16).unwrap();
        assert!((before..before + 5).contains(&stamp), "{header}");
        assert_eq!(own[9..], root[11..]);
    }

    #[test]
    fn an_answer_is_read_as_far_as_an_oracle_needs_it() {
        let get = said(br#"{"payload":{"reportedTemperature":74},"evaluation":{"decision":"ALLOW"}}"#);
        assert_eq!((get.reported_temperature, get.decision.as_deref()), (Some(74), Some("ALLOW")));
        let denied = said(br#"{"payload":"Amazon verified permission unauthorized!","evaluation":{"decision":"DENY"}}"#);
        assert_eq!((denied.reported_temperature, denied.decision.as_deref()), (None, Some("DENY")));
        assert_eq!(said(br#"[{"deviceId":"Thermostat1","primaryOwner":"john_doe"}]"#).devices, ["Thermostat1"]);
        assert_eq!(said(br#"{"appointment":{"id":"PI-T123"}}"#).appointment.as_deref(), Some("PI-T123"));
        for nothing in [&b""[..], b"{", b"null", b"[1]"] {
            assert_eq!(said(nothing), Said::default());
        }
    }
}
