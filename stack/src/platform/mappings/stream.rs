//! A stream that invokes a function: its records in order, one batch at a time. A batch that fails
//! blocks what is behind it until it succeeds or is given up; nothing is skipped silently.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use super::backoff;
use super::batch_answer::Processed;
use super::called::{self, Call, Called, Room};
use super::filter::Filter;
use super::given_up::{self, Condition, Failure, Notice};
use super::polled::{Receiver, Record, Stream, asked};
use crate::{Seen, Sightings};

/// Polls a shard of a stream, or a lane of it, for one function.
pub(super) struct Poller {
    /// The function.
    pub function: Called,
    /// The shard.
    pub stream: Arc<dyn Stream>,
    /// Where in it reading begins.
    pub beginning: u64,
    /// Which of its records are this poller's.
    pub lane: Lane,
    /// Which records the function gets; the others are skipped.
    pub filter: Filter,
    /// The most records of an event.
    pub batch: usize,
    /// How long to wait for a batch to fill, from its first record.
    pub window: Duration,
    /// Whether the function reports which records it could not process.
    pub partial: bool,
    /// Whether a batch that failed as a whole is halved.
    pub bisect: bool,
    /// How often a batch is retried; `None` retries without limit.
    pub retries: Option<u32>,
    /// The age at which a record is given up; `None` for never.
    pub oldest: Option<Duration>,
    /// What gets the notices about records that were given up, with its name.
    pub on_failure: Option<(String, Arc<dyn Receiver>)>,
    /// The mapping's id.
    pub mapping: String,
    /// Where those are reported too.
    pub sightings: Sightings,
}

/// A part of a shard's records that is read on its own, by `ParallelizationFactor`: all records of
/// a key are in one lane, so that they keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lane {
    /// From 0.
    pub number: u64,
    /// How many there are.
    pub of: u64,
}

impl Lane {
    fn has(self, key: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        hasher.finish() % self.of.max(1) == self.number
    }
}

/// A record, and the text that the function gets.
struct Taken {
    record: Record,
    text: String,
}

/// Records that are tried together.
struct Piece {
    records: Vec<Taken>,
    /// How often the function failed on exactly these.
    failures: u32,
    /// How often in a row it could not be invoked.
    throttled: u32,
    /// Its last failure.
    last: Option<Failure>,
}

/// The result of trying a piece.
enum Outcome {
    Done,
    /// Only the records before this one are done, and it is not the first.
    DoneUntil(usize),
    Failed(Failure),
    Throttled,
    Stopped,
}

impl Poller {
    /// Polls until it must stop; a batch under way is then finished or failed, and no other is
    /// started.
    pub(super) async fn poll(self, mut stop: watch::Receiver<bool>) {
        let mut from = self.beginning;
        loop {
            let batch = tokio::select! {
                biased;
                () = asked(&mut stop) => return,
                batch = self.gather(&mut from) => batch,
            };
            if self.work_off(batch, &mut stop).await.is_break() {
                return;
            }
        }
    }

    /// The next batch; `from` is set to where the one after it begins.
    async fn gather(&self, from: &mut u64) -> Vec<Taken> {
        let (mut batch, mut room, mut complete) = (Vec::new(), Room::of(self.batch), None);
        loop {
            let records = self.stream.read(*from, self.batch);
            let caught_up = records.is_empty();
            for record in records {
                let next = record.sequence + 1;
                if self.lane.has(&record.key) && self.filter.takes(record.filtered.as_ref().unwrap_or(&record.value)) {
                    let text = record.value.to_string();
                    if !room.take(&text) {
                        return batch;
                    }
                    complete.get_or_insert_with(|| Instant::now() + self.window);
                    batch.push(Taken { record, text });
                }
                *from = next;
            }
            match complete {
                Some(_) if batch.len() >= self.batch => return batch,
                Some(complete) if caught_up && complete <= Instant::now() => return batch,
                // Once the window is over, the batch is what has arrived.
                Some(complete) if caught_up => drop(tokio::time::timeout_at(complete, self.stream.arrival(*from)).await),
                None if caught_up => self.stream.arrival(*from).await,
                _ => {}
            }
        }
    }

