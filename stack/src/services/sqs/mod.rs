//! SQS: queues in memory, for the functions over HTTP and for other parts of the stack in process.

mod order;
pub mod queue;
mod queues;
mod requests;
mod shown;
mod typed;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use s3s::crypto::{Checksum, Md5};
use serde_json::Value;
use tokio::sync::Notify;

use self::order::{Unfit, fit, sequence_number};
use self::queue::{Gauge, Held, Marks, Unchanged};
use self::queues::{Outgoing, Queues, message_id};
use super::described::{Described, Protocol};
use super::wire::hexadecimal;
use crate::account::ACCESS_KEY;
use crate::deliver::{Delivery, Receives, Undelivered};
use run_folder::compressed::Compressed;
use run_folder::sightings::Sightings;
use template::account::{ACCOUNT, arn};
use template::blueprint::{self, Target};

/// The description of this service.
pub const DESCRIBED: Described = Described {
    name: "sqs",
    title: "SQS",
    protocol: Protocol::Json10("AmazonSQS"),
    operations: &["SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage"],
};

/// How often messages past their retention are dropped while no consumer receives.
const SWEEP: Duration = Duration::from_millis(50);

/// All queues of one machine.
pub struct Sqs {
    queues: Mutex<Queues>,
    /// Notified when a queue's messages may be available sooner than expected.
    bells: BTreeMap<String, Notify>,
    compressed: Compressed,
    address: SocketAddr,
    /// One moment on both clocks.
    began: (Instant, SystemTime),
}

/// A message that was received.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The message id, which it keeps in a dead-letter queue.
    pub id: String,
    /// The receipt handle.
    pub receipt: String,
    /// The body.
    pub body: String,
    /// The MD5 of the body, in hexadecimal.
    pub md5: String,
    /// The system's attributes: `ApproximateReceiveCount`, `SentTimestamp`,
    /// `ApproximateFirstReceiveTimestamp`, `SenderId`, and where they apply
    /// `DeadLetterQueueSourceArn`, `MessageGroupId`, `MessageDeduplicationId`, `SequenceNumber` and
    /// `AWSTraceHeader`.
    pub attributes: BTreeMap<String, String>,
    /// The attributes that its sender set, each with its `DataType` and value.
    pub typed: BTreeMap<String, Value>,
}

/// A message for people to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The message id.
    pub id: String,
    /// The body.
    pub body: String,
    /// How often it was received.
    pub receives: u32,
    /// How long ago it was sent, on this machine's clock.
    pub age: Duration,
    /// Whether it is available now.
    pub visible: bool,
}

/// The content of a receipt handle: the queue, the message's number and the count of its receives.
struct Receipt {
    number: u64,
    receives: u32,
}

impl Receipt {
    fn text(queue: &str, held: &Held) -> String {
        STANDARD.encode(format!("{queue}/{}/{}", held.number, held.receives))
    }

    fn read(text: &str, queue: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        let mut parts = std::str::from_utf8(&bytes).ok()?.split('/');
        let (of, number, receives) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        (of == queue && parts.next().is_none()).then_some(Self { number, receives })
    }
}

