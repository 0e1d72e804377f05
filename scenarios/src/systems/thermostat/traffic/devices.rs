//! All devices on their connections, each under its thing's name as AWS IoT's usual policies want it. No other client connects: the
//! changes of a shadow are seen, and messages that a device must survive are sent, on the device's own connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use load::TrafficError;
use load::chance::Chance;
use load::mqtt::{self, Broker, Heard};
use rumqttc::{AsyncClient, QoS};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use crate::Event;
use crate::invariants::Quiet;
use crate::systems::thermostat::homes;
use crate::systems::thermostat::traffic::board::{Board, Watch};
use crate::systems::thermostat::traffic::convergence::Convergence;
use crate::systems::thermostat::traffic::device::{self, Device};
use crate::systems::thermostat::traffic::shadows::Shadow;
use crate::traffic::order::Order;
use crate::traffic::preparation::Companion;

/// Time between two provocations.
const PROVOKE_EVERY: Duration = Duration::from_millis(300);

/// How long all devices may take to connect and to learn what their shadows say.
const CONNECT_TIME: Duration = Duration::from_secs(30);

/// The longest wait for the devices to become quiet.
const LONGEST_REPORT: Duration = Duration::from_secs(10);

/// How many shadows are read at once.
const READ_AT_ONCE: usize = 50;

/// Everything on MQTT; it ends when dropped.
pub(crate) struct Devices {
    homes: u32,
    clients: HashMap<String, AsyncClient>,
    tasks: JoinSet<()>,
    unsettled: Arc<AtomicUsize>,
    board: Arc<Board>,
}

impl Devices {
    /// Connects every device, and waits until all know what their shadows say. A device may stop on a rejected update, as the published
    /// ones do.
    pub(crate) async fn connect(
        order: &Order,
        homes: u32,
        dies_on_reject: bool,
        events: UnboundedSender<Event>,
        convergence: Arc<Convergence>,
    ) -> Result<Self, TrafficError> {
        let broker = Broker::of(&order.addresses)?;
        let board = Arc::new(Board::new(events, convergence));
        let mut devices = Self { homes, clients: HashMap::new(), tasks: JoinSet::new(), unsettled: Arc::default(), board };
        for (number, thing) in things(homes).into_iter().enumerate() {
            devices.add(&broker, order.seed, dies_on_reject, number as u64, thing)?;
        }
        devices.connected(&order.addresses.mqtt).await?;
        Ok(devices)
    }

    fn add(&mut self, broker: &Broker, seed: u64, dies_on_reject: bool, number: u64, thing: String) -> Result<(), TrafficError> {
        let chance = |what| Chance::new(&[seed, what, number]);
        let (client, heard, wire) = mqtt::wire(broker, &thing, device::topics(&thing), chance(0))?;
        let device = Device {
            thing: thing.clone(),
            client: client.clone(),
            chance: chance(1),
            dies_on_reject,
            unsettled: Arc::clone(&self.unsettled),
            state: device::State::default(),
        };
        self.clients.insert(thing.clone(), client);
        let board = Arc::clone(&self.board);
        self.tasks.spawn(async move {
            tokio::select! {
                () = wire.run() => {}
                () = live(thing, device, heard, board) => {}
            }
        });
        Ok(())
    }

    async fn connected(&self, address: &str) -> Result<(), TrafficError> {
        let mut seen = self.board.progress.subscribe();
        let (count, all) = (self.clients.len(), "the devices could not connect");
        let waited = tokio::time::timeout(
            CONNECT_TIME,
            seen.wait_for(|progress| progress.ready >= count || progress.failure.as_ref().is_some_and(|(_, failure)| failure.lasting)),
        );
        let in_time = waited.await.is_ok();
        let progress = self.board.progress.borrow();
        let said = match &progress.failure {
            _ if progress.ready >= count => return Ok(()),
            Some((thing, failure)) => format!("{all} to `{address}`: `{thing}`: {}", failure.why),
            None => format!("{all} to `{address}`: the shadow service did not answer"),
        };
        let late = if in_time { String::new() } else { format!("; {} of {count} did within {CONNECT_TIME:?}", progress.ready) };
        Err(TrafficError::Preparation(said + &late))
    }

