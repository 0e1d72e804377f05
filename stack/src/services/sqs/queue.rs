//! One queue at a time that the caller gives: pure, without clock, lock or socket. In a standard
//! queue order is best effort, and a message may be delivered again. In one that is first in, first
//! out, a group's next message waits until those in flight are deleted or visible again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::services::deduplication::{Deduplication, INTERVAL};
use run_folder::compressed::Compressed;
use template::blueprint;

/// From its third receive on, a message that returns goes to the end of the line and does not count
/// for the age of the oldest any more. Source: Amazon SQS, available CloudWatch metrics,
/// `ApproximateAgeOfOldestMessage`.
const POISON: u32 = 3;

/// How soon a queue can be purged again. Source: Amazon SQS API reference, `PurgeQueue`.
const PURGES_APART: Duration = Duration::from_secs(60);

/// What a sender said about a message's order and cause.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// `MessageGroupId`.
    pub group: Option<String>,
    /// `MessageDeduplicationId`, or what is made of the content.
    pub deduplication: Option<String>,
    /// `AWSTraceHeader`.
    pub trace: Option<String>,
}

/// A message in a queue.
#[derive(Debug, Clone)]
pub struct Held {
    /// Its number among all messages of this machine; the message id is derived from it.
    pub number: u64,
    /// The body.
    pub body: Arc<str>,
    /// The MD5 of the body, in hexadecimal.
    pub md5: Arc<str>,
    /// The typed attributes that its sender set.
    pub typed: Arc<BTreeMap<String, Value>>,
    /// Its order and cause.
    pub marks: Arc<Marks>,
    /// When it was sent. Its retention counts from here, in a dead-letter queue too.
    pub sent: Instant,
    /// How often it was received, in all queues that it was in.
    pub receives: u32,
    /// When it was received first.
    pub first_received: Option<Instant>,
    /// The queue from which it was moved.
    pub from: Option<String>,
    /// When it entered this queue.
    entered: Instant,
    /// How often it was received in this queue.
    received_here: u32,
    /// Its place in the line.
    place: u64,
    /// Not available before this time; `None` if it is in the line.
    away_until: Option<Instant>,
}

impl Held {
    /// A message that is sent at `now`.
    pub fn new(number: u64, body: &str, md5: &str, typed: BTreeMap<String, Value>, now: Instant) -> Self {
        Self {
            number,
            body: body.into(),
            md5: md5.into(),
            typed: Arc::new(typed),
            marks: Arc::default(),
            sent: now,
            receives: 0,
            first_received: None,
            from: None,
            entered: now,
            received_here: 0,
            place: 0,
            away_until: None,
        }
    }
}

/// The result of a receive.
#[derive(Debug, Default)]
pub struct Taken {
    /// The received messages.
    pub messages: Vec<Held>,
    /// Messages with too many receives: these go to the dead-letter queue.
    pub given_up: Vec<Held>,
}

/// How many messages are in each state, and how old the oldest is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gauge {
    /// In the line.
    pub visible: usize,
    /// The received messages.
    pub in_flight: usize,
    /// Sent with a delay that is not over.
    pub delayed: usize,
    /// How long the oldest has been in the queue, on this machine's clock.
    pub oldest: Option<Duration>,
    /// How many were ever sent to it.
    pub sent: u64,
}

/// Why a visibility could not be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unchanged {
    /// The message does not exist any more, or was received again since.
    Gone,
    /// It is not in flight.
    NotInFlight,
}

