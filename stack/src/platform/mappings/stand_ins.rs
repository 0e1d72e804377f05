//! Test doubles for mappings: a queue, a stream and a function that record what happened to them.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;

use super::called::Called;
use super::polled::{Message, Origin, Queue, Receiver, Record, Stream};
use crate::invoke::Invoke;
use crate::platform::{InvokeError, Invoked};

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A queue whose messages stay invisible once they were received.
#[derive(Default)]
pub struct FakeQueue {
    state: Mutex<State>,
    came: Notify,
}

#[derive(Default)]
struct State {
    sent: usize,
    visible: VecDeque<Message>,
    received: usize,
    deleted: Vec<String>,
    given_back: Vec<String>,
}

impl FakeQueue {
    pub fn with(bodies: &[&str]) -> Arc<Self> {
        let queue = Arc::new(Self::default());
        for body in bodies {
            queue.send((*body).to_owned());
        }
        queue
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn len(&self) -> usize {
        self.state().visible.len()
    }

    pub fn received(&self) -> usize {
        self.state().received
    }

    /// The ids of the deleted messages, sorted.
    pub fn deleted(&self) -> Vec<String> {
        let mut deleted = self.state().deleted.clone();
        deleted.sort();
        deleted
    }

    pub fn given_back(&self) -> Vec<String> {
        self.state().given_back.clone()
    }
}

fn id_of(receipt: &str) -> String {
    receipt.split('/').next().unwrap().to_owned()
}

#[async_trait]
impl Queue for FakeQueue {
    fn receive(&self, most: usize) -> Vec<Message> {
        let mut state = self.state();
        let count = most.min(state.visible.len());
        state.received += count;
        state.visible.drain(..count).collect()
    }

    async fn arrival(&self) {
        loop {
            let came = self.came.notified();
            if self.len() > 0 {
                return;
            }
            came.await;
        }
    }

    fn delete(&self, receipt: &str) -> bool {
        self.state().deleted.push(id_of(receipt));
        true
    }

    fn make_visible(&self, receipt: &str, after: Duration) -> bool {
        assert_eq!(after, Duration::ZERO);
        self.state().given_back.push(id_of(receipt));
        true
    }

    fn send(&self, body: String) -> Option<String> {
        let mut state = self.state();
        let id = format!("m{}", state.sent);
        state.sent += 1;
        let attributes = [("ApproximateReceiveCount", "1"), ("SentTimestamp", "1")].map(|(name, value)| (name.into(), value.into())).into();
        let (receipt, md5) = (format!("{id}/1"), format!("md5 of {body}"));
        state.visible.push_back(Message { id: id.clone(), receipt, body, md5, attributes, typed: Default::default() });
        self.came.notify_waiters();
        Some(id)
    }
}

/// A stream whose records are about the keys `0`, `1` and so on.
#[derive(Default)]
pub struct FakeStream {
    records: AtomicU64,
    waited_for: AtomicU64,
    came: Notify,
    /// When its records were written; `None` for now.
    written: Option<SystemTime>,
}

impl Receiver for FakeQueue {
    fn take(&self, _key: &str, notice: String) -> Option<String> {
        self.send(notice)
    }

    fn takes_records(&self) -> bool {
        true
    }
}

impl FakeStream {
    pub fn of(records: u64) -> Arc<Self> {
        Arc::new(Self { records: AtomicU64::new(records), ..Self::default() })
    }

    /// With one record of this time.
    pub fn written(at: SystemTime) -> Arc<Self> {
        Arc::new(Self { records: AtomicU64::new(1), written: Some(at), ..Self::default() })
    }

    pub fn write(&self) {
        self.records.fetch_add(1, Ordering::SeqCst);
        self.came.notify_waiters();
    }

    /// True once a reader waits for a record after the first `records`.
    pub fn waited_for(&self, records: u64) -> bool {
        self.waited_for.load(Ordering::SeqCst) >= records + 100
    }
}

#[async_trait]
impl Stream for FakeStream {
    fn origin(&self) -> Origin {
        Origin { of_table: true, name: "T".into(), arn: "arn:stream".into(), shard: "shardId-0".into() }
    }

    fn next(&self) -> u64 {
        100 + self.records.load(Ordering::SeqCst)
    }

    fn read(&self, from: u64, most: usize) -> Vec<Record> {
        // Sequence numbers begin somewhere.
        let records = (100..100 + self.records.load(Ordering::SeqCst)).filter(|sequence| *sequence >= from).take(most);
        let value = |sequence: u64| {
            let keys = json!({ "sub": { "S": (sequence - 100).to_string() } });
            json!({ "eventName": "REMOVE", "dynamodb": { "Keys": keys, "SequenceNumber": format!("{sequence:021}") }, "eventSourceARN": "arn:stream" })
        };
        let record = |sequence: u64| Record {
            sequence,
            id: format!("{sequence:021}"),
            // Each key has two records.
            key: ((sequence - 100) / 2).to_string(),
            written: self.written.unwrap_or_else(SystemTime::now),
            value: value(sequence),
            filtered: None,
        };
        records.map(record).collect()
    }

