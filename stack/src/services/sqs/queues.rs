//! All queues of one machine at a time that the caller gives: what moves between them, and what is
//! reported about them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::queue::{Held, Marks, Queue, Taken};
use run_folder::compressed::Compressed;
use run_folder::effects::{AGE_MS, Change, Effect, MOVED_FROM, MOVED_TO, Place};
use run_folder::sightings::{Seen, Sightings};
use template::blueprint;

/// A message to send.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// The body.
    pub body: String,
    /// The MD5 of the body, in hexadecimal.
    pub md5: String,
    /// Typed attributes.
    pub typed: BTreeMap<String, Value>,
    /// How long it is not available, on this machine's clock; `None`: as long as the queue says.
    pub delay: Option<Duration>,
    /// Its order and cause.
    pub marks: Marks,
    /// The key of the object that it is about.
    pub about: Option<String>,
}

/// The result of a receive.
pub struct Handed {
    /// The received messages.
    pub messages: Vec<Held>,
    /// The dead-letter queue, if a message was moved there.
    pub moved_to: Option<String>,
}

/// The field in which a message of the audit names its record.
const SUBJECT: &str = "sourceTransactionID";

/// The subject of a message by its own body: the record that the body names.
fn subject(body: &str) -> Option<String> {
    // Most bodies do not name one, so they are not parsed.
    let body = Some(body).filter(|body| body.contains(SUBJECT))?;
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    body.get(SUBJECT)?.as_str().map(str::to_owned)
}

/// All queues.
pub struct Queues {
    all: BTreeMap<String, Queue>,
    sightings: Sightings,
    last: u64,
}

/// The message id for a number. Numbers count from 1 on every machine, so the same messages have
/// the same ids in every run of a seed.
pub fn message_id(number: u64) -> String {
    format!("5e5e5e5e-0000-4000-8000-{number:012x}")
}

impl Queues {
    /// The declared queues, empty.
    pub fn new(declared: &[blueprint::Queue], compressed: Compressed, sightings: Sightings) -> Self {
        let all = declared.iter().map(|queue| (queue.name.clone(), Queue::new(queue.clone(), compressed))).collect();
        Self { all, sightings, last: 0 }
    }

    /// The queue.
    pub fn queue(&mut self, name: &str) -> Option<&mut Queue> {
        self.all.get_mut(name)
    }

    /// Sends; returns the message's number, or that of the message that it repeats.
    pub fn send(&mut self, queue: &str, outgoing: Outgoing, now: Instant) -> Option<u64> {
        let into = self.all.get_mut(queue)?;
        if let Some(number) = outgoing.marks.deduplication.as_deref().and_then(|id| into.duplicate(id, now)) {
            return Some(number);
        }
        self.last += 1;
        let number = self.last;
        let mut held = Held::new(number, &outgoing.body, &outgoing.md5, outgoing.typed, now);
        held.marks = Arc::new(outgoing.marks);
        // Before it is available, likewise.
        effect(&self.sightings, queue, &held, Change::Made, |_| ());
        into.send(held, outgoing.delay, now);
        // Reported before the message is available, so that readers of the sightings see it arrive
        // before it is received.
        let about = outgoing.about.or_else(|| subject(&outgoing.body));
        self.sightings.tell(Seen::Queued { queue: queue.to_owned(), message: message_id(number), about });
        Some(number)
    }

    /// Receives at most `most` messages; messages with too many receives go to the dead-letter
    /// queue.
    pub fn receive(&mut self, queue: &str, most: usize, visibility: Option<Duration>, now: Instant) -> Option<Handed> {
        self.expire(queue, now);
        let from = self.all.get_mut(queue)?;
        let to = from.declared.redrive.as_ref().map(|redrive| redrive.to.clone());
        let Taken { messages, given_up } = from.take(most, visibility, now);
        for held in &messages {
            self.sightings.tell(Seen::Received { queue: queue.to_owned(), message: message_id(held.number), count: held.receives });
        }
        let mut moved_to = None;
        for held in given_up {
            let Some(name) = &to else { continue };
            let message = message_id(held.number);
            if let Some(dead) = self.all.get_mut(name) {
                moved(&self.sightings, &held, (queue, name), now);
                dead.adopt(held, queue, now);
                self.sightings.tell(Seen::Redriven { queue: queue.to_owned(), to: name.clone(), message });
                moved_to.clone_from(&to);
            }
        }
        Some(Handed { messages, moved_to })
    }

