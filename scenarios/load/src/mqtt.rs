//! A connection to the broker that is polled always, and again after every error. It knows nothing of shadows.

use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS, SubscribeFilter};
use tokio::sync::mpsc;

use crate::chance::Chance;
use crate::error::TrafficError;

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
/// If `address` is not an address.
pub fn wire(
    address: &str,
    client_id: &str,
    topics: Vec<String>,
    chance: Chance,
) -> Result<(AsyncClient, mpsc::UnboundedReceiver<Heard>, Wire), TrafficError> {
    let wrong = || TrafficError::Preparation(format!("`{address}` is not an address of a broker; it is written `host:port`"));
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let mut options = MqttOptions::new(client_id, host, port.parse().map_err(|_| wrong())?);
    options.set_keep_alive(Duration::from_secs(30)).set_clean_session(false).set_inflight(20);
    let (client, mut events) = AsyncClient::new(options, 64);
    events.network_options.set_tcp_nodelay(true);
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
                    if !subscribed || !answer.session_present {
                        subscribed = self.subscribe();
                    }
                }
                Ok(Event::Incoming(Packet::SubAck(_))) => drop(self.tell.send(Heard::Subscribed)),
                Ok(Event::Incoming(Packet::Publish(message))) => {
                    let _ = self.tell.send(Heard::Message { topic: message.topic, payload: message.payload.to_vec() });
                }
                Ok(_) => {}
                Err(_) => {
                    failures += 1;
                    tokio::time::sleep(self.pause(failures)).await;
                }
            }
        }
    }

    fn subscribe(&self) -> bool {
        if self.topics.is_empty() {
            return self.tell.send(Heard::Subscribed).is_ok();
        }
        let filters = self.topics.iter().map(|topic| SubscribeFilter::new(topic.clone(), QoS::AtLeastOnce));
        self.client.try_subscribe_many(filters).is_ok()
    }

    /// 100 ms, doubled by each failure up to 5 s, half of it by chance: all are back well within 30 s, and not all at once.
    fn pause(&mut self, failures: u32) -> Duration {
        let longest = 5_000_u64.min(100 << failures.min(6));
        Duration::from_millis(longest / 2 + self.chance.below(longest / 2))
    }
}