/// A queue.
#[derive(Debug)]
pub struct Queue {
    /// Its declaration.
    pub declared: blueprint::Queue,
    /// The tags that callers set.
    pub tags: BTreeMap<String, String>,
    visibility: Duration,
    retention: Duration,
    delay: Duration,
    purges_apart: Duration,
    purged: Option<Instant>,
    accepted: Deduplication<u64>,
    /// The messages of a `ReceiveRequestAttemptId`, with their receives.
    attempts: Deduplication<Vec<(u64, u32)>>,
    held: BTreeMap<u64, Held>,
    /// Position and number of the messages in the line.
    line: BTreeSet<(u64, u64)>,
    /// End of the time away and number of the messages that are away.
    away: BTreeSet<(Instant, u64)>,
    /// End of retention and number of all messages.
    ends: BTreeSet<(Instant, u64)>,
    /// Entry and number of the messages that count for the age of the oldest.
    ages: BTreeSet<(Instant, u64)>,
    last_place: u64,
    sent: u64,
}

impl Queue {
    /// An empty queue.
    pub fn new(declared: blueprint::Queue, compressed: Compressed) -> Self {
        Self {
            visibility: compressed.queue(declared.visibility),
            retention: compressed.queue(declared.retention),
            delay: compressed.queue(declared.delay),
            purges_apart: compressed.queue(PURGES_APART),
            purged: None,
            accepted: Deduplication::new(compressed.queue(INTERVAL)),
            attempts: Deduplication::new(compressed.queue(INTERVAL)),
            declared,
            tags: BTreeMap::new(),
            held: BTreeMap::new(),
            line: BTreeSet::new(),
            away: BTreeSet::new(),
            ends: BTreeSet::new(),
            ages: BTreeSet::new(),
            last_place: 0,
            sent: 0,
        }
    }

    /// The number of the message that was accepted with this deduplication id.
    pub fn duplicate(&mut self, id: &str, now: Instant) -> Option<u64> {
        self.accepted.find(id, now)
    }

    /// Adds a message, available after `delay`, or after the queue's own delay.
    pub fn send(&mut self, held: Held, delay: Option<Duration>, now: Instant) {
        self.sent += 1;
        let delay = delay.unwrap_or(self.delay);
        if let Some(id) = &held.marks.deduplication {
            self.accepted.keep(id.clone(), held.number, now);
        }
        let away = (!delay.is_zero()).then(|| now + delay);
        self.enter(held, away, now);
    }

    /// Adds a message that was given up in the queue `from`.
    pub fn adopt(&mut self, held: Held, from: &str, now: Instant) {
        self.enter(Held { from: Some(from.to_owned()), received_here: 0, ..held }, None, now);
    }

    fn enter(&mut self, mut held: Held, away_until: Option<Instant>, now: Instant) {
        held.entered = now;
        held.away_until = away_until;
        held.place = self.next_place();
        match away_until {
            Some(until) => self.away.insert((until, held.number)),
            None => self.line.insert((held.place, held.number)),
        };
        self.ends.insert((held.sent + self.retention, held.number));
        self.ages.insert((held.entered, held.number));
        self.held.insert(held.number, held);
    }

    fn next_place(&mut self) -> u64 {
        self.last_place += 1;
        self.last_place
    }

    fn remove(&mut self, number: u64) -> Option<Held> {
        let held = self.held.remove(&number)?;
        match held.away_until {
            Some(until) => self.away.remove(&(until, number)),
            None => self.line.remove(&(held.place, number)),
        };
        self.ends.remove(&(held.sent + self.retention, number));
        self.ages.remove(&(held.entered, number));
        Some(held)
    }

    /// Removes and returns the messages past their retention.
    pub fn expire(&mut self, now: Instant) -> Vec<Held> {
        let mut expired = Vec::new();
        while let Some(&(end, number)) = self.ends.first()
            && end <= now
        {
            self.ends.pop_first();
            expired.extend(self.remove(number));
        }
        expired
    }

    /// Messages whose time away is over return to the line.
    fn settle(&mut self, now: Instant) {
        while let Some(&(until, number)) = self.away.first()
            && until <= now
        {
            self.away.pop_first();
            self.come_back(number);
        }
    }

    fn come_back(&mut self, number: u64) {
        let last = self.next_place();
        let Some(held) = self.held.get_mut(&number) else { return };
        held.away_until = None;
        if held.received_here >= POISON && self.declared.fifo.is_none() {
            held.place = last;
            self.ages.remove(&(held.entered, number));
        }
        self.line.insert((held.place, number));
    }