    async fn shadows(&self) -> Result<Vec<Shadow>, TrafficError> {
        let mut shadows = Vec::with_capacity(self.clients.len());
        for some in things(self.homes).chunks(READ_AT_ONCE) {
            let known = some.iter().filter_map(|thing| Some((thing, self.clients.get(thing)?)));
            let looks = known.map(|(thing, client)| self.board.reader.read(thing, client));
            shadows.extend(futures::future::try_join_all(looks).await?.into_iter().flatten());
        }
        Ok(shadows)
    }
}

/// Runs a device on its connection. The connection outlives a device that ends.
async fn live(thing: String, device: Device, mut heard: UnboundedReceiver<Heard>, board: Arc<Board>) {
    let (mut device, mut watch) = (Some(device), Watch::new(thing.clone(), Arc::clone(&board)));
    loop {
        let wake = device.as_ref().and_then(Device::wake);
        let message = tokio::select! {
            message = heard.recv() => message,
            () = tokio::time::sleep_until(wake.unwrap_or_else(tokio::time::Instant::now)), if wake.is_some() => {
                device.iter_mut().for_each(Device::awake);
                continue;
            }
        };
        let Some(message) = message else { return };
        match &message {
            Heard::Message { topic, payload } if watch.sees(topic, payload) => continue,
            Heard::Subscribed => watch.subscribed(),
            Heard::Failed(failure) => board.progress.send_modify(|progress| progress.failure = Some((thing.clone(), failure.clone()))),
            Heard::Message { .. } => {}
        }
        if let Some(why) = device.as_mut().and_then(|device| device.hears(&message)) {
            device = None;
            board.tell(Event::DeviceEnded { thing: thing.clone(), at: board.now(), why });
        }
    }
}

#[async_trait]
impl Companion for Devices {
    /// Sets offset 0 and starts the provocations with the baseline.
    fn begin(&mut self, order: &Order, begun: Instant) -> Result<(), TrafficError> {
        let _ = self.board.begun.set(begun);
        let (from, to) = (begun + order.timeline.recording_from(), begun + order.timeline.end());
        let firsts = homes(self.homes).into_iter().map(|home| home.first.id);
        let firsts = firsts.filter_map(|thing| self.clients.get(&thing).cloned().map(|client| (thing, client))).collect();
        self.tasks.spawn(provoke(firsts, Arc::clone(&self.board), from, to));
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

    /// At rest when every device reports what is desired.
    async fn at_rest(&self, quiet: &mut Quiet) -> Result<bool, TrafficError> {
        quiet.shadows = self.shadows().await?;
        let follows = |(_, desired, reported, _): &Shadow| desired.temperature.is_none() || desired.temperature == reported.temperature;
        Ok(quiet.shadows.iter().all(follows))
    }
}

/// The things of this many homes.
pub(crate) fn things(count: u32) -> Vec<String> {
    homes(count).iter().flat_map(|home| home.devices().map(|device| device.id.clone())).collect()
}

/// Sends each thing in turn an update with an outdated version: the service rejects it on the
/// device's own topic, and nothing changes.
async fn provoke(things: Vec<(String, AsyncClient)>, board: Arc<Board>, from: Instant, to: Instant) {
    tokio::time::sleep_until(from.into()).await;
    for (number, (thing, client)) in things.iter().cycle().enumerate() {
        if Instant::now() >= to {
            break;
        }
        // There is no version before the first.
        if let Some(stale) = board.version(thing).map(|version| version - 1).filter(|stale| *stale > 0) {
            let body = serde_json::json!({
                "state": { "reported": { "provoked": true } },
                "version": stale,
                "clientToken": format!("brownout-provoker-{number}"),
            });
            let topic = format!("$aws/things/{thing}/shadow/update");
            if client.try_publish(topic, QoS::AtLeastOnce, false, body.to_string()).is_ok() {
                board.tell(Event::DeviceProvoked { thing: thing.clone(), at: board.now() });
            }
        }
        tokio::time::sleep(PROVOKE_EVERY).await;
    }
}