    /// Tries a batch, in the pieces that it is split into, until none is left.
    async fn work_off(&self, batch: Vec<Taken>, stop: &mut watch::Receiver<bool>) -> ControlFlow<()> {
        // A stack: the next piece is the last one.
        let mut pieces = vec![Piece::of(batch)];
        while let Some(piece) = pieces.pop() {
            let Some(piece) = self.young(piece) else { continue };
            let wait = match self.attempt(&piece).await {
                Outcome::Done => continue,
                Outcome::Stopped => return ControlFlow::Break(()),
                Outcome::Throttled => piece.throttled(&mut pieces),
                Outcome::DoneUntil(at) => piece.from(at, &mut pieces),
                Outcome::Failed(failure) => self.failed(piece, failure, &mut pieces),
            };
            tokio::select! {
                biased;
                () = asked(stop) => return ControlFlow::Break(()),
                () = tokio::time::sleep(wait) => {}
            }
        }
        ControlFlow::Continue(())
    }

    async fn attempt(&self, piece: &Piece) -> Outcome {
        let cause = piece.records.first().and_then(|first| self.stream.cause(first.record.sequence));
        let cause = cause.map(|root| format!("Root={root}"));
        let invoked = match self.function.call(piece.records.iter().map(|taken| taken.text.as_str()), cause).await {
            Call::Ran(invoked) => invoked,
            Call::Throttled => return Outcome::Throttled,
            Call::Stopped => return Outcome::Stopped,
        };
        let failure = Failure { request_id: invoked.request_id, of_function: invoked.failed };
        if invoked.failed {
            return Outcome::Failed(failure);
        }
        if !self.partial {
            return Outcome::Done;
        }
        let ids: Vec<_> = piece.records.iter().map(|taken| taken.record.id.as_str()).collect();
        match Processed::read(&invoked.payload, &ids) {
            Processed::All => Outcome::Done,
            Processed::Nothing => Outcome::Failed(failure),
            // The records before the first failed one are done, whatever the answer says of those
            // behind it.
            Processed::AllBut(failed) => match ids.iter().position(|id| failed.contains(*id)) {
                Some(at) if at > 0 => Outcome::DoneUntil(at),
                _ => Outcome::Failed(failure),
            },
        }
    }

    /// A piece failed as a whole: it is halved if that is configured and possible, which is not a
    /// retry; else it is retried or given up.
    fn failed(&self, mut piece: Piece, failure: Failure, pieces: &mut Vec<Piece>) -> Duration {
        piece.failures += 1;
        piece.last = Some(failure);
        if self.bisect && piece.records.len() > 1 {
            let second = piece.records.split_off(piece.records.len() / 2);
            pieces.push(Piece::of(second));
            pieces.push(Piece::of(piece.records));
            return backoff::after(1);
        }
        if self.retries.is_some_and(|most| piece.failures > most) {
            self.give_up(&piece, Condition::Retries);
            return Duration::ZERO;
        }
        let wait = backoff::after(piece.failures);
        pieces.push(piece);
        wait
    }

    /// The rest of a piece once the records that are too old are given up.
    fn young(&self, mut piece: Piece) -> Option<Piece> {
        let Some(oldest) = self.oldest else { return Some(piece) };
        let old = |taken: &Taken| taken.record.written.elapsed().is_ok_and(|age| age >= oldest);
        let young = piece.records.iter().position(|taken| !old(taken)).unwrap_or(piece.records.len());
        let rest = piece.records.split_off(young);
        if !piece.records.is_empty() {
            self.give_up(&piece, Condition::Age);
        }
        piece.records = rest;
        (!piece.records.is_empty()).then_some(piece)
    }

    fn give_up(&self, piece: &Piece, condition: Condition) {
        let records: Vec<_> = piece.records.iter().map(|taken| taken.record.clone()).collect();
        let origin = self.stream.origin();
        let told = self.on_failure.as_ref().map(|(name, receiver)| {
            let notice = Notice {
                function: &self.function.arn,
                origin: &origin,
                condition,
                failure: piece.last.as_ref(),
                records: &records,
                invocations: piece.failures,
            };
            let payload = receiver.takes_records().then(|| called::event(piece.records.iter().map(|taken| taken.text.as_str())));
            let key = given_up::key(&self.mapping, &origin.shard, SystemTime::now());
            (name.clone(), receiver.take(&key, notice.text(payload)))
        });
        let (to, message) = told.unzip();
        let keys = given_up::keys(&records);
        self.sightings.tell(Seen::StreamGivenUp { table: origin.name, keys, to, message: message.flatten() });
    }
}

