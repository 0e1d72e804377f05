//! Subscriptions, and the messages that wait for each session. Nothing here blocks: a slow
//! subscriber fills its own queue and no other.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Packet, Publish};
use tokio::sync::Notify;

use super::topics::matches;

/// The most messages that may wait for one session; beyond that the oldest is dropped. AWS IoT
/// keeps them for an hour instead.
const LONGEST_QUEUE: usize = 1000;
/// Messages sent and not yet acknowledged, as at AWS IoT.
const MOST_IN_FLIGHT: usize = 100;
/// The largest packet: 128 KB of payload and its headers.
pub const LARGEST_PACKET: usize = 128 * 1024 + 1024;

/// One connection's end of a session.
#[derive(Debug, Default)]
pub struct Holder {
    /// Something waits to be sent, or another connection holds the session.
    pub wake: Notify,
    gone: AtomicBool,
}

impl Holder {
    /// Whether another connection has taken the session.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    fn dismiss(&self) {
        self.gone.store(true, Ordering::Release);
        self.wake.notify_one();
    }
}

#[derive(Debug, Clone)]
struct Message {
    topic: Arc<str>,
    payload: Bytes,
    qos: QoS,
    /// The packet id under which an earlier connection sent it without getting an acknowledgement.
    sent_as: Option<u16>,
}

#[derive(Debug, Default)]
struct Session {
    filters: Vec<(String, QoS)>,
    /// Answers to the client's own packets; they go first.
    answers: VecDeque<Packet>,
    waiting: VecDeque<Message>,
    /// Sent and not acknowledged, in the order of sending.
    in_flight: BTreeMap<u64, (u16, Message)>,
    sent: u64,
    last_id: u16,
    holder: Option<Arc<Holder>>,
    clean: bool,
}

/// All sessions.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<HashMap<String, Session>>);

impl Sessions {
    /// Gives the session of `client` to a new connection; an older connection of the same client is
    /// dismissed. The second value is true if there was a session to resume.
    pub fn take(&self, client: &str, clean: bool) -> (Arc<Holder>, bool) {
        let mut all = self.lock();
        let holder = Arc::new(Holder::default());
        let mut session = all.remove(client).unwrap_or_else(|| Session { clean: true, ..Session::default() });
        if let Some(old) = session.holder.take() {
            old.dismiss();
        }
        let present = !clean && !session.clean;
        if !present {
            session = Session::default();
        }
        session.clean = clean;
        session.answers.clear();
        session.holder = Some(Arc::clone(&holder));
        session.send_again();
        all.insert(client.to_owned(), session);
        (holder, present)
    }

    /// The connection has ended; a clean session ends with it.
    pub fn leave(&self, client: &str, holder: &Arc<Holder>) {
        let mut all = self.lock();
        if let Some(session) = held(&mut all, client, holder) {
            session.holder = None;
            if session.clean {
                all.remove(client);
            }
        }
    }

    /// Adds a subscription, or changes its QoS.
    pub fn subscribe(&self, client: &str, holder: &Arc<Holder>, filter: &str, qos: QoS) {
        if let Some(session) = held(&mut self.lock(), client, holder) {
            session.filters.retain(|(one, _)| one != filter);
            session.filters.push((filter.to_owned(), qos));
        }
    }

    /// Removes a subscription.
    pub fn unsubscribe(&self, client: &str, holder: &Arc<Holder>, filter: &str) {
        if let Some(session) = held(&mut self.lock(), client, holder) {
            session.filters.retain(|(one, _)| one != filter);
        }
    }

    /// An answer to the client's own packet.
    pub fn reply(&self, client: &str, holder: &Arc<Holder>, packet: Packet) {
        if let Some(session) = held(&mut self.lock(), client, holder) {
            session.answers.push_back(packet);
            holder.wake.notify_one();
        }
    }

    /// The client acknowledged a message.
    pub fn acknowledged(&self, client: &str, holder: &Arc<Holder>, id: u16) {
        if let Some(session) = held(&mut self.lock(), client, holder) {
            let was_full = session.in_flight.len() >= MOST_IN_FLIGHT;
            session.in_flight.retain(|_, (sent, _)| *sent != id);
            if was_full && !session.waiting.is_empty() {
                holder.wake.notify_one();
            }
        }
    }

    /// Puts a message into the queue of each session that subscribed to its topic, once.
    pub fn publish(&self, topic: &str, payload: &Bytes, qos: QoS) {
        let shared: Arc<str> = Arc::from(topic);
        for session in self.lock().values_mut() {
            let subscribed = session.filters.iter().filter(|(filter, _)| matches(filter, topic)).map(|(_, granted)| *granted);
            if let Some(granted) = subscribed.max_by_key(|granted| *granted as u8) {
                let qos = if granted == QoS::AtLeastOnce { qos } else { QoS::AtMostOnce };
                session.offer(Message { topic: Arc::clone(&shared), payload: payload.clone(), qos, sent_as: None });
            }
        }
    }

    /// Writes what may be sent now to `out`.
    pub fn write_to(&self, client: &str, holder: &Arc<Holder>, out: &mut BytesMut) {
        if let Some(session) = held(&mut self.lock(), client, holder) {
            session.write_to(out);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The session, if this very connection still holds it.
fn held<'a>(all: &'a mut HashMap<String, Session>, client: &str, holder: &Arc<Holder>) -> Option<&'a mut Session> {
    all.get_mut(client).filter(|session| session.holder.as_ref().is_some_and(|one| Arc::ptr_eq(one, holder)))
}

impl Session {
    fn offer(&mut self, message: Message) {
        // No client is connected, and a QoS 0 message may be lost.
        if self.holder.is_none() && message.qos == QoS::AtMostOnce {
            return;
        }
        if self.waiting.len() >= LONGEST_QUEUE {
            self.waiting.pop_front();
        }
        self.waiting.push_back(message);
        if let Some(holder) = &self.holder {
            holder.wake.notify_one();
        }
    }

