//! One thermostat on MQTT, as the contract says: it starts, applies the desired state, reports, and
//! survives every message. It waits for nothing: who runs it tells it what it hears and what time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use load::chance::Chance;
use load::mqtt::Heard;
use rumqttc::{AsyncClient, QoS};
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::exchange::ThermostatState;
use crate::traffic::voice::whole;

/// The temperature of a thermostat that was never set.
const DEFAULT_TEMPERATURE: i64 = 82;

/// A report comes at least this often, give or take a tenth.
const REPORT_EVERY: Duration = Duration::from_secs(30);

/// How long after a rejected request a device tries again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The topics that a device subscribes to, without `$aws/things/<thing>/shadow`.
const TOPICS: [&str; 5] = ["/update/accepted", "/update/rejected", "/get/accepted", "/get/rejected", "/update/delta"];

/// The topics of `thing`.
pub(crate) fn topics(thing: &str) -> Vec<String> {
    TOPICS.iter().map(|topic| format!("$aws/things/{thing}/shadow{topic}")).collect()
}

/// A thermostat.
pub(crate) struct Device {
    pub(crate) thing: String,
    pub(crate) client: AsyncClient,
    pub(crate) chance: Chance,
    /// The weakness `device-dies-on-reject`.
    pub(crate) dies_on_reject: bool,
    /// How many devices still have something to report.
    pub(crate) unsettled: Arc<AtomicUsize>,
    pub(crate) state: State,
}

/// What a device knows.
#[derive(Debug, Default)]
pub(crate) struct State {
    known: ThermostatState,
    started: bool,
    /// When the shadow is asked for again.
    ask_at: Option<Instant>,
    /// The version of the newest delta that was applied.
    version: i64,
    report_at: Option<Instant>,
    /// When the next periodic report is due.
    periodic_at: Option<Instant>,
    messages: u64,
}