    /// Receives at most `most` messages, which are then invisible for `visibility`, or for the
    /// queue's own timeout. Call [`Queue::expire`] first.
    pub fn take(&mut self, most: usize, visibility: Option<Duration>, now: Instant) -> Taken {
        self.settle(now);
        let until = now + visibility.unwrap_or(self.visibility);
        let max_receives = self.declared.redrive.as_ref().map(|redrive| redrive.max_receives);
        let mut taken = Taken::default();
        let busy = self.busy_groups();
        while taken.messages.len() < most
            && let Some(&(place, number)) = self.line.iter().find(|(_, number)| self.is_free(*number, &busy))
        {
            let Some(held) = self.held.get_mut(&number) else { break };
            if max_receives.is_some_and(|max| held.received_here >= max) {
                taken.given_up.extend(self.remove(number));
                continue;
            }
            held.receives += 1;
            held.received_here += 1;
            held.first_received.get_or_insert(now);
            held.away_until = Some(until);
            taken.messages.push(held.clone());
            self.line.remove(&(place, number));
            self.away.insert((until, number));
        }
        // With a visibility of 0 they are available again at once.
        self.settle(now);
        taken
    }

    /// The groups of which a message is in flight; in a standard queue groups do not wait.
    fn busy_groups(&self) -> BTreeSet<String> {
        if self.declared.fifo.is_none() {
            return BTreeSet::new();
        }
        let away = self.away.iter().filter_map(|(_, number)| self.held.get(number));
        away.filter(|held| held.received_here > 0).filter_map(|held| held.marks.group.clone()).collect()
    }

    fn is_free(&self, number: u64, busy: &BTreeSet<String>) -> bool {
        busy.is_empty() || !self.held.get(&number).and_then(|held| held.marks.group.as_ref()).is_some_and(|group| busy.contains(group))
    }

    /// The messages of an earlier receive with this attempt id, if all of them are in flight since:
    /// again with the same receipts, and invisible from now on. Source: Amazon SQS API reference,
    /// `ReceiveMessage`, `ReceiveRequestAttemptId`.
    pub fn take_again(&mut self, attempt: &str, visibility: Option<Duration>, now: Instant) -> Option<Vec<Held>> {
        self.settle(now);
        let taken = self.attempts.find(attempt, now)?;
        let all: Option<Vec<Held>> = taken
            .iter()
            .map(|(number, receives)| self.held.get(number).filter(|it| it.receives == *receives && it.away_until.is_some()).cloned())
            .collect();
        let all = all?;
        for held in &all {
            let _ = self.change_visibility(held.number, held.receives, visibility.unwrap_or(self.visibility), now);
        }
        Some(all)
    }

    /// Remembers what an attempt received.
    pub fn keep_attempt(&mut self, attempt: &str, taken: &[Held], now: Instant) {
        if self.attempts.find(attempt, now).is_none() && !taken.is_empty() {
            self.attempts.keep(attempt.to_owned(), taken.iter().map(|held| (held.number, held.receives)).collect(), now);
        }
    }

    /// Deletes the message by its latest receipt, whether or not it returned to the line since. An
    /// older receipt deletes nothing. Source: Amazon SQS API reference, `DeleteMessage`.
    pub fn delete(&mut self, number: u64, receives: u32) -> bool {
        let latest = self.held.get(&number).is_some_and(|held| held.receives == receives);
        latest && self.remove(number).is_some()
    }

    /// Makes the message in flight available again after `after`.
    pub fn change_visibility(&mut self, number: u64, receives: u32, after: Duration, now: Instant) -> Result<(), Unchanged> {
        self.settle(now);
        let held = self.held.get_mut(&number).filter(|held| held.receives == receives).ok_or(Unchanged::Gone)?;
        let until = held.away_until.ok_or(Unchanged::NotInFlight)?;
        held.away_until = Some(now + after);
        self.away.remove(&(until, number));
        self.away.insert((now + after, number));
        self.settle(now);
        Ok(())
    }