impl Sqs {
    /// The declared queues, empty. Their URLs are `http://<address>/<account>/<name>`.
    pub fn new(queues: &[blueprint::Queue], compressed: Compressed, sightings: Sightings, address: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            bells: queues.iter().map(|queue| (queue.name.clone(), Notify::new())).collect(),
            queues: Mutex::new(Queues::new(queues, compressed, sightings)),
            compressed,
            address,
            began: (Instant::now(), SystemTime::now()),
        })
    }

    /// Drops messages past their retention, for as long as it is polled.
    pub async fn sweep(self: Arc<Self>) {
        loop {
            tokio::time::sleep(SWEEP).await;
            let mut queues = self.queues();
            for queue in self.bells.keys() {
                queues.expire(queue, Instant::now());
            }
        }
    }

    /// Sends `body`; `about` is the key of the object that it is about. Returns the message id, or
    /// `None` if the queue does not exist, or needs a group for every message.
    pub fn send(&self, queue: &str, body: String, about: Option<String>) -> Option<String> {
        let md5 = md5(body.as_bytes());
        let number = self.dispatch(queue, Outgoing { body, md5, about, ..Outgoing::default() }).ok()??;
        Some(message_id(number))
    }

    /// Sends what fits the queue; `None` if the queue does not exist.
    fn dispatch(&self, queue: &str, mut outgoing: Outgoing) -> Result<Option<u64>, Unfit> {
        let mut queues = self.queues();
        if let Some(queue) = queues.queue(queue) {
            fit(&queue.declared, &mut outgoing)?;
        }
        let number = queues.send(queue, outgoing, Instant::now());
        drop(queues);
        self.ring(queue);
        Ok(number)
    }

    /// Receives at most `most` of the messages that are available now. Each then stays invisible
    /// for the queue's visibility timeout.
    pub fn receive(&self, queue: &str, most: usize) -> Vec<Message> {
        self.receive_for(queue, most, None, None)
    }

    fn receive_for(&self, queue: &str, most: usize, visibility: Option<Duration>, attempt: Option<&str>) -> Vec<Message> {
        let (now, mut queues) = (Instant::now(), self.queues());
        if let Some(again) = attempt.and_then(|attempt| queues.queue(queue)?.take_again(attempt, visibility, now)) {
            return again.iter().map(|held| self.message(queue, held)).collect();
        }
        let handed = queues.receive(queue, most, visibility, now);
        let Some(handed) = handed else { return Vec::new() };
        if let (Some(attempt), Some(queue)) = (attempt, queues.queue(queue)) {
            queue.keep_attempt(attempt, &handed.messages, now);
        }
        drop(queues);
        if let Some(dead) = handed.moved_to {
            self.ring(&dead);
        }
        handed.messages.iter().map(|held| self.message(queue, held)).collect()
    }

    /// Returns once a message may be available, at once if one is available already; never if the
    /// queue does not exist.
    pub async fn arrival(&self, queue: &str) {
        let Some(bell) = self.bells.get(queue) else { return std::future::pending().await };
        loop {
            // It registers before it checks, so that a notification between the check and the wait
            // is not missed.
            let mut ring = std::pin::pin!(bell.notified());
            ring.as_mut().enable();
            let now = Instant::now();
            let next = self.queues().queue(queue).and_then(|queue| queue.next(now));
            match next {
                Some(at) if at <= now => return,
                Some(at) => {
                    let _ = tokio::time::timeout_at(at.into(), ring).await;
                }
                None => ring.await,
            }
        }
    }

    /// Deletes a message by its latest receipt. An older receipt, or one of a message that is gone,
    /// deletes nothing.
    pub fn delete(&self, queue: &str, receipt: &str) -> bool {
        Receipt::read(receipt, queue).is_some_and(|receipt| self.delete_by(queue, &receipt))
    }

    /// The rest of the message's group may be available now.
    fn delete_by(&self, queue: &str, receipt: &Receipt) -> bool {
        let deleted = self.queues().delete(queue, receipt.number, receipt.receives, Instant::now());
        self.ring(queue);
        deleted
    }

    /// Makes a message in flight available again after `after`, a time at AWS. `false` if it is not
    /// in flight by this receipt.
    pub fn make_visible(&self, queue: &str, receipt: &str, after: Duration) -> bool {
        Receipt::read(receipt, queue).is_some_and(|receipt| self.change_visibility(queue, &receipt, after).is_ok())
    }

    fn change_visibility(&self, queue: &str, receipt: &Receipt, after: Duration) -> Result<(), Unchanged> {
        let (now, after) = (Instant::now(), self.compressed.queue(after));
        let mut queues = self.queues();
        queues.expire(queue, now);
        let of = queues.queue(queue).ok_or(Unchanged::Gone)?;
        of.change_visibility(receipt.number, receipt.receives, after, now)?;
        drop(queues);
        self.ring(queue);
        Ok(())
    }

    /// The messages in a queue, oldest first: for people and tests.
    pub fn messages(&self, queue: &str) -> Vec<Shown> {
        let now = Instant::now();
        let mut queues = self.queues();
        queues.expire(queue, now);
        let Some(queue) = queues.queue(queue) else { return Vec::new() };
        let shown = |(held, visible): (&Held, bool)| Shown {
            id: message_id(held.number),
            body: held.body.to_string(),
            receives: held.receives,
            age: now.saturating_duration_since(held.sent),
            visible,
        };
        queue.all(now).map(shown).collect()
    }

    /// The counts of a queue; `None` if it does not exist.
    pub fn gauge(&self, queue: &str) -> Option<Gauge> {
        let now = Instant::now();
        let mut queues = self.queues();
        queues.expire(queue, now);
        queues.queue(queue).map(|queue| queue.gauge(now))
    }

    /// The URL of a queue.
    pub fn url(&self, queue: &str) -> String {
        format!("http://{}/{ACCOUNT}/{queue}", self.address)
    }

    /// The queues' names.
    pub fn names(&self) -> Vec<String> {
        self.bells.keys().cloned().collect()
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self, queue: &str) {
        if let Some(bell) = self.bells.get(queue) {
            bell.notify_waiters();
        }
    }

    fn message(&self, queue: &str, held: &Held) -> Message {
        let mut attributes = BTreeMap::from([
            ("ApproximateReceiveCount".to_owned(), held.receives.to_string()),
            ("SentTimestamp".to_owned(), self.epoch_ms(held.sent)),
            ("ApproximateFirstReceiveTimestamp".to_owned(), self.epoch_ms(held.first_received.unwrap_or(held.sent))),
            ("SenderId".to_owned(), ACCESS_KEY.to_owned()),
        ]);
        let Marks { group, deduplication, trace } = &*held.marks;
        let given = [
            ("DeadLetterQueueSourceArn", held.from.as_ref().map(|from| arn("sqs", from))),
            ("MessageGroupId", group.clone()),
            ("SequenceNumber", deduplication.as_ref().map(|_| sequence_number(held.number))),
            ("MessageDeduplicationId", deduplication.clone()),
            ("AWSTraceHeader", trace.clone()),
        ];
        attributes.extend(given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        Message {
            id: message_id(held.number),
            receipt: Receipt::text(queue, held),
            body: held.body.to_string(),
            md5: held.md5.to_string(),
            attributes,
            typed: (*held.typed).clone(),
        }
    }

    fn epoch_ms(&self, at: Instant) -> String {
        let since = at.saturating_duration_since(self.began.0);
        (self.began.1 + since).duration_since(UNIX_EPOCH).unwrap_or_default().as_millis().to_string()
    }
}