    /// What the last connection did not acknowledge is sent first, in its old order and with its
    /// old packet ids. Source: MQTT 3.1.1, section 4.4.
    fn send_again(&mut self) {
        while let Some((_, (id, message))) = self.in_flight.pop_last() {
            self.waiting.push_front(Message { sent_as: Some(id), ..message });
        }
        if let (false, Some(holder)) = (self.waiting.is_empty(), &self.holder) {
            holder.wake.notify_one();
        }
    }

    fn write_to(&mut self, out: &mut BytesMut) {
        while let Some(packet) = self.answers.pop_front() {
            // Packets made here are never too large; a packet that were would be left out.
            let _ = packet.write(out, LARGEST_PACKET);
        }
        while let Some(message) = self.waiting.front() {
            if message.qos == QoS::AtLeastOnce && self.in_flight.len() >= MOST_IN_FLIGHT {
                return;
            }
            let Some(message) = self.waiting.pop_front() else { return };
            let mut publish = Publish::from_bytes(&*message.topic, message.qos, message.payload.clone());
            if message.qos == QoS::AtLeastOnce {
                publish.dup = message.sent_as.is_some();
                publish.pkid = message.sent_as.unwrap_or_else(|| self.next_id());
                self.in_flight.insert(self.sent, (publish.pkid, message));
                self.sent += 1;
            }
            let _ = publish.write(out);
            if out.len() >= LARGEST_PACKET {
                // The rest follows when this much was acknowledged.
                if let Some(holder) = &self.holder {
                    holder.wake.notify_one();
                }
                return;
            }
        }
    }

    /// The next packet id that is not in flight; 0 is not a valid id.
    fn next_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if self.in_flight.values().all(|(id, _)| *id != self.last_id) {
                return self.last_id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(sessions: &Sessions, client: &str, holder: &Arc<Holder>) -> Vec<Publish> {
        let mut out = BytesMut::new();
        sessions.write_to(client, holder, &mut out);
        let mut all = Vec::new();
        while let Ok(packet) = Packet::read(&mut out, LARGEST_PACKET) {
            if let Packet::Publish(publish) = packet {
                all.push(publish);
            }
        }
        all
    }

    #[test]
    fn overlapping_subscriptions_get_one_message_with_the_higher_qos() {
        let sessions = Sessions::default();
        let (holder, present) = sessions.take("c", true);
        assert!(!present);
        sessions.subscribe("c", &holder, "a/#", QoS::AtMostOnce);
        sessions.subscribe("c", &holder, "a/b", QoS::AtLeastOnce);
        sessions.publish("a/b", &Bytes::from_static(b"1"), QoS::AtLeastOnce);
        sessions.publish("a/c", &Bytes::from_static(b"2"), QoS::AtLeastOnce);
        sessions.publish("b", &Bytes::from_static(b"3"), QoS::AtLeastOnce);
        let got: Vec<_> = sent(&sessions, "c", &holder).into_iter().map(|p| (p.topic, p.qos)).collect();
        assert_eq!(got, [("a/b".to_owned(), QoS::AtLeastOnce), ("a/c".to_owned(), QoS::AtMostOnce)]);
    }

    #[test]
    fn a_persistent_session_keeps_what_was_not_acknowledged_in_order() {
        let sessions = Sessions::default();
        let (first, _) = sessions.take("c", false);
        sessions.subscribe("c", &first, "t", QoS::AtLeastOnce);
        for n in [b"1", b"2", b"3"] {
            sessions.publish("t", &Bytes::from_static(n), QoS::AtLeastOnce);
        }
        let got = sent(&sessions, "c", &first);
        sessions.acknowledged("c", &first, got[1].pkid);
        sessions.leave("c", &first);
        sessions.publish("t", &Bytes::from_static(b"4"), QoS::AtLeastOnce);
        sessions.publish("t", &Bytes::from_static(b"5"), QoS::AtMostOnce);
        let (second, present) = sessions.take("c", false);
        assert!(present);
        let again: Vec<_> = sent(&sessions, "c", &second).into_iter().map(|p| (p.payload, p.dup, p.pkid)).collect();
        let expected = [("1", true, got[0].pkid), ("3", true, got[2].pkid), ("4", false, 4)];
        assert_eq!(again, expected.map(|(text, dup, id)| (Bytes::from(text), dup, id)), "what may be lost is not kept for who is away");
        let (third, present) = sessions.take("c", true);
        assert!(!present && second.is_gone() && !third.is_gone());
        sessions.publish("t", &Bytes::from_static(b"6"), QoS::AtLeastOnce);
        assert_eq!(sent(&sessions, "c", &third), [], "a clean session begins with nothing");
    }

    #[test]
    fn a_subscriber_that_does_not_acknowledge_fills_its_own_queue_only() {
        let sessions = Sessions::default();
        let (slow, _) = sessions.take("slow", true);
        sessions.subscribe("slow", &slow, "t", QoS::AtLeastOnce);
        for n in 0..LONGEST_QUEUE + 500 {
            sessions.publish("t", &Bytes::from(n.to_string()), QoS::AtLeastOnce);
        }
        let first = sent(&sessions, "slow", &slow);
        assert_eq!(first.len(), MOST_IN_FLIGHT);
        assert_eq!(first[0].payload, "500", "the oldest went");
        assert_eq!(sent(&sessions, "slow", &slow), [], "until something is acknowledged");
        sessions.acknowledged("slow", &slow, first[0].pkid);
        assert_eq!(sent(&sessions, "slow", &slow).len(), 1);
    }
}