    /// Deletes by a receipt.
    pub fn delete(&mut self, queue: &str, number: u64, receives: u32, now: Instant) -> bool {
        self.expire(queue, now);
        let deleted = self.all.get_mut(queue).is_some_and(|queue| queue.delete(number, receives));
        if deleted {
            self.deleted(queue, number);
        }
        deleted
    }

    /// Deletes all messages of a queue; `false` if that was done within the last minute.
    pub fn purge(&mut self, queue: &str, now: Instant) -> bool {
        self.expire(queue, now);
        let purged = self.all.get_mut(queue).and_then(|queue| queue.purge(now));
        let done = purged.is_some();
        purged.unwrap_or_default().iter().for_each(|held| self.deleted(queue, held.number));
        done
    }

    fn deleted(&self, queue: &str, number: u64) {
        self.sightings.tell(Seen::Deleted { queue: queue.to_owned(), message: message_id(number) });
        self.sightings.effect(|| Place::Queue(queue.to_owned()), |place, _| Effect::new(place, message_id(number), Change::Gone));
    }

    /// Drops messages past their retention.
    pub fn expire(&mut self, queue: &str, now: Instant) {
        let Some(expiring) = self.all.get_mut(queue) else { return };
        for held in expiring.expire(now) {
            let (message, count) = (message_id(held.number), held.receives);
            self.sightings.tell(Seen::Expired { queue: queue.to_owned(), message, count });
            effect(&self.sightings, queue, &held, Change::Expired, |_| ());
        }
    }
}

/// Tells what happened to a message, if a rule names its queue.
fn effect(sightings: &Sightings, queue: &str, held: &Held, change: Change, more: impl FnOnce(&mut Effect)) {
    sightings.effect(
        || Place::Queue(queue.to_owned()),
        |place, _| {
            let root = held.marks.trace.as_deref().and_then(faults::trace_root).map(str::to_owned);
            let mut effect = Effect { root, text: held.body.to_string(), ..Effect::new(place, message_id(held.number), change) };
            more(&mut effect);
            effect
        },
    );
}