impl Receives for Sqs {
    fn receive_delivery(&self, to: &Target, delivery: &Delivery) -> Result<(), Undelivered> {
        let Delivery { body, about, trace, group, deduplication, .. } = delivery.clone();
        let (md5, marks) = (md5(body.as_bytes()), Marks { group, deduplication, trace });
        let outgoing = Outgoing { body, md5, typed: delivery.attributes.clone(), delay: None, marks, about };
        let size = outgoing.body.len() + typed::size(&outgoing.typed).map_err(Undelivered::Refused)?;
        if size > requests::LARGEST {
            return Err(Undelivered::Refused(format!("a message has at most {} bytes", requests::LARGEST)));
        }
        let sent = self.dispatch(to.name(), outgoing).map_err(|why| Undelivered::Refused(why.to_string()))?;
        sent.map(drop).ok_or_else(|| Undelivered::Missing(to.clone()))
    }
}

/// The MD5 of a body, in hexadecimal.
pub(super) fn md5(bytes: &[u8]) -> String {
    hexadecimal(Md5::checksum(bytes).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqs(visibility: Duration, compressed: u32) -> Arc<Sqs> {
        let queue = blueprint::Queue { visibility, retention: Duration::from_secs(900), redrive: None, ..blueprint::Queue::named("in") };
        let compressed = Compressed { queues: compressed, expiry: 1 };
        Sqs::new(&[queue], compressed, Sightings::nowhere(), SocketAddr::from(([127, 0, 0, 1], 4566)))
    }

    async fn soon<T>(future: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(30), future).await.unwrap()
    }

    #[tokio::test]
    async fn an_arrival_wakes_all_waiting_consumers_and_comes_again_after_the_visibility_timeout() {
        let sqs = sqs(Duration::from_secs(30), 300);
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                let sqs = Arc::clone(&sqs);
                tokio::spawn(async move { sqs.arrival("in").await })
            })
            .collect();
        tokio::task::yield_now().await;
        let id = sqs.send("in", "hello".into(), None).unwrap();
        for task in waiting {
            soon(task).await.unwrap();
        }
        soon(sqs.arrival("in")).await;
        let first = sqs.receive("in", 10).remove(0);
        assert_eq!((&first.id, first.body.as_str(), first.md5.as_str()), (&id, "hello", "5d41402abc4b2a76b9719d911017c592"));
        soon(sqs.arrival("in")).await;
        let second = sqs.receive("in", 10).remove(0);
        assert_eq!((second.id, second.attributes["ApproximateReceiveCount"].as_str()), (id, "2"));
        assert_eq!(second.attributes["SentTimestamp"], first.attributes["SentTimestamp"]);
        assert!(!sqs.delete("in", &first.receipt) && !sqs.delete("in", "nonsense") && sqs.delete("in", &second.receipt));
    }

    #[tokio::test]
    async fn a_message_made_visible_wakes_a_waiting_consumer() {
        let sqs = sqs(Duration::from_secs(3600), 1);
        sqs.send("in", "hello".into(), None).unwrap();
        let message = sqs.receive("in", 1).remove(0);
        let waiting = tokio::spawn({
            let sqs = Arc::clone(&sqs);
            async move { sqs.arrival("in").await }
        });
        tokio::task::yield_now().await;
        assert!(!sqs.messages("in").remove(0).visible);
        assert!(sqs.make_visible("in", &message.receipt, Duration::ZERO));
        soon(waiting).await.unwrap();
        assert!(sqs.messages("in").remove(0).visible);
        assert!(!sqs.make_visible("in", &message.receipt, Duration::ZERO), "it is not in flight any more");
    }

    #[tokio::test]
    async fn a_message_that_is_never_received_expires_too() {
        let sqs = sqs(Duration::from_secs(30), 10_000);
        sqs.send("in", "hello".into(), None).unwrap();
        let sweep = tokio::spawn(Arc::clone(&sqs).sweep());
        let empty = async {
            while sqs.queues().queue("in").is_some_and(|queue| queue.all(Instant::now()).next().is_some()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        soon(empty).await;
        sweep.abort();
    }
}