    async fn arrival(&self, from: u64) {
        loop {
            let came = self.came.notified();
            self.waited_for.store(from, Ordering::SeqCst);
            if 100 + self.records.load(Ordering::SeqCst) > from {
                return;
            }
            came.await;
        }
    }
}

type Answer = dyn Fn(usize, &Value) -> Result<Invoked, InvokeError> + Send + Sync;

/// A function whose answers a test sets.
pub struct Door {
    answer: Box<Answer>,
    permits: Option<Semaphore>,
    calls: Mutex<Vec<(Value, Instant)>>,
    traces: Mutex<Vec<Option<String>>>,
    under_way: AtomicUsize,
    most_at_once: AtomicUsize,
    answered: AtomicUsize,
}

impl Door {
    fn of(permits: Option<Semaphore>, answer: impl Fn(usize, &Value) -> Result<Invoked, InvokeError> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            answer: Box::new(answer),
            permits,
            calls: Mutex::default(),
            traces: Mutex::default(),
            under_way: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
        })
    }

    /// Its answer depends on the call's number, from 0.
    pub fn new(answer: impl Fn(usize) -> Result<Invoked, InvokeError> + Send + Sync + 'static) -> Arc<Self> {
        Self::of(None, move |number, _| answer(number))
    }

    /// Its answer depends on the event too.
    pub fn seeing(answer: impl Fn(usize, &Value) -> Result<Invoked, InvokeError> + Send + Sync + 'static) -> Arc<Self> {
        Self::of(None, answer)
    }

    /// It answers only the calls that are released.
    pub fn held(answer: impl Fn(usize) -> Result<Invoked, InvokeError> + Send + Sync + 'static) -> Arc<Self> {
        Self::of(Some(Semaphore::new(0)), move |number, _| answer(number))
    }

    pub fn release(&self, calls: usize) {
        self.permits.as_ref().unwrap().add_permits(calls);
    }

    pub fn events(&self) -> Vec<Value> {
        self.calls.lock().unwrap().iter().map(|(event, _)| event.clone()).collect()
    }

    /// The traces that its calls handed on.
    pub fn traces(&self) -> Vec<Option<String>> {
        self.traces.lock().unwrap().clone()
    }

    pub fn called_at(&self, number: usize) -> Instant {
        self.calls.lock().unwrap()[number].1
    }

    pub fn under_way(&self) -> usize {
        self.under_way.load(Ordering::SeqCst)
    }

    pub fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::SeqCst)
    }

    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Invoke for Door {
    async fn invoke(&self, function: &str, event: Bytes, trace: Option<&str>) -> Result<Invoked, InvokeError> {
        assert_eq!(function, "f");
        self.traces.lock().unwrap().push(trace.map(str::to_owned));
        let event: Value = serde_json::from_slice(&event).unwrap();
        let number = {
            let mut calls = self.calls.lock().unwrap();
            calls.push((event.clone(), Instant::now()));
            calls.len() - 1
        };
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(under_way, Ordering::SeqCst);
        if let Some(permits) = &self.permits {
            permits.acquire().await.unwrap().forget();
        }
        let answer = (self.answer)(number, &event);
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        self.answered.fetch_add(1, Ordering::SeqCst);
        answer
    }
}

pub fn called(door: &Arc<Door>) -> Called {
    Called { name: "f".into(), arn: "arn:f".into(), region: "us-east-1".into(), door: Arc::clone(door) as Arc<dyn Invoke>, follows: false }
}

pub fn said(payload: &str) -> Result<Invoked, InvokeError> {
    Ok(Invoked { request_id: "r".into(), payload: Bytes::from(payload.to_owned()), failed: false })
}

pub fn failed() -> Result<Invoked, InvokeError> {
    Ok(Invoked { request_id: "r".into(), payload: Bytes::from_static(b"{\"errorType\":\"E\"}"), failed: true })
}

/// A poller at work.
pub struct Polling {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Polling {
    pub fn start<F: Future<Output = ()> + Send + 'static>(poll: impl FnOnce(watch::Receiver<bool>) -> F) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(poll(stopped)) }
    }

    pub fn halt(&self) {
        self.stop.send_replace(true);
    }

    pub fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Returns once it has ended.
    pub async fn stop(self) {
        self.halt();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

/// Waits until `is_so` returns true.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