/// Tells of a message that goes from one queue to its dead-letter queue.
fn moved(sightings: &Sightings, held: &Held, (from, to): (&str, &str), now: Instant) {
    let age = u64::try_from(now.saturating_duration_since(held.sent).as_millis()).unwrap_or(u64::MAX);
    effect(sightings, from, held, Change::Gone, |effect| {
        effect.fields.insert(MOVED_TO.to_owned(), json!(to));
    });
    effect(sightings, to, held, Change::Made, |effect| {
        effect.fields.insert(MOVED_FROM.to_owned(), json!(from));
        effect.fields.insert(AGE_MS.to_owned(), json!(age));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn told(seen: &mut tokio::sync::mpsc::UnboundedReceiver<crate::Sighting>) -> Vec<Seen> {
        std::iter::from_fn(|| seen.try_recv().ok()).map(|sighting| sighting.seen).collect()
    }

    #[test]
    fn the_whole_life_of_a_message_is_reported_in_order() {
        let queue = |name: &str, to: Option<&str>| blueprint::Queue {
            visibility: 3 * SECOND,
            retention: 900 * SECOND,
            redrive: to.map(|to| blueprint::Redrive { to: to.into(), max_receives: 1 }),
            ..blueprint::Queue::named(name)
        };
        let (sightings, mut seen) = Sightings::channel();
        let mut queues = Queues::new(&[queue("in", Some("dead")), queue("dead", None)], Compressed::default(), sightings);
        let (start, message) = (Instant::now(), message_id(1));
        assert_eq!(queues.send("nowhere", Outgoing::default(), start), None);
        queues.send("in", Outgoing { about: Some("k".into()), ..Outgoing::default() }, start).unwrap();
        assert_eq!(queues.receive("in", 1, None, start).unwrap().messages.len(), 1);
        let handed = queues.receive("in", 1, None, start + 3 * SECOND).unwrap();
        assert!(handed.messages.is_empty() && handed.moved_to.as_deref() == Some("dead"));
        let again = queues.receive("dead", 1, None, start + 4 * SECOND).unwrap().messages.remove(0);
        assert_eq!((again.number, again.receives, again.from.as_deref()), (1, 2, Some("in")));
        queues.expire("dead", start + 900 * SECOND);
        queues.send("in", Outgoing::default(), start).unwrap();
        queues.receive("in", 1, None, start + SECOND).unwrap();
        assert!(queues.delete("in", 2, 1, start + SECOND));
        let (incoming, dead) = ("in".to_owned(), "dead".to_owned());
        let second = message_id(2);
        assert_eq!(
            told(&mut seen),
            [
                Seen::Queued { queue: incoming.clone(), message: message.clone(), about: Some("k".into()) },
                Seen::Received { queue: incoming.clone(), message: message.clone(), count: 1 },
                Seen::Redriven { queue: incoming.clone(), to: dead.clone(), message: message.clone() },
                Seen::Received { queue: dead.clone(), message: message.clone(), count: 2 },
                Seen::Expired { queue: dead, message, count: 2 },
                Seen::Queued { queue: incoming.clone(), message: second.clone(), about: None },
                Seen::Received { queue: incoming.clone(), message: second.clone(), count: 1 },
                Seen::Deleted { queue: incoming, message: second },
            ]
        );
    }

    #[test]
    fn of_a_watched_queue_it_is_told_what_a_message_says_and_where_it_went() {
        let mut watch = run_folder::Watch::default();
        watch.add(Place::Queue("dead".into()), []);
        let (sightings, mut seen) = Sightings::watching(watch);
        let redrive = Some(blueprint::Redrive { to: "dead".into(), max_receives: 1 });
        let declared = [blueprint::Queue { redrive, ..blueprint::Queue::named("in") }, blueprint::Queue::named("dead")];
        let mut queues = Queues::new(&declared, Compressed::default(), sightings);
        let start = Instant::now();
        let marks = Marks { trace: Some("Root=1-a-b;Sampled=1".into()), ..Marks::default() };
        queues.send("in", Outgoing { body: "{\"id\":7}".into(), marks, ..Outgoing::default() }, start).unwrap();
        queues.receive("in", 1, None, start).unwrap();
        queues.receive("in", 1, None, start + 60 * SECOND).unwrap();
        queues.receive("dead", 1, None, start + 61 * SECOND).unwrap();
        assert!(queues.delete("dead", 1, 2, start + 61 * SECOND));
        let effects = told(&mut seen).into_iter().filter_map(|seen| if let Seen::Effect(effect) = seen { Some(effect) } else { None });
        let effects: Vec<_> = effects.collect();
        let shown = |effect: &Effect| (effect.change, effect.root.clone(), effect.text.clone(), effect.fields.get(AGE_MS).cloned());
        assert_eq!(
            effects.iter().map(shown).collect::<Vec<_>>(),
            [
                (Change::Made, Some("1-a-b".to_owned()), "{\"id\":7}".to_owned(), Some(json!(60_000))),
                (Change::Gone, None, String::new(), None),
            ]
        );
        assert!(effects.iter().all(|effect| effect.place == Place::Queue("dead".into()) && effect.id == message_id(1)));
    }

    #[test]
    fn a_message_that_names_its_record_is_about_that_record() {
        for (body, expected) in [
            (r#"{"sourceTransactionID":"a-7-000001","error":"Lambda.Unknown","cause":"{\"x\":1}"}"#, Some("a-7-000001")),
            (r#"{"error":"sourceTransactionID"}"#, None),
            (r#"{"sourceTransactionID":7}"#, None),
            ("sourceTransactionID", None),
            ("", None),
        ] {
            assert_eq!(subject(body).as_deref(), expected, "{body}");
        }
    }
}
