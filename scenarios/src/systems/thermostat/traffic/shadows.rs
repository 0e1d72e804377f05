//! Reads shadows over the connections of their own devices, once everything has settled.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use load::TrafficError;
use rumqttc::{AsyncClient, QoS};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::exchange::ThermostatState;
use crate::systems::thermostat::traffic::device::read_state;

/// A thing's name, its desired state, its reported state, its version.
pub type Shadow = (String, ThermostatState, ThermostatState, i64);

/// How long an answer may take, with everything that is tried again.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long after a rejection that may pass it is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// What the harness asks of the shadow service.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    asked: AtomicU64,
    waiting: Mutex<HashMap<String, oneshot::Sender<Value>>>,
}

impl Reader {
    /// Hands an answer to `get` over; false if it answers a device.
    pub(crate) fn answered(&self, said: &Value) -> bool {
        let waiting = said.get("clientToken").and_then(Value::as_str).and_then(|token| self.waiting().remove(token));
        waiting.is_some_and(|tell| tell.send(said.clone()).is_ok())
    }

    /// The shadow of `thing`; `None` if it has none.
    ///
    /// # Errors
    /// If no answer comes.
    pub(crate) async fn read(&self, thing: &str, client: &AsyncClient) -> Result<Option<Shadow>, TrafficError> {
        let failed = |why: &str| TrafficError::Preparation(format!("the shadow of `{thing}` could not be read: {why}"));
        let until = Instant::now() + PATIENCE;
        loop {
            let said = self.ask(thing, client, until).await.ok_or_else(|| failed("no answer came"))?;
            let state = |part| said.pointer(part).map(read_state).unwrap_or_default();
            match (said.get("version").and_then(Value::as_i64), said.get("code").and_then(Value::as_i64)) {
                (Some(version), None) => return Ok(Some((thing.to_owned(), state("/state/desired"), state("/state/reported"), version))),
                (_, Some(404)) => return Ok(None),
                (_, Some(429 | 500)) if Instant::now() + TRY_AGAIN < until => tokio::time::sleep(TRY_AGAIN).await,
                _ => return Err(failed(&said.to_string())),
            }
        }
    }

    async fn ask(&self, thing: &str, client: &AsyncClient, until: Instant) -> Option<Value> {
        let token = format!("brownout-reader-{}", self.asked.fetch_add(1, Relaxed));
        let (tell, told) = oneshot::channel();
        self.waiting().insert(token.clone(), tell);
        let asked = client.try_publish(
            format!("$aws/things/{thing}/shadow/get"),
            QoS::AtLeastOnce,
            false,
            json!({"clientToken": token}).to_string(),
        );
        let said = match asked {
            Ok(()) => tokio::time::timeout_at(until.into(), told).await.ok().and_then(Result::ok),
            Err(_) => None,
        };
        self.waiting().remove(&token);
        said
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<Value>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
