//! A queue that invokes a function. A message is deleted only once its function has succeeded;
//! otherwise it is delivered again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::backoff::Rest;
use super::batch_answer::Processed;
use super::called::{Call, Called, Room};
use super::filter::Filter;
use super::polled::{Message, Queue, asked};

/// Polls one queue for one function.
pub(super) struct Poller {
    /// The function.
    pub function: Called,
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// Its ARN.
    pub arn: String,
    /// Which messages the function gets; the others are deleted, as at AWS.
    pub filter: Filter,
    /// The most messages of an event.
    pub batch: usize,
    /// How long to wait for a batch to fill, from its first message.
    pub window: Duration,
    /// Whether the function reports which messages it could not process.
    pub partial: bool,
    /// The most invocations at once.
    pub at_once: usize,
}

/// A message, and the record made from it.
struct Taken {
    message: Message,
    record: String,
}

/// Messages that were received and not yet passed to the function.
#[derive(Default)]
struct Held {
    messages: Vec<Taken>,
    since: Option<Instant>,
}

/// How an invocation ended, as far as the poller is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Ran,
    Throttled,
}

impl Poller {
    /// Polls until it must stop and its last invocation has ended. Messages that were received and
    /// not passed to the function are made visible again.
    pub(super) async fn poll(self, mut stop: watch::Receiver<bool>) {
        let poller = Arc::new(self);
        let (mut under_way, mut held, mut rest) = (JoinSet::new(), Held::default(), Rest::none());
        loop {
            let room = under_way.len() < poller.at_once;
            tokio::select! {
                biased;
                () = asked(&mut stop) => break,
                Some(ended) = under_way.join_next() => match ended {
                    Ok(Ended::Throttled) => rest.throttled(),
                    Ok(Ended::Ran) | Err(_) => rest.ran(),
                },
                () = poller.gather(&mut held, rest.until), if room => {
                    let batch = held.next(poller.batch);
                    for behind in held.behind(&batch) {
                        poller.queue.make_visible(&behind.message.receipt, Duration::ZERO);
                    }
                    under_way.spawn(Arc::clone(&poller).invoke(batch));
                }
            }
        }
        for taken in held.messages {
            poller.queue.make_visible(&taken.message.receipt, Duration::ZERO);
        }
        while under_way.join_next().await.is_some() {}
    }

    /// Returns once there is a batch to process. It may be cancelled at any time: the received
    /// messages are in `held`.
    async fn gather(&self, held: &mut Held, not_before: Instant) {
        tokio::time::sleep_until(not_before).await;
        loop {
            self.receive(held);
            let complete = held.since.map(|since| since + self.window);
            match complete {
                Some(complete) if held.messages.len() >= self.batch || complete <= Instant::now() => return,
                // Once the window is over, the batch is what has arrived.
                Some(complete) => drop(tokio::time::timeout_at(complete, self.queue.arrival()).await),
                None => self.queue.arrival().await,
            }
        }
    }

    /// Takes what is visible now, as much as the batch has room for.
    fn receive(&self, held: &mut Held) {
        while held.messages.len() < self.batch {
            let messages = self.queue.receive(self.batch - held.messages.len());
            if messages.is_empty() {
                return;
            }
            for message in messages {
                let record = self.record(&message);
                if !self.filter.takes_all() && !self.filter.takes(&with_body_read(record.clone(), &message.body)) {
                    self.queue.delete(&message.receipt);
                    continue;
                }
                held.since.get_or_insert_with(Instant::now);
                held.messages.push(Taken { record: record.to_string(), message });
            }
        }
    }

    /// A message as the function gets it.
    fn record(&self, message: &Message) -> Value {
        json!({
            "messageId": message.id,
            "receiptHandle": message.receipt,
            "body": message.body,
            "attributes": message.attributes,
            "messageAttributes": message.typed,
            "md5OfBody": message.md5,
            "eventSource": "aws:sqs",
            "eventSourceARN": self.arn,
            "awsRegion": self.function.region,
        })
    }

    async fn invoke(self: Arc<Self>, batch: Vec<Taken>) -> Ended {
        let cause = batch.first().and_then(|first| first.message.attributes.get("AWSTraceHeader").cloned());
        let invoked = match self.function.call(batch.iter().map(|taken| taken.record.as_str()), cause).await {
            Call::Ran(invoked) => invoked,
            Call::Throttled => return Ended::Throttled,
            Call::Stopped => return Ended::Ran,
        };
        let processed = match (invoked.failed, self.partial) {
            (true, _) => Processed::Nothing,
            (false, false) => Processed::All,
            (false, true) => {
                let ids: Vec<_> = batch.iter().map(|taken| taken.message.id.as_str()).collect();
                Processed::read(&invoked.payload, &ids)
            }
        };
        let kept = match processed {
            Processed::Nothing => return Ended::Ran,
            Processed::All => BTreeSet::new(),
            Processed::AllBut(kept) => kept,
        };
        for taken in batch.iter().filter(|taken| !kept.contains(&taken.message.id)) {
            self.queue.delete(&taken.message.receipt);
        }
        Ended::Ran
    }
}

