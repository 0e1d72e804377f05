//! A connection to the broker that is polled always, and again after every error. It knows nothing of shadows.

mod broker;
mod failure;

use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, Packet, QoS, SubscribeFilter, SubscribeReasonCode};
use tokio::sync::mpsc;

use crate::chance::Chance;
use crate::error::TrafficError;

pub use broker::Broker;
pub use failure::Failure;

/// How long a connection may take: a thousand that come back at once wait for each other's handshakes.
const CONNECT_SECONDS: u64 = 15;

/// What a connection hears.
#[derive(Debug)]
pub enum Heard {
    /// The subscriptions are in force.
    Subscribed,
    /// A message.
    Message {
        /// Its topic.
        topic: String,
        /// Its bytes.
        payload: Vec<u8>,
    },
    /// The connection was lost or could not be made; it is tried again.
    Failed(Failure),
}

/// A connection's two ends: what to say, and what is heard. [`Wire::run`] must be polled for anything to happen.
pub struct Wire {
    events: EventLoop,
    client: AsyncClient,
    topics: Vec<String>,
    tell: mpsc::UnboundedSender<Heard>,
    chance: Chance,
}

/// Connects with the first poll: persistent session, QoS 1, keep-alive 30 s, at most 20 messages in flight.
///
/// # Errors
/// If the client's certificate cannot be read.
pub fn wire(
    broker: &Broker,
    client_id: &str,
    topics: Vec<String>,
    chance: Chance,
) -> Result<(AsyncClient, mpsc::UnboundedReceiver<Heard>, Wire), TrafficError> {
    let mut options = broker.options(client_id)?;
    options.set_keep_alive(Duration::from_secs(30)).set_clean_session(false).set_inflight(20);
    let (client, mut events) = AsyncClient::new(options, 64);
    events.network_options.set_tcp_nodelay(true);
    events.network_options.set_connection_timeout(CONNECT_SECONDS);
    let (tell, heard) = mpsc::unbounded_channel();
    Ok((client.clone(), heard, Wire { events, client, topics, tell, chance }))
}

impl Wire {
    /// Keeps the connection until it is dropped.
    pub async fn run(mut self) {
        let (mut failures, mut subscribed) = (0, false);
        loop {
            match self.events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(answer))) => {
                    failures = 0;
                    subscribed &= answer.session_present;
                    if !subscribed {
                        self.subscribe();
                    }
                }
                Ok(Event::Incoming(Packet::SubAck(answer))) => {
                    subscribed = !answer.return_codes.contains(&SubscribeReasonCode::Failure);
                    let _ = self.tell.send(if subscribed { Heard::Subscribed } else { Heard::Failed(Failure::of_subscription()) });
                }
                Ok(Event::Incoming(Packet::Publish(message))) => {
                    let _ = self.tell.send(Heard::Message { topic: message.topic, payload: message.payload.to_vec() });
                }
                Ok(_) => {}
                Err(error) => {
                    let _ = self.tell.send(Heard::Failed(Failure::from(&error)));
                    failures += 1;
                    tokio::time::sleep(self.pause(failures)).await;
                }
            }
        }
    }

    fn subscribe(&self) {
        let filters = self.topics.iter().map(|topic| SubscribeFilter::new(topic.clone(), QoS::AtLeastOnce));
        // Fails only if 64 messages wait; then no acknowledgement comes, and the next connection subscribes.
        let _ = self.client.try_subscribe_many(filters);
    }

    /// 1 s, doubled by each failure up to 8 s, half of it by chance: all are back well within 30 s, and not all at once. AWS IoT
    /// accepts one connection a second from a client id.
    fn pause(&mut self, failures: u32) -> Duration {
        let longest = 8_000_u64.min(500 << failures.min(5));
        Duration::from_millis(longest / 2 + self.chance.below(longest / 2))
    }
}
