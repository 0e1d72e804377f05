//! Turns what was asked and answered into an event for the oracles: everything they need, no token and no body.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use load::chance;
use load::open_model::{Answer, Arrival, Ask, Hands};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use crate::exchange::{Said, Told, UsersSaid};
use crate::traffic::internals;
use crate::traffic::tokens::{Carrier, Tokens};
use crate::{Asked, Event, Exchange};

/// What the requests of one system have in common.
#[derive(Debug, Clone)]
pub(crate) struct Voice {
    pub(crate) events: UnboundedSender<Event>,
    pub(crate) seed: u64,
    /// Keeps the trace ids of the systems apart.
    pub(crate) system: u64,
    /// The value of the header `Host`.
    pub(crate) host: String,
    /// What every path begins with.
    pub(crate) stage: String,
    /// Whether the trace ids tell when they were made: a trigger reads the time of a sign-in there.
    pub(crate) stamped: bool,
    /// The tokens that were sent.
    pub(crate) tokens: Tokens,
}

/// One request in words.
pub(crate) struct Line<'a> {
    pub(crate) endpoint: &'static str,
    pub(crate) method: &'static str,
    /// Without the stage.
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, &'a str)>,
    pub(crate) body: String,
    pub(crate) asked: Asked,
}

/// What is expected of an answer besides its status.
#[derive(Clone, Copy)]
pub(crate) struct Expecting<'a> {
    /// What of the body of an answer with this status is not as expected.
    pub(crate) missed: &'a (dyn Fn(u16, &[u8]) -> Option<String> + Send + Sync),
    /// What rules are told of it.
    pub(crate) told: &'a (dyn Fn(&Answer) -> Option<Told> + Send + Sync),
    /// The endpoint under which the begin of its body is recorded.
    pub(crate) first_byte: Option<&'static str>,
}

impl Voice {
    /// Sends `line` when it is due and tells what became of it. `step` counts the requests of a journey.
    pub(crate) async fn say(
        &self,
        hands: &mut Hands<'_>,
        arrival: Arrival,
        step: u64,
        due: std::time::Duration,
        line: Line<'_>,
    ) -> Option<Answer> {
        self.say_expecting(hands, arrival, step, due, line, Expecting { missed: &|_, _| None, told: &|_| None, first_byte: None }).await
    }

    /// The same for a request of which more is expected than a status.
    pub(crate) async fn say_expecting(
        &self,
        hands: &mut Hands<'_>,
        arrival: Arrival,
        step: u64,
        due: std::time::Duration,
        mut line: Line<'_>,
        Expecting { missed, told, first_byte }: Expecting<'_>,
    ) -> Option<Answer> {
        let (root, request) = self.request(arrival.number, step, due, &mut line)?;
        let row = line.endpoint.split_once(' ').map_or(line.endpoint, |(_, row)| row);
        let is_right = |status, body: &[u8]| line.asked.is_right(line.method, status, || said(body)) && missed(status, body).is_none();
        let answer = hands.ask(Ask { due, row, request, is_right: &is_right }).await?;
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
            missed: answer.status.and_then(|status| missed(status, &answer.body)),
            told: told(&answer).map(Box::new),
            began: first_byte.map(|endpoint| (endpoint, answer.began.unwrap_or(answer.done))),
            struck: Vec::new(),
        };
        // Nobody listens once the harness has gone on.
        let _ = self.events.send(Event::Exchange(Box::new(exchange)));
        Some(answer)
    }
}

impl Voice {
    /// The request of `line`, whose body it takes, with the root of its trace; `None` if HTTP cannot carry it.
    pub(crate) fn request(
        &self,
        arrival: u64,
        step: u64,
        due: std::time::Duration,
        line: &mut Line<'_>,
    ) -> Option<(String, Request<Full<Bytes>>)> {
        let root = self.root(chance::trace_root(self.seed, self.system, arrival, step));
        let mut request = Request::builder()
            .method(line.method)
            .uri(format!("{}{}", self.stage, line.path))
            .header("host", self.host.as_str())
            .header("x-amzn-trace-id", format!("Root={root}"));
        for (name, value) in &line.headers {
            request = request.header(*name, *value);
        }
        self.tokens.add(&line.headers, || Carrier { at: due, root: root.clone(), asked: format!("{} {}", line.method, line.path) });
        Some((root, request.body(Full::new(Bytes::from(std::mem::take(&mut line.body)))).ok()?))
    }

    fn root(&self, root: String) -> String {
        if !self.stamped {
            return root;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        chance::stamped(&root, now.as_secs())
    }
}

/// What an answer said; a body that is not understood said nothing.
pub(crate) fn said(body: &[u8]) -> Said {
    let internals = internals::of(body);
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return Said { internals, ..Said::default() } };
    let text = |pointer| value.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned);
    let devices = value.as_array().into_iter().flatten().filter_map(|row| row.get("deviceId")?.as_str().map(ToOwned::to_owned));
    Said {
        decision: text("/evaluation/decision"),
        reported_temperature: value.pointer("/payload/reportedTemperature").and_then(whole),
        devices: devices.collect(),
        appointment: text("/appointment/id"),
        exception: text("/__type").and_then(|name| name.rsplit('#').next().map(ToOwned::to_owned)),
        users: UsersSaid::read(&value),
        internals,
    }
}

/// A whole number, however JSON writes it.
pub(crate) fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().filter(|number| number.fract() == 0.0).map(|number| number as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

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