impl Held {
    /// The next batch; a message that the event has no room for is the first of the batch after.
    fn next(&mut self, most: usize) -> Vec<Taken> {
        let mut room = Room::of(most);
        let fit = self.messages.iter().take_while(|taken| room.take(&taken.record)).count();
        let batch = self.messages.drain(..fit).collect();
        if self.messages.is_empty() {
            self.since = None;
        }
        batch
    }

    /// Parts with the messages that had no room in `batch` and follow one of it in its group: if the
    /// batch fails, they must not be ahead of it.
    fn behind(&mut self, batch: &[Taken]) -> Vec<Taken> {
        let groups: BTreeSet<&str> = batch.iter().filter_map(Taken::group).collect();
        let is_behind = |taken: &mut Taken| taken.group().is_some_and(|group| groups.contains(group));
        let behind = self.messages.extract_if(.., is_behind).collect();
        if self.messages.is_empty() {
            self.since = None;
        }
        behind
    }
}

impl Taken {
    /// The group that must not be overtaken; a standard queue has none, whatever its senders say.
    fn group(&self) -> Option<&str> {
        let attributes = &self.message.attributes;
        attributes.get("MessageGroupId").filter(|_| attributes.contains_key("SequenceNumber")).map(String::as_str)
    }
}

/// The record as patterns see it: with the body as JSON if it is JSON.
fn with_body_read(mut record: Value, body: &str) -> Value {
    if let Ok(read @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(body)
        && let Some(body) = record.get_mut("body")
    {
        *body = read;
    }
    record
}

#[cfg(test)]
mod tests {
    use super::super::stand_ins::{Door, FakeQueue, Polling, called, failed, said, until};
    use super::*;
    use crate::platform::InvokeError;

    fn poller(queue: &Arc<FakeQueue>, door: &Arc<Door>) -> Poller {
        Poller {
            function: called(door),
            queue: Arc::clone(queue) as Arc<dyn Queue>,
            arn: "arn:aws:sqs:us-east-1:123456789012:incoming".into(),
            filter: Filter::read(&[]).unwrap(),
            batch: 1,
            window: Duration::ZERO,
            partial: false,
            at_once: 2,
        }
    }

    fn start(poller: Poller) -> Polling {
        Polling::start(|stop| poller.poll(stop))
    }

    #[tokio::test]
    async fn a_message_becomes_lambdas_event_and_is_deleted_afterwards() {
        let (queue, door) = (FakeQueue::with(&["hello"]), Door::new(|_| said("null")));
        let polling = start(poller(&queue, &door));
        until("the deletion", || queue.deleted() == ["m0"]).await;
        polling.stop().await;
        let expected = json!({ "Records": [{
            "messageId": "m0", "receiptHandle": "m0/1", "body": "hello", "messageAttributes": {}, "md5OfBody": "md5 of hello",
            "attributes": { "ApproximateReceiveCount": "1", "SentTimestamp": "1" },
            "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:incoming", "awsRegion": "us-east-1",
        }] });
        assert_eq!(door.events(), [expected]);
    }

    #[tokio::test]
    async fn no_more_is_received_than_can_be_invoked_at_once() {
        let (queue, door) = (FakeQueue::with(&["a", "b", "c", "d", "e"]), Door::held(|_| said("null")));
        let polling = start(poller(&queue, &door));
        until("two invocations", || door.under_way() == 2).await;
        assert_eq!(queue.received(), 2);
        door.release(1);
        until("the third", || queue.received() == 3 && door.under_way() == 2).await;
        assert_eq!(door.most_at_once(), 2);
        door.release(4);
        until("all", || queue.deleted().len() == 5).await;
        polling.stop().await;
        assert_eq!(door.most_at_once(), 2);
    }

    #[tokio::test]
    async fn the_functions_answer_decides_what_is_deleted() {
        let but_second = r#"{"batchItemFailures":[{"itemIdentifier":"m1"}]}"#;
        let unknown = r#"{"batchItemFailures":[{"itemIdentifier":"x"}]}"#;
        let cases: [(bool, Result<_, InvokeError>, &[&str]); 7] = [
            (false, said("null"), &["m0", "m1", "m2"]),
            (false, said(but_second), &["m0", "m1", "m2"]),
            (false, said(r#"{"statusCode":500}"#), &["m0", "m1", "m2"]),
            (true, said(but_second), &["m0", "m2"]),
            (true, said(unknown), &[]),
            (true, failed(), &[]),
            (false, failed(), &[]),
        ];
        for (partial, answer, deleted) in cases {
            let shown = format!("{partial} {answer:?}");
            let (queue, door) = (FakeQueue::with(&["a", "b", "c"]), Door::new(move |_| answer.clone()));
            let polling = start(Poller { batch: 3, partial, ..poller(&queue, &door) });
            until("the invocation", || door.answered() == 1).await;
            // Once it has ended, its deletions are done.
            polling.stop().await;
            assert_eq!(queue.deleted(), deleted, "{shown}");
        }
    }

    #[tokio::test]
    async fn a_message_that_no_pattern_matches_is_deleted_without_an_invocation() {
        let bodies = [r#"{"kind":"new"}"#, r#"{"kind":"old"}"#, "no JSON", r#"{"kind":["new"]}"#];
        let (queue, door) = (FakeQueue::with(&bodies), Door::new(|_| said("null")));
        let filter = Filter::read(&[json!({ "body": { "kind": ["new"] } })]).unwrap();
        let polling = start(Poller { filter, at_once: 1, ..poller(&queue, &door) });
        until("all deletions", || queue.deleted().len() == 4).await;
        polling.stop().await;
        let seen: Vec<_> = door.events().iter().map(|event| event["Records"][0]["messageId"].clone()).collect();
        assert_eq!(seen, ["m0", "m3"]);
        assert_eq!(door.events()[0]["Records"][0]["body"], bodies[0]);
    }

    #[tokio::test]
    async fn a_batch_waits_for_its_window_and_goes_at_once_when_it_is_full() {
        let (queue, door) = (FakeQueue::with(&["a"]), Door::new(|_| said("null")));
        let polling = start(Poller { batch: 3, window: Duration::from_secs(600), ..poller(&queue, &door) });
        until("the first", || queue.received() == 1).await;
        assert_eq!(door.events(), Vec::<Value>::new());
        queue.send("b".into());
        queue.send("c".into());
        until("the batch", || queue.deleted().len() == 3).await;
        assert_eq!(door.events()[0]["Records"].as_array().unwrap().len(), 3);
        polling.stop().await;
        let polling = start(Poller { batch: 3, window: Duration::from_millis(50), ..poller(&queue, &door) });
        queue.send("d".into());
        until("the window's end", || queue.deleted().len() == 4).await;
        polling.stop().await;
    }

    #[tokio::test]
    async fn a_throttled_message_is_neither_deleted_nor_received_again_at_once() {
        let (queue, door) =
            (FakeQueue::with(&["a", "b", "c"]), Door::new(|n| if n == 0 { Err(InvokeError::Throttled) } else { said("null") }));
        let polling = start(Poller { at_once: 1, ..poller(&queue, &door) });
        until("the others", || queue.deleted() == ["m1", "m2"]).await;
        assert!(door.called_at(1) - door.called_at(0) >= Duration::from_millis(90), "it did not back off");
        polling.stop().await;
        assert_eq!(queue.deleted(), ["m1", "m2"]);
    }

    #[tokio::test]
    async fn on_stop_unprocessed_messages_are_made_visible_again() {
        let (queue, door) = (FakeQueue::with(&["a"]), Door::new(|_| said("null")));
        let polling = start(Poller { batch: 2, window: Duration::from_secs(600), ..poller(&queue, &door) });
        until("the message", || queue.received() == 1).await;
        polling.stop().await;
        assert_eq!((queue.given_back(), queue.deleted()), (vec!["m0".to_owned()], vec![]));
        assert_eq!(door.events(), Vec::<Value>::new());
    }

    #[tokio::test]
    async fn on_stop_running_invocations_end_and_nothing_more_is_received() {
        let (queue, door) = (FakeQueue::with(&["a"]), Door::held(|_| said("null")));
        let polling = start(poller(&queue, &door));
        until("the invocation", || door.under_way() == 1).await;
        polling.halt();
        queue.send("b".into());
        tokio::task::yield_now().await;
        assert!(!polling.has_ended());
        door.release(9);
        polling.stop().await;
        assert_eq!((queue.deleted(), queue.received()), (vec!["m0".to_owned()], 1));
    }

    #[test]
    fn what_has_no_room_in_a_batch_does_not_overtake_its_group() {
        let taken = |id: &str, group: &str, ordered: bool, size: usize| {
            let mut attributes = std::collections::BTreeMap::from([("MessageGroupId".to_owned(), group.to_owned())]);
            if ordered {
                attributes.insert("SequenceNumber".to_owned(), "1".to_owned());
            }
            let (body, typed) = (String::new(), Default::default());
            let message = Message { id: id.into(), receipt: id.into(), body, md5: String::new(), attributes, typed };
            Taken { message, record: "x".repeat(size) }
        };
        let half = crate::platform::invocation::LARGEST_EVENT / 2;
        for (ordered, expected) in [(true, vec!["2"]), (false, vec![])] {
            let messages = [("1", "a"), ("2", "a"), ("3", "b")].map(|(id, group)| taken(id, group, ordered, half)).into();
            let mut held = Held { messages, since: Some(Instant::now()) };
            let batch = held.next(10);
            assert_eq!(batch.len(), 1);
            let behind: Vec<_> = held.behind(&batch).into_iter().map(|taken| taken.message.id).collect();
            assert_eq!(behind, expected);
            assert_eq!(held.messages.len(), 2 - expected.len());
        }
    }
}
