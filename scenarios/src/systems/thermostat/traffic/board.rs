//! What is seen of the shadows on the devices' own connections: the changes, and the answers to the harness. A device that has ended
//! goes on being watched.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use load::mqtt::Failure;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OnceCell, watch};

use crate::Event;
use crate::exchange::ShadowChange;
use crate::systems::thermostat::traffic::convergence::Convergence;
use crate::systems::thermostat::traffic::device::read_state;
use crate::systems::thermostat::traffic::shadows::Reader;

/// How far the devices are with connecting.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// How many have learnt what their shadow says.
    pub(crate) ready: usize,
    /// Whose connection failed last, and why.
    pub(crate) failure: Option<(String, Failure)>,
}

/// What the connections of all devices share.
pub(crate) struct Board {
    events: UnboundedSender<Event>,
    /// Offset 0, once it is known.
    pub(crate) begun: OnceCell<Instant>,
    versions: Mutex<HashMap<String, i64>>,
    convergence: Arc<Convergence>,
    /// How far the devices are.
    pub(crate) progress: watch::Sender<Progress>,
    /// What the harness itself asks.
    pub(crate) reader: Reader,
}

impl Board {
    pub(crate) fn new(events: UnboundedSender<Event>, convergence: Arc<Convergence>) -> Self {
        Self {
            events,
            begun: OnceCell::new(),
            versions: Mutex::default(),
            convergence,
            progress: watch::Sender::new(Progress::default()),
            reader: Reader::default(),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.begun.get().map_or(Duration::ZERO, Instant::elapsed)
    }

    pub(crate) fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// The newest version that was seen of a shadow.
    pub(crate) fn version(&self, thing: &str) -> Option<i64> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).get(thing).copied()
    }

    fn saw(&self, thing: &str, version: i64) {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).insert(thing.to_owned(), version);
    }
}

/// What is seen on one device's connection.
pub(crate) struct Watch {
    thing: String,
    board: Arc<Board>,
    /// Changes up to this version are known: it was the shadow's when the device first asked. A session outlives its connection by an
    /// hour at AWS IoT, so that changes from before may be delivered.
    from: Option<i64>,
    /// The broker lost the session, and changes with it. The device asks for its shadow then.
    lost: bool,
}

impl Watch {
    pub(crate) const fn new(thing: String, board: Arc<Board>) -> Self {
        Self { thing, board, from: None, lost: false }
    }

    /// Takes note that the subscriptions are in force, for the first time or again.
    pub(crate) const fn subscribed(&mut self) {
        self.lost = self.from.is_some();
    }

    /// Takes note of a message. True if it answers the harness, so that it is no matter of the device.
    pub(crate) fn sees(&mut self, topic: &str, payload: &[u8]) -> bool {
        let own = topic.strip_prefix("$aws/things/").and_then(|rest| rest.strip_prefix(self.thing.as_str()));
        let Some(what) = own.and_then(|rest| rest.strip_prefix("/shadow/")) else { return false };
        let Ok(said) = serde_json::from_slice::<Value>(payload) else { return false };
        match what {
            "update/accepted" => self.changed(&said),
            "get/accepted" | "get/rejected" if self.board.reader.answered(&said) => return true,
            "get/accepted" if std::mem::take(&mut self.lost) => self.caught_up(&said),
            "get/accepted" => self.learnt(version(&said)),
            "get/rejected" if said.get("code").and_then(Value::as_i64) == Some(404) => self.learnt(0),
            _ => {}
        }
        false
    }

    fn learnt(&mut self, version: i64) {
        if self.from.is_none() {
            self.from = Some(version);
            self.board.progress.send_modify(|progress| progress.ready += 1);
        }
    }

    /// What the shadow says after changes were missed counts as one change.
    fn caught_up(&mut self, said: &Value) {
        if self.board.version(&self.thing).is_some_and(|newest| version(said) > newest) {
            self.changed(said);
            self.from = Some(version(said));
        }
    }