impl Device {
    /// When it has something to do unasked.
    pub(crate) fn wake(&self) -> Option<Instant> {
        [self.state.ask_at, self.state.report_at, self.state.periodic_at].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(crate) fn awake(&mut self) {
        if self.state.ask_at.take_if(|at| *at <= Instant::now()).is_some() {
            self.publish("/get", String::new());
        } else {
            self.report();
        }
    }

    /// Handles what its connection hears. A message that ends it, which is a weakness, returns the cause.
    pub(crate) fn hears(&mut self, heard: &Heard) -> Option<String> {
        match heard {
            // Also after a lost session: the device asks for the desired state instead of waiting for it.
            Heard::Subscribed => self.publish("/get", String::new()),
            Heard::Message { topic, payload } => return self.message(topic, payload),
            Heard::Failed(_) => {}
        }
        None
    }

    fn message(&mut self, topic: &str, payload: &[u8]) -> Option<String> {
        let said: Value = serde_json::from_slice(payload).unwrap_or_default();
        if topic.ends_with("/update/delta") {
            self.delta(&said);
        } else if topic.ends_with("/get/accepted") {
            self.start(&said);
        } else if topic.ends_with("/get/rejected") {
            let missing = said.get("code").and_then(Value::as_i64) == Some(404);
            if missing && !self.state.started {
                self.state.known.temperature.get_or_insert(DEFAULT_TEMPERATURE);
                self.begin(Duration::ZERO);
            } else if !missing {
                self.state.ask_at = Some(Instant::now() + TRY_AGAIN + self.reaction());
            }
        } else if topic.ends_with("/update/rejected") {
            if self.dies_on_reject {
                return Some(format!("an update was rejected with {}", said.get("code").unwrap_or(&Value::Null)));
            }
            let own = said.get("clientToken").and_then(Value::as_str).is_some_and(|token| token.starts_with(&format!("{}-", self.thing)));
            if own {
                self.schedule(TRY_AGAIN);
            }
        }
        None
    }

    /// Handles the answer to `get`: applies the difference, or adopts what was reported last.
    fn start(&mut self, said: &Value) {
        let delta = said.pointer("/state/delta").map(read_state).unwrap_or_default();
        if self.state.known.temperature.is_none() {
            self.adopt(&said.pointer("/state/reported").map(read_state).unwrap_or_default());
        }
        let differs = delta != ThermostatState::default();
        self.adopt(&delta);
        let unknown = self.state.known.temperature.is_none();
        self.state.known.temperature.get_or_insert(DEFAULT_TEMPERATURE);
        if let Some(version) = said.get("version").and_then(Value::as_i64) {
            self.state.version = self.state.version.max(version);
        }
        if differs || unknown {
            let delay = self.reaction();
            self.begin(delay);
        } else if !self.state.started {
            self.state.started = true;
            self.wait_a_period();
        }
    }

    fn begin(&mut self, delay: Duration) {
        self.state.started = true;
        self.schedule(delay);
    }

    fn delta(&mut self, said: &Value) {
        let version = said.get("version").and_then(Value::as_i64).unwrap_or(i64::MAX);
        // Messages may overtake each other; one older than the known version says nothing.
        if version < self.state.version {
            return;
        }
        if version != i64::MAX {
            self.state.version = version;
        }
        if let Some(state) = said.get("state") {
            self.adopt(&read_state(state));
            let delay = self.reaction();
            self.begin(delay);
        }
    }

    fn adopt(&mut self, state: &ThermostatState) {
        let known = &mut self.state.known;
        known.temperature = state.temperature.or(known.temperature);
        known.power = state.power.or(known.power);
        known.mode = state.mode.clone().or_else(|| known.mode.take());
    }

    fn reaction(&mut self) -> Duration {
        Duration::from_millis(50 + self.chance.below(451))
    }

    fn schedule(&mut self, delay: Duration) {
        let at = Instant::now() + delay;
        match self.state.report_at {
            // The report that is already scheduled covers this too.
            Some(_) => {}
            None => {
                self.unsettled.fetch_add(1, Relaxed);
                self.state.report_at = Some(at);
            }
        }
    }

    fn wait_a_period(&mut self) {
        let tenth = REPORT_EVERY / 10;
        let jitter = self.chance.below(u64::try_from(tenth.as_millis()).unwrap_or(0) * 2);
        self.state.periodic_at = Some(Instant::now() + REPORT_EVERY - tenth + Duration::from_millis(jitter));
    }

    fn report(&mut self) {
        if self.state.report_at.take().is_some() {
            self.unsettled.fetch_sub(1, Relaxed);
        }
        self.wait_a_period();
        self.state.messages += 1;
        let token = format!("{}-{}", self.thing, self.state.messages);
        let body = serde_json::json!({ "state": { "reported": written(&self.state.known) }, "clientToken": token });
        self.publish("/update", body.to_string());
    }

    fn publish(&mut self, topic: &str, body: String) {
        // Fails only if 64 messages wait for a broker that is away; the next report says the same.
        let sent = self.client.try_publish(format!("$aws/things/{}/shadow{topic}", self.thing), QoS::AtLeastOnce, false, body);
        if sent.is_err() && topic == "/update" {
            self.schedule(TRY_AGAIN);
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if self.state.report_at.is_some() {
            self.unsettled.fetch_sub(1, Relaxed);
        }
    }
}

/// The keys of a state that are present and of the right type.
pub(crate) fn read_state(value: &Value) -> ThermostatState {
    ThermostatState {
        temperature: value.get("temperature").and_then(whole),
        power: value.get("power").and_then(Value::as_bool),
        mode: value.get("mode").and_then(Value::as_str).map(ToOwned::to_owned),
    }
}

fn written(state: &ThermostatState) -> Value {
    let keys = [
        ("temperature", state.temperature.map(Value::from)),
        ("power", state.power.map(Value::from)),
        ("mode", state.mode.clone().map(Value::from)),
    ];
    Value::Object(keys.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use load::mqtt::{Broker, Wire};
    use run_folder::Addresses;

    use super::*;

    /// A device that speaks into its end of a connection that is never made.
    fn device(dies_on_reject: bool) -> (Device, Wire) {
        let broker = Broker::of(&Addresses { mqtt: "127.0.0.1:1".to_owned(), ..Addresses::default() }).unwrap();
        let (client, _, wire) = load::mqtt::wire(&broker, "T", Vec::new(), Chance::new(&[1])).unwrap();
        let device = Device {
            thing: "T".to_owned(),
            client,
            chance: Chance::new(&[1]),
            dies_on_reject,
            unsettled: Arc::default(),
            state: State::default(),
        };
        (device, wire)
    }

    fn tell(device: &mut Device, topic: &str, payload: &str) -> Option<String> {
        device.message(&format!("$aws/things/T/shadow{topic}"), payload.as_bytes())
    }

    #[tokio::test]
    async fn a_start_applies_the_delta_else_adopts_the_report_else_says_82() {
        for (topic, payload, temperature, reports) in [
            (
                "/get/accepted",
                r#"{"state":{"desired":{"temperature":75},"reported":{"temperature":70},"delta":{"temperature":75}}}"#,
                75,
                true,
            ),
            ("/get/accepted", r#"{"state":{"reported":{"temperature":70}}}"#, 70, false),
            ("/get/rejected", r#"{"code":404,"message":"No shadow exists with name: 'T'"}"#, 82, true),
        ] {
            let (mut device, _wire) = device(false);
            assert_eq!(tell(&mut device, topic, payload), None);
            assert_eq!(device.state.known.temperature, Some(temperature), "{payload}");
            assert_eq!(device.state.report_at.is_some(), reports, "{payload}");
        }
    }

    #[tokio::test]
    async fn a_delta_is_reported_after_50_to_500_ms_with_its_keys() {
        let (mut device, _wire) = device(false);
        let before = Instant::now();
        tell(&mut device, "/update/delta", r#"{"state":{"temperature":75,"mode":"Heat"},"version":3,"timestamp":1}"#);
        let at = device.state.report_at.unwrap();
        assert!((Duration::from_millis(49)..Duration::from_millis(600)).contains(&(at - before)));
        assert_eq!(written(&device.state.known), serde_json::json!({"temperature":75,"mode":"Heat"}));
        tell(&mut device, "/update/delta", r#"{"state":{"temperature":60},"version":2}"#);
        assert_eq!(device.state.known.temperature, Some(75), "an older delta overtook");
    }

    #[tokio::test]
    async fn a_start_that_is_throttled_is_tried_again() {
        let (mut device, _wire) = device(false);
        assert_eq!(tell(&mut device, "/get/rejected", r#"{"code":429,"message":"Too Many Requests"}"#), None);
        let at = device.wake().unwrap();
        assert!((Duration::from_millis(900)..Duration::from_secs(2)).contains(&(at - Instant::now())));
        assert_eq!(device.state.report_at, None, "it does not know yet what to report");
    }

    #[tokio::test]
    async fn no_message_ends_a_device_but_a_rejection_ends_a_weak_one() {
        let (mut sound, _wire) = device(false);
        for topic in TOPICS {
            for payload in
                ["", "{", "null", "[1]", r#"{"state":7}"#, r#"{"code":409,"clientToken":"T-1"}"#, r#"{"state":{"temperature":"x"}}"#]
            {
                assert_eq!(tell(&mut sound, topic, payload), None, "{topic} {payload}");
            }
        }
        let (mut weak, _wire) = device(true);
        assert!(tell(&mut weak, "/update/rejected", r#"{"code":409}"#).is_some());
    }
}