    /// Deletes all of them; `None` if that was done within the last minute.
    pub fn purge(&mut self, now: Instant) -> Option<Vec<Held>> {
        if self.purged.is_some_and(|last| now.saturating_duration_since(last) < self.purges_apart) {
            return None;
        }
        self.purged = Some(now);
        for index in [&mut self.away, &mut self.ends, &mut self.ages] {
            index.clear();
        }
        self.line.clear();
        Some(std::mem::take(&mut self.held).into_values().collect())
    }

    /// When the next message is available: now or earlier, later, or `None` if not before another
    /// is sent.
    pub fn next(&mut self, now: Instant) -> Option<Instant> {
        self.settle(now);
        let busy = self.busy_groups();
        let is_ready = self.line.iter().any(|(_, number)| self.is_free(*number, &busy));
        if is_ready { Some(now) } else { self.away.first().map(|&(until, _)| until) }
    }

    /// Its counts.
    pub fn gauge(&mut self, now: Instant) -> Gauge {
        self.settle(now);
        let delayed = self.away.iter().filter(|(_, number)| self.held.get(number).is_some_and(|held| held.received_here == 0)).count();
        Gauge {
            visible: self.line.len(),
            in_flight: self.away.len() - delayed,
            delayed,
            oldest: self.ages.first().map(|&(entered, _)| now.saturating_duration_since(entered)),
            sent: self.sent,
        }
    }