    fn changed(&self, said: &Value) {
        let version = version(said);
        if self.from.is_none_or(|from| version <= from) {
            return;
        }
        let part = |name| said.pointer(name).filter(|value| value.is_object()).map(read_state);
        let (desired, reported) = (part("/state/desired"), part("/state/reported"));
        let (board, thing) = (&self.board, &self.thing);
        let at = board.now();
        board.saw(thing, version);
        let temperature = reported.as_ref().and_then(|reported| reported.temperature);
        board.tell(Event::Shadow(ShadowChange { thing: thing.clone(), at, version, desired, reported }));
        if let Some(temperature) = temperature
            && let Some(acknowledged) = board.convergence.reported(thing, temperature, at)
        {
            board.tell(Event::Converged { thing: thing.clone(), acknowledged, reported: at });
        }
    }
}

fn version(said: &Value) -> i64 {
    said.get("version").and_then(Value::as_i64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_a_shadow_is_reported_and_ends_the_wait_for_it() {
        let (events, mut told) = tokio::sync::mpsc::unbounded_channel();
        let board = Arc::new(Board::new(events, Arc::default()));
        let mut watch = Watch::new("T".to_owned(), Arc::clone(&board));
        let mut sees = |topic: &str, payload: &str| watch.sees(&format!("$aws/things/T/shadow/{topic}"), payload.as_bytes());
        assert_eq!(board.convergence.acknowledged("T", 75, Duration::ZERO, Duration::ZERO), None);

        assert!(!sees("update/accepted", r#"{"state":{"reported":{"temperature":75}},"version":6}"#));
        assert!(told.try_recv().is_err(), "delivered late, from before the device asked");
        assert!(!sees("get/rejected", r#"{"code":429}"#));
        assert_eq!(board.progress.borrow().ready, 0);
        assert!(!sees("get/accepted", r#"{"state":{},"version":7}"#));
        assert!(!sees("get/accepted", r#"{"state":{},"version":9}"#));
        assert_eq!(board.progress.borrow().ready, 1, "a device is counted once");
        assert!(!sees("update/accepted", r#"{"state":{"reported":{"temperature":75}},"version":7}"#));
        assert!(told.try_recv().is_err(), "that was in the answer already");

        assert!(!sees("update/accepted", r#"{"state":{"reported":{"temperature":75}},"version":8,"timestamp":1}"#));
        let Ok(Event::Shadow(change)) = told.try_recv() else { panic!("no change") };
        assert_eq!((change.version, change.desired), (8, None));
        assert_eq!(change.reported.and_then(|state| state.temperature), Some(75));
        assert!(matches!(told.try_recv(), Ok(Event::Converged { .. })));
        assert_eq!(board.version("T"), Some(8));
        assert!(!sees("update/rejected", "{}") && !sees("update/accepted", "{"));
        assert!(told.try_recv().is_err());
    }

    #[test]
    fn what_a_lost_session_missed_is_read_from_the_shadow() {
        let (events, mut told) = tokio::sync::mpsc::unbounded_channel();
        let mut watch = Watch::new("T".to_owned(), Arc::new(Board::new(events, Arc::default())));
        watch.subscribed();
        let sees = |watch: &mut Watch, topic: &str, payload: &str| watch.sees(&format!("$aws/things/T/shadow/{topic}"), payload.as_bytes());
        sees(&mut watch, "get/rejected", r#"{"code":404}"#);
        let change = |version: i64| format!(r#"{{"state":{{"desired":{{"temperature":{version}}}}},"version":{version}}}"#);
        let mut seen = |watch: &mut Watch, topic: &str, version: i64| {
            sees(watch, topic, &change(version));
            told.try_recv().ok().map(|event| if let Event::Shadow(change) = event { change.version } else { 0 })
        };
        assert_eq!(seen(&mut watch, "update/accepted", 1), Some(1));
        assert_eq!(seen(&mut watch, "get/accepted", 2), None, "an answer while the session lasts is no change");
        assert_eq!(seen(&mut watch, "update/accepted", 2), Some(2));
        watch.subscribed();
        assert_eq!(seen(&mut watch, "get/accepted", 2), None, "nothing was missed");
        watch.subscribed();
        assert_eq!(seen(&mut watch, "get/accepted", 5), Some(5));
        assert_eq!(seen(&mut watch, "update/accepted", 5), None, "that is known");
        assert_eq!(seen(&mut watch, "update/accepted", 6), Some(6));
    }
}
