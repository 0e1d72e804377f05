//! All devices, the watcher that receives every change of a shadow, and the provoker that sends
//! messages that a device must survive.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::systems::thermostat::homes;
use async_trait::async_trait;
use load::TrafficError;
use load::chance::Chance;
use load::mqtt::{self, Heard};
use rumqttc::{AsyncClient, QoS};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{OnceCell, watch};
use tokio::task::JoinSet;

use crate::Event;
use crate::exchange::ShadowChange;
use crate::systems::thermostat::traffic::convergence::Convergence;
use crate::systems::thermostat::traffic::device::{self, Device, read_state};
use crate::traffic::order::Order;
use crate::traffic::preparation::Companion;

/// Time between two provocations.
const PROVOKE_EVERY: Duration = Duration::from_millis(300);

/// How long all devices may take to connect.
const CONNECT_TIME: Duration = Duration::from_secs(20);

/// The longest wait for the devices to become quiet.
const LONGEST_REPORT: Duration = Duration::from_secs(10);

/// Everything on MQTT; it ends when dropped.
pub(crate) struct Devices {
    homes: u32,
    tasks: JoinSet<()>,
    unsettled: Arc<AtomicUsize>,
    board: Arc<Board>,
}

/// What the tasks share.
struct Board {
    events: UnboundedSender<Event>,
    /// Offset 0, once it is known.
    begun: OnceCell<Instant>,
    versions: Mutex<HashMap<String, i64>>,
    convergence: Arc<Convergence>,
}

impl Board {
    fn now(&self) -> Duration {
        self.begun.get().map_or(Duration::ZERO, Instant::elapsed)
    }
}

impl Devices {
    /// Connects the watcher first, then every device, and waits until all have subscribed. A device
    /// may stop on a rejected update, as the published ones do.
    pub(crate) async fn connect(
        order: &Order,
        homes: u32,
        dies_on_reject: bool,
        events: UnboundedSender<Event>,
        convergence: Arc<Convergence>,
    ) -> Result<Self, TrafficError> {
        let board = Arc::new(Board { events, begun: OnceCell::new(), versions: Mutex::default(), convergence });
        let mut devices = Self { homes, tasks: JoinSet::new(), unsettled: Arc::default(), board };
        let ready = Arc::new(watch::Sender::new(0));
        devices.watch(order, Arc::clone(&ready))?;
        wait_for(&ready, 1, "the watcher").await?;
        let things = things(homes);
        for (number, thing) in things.iter().enumerate() {
            devices.add(order, dies_on_reject, number as u64, thing, Arc::clone(&ready))?;
        }
        wait_for(&ready, things.len() + 1, "the devices").await?;
        Ok(devices)
    }

    fn watch(&mut self, order: &Order, ready: Arc<watch::Sender<usize>>) -> Result<(), TrafficError> {
        let topics = vec!["$aws/things/+/shadow/update/accepted".to_owned()];
        let (_client, mut heard, wire) = mqtt::wire(&order.addresses.mqtt, "brownout-watcher", topics, Chance::new(&[order.seed, 2]))?;
        let board = Arc::clone(&self.board);
        self.tasks.spawn(async move {
            let listen = async {
                let mut first = true;
                while let Some(heard) = heard.recv().await {
                    match heard {
                        Heard::Subscribed if std::mem::take(&mut first) => ready.send_modify(|ready| *ready += 1),
                        Heard::Subscribed => {}
                        Heard::Message { topic, payload } => changed(&board, &topic, &payload),
                    }
                }
            };
            tokio::select! {
                () = wire.run() => {}
                () = listen => {}
            }
        });
        Ok(())
    }

    fn add(
        &mut self,
        order: &Order,
        dies_on_reject: bool,
        number: u64,
        thing: &str,
        ready: Arc<watch::Sender<usize>>,
    ) -> Result<(), TrafficError> {
        let chance = |what| Chance::new(&[order.seed, what, number]);
        let (client, heard, wire) = mqtt::wire(&order.addresses.mqtt, thing, device::topics(thing), chance(0))?;
        let thing = thing.to_owned();
        let board = Arc::clone(&self.board);
        let device = Device {
            thing: thing.clone(),
            client,
            heard,
            chance: chance(1),
            dies_on_reject,
            ready,
            unsettled: Arc::clone(&self.unsettled),
            state: device::State::default(),
        };
        self.tasks.spawn(async move {
            tokio::select! {
                () = wire.run() => {}
                why = device.live() => drop(board.events.send(Event::DeviceEnded { thing, at: board.now(), why })),
            }
        });
        Ok(())
    }
}