impl Piece {
    fn of(records: Vec<Taken>) -> Self {
        Self { records, failures: 0, throttled: 0, last: None }
    }

    /// It did not reach the function. That does not count as a retry; it is tried again.
    fn throttled(mut self, pieces: &mut Vec<Self>) -> Duration {
        self.throttled += 1;
        let wait = backoff::after(self.throttled);
        pieces.push(self);
        wait
    }

    /// The rest of it becomes a piece of its own.
    fn from(mut self, at: usize, pieces: &mut Vec<Self>) -> Duration {
        pieces.push(Self::of(self.records.split_off(at)));
        backoff::after(1)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::polled::Queue as _;
    use super::super::stand_ins::{Door, FakeQueue, FakeStream, Polling, called, failed, said, until};
    use super::*;
    use crate::platform::{InvokeError, Invoked};

    fn poller(stream: &Arc<FakeStream>, door: &Arc<Door>) -> Poller {
        Poller {
            function: called(door),
            stream: Arc::clone(stream) as Arc<dyn Stream>,
            beginning: 0,
            lane: Lane { number: 0, of: 1 },
            filter: Filter::read(&[]).unwrap(),
            batch: 4,
            window: Duration::ZERO,
            partial: false,
            bisect: false,
            retries: None,
            oldest: None,
            on_failure: None,
            mapping: "m".into(),
            sightings: Sightings::nowhere(),
        }
    }

    fn start(poller: Poller) -> Polling {
        Polling::start(|stop| poller.poll(stop))
    }

    /// The records of an event by the number in their key.
    fn numbers(event: &Value) -> Vec<u64> {
        let key = |record: &Value| record["dynamodb"]["Keys"]["sub"]["S"].as_str().unwrap().parse().unwrap();
        event["Records"].as_array().unwrap().iter().map(key).collect()
    }

    fn batches(door: &Door) -> Vec<Vec<u64>> {
        door.events().iter().map(numbers).collect()
    }

    /// A function that cannot process this record, and reports it by `says`.
    fn cannot(number: u64, says: fn(&Value, u64) -> Result<Invoked, InvokeError>) -> Arc<Door> {
        Door::seeing(move |_, event| if numbers(event).contains(&number) { says(event, number) } else { said("{}") })
    }

    fn names_it(event: &Value, number: u64) -> Result<Invoked, InvokeError> {
        let at = numbers(event).iter().position(|other| *other == number).unwrap();
        let id = &event["Records"][at]["dynamodb"]["SequenceNumber"];
        said(&json!({ "batchItemFailures": [{ "itemIdentifier": id }] }).to_string())
    }

    #[tokio::test]
    async fn records_come_in_their_order_in_batches_as_large_as_allowed() {
        let (stream, door) = (FakeStream::of(6), Door::new(|_| said("null")));
        let polling = start(poller(&stream, &door));
        until("two batches", || door.answered() == 2).await;
        stream.write();
        until("the third", || door.answered() == 3).await;
        polling.stop().await;
        assert_eq!(batches(&door), [vec![0, 1, 2, 3], vec![4, 5], vec![6]]);
    }

    #[tokio::test]
    async fn a_record_that_no_pattern_matches_is_skipped() {
        let (stream, door) = (FakeStream::of(40), Door::new(|_| said("null")));
        let filter = Filter::read(&[json!({ "dynamodb": { "Keys": { "sub": { "S": ["7", "23", "39"] } } } })]).unwrap();
        let polling = start(Poller { filter, ..poller(&stream, &door) });
        until("the batch", || door.answered() == 1).await;
        polling.stop().await;
        assert_eq!(batches(&door), [[7, 23, 39]]);
    }

    #[tokio::test]
    async fn a_batch_waits_for_its_window() {
        let (stream, door) = (FakeStream::of(1), Door::new(|_| said("null")));
        let polling = start(Poller { window: Duration::from_secs(600), batch: 2, ..poller(&stream, &door) });
        until("the first read", || stream.waited_for(1)).await;
        stream.write();
        until("the batch", || door.answered() == 1).await;
        polling.stop().await;
        assert_eq!(batches(&door), [[0, 1]]);
    }

    #[tokio::test]
    async fn a_batch_that_fails_is_tried_again_before_anything_behind_it() {
        let (stream, door) = (FakeStream::of(6), Door::new(|n| if n < 2 { failed() } else { said("null") }));
        let polling = start(poller(&stream, &door));
        until("four calls", || door.answered() == 4).await;
        polling.stop().await;
        assert_eq!(batches(&door), [vec![0, 1, 2, 3], vec![0, 1, 2, 3], vec![0, 1, 2, 3], vec![4, 5]]);
        assert!(door.called_at(2) - door.called_at(0) >= Duration::from_millis(290), "it did not back off");
    }

    #[tokio::test]
    async fn bisecting_finds_the_one_bad_record_and_the_rest_is_processed() {
        let (stream, queue, door) = (FakeStream::of(5), FakeQueue::with(&[]), cannot(2, |_, _| failed()));
        let (sightings, mut seen) = Sightings::channel();
        let on_failure = Some(("failed".to_owned(), Arc::clone(&queue) as Arc<dyn Receiver>));
        let polling = start(Poller { bisect: true, retries: Some(1), on_failure, sightings, ..poller(&stream, &door) });
        until("all calls", || door.answered() == 7).await;
        polling.stop().await;
        assert_eq!(batches(&door), [vec![0, 1, 2, 3], vec![0, 1], vec![2, 3], vec![2], vec![2], vec![3], vec![4]]);
        let told: Value = serde_json::from_str(&queue.receive(1)[0].body).unwrap();
        assert_eq!((&told["DDBStreamBatchInfo"]["batchSize"], &told["requestContext"]["approximateInvokeCount"]), (&json!(1), &json!(2)));
        let given_up =
            Seen::StreamGivenUp { table: "T".into(), keys: vec!["2".into()], to: Some("failed".into()), message: Some("m0".into()) };
        assert_eq!(seen.try_recv().map(|sighting| sighting.seen), Ok(given_up));
    }

    #[tokio::test]
    async fn a_partial_answer_moves_on_to_the_record_that_failed() {
        let door = cannot(2, names_it);
        let (stream, queue) = (FakeStream::of(4), FakeQueue::with(&[]));
        let on_failure = Some(("failed".to_owned(), Arc::clone(&queue) as Arc<dyn Receiver>));
        let polling = start(Poller { partial: true, retries: Some(1), on_failure, ..poller(&stream, &door) });
        until("all calls", || door.answered() == 3).await;
        until("the notice", || queue.len() == 1).await;
        polling.stop().await;
        assert_eq!(batches(&door), [vec![0, 1, 2, 3], vec![2, 3], vec![2, 3]]);
        let told: Value = serde_json::from_str(&queue.receive(1)[0].body).unwrap();
        assert_eq!(told["DDBStreamBatchInfo"]["batchSize"], 2);
        assert_eq!(told["responseContext"].get("functionError"), None);
    }

    #[tokio::test]
    async fn with_both_a_batch_is_split_at_the_failed_record_and_halved_if_that_is_the_first() {
        let door = cannot(2, names_it);
        let stream = FakeStream::of(4);
        let polling = start(Poller { partial: true, bisect: true, retries: Some(0), ..poller(&stream, &door) });
        until("all calls", || door.answered() == 4).await;
        polling.stop().await;
        assert_eq!(batches(&door), [vec![0, 1, 2, 3], vec![2, 3], vec![2], vec![3]]);
    }

    #[tokio::test]
    async fn an_answer_that_cannot_be_read_fails_the_whole_batch_only_if_answers_are_partial() {
        for (partial, calls) in [(true, 2), (false, 1)] {
            let (stream, door) = (FakeStream::of(2), Door::new(|n| if n == 0 { said("[]") } else { said("{}") }));
            let polling = start(Poller { partial, ..poller(&stream, &door) });
            until("the calls", || door.answered() == calls).await;
            polling.stop().await;
            assert_eq!(batches(&door), vec![vec![0, 1]; calls], "partial {partial}");
        }
    }

    #[tokio::test]
    async fn being_throttled_is_no_retry() {
        let (stream, door) = (FakeStream::of(1), Door::new(|n| if n < 2 { Err(InvokeError::Throttled) } else { said("{}") }));
        let polling = start(Poller { retries: Some(0), ..poller(&stream, &door) });
        until("the third call", || door.answered() == 3).await;
        polling.stop().await;
        assert_eq!(batches(&door), [[0], [0], [0]]);
    }

    #[tokio::test]
    async fn a_batch_that_always_fails_does_not_delay_the_stop() {
        let (stream, door) = (FakeStream::of(1), Door::new(|_| failed()));
        let polling = start(poller(&stream, &door));
        until("a failure", || door.answered() >= 1).await;
        polling.stop().await;
    }
    #[tokio::test]
    async fn reading_begins_where_it_is_told_to() {
        let (stream, door) = (FakeStream::of(3), Door::new(|_| said("{}")));
        let polling = start(Poller { beginning: stream.next(), ..poller(&stream, &door) });
        until("it waits", || stream.waited_for(3)).await;
        stream.write();
        until("a call", || door.answered() == 1).await;
        polling.stop().await;
        assert_eq!(batches(&door), [[3]]);
    }

    #[tokio::test]
    async fn lanes_share_the_records_by_their_keys_and_one_that_fails_blocks_no_other() {
        let (stream, mut lanes) = (FakeStream::of(40), Vec::new());
        for number in 0..4 {
            let door = if number == 0 { Door::new(|_| failed()) } else { Door::new(|_| said("{}")) };
            let polling = start(Poller { batch: 100, lane: Lane { number, of: 4 }, ..poller(&stream, &door) });
            lanes.push((polling, door));
        }
        until("a call of each", || lanes.iter().all(|(_, door)| door.answered() > 0)).await;
        let mut all = Vec::new();
        for (polling, door) in lanes {
            polling.stop().await;
            let records = batches(&door).remove(0);
            assert!(records.chunks(2).all(|pair| matches!(pair, [a, b] if a / 2 == b / 2 && a < b)), "{records:?}");
            all.extend(records);
        }
        all.sort_unstable();
        assert_eq!(all, (0..40).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn records_that_are_too_old_are_given_up_untried_and_the_rest_once_it_is() {
        let stream = FakeStream::written(SystemTime::UNIX_EPOCH);
        let (queue, door) = (FakeQueue::with(&[]), Door::new(|_| failed()));
        let on_failure = Some(("failed".to_owned(), Arc::clone(&queue) as Arc<dyn Receiver>));
        let polling = start(Poller { oldest: Some(Duration::from_secs(60)), on_failure, ..poller(&stream, &door) });
        until("the notice", || queue.len() == 1).await;
        polling.stop().await;
        assert_eq!(door.answered(), 0);
        let told: Value = serde_json::from_str(&queue.receive(1)[0].body).unwrap();
        assert_eq!(told["requestContext"]["condition"], "RecordAgeExceeded");
        let payload: Value = serde_json::from_str(told["payload"].as_str().unwrap()).unwrap();
        assert_eq!(numbers(&payload), [0]);

        let stream = FakeStream::written(SystemTime::now());
        let (queue, door) = (FakeQueue::with(&[]), Door::new(|_| failed()));
        let on_failure = Some(("failed".to_owned(), Arc::clone(&queue) as Arc<dyn Receiver>));
        let polling = start(Poller { oldest: Some(Duration::from_millis(500)), on_failure, ..poller(&stream, &door) });
        until("the notice", || queue.len() == 1).await;
        polling.stop().await;
        let told: Value = serde_json::from_str(&queue.receive(1)[0].body).unwrap();
        assert_eq!(told["requestContext"]["approximateInvokeCount"], door.answered());
    }
}
