//! All shadows, one state for HTTP and MQTT. The messages about a change are published while the
//! shadow is still locked, so that every subscriber gets the versions in order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rumqttc::mqttbytes::QoS;
use serde_json::{Value, json};

use super::document::{Document, Rejection, Update, with_token};
use super::sessions::Sessions;
use super::topics::{ShadowCall, shadow_topic};

/// A shadow; a deleted one keeps its version.
#[derive(Debug, Default)]
struct Shadow {
    document: Document,
    exists: bool,
}

/// All shadows and their subscribers.
#[derive(Debug)]
pub struct Shadows {
    all: Mutex<HashMap<String, Shadow>>,
    listeners: Arc<Sessions>,
}

impl Shadows {
    /// No shadows yet.
    pub fn new(listeners: Arc<Sessions>) -> Self {
        Self { all: Mutex::default(), listeners }
    }

    /// Does `what` with the shadow of `thing` and publishes the result on its topics: acceptance,
    /// delta and documents of a change. The answer is what HTTP returns; [`Shadows::call`]
    /// publishes the rejection of a call by MQTT.
    ///
    /// # Errors
    /// If it is refused.
    pub fn act(&self, thing: &str, what: ShadowCall, body: &[u8]) -> Result<Value, Rejection> {
        let now = now();
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        match what {
            ShadowCall::Get => existing(&mut all, thing).map(|shadow| shadow.document.as_answer(now)),
            ShadowCall::Delete => {
                let shadow = existing(&mut all, thing)?;
                let answer = json!({"version": shadow.document.version(), "timestamp": now});
                shadow.document.clear(now);
                shadow.exists = false;
                self.say(thing, "delete/accepted", &with_token(answer.clone(), token_in(body).as_deref()));
                Ok(answer)
            }
            ShadowCall::Update => {
                let update = Update::read(body)?;
                let shadow = all.entry(thing.to_owned()).or_default();
                let accepted = shadow.document.update(&update, now)?;
                shadow.exists = true;
                self.say(thing, "update/accepted", &accepted.accepted);
                if let Some(delta) = &accepted.delta {
                    self.say(thing, "update/delta", delta);
                }
                self.say(thing, "update/documents", &accepted.documents);
                Ok(accepted.accepted)
            }
        }
    }

    /// The same for a call by MQTT, whose answer is published in any case.
    pub fn call(&self, thing: &str, what: ShadowCall, body: &[u8]) {
        match self.act(thing, what, body) {
            Ok(answer) if what == ShadowCall::Get => self.say(thing, "get/accepted", &with_token(answer, token_in(body).as_deref())),
            Ok(_) => {}
            Err(mut rejection) => {
                rejection.client_token = rejection.client_token.or_else(|| token_in(body));
                self.say(thing, &format!("{}/rejected", what.name()), &rejection.body(now()));
            }
        }
    }

    fn say(&self, thing: &str, what: &str, body: &Value) {
        self.listeners.publish(&shadow_topic(thing, what), &Bytes::from(body.to_string()), QoS::AtLeastOnce);
    }
}

fn existing<'a>(all: &'a mut HashMap<String, Shadow>, thing: &str) -> Result<&'a mut Shadow, Rejection> {
    let found = all.get_mut(thing).filter(|shadow| shadow.exists);
    found.ok_or_else(|| Rejection::new(404, format!("No shadow exists with name: '{thing}'")))
}

/// The client token of a request that is otherwise empty, such as a get.
fn token_in(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body.get("clientToken")?.as_str().map(str::to_owned)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