#[async_trait]
impl Companion for Devices {
    /// Sets offset 0 and starts the provocations with the baseline.
    fn begin(&mut self, order: &Order, begun: Instant) -> Result<(), TrafficError> {
        let _ = self.board.begun.set(begun);
        let (client, heard, wire) = mqtt::wire(&order.addresses.mqtt, "brownout-provoker", Vec::new(), Chance::new(&[order.seed, 3]))?;
        let board = Arc::clone(&self.board);
        let (from, to) = (begun + order.timeline.recording_from(), begun + order.timeline.end());
        let things = homes(self.homes).into_iter().map(|home| home.first.id).collect();
        self.tasks.spawn(async move {
            tokio::select! {
                () = wire.run() => {}
                () = provoke(client, heard, board, things, from, to) => {}
            }
        });
        Ok(())
    }

    /// Waits until no device has had anything to report for a second.
    async fn quiet(&self) {
        let (until, mut since) = (Instant::now() + LONGEST_REPORT, Instant::now());
        while Instant::now() < until && since.elapsed() < Duration::from_secs(1) {
            if self.unsettled.load(Relaxed) > 0 {
                since = Instant::now();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The things of this many homes.
pub(crate) fn things(count: u32) -> Vec<String> {
    homes(count).iter().flat_map(|home| home.devices().map(|device| device.id.clone())).collect()
}

async fn wait_for(ready: &watch::Sender<usize>, count: usize, who: &str) -> Result<(), TrafficError> {
    let mut seen = ready.subscribe();
    let waited = tokio::time::timeout(CONNECT_TIME, seen.wait_for(|ready| *ready >= count)).await;
    match waited {
        Ok(Ok(_)) => Ok(()),
        _ => Err(TrafficError::Preparation(format!("{who} could not connect to the broker within {CONNECT_TIME:?}"))),
    }
}

fn changed(board: &Board, topic: &str, payload: &[u8]) {
    let Some(thing) = topic.strip_prefix("$aws/things/").and_then(|rest| rest.strip_suffix("/shadow/update/accepted")) else { return };
    let Ok(said) = serde_json::from_slice::<Value>(payload) else { return };
    let part = |name| said.pointer(name).filter(|value| value.is_object()).map(read_state);
    let (desired, reported) = (part("/state/desired"), part("/state/reported"));
    let version = said.get("version").and_then(Value::as_i64).unwrap_or(0);
    let at = board.now();
    board.versions.lock().unwrap_or_else(PoisonError::into_inner).insert(thing.to_owned(), version);
    let temperature = reported.as_ref().and_then(|reported| reported.temperature);
    let _ = board.events.send(Event::Shadow(ShadowChange { thing: thing.to_owned(), at, version, desired, reported }));
    if let Some(temperature) = temperature
        && let Some(acknowledged) = board.convergence.reported(thing, temperature, at)
    {
        let _ = board.events.send(Event::Converged { thing: thing.to_owned(), acknowledged, reported: at });
    }
}

/// Sends each thing in turn an update with an outdated version: the service rejects it on the
/// device's own topic, and nothing changes.
async fn provoke(client: AsyncClient, heard: UnboundedReceiver<Heard>, board: Arc<Board>, things: Vec<String>, from: Instant, to: Instant) {
    // Kept alive, so that the wire can deliver.
    let _heard = heard;
    tokio::time::sleep_until(from.into()).await;
    for (number, thing) in things.iter().cycle().enumerate() {
        if Instant::now() >= to {
            break;
        }
        let version = board.versions.lock().unwrap_or_else(PoisonError::into_inner).get(thing).copied();
        // There is no version before the first.
        if let Some(stale) = version.map(|version| version - 1).filter(|stale| *stale > 0) {
            let body = serde_json::json!({
                "state": { "reported": { "provoked": true } },
                "version": stale,
                "clientToken": format!("brownout-provoker-{number}"),
            });
            let topic = format!("$aws/things/{thing}/shadow/update");
            if client.try_publish(topic, QoS::AtLeastOnce, false, body.to_string()).is_ok() {
                let _ = board.events.send(Event::DeviceProvoked { thing: thing.clone(), at: board.now() });
            }
        }
        tokio::time::sleep(PROVOKE_EVERY).await;
    }
    // The last messages may still be in flight.
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_a_shadow_is_reported_and_ends_the_wait_for_it() {
        let (events, mut told) = tokio::sync::mpsc::unbounded_channel();
        let board = Board { events, begun: OnceCell::new(), versions: Mutex::default(), convergence: Arc::default() };
        assert_eq!(board.convergence.acknowledged("T", 75, Duration::ZERO, Duration::ZERO), None);
        changed(&board, "$aws/things/T/shadow/update/accepted", br#"{"state":{"reported":{"temperature":75}},"version":8,"timestamp":1}"#);
        let Ok(Event::Shadow(change)) = told.try_recv() else { panic!("no change") };
        assert_eq!((change.version, change.desired), (8, None));
        assert_eq!(change.reported.and_then(|state| state.temperature), Some(75));
        assert!(matches!(told.try_recv(), Ok(Event::Converged { .. })));
        changed(&board, "$aws/things/T/shadow/update/rejected", b"{}");
        changed(&board, "$aws/things/T/shadow/update/accepted", b"{");
        assert!(told.try_recv().is_err());
    }
}