    /// All messages, oldest first, and whether each is available.
    pub fn all(&mut self, now: Instant) -> impl Iterator<Item = (&Held, bool)> {
        self.settle(now);
        self.held.values().map(|held| (held, held.away_until.is_none()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Visibility 30 s, retention 900 s, here ten times faster: 3 s and 90 s.
    fn queue(max_receives: Option<u32>) -> Queue {
        let redrive = max_receives.map(|max_receives| blueprint::Redrive { to: "dead".into(), max_receives });
        let declared = blueprint::Queue { visibility: 30 * SECOND, retention: 900 * SECOND, redrive, ..blueprint::Queue::named("q") };
        Queue::new(declared, Compressed { queues: 10, expiry: 1 })
    }

    fn send(queue: &mut Queue, number: u64, now: Instant) {
        queue.send(Held::new(number, "body", "md5", BTreeMap::new(), now), None, now);
    }

    fn take(queue: &mut Queue, most: usize, now: Instant) -> Vec<(u64, u32)> {
        queue.take(most, None, now).messages.iter().map(|held| (held.number, held.receives)).collect()
    }

    #[test]
    fn a_message_is_invisible_for_its_visibility_timeout_and_then_returns_with_its_count() {
        let (mut queue, start) = (queue(None), Instant::now());
        send(&mut queue, 1, start);
        send(&mut queue, 2, start);
        assert_eq!(take(&mut queue, 1, start), [(1, 1)], "the oldest first");
        assert_eq!(take(&mut queue, 10, start + SECOND), [(2, 1)]);
        assert_eq!(queue.next(start + SECOND), Some(start + 3 * SECOND));
        assert_eq!(take(&mut queue, 10, start + Duration::from_millis(2999)), []);
        assert_eq!(take(&mut queue, 10, start + 3 * SECOND), [(1, 2)]);
        assert_eq!(take(&mut queue, 10, start + 4 * SECOND), [(2, 2)]);
    }

    #[test]
    fn only_the_latest_receipt_deletes_even_once_the_message_is_visible_again() {
        let (mut queue, start) = (queue(None), Instant::now());
        send(&mut queue, 1, start);
        take(&mut queue, 1, start);
        take(&mut queue, 1, start + 3 * SECOND);
        assert!(!queue.delete(1, 1), "an older receipt");
        assert_eq!(queue.gauge(start + 9 * SECOND).visible, 1);
        assert!(queue.delete(1, 2), "the latest, though its visibility is over");
        assert!(!queue.delete(1, 2), "it is gone");
        assert_eq!(queue.gauge(start + 9 * SECOND), Gauge { sent: 1, ..Gauge::default() });
        assert_eq!(queue.next(start), None);
    }

    #[test]
    fn a_message_expires_by_its_retention_whether_visible_or_in_flight() {
        let (mut queue, start) = (queue(None), Instant::now());
        send(&mut queue, 1, start);
        send(&mut queue, 2, start);
        send(&mut queue, 3, start + SECOND);
        take(&mut queue, 1, start + 88 * SECOND);
        assert_eq!(queue.expire(start + Duration::from_millis(89_999)).len(), 0);
        let expired: Vec<_> = queue.expire(start + 90 * SECOND).iter().map(|held| (held.number, held.receives)).collect();
        assert_eq!(expired, [(1, 1), (2, 0)]);
        assert!(!queue.delete(1, 1));
        assert_eq!(take(&mut queue, 10, start + 90 * SECOND), [(3, 1)]);
    }

    #[test]
    fn a_message_received_too_often_is_given_up_the_next_time_and_keeps_its_first_time() {
        let (mut queue, mut now) = (queue(Some(2)), Instant::now());
        let start = now;
        send(&mut queue, 1, now);
        for receives in [1, 2] {
            assert_eq!(take(&mut queue, 1, now), [(1, receives)]);
            now += 3 * SECOND;
        }
        let mut taken = queue.take(1, None, now);
        assert!(taken.messages.is_empty());
        let given_up = taken.given_up.remove(0);
        assert_eq!((given_up.number, given_up.receives, given_up.sent), (1, 2, start));
        let declared =
            blueprint::Queue { visibility: 30 * SECOND, retention: 100 * SECOND, redrive: None, ..blueprint::Queue::named("dead") };
        let mut dead = Queue::new(declared, Compressed::default());
        dead.adopt(given_up, "q", now);
        assert_eq!((dead.gauge(now + SECOND).oldest, dead.gauge(now).sent), (Some(SECOND), 0), "its age counts from the move");
        assert_eq!(take(&mut dead, 1, now), [(1, 3)], "its count goes on");
        assert_eq!(dead.expire(start + 99 * SECOND).len(), 0);
        assert_eq!(dead.expire(start + 100 * SECOND).len(), 1, "by the dead-letter queue's retention, from when it was sent");
    }

    #[test]
    fn a_message_in_flight_can_be_made_visible_sooner_or_later() {
        let (mut queue, start) = (queue(None), Instant::now());
        send(&mut queue, 1, start);
        assert_eq!(queue.change_visibility(1, 0, SECOND, start), Err(Unchanged::NotInFlight));
        take(&mut queue, 1, start);
        assert_eq!(queue.change_visibility(1, 2, SECOND, start), Err(Unchanged::Gone));
        assert_eq!(queue.change_visibility(1, 1, Duration::ZERO, start), Ok(()));
        assert_eq!(take(&mut queue, 1, start), [(1, 2)]);
        assert_eq!(queue.change_visibility(1, 2, 20 * SECOND, start), Ok(()));
        assert_eq!(queue.next(start), Some(start + 20 * SECOND));
        assert_eq!(queue.change_visibility(1, 2, SECOND, start + 20 * SECOND), Err(Unchanged::NotInFlight));
    }

    #[test]
    fn a_delayed_message_waits_and_a_poison_message_goes_behind_the_others() {
        let (mut queue, start) = (queue(None), Instant::now());
        queue.send(Held::new(1, "late", "md5", BTreeMap::new(), start), Some(SECOND), start);
        assert_eq!(queue.gauge(start), Gauge { delayed: 1, oldest: Some(Duration::ZERO), sent: 1, ..Gauge::default() });
        let mut now = start + SECOND;
        for receives in 1..=3 {
            assert_eq!(take(&mut queue, 1, now), [(1, receives)]);
            now += 3 * SECOND;
        }
        send(&mut queue, 2, now - SECOND);
        assert_eq!(queue.gauge(now).oldest, Some(SECOND), "of the message that is not poisonous");
        assert_eq!(take(&mut queue, 10, now), [(2, 1), (1, 4)]);
        assert_eq!(queue.purge(now).map(|all| all.len()), Some(2));
        assert!(queue.purge(now + 5 * SECOND).is_none() && queue.purge(now + 6 * SECOND).is_some(), "once a minute, here 6 s");
        assert_eq!(queue.gauge(now), Gauge { sent: 2, ..Gauge::default() });
    }

    fn ordered(max_receives: Option<u32>) -> Queue {
        let redrive = max_receives.map(|max_receives| blueprint::Redrive { to: "dead.fifo".into(), max_receives });
        let fifo = Some(blueprint::Fifo { by_content: false });
        Queue::new(blueprint::Queue { redrive, fifo, ..blueprint::Queue::named("q.fifo") }, Compressed { queues: 10, expiry: 1 })
    }

    fn send_to(queue: &mut Queue, number: u64, group: &str, now: Instant) {
        let marks = Marks { group: Some(group.into()), deduplication: Some(number.to_string()), trace: None };
        queue.send(Held { marks: Arc::new(marks), ..Held::new(number, "body", "md5", BTreeMap::new(), now) }, None, now);
    }

    #[test]
    fn a_group_waits_for_its_messages_in_flight_and_no_other_group_does() {
        let (mut queue, start) = (ordered(None), Instant::now());
        for (number, group) in [(1, "a"), (2, "a"), (3, "b"), (4, "a")] {
            send_to(&mut queue, number, group, start);
        }
        assert_eq!(take(&mut queue, 2, start), [(1, 1), (2, 1)], "several of a group in one receive, in order");
        assert_eq!(take(&mut queue, 10, start), [(3, 1)]);
        assert_eq!(queue.next(start), Some(start + 3 * SECOND), "the rest waits for the visibility timeout");
        assert!(queue.delete(1, 1));
        assert_eq!(take(&mut queue, 10, start), [], "the second is in flight");
        assert!(queue.delete(2, 1));
        assert_eq!(queue.next(start), Some(start));
        assert_eq!(take(&mut queue, 10, start), [(4, 1)]);
    }

    #[test]
    fn a_failed_message_is_not_overtaken_however_often_it_fails() {
        let (mut queue, mut now) = (ordered(Some(4)), Instant::now());
        send_to(&mut queue, 1, "a", now);
        send_to(&mut queue, 2, "a", now);
        for receives in 1..=4 {
            assert_eq!(take(&mut queue, 1, now), [(1, receives)]);
            assert_eq!(take(&mut queue, 1, now), []);
            now += 3 * SECOND;
        }
        let taken = queue.take(1, None, now);
        assert_eq!((taken.given_up.len(), taken.messages.first().map(|held| held.number)), (1, Some(2)), "then the next one comes");
    }

    #[test]
    fn a_repeated_attempt_gets_the_same_messages_until_one_of_them_changes() {
        let (mut queue, start) = (ordered(None), Instant::now());
        send_to(&mut queue, 1, "a", start);
        let taken = queue.take(1, None, start).messages;
        queue.keep_attempt("r", &taken, start);
        let numbers = |all: Option<Vec<Held>>| all.map(|all| all.iter().map(|held| (held.number, held.receives)).collect::<Vec<_>>());
        assert_eq!(numbers(queue.take_again("r", None, start + 2 * SECOND)), Some(vec![(1, 1)]));
        assert_eq!(queue.next(start), Some(start + 5 * SECOND), "its timeout began anew");
        assert_eq!(numbers(queue.take_again("other", None, start)), None);
        assert_eq!(numbers(queue.take_again("r", None, start + 5 * SECOND)), None, "it is visible again");
    }
}
