//! The outages in force, and which calls of the function they affect. It waits for changes and
//! touches no connection. A call that may belong to another invocation must never be affected.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use faults::kinds::dependency::{Outage, Trouble};
use faults::pattern::{Wild, matches};
use tokio::sync::watch;

use crate::invocation::{Invocation, SharedInvocation};
use crate::lock::lock;
use crate::stdout::note;

/// The outages in force and the invocations that are open.
#[derive(Debug)]
pub struct Outages {
    function: String,
    state: Mutex<State>,
    changed: watch::Sender<()>,
    next: AtomicU64,
    /// Whether the ledger already has the note that several invocations were open at once.
    said: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// Every invocation that was handed over and not answered, with or without faults, with its
    /// deadline, after which no answer comes.
    open: HashMap<String, Option<Instant>>,
    active: Vec<ActiveOutage>,
}

/// An outage that was injected into an invocation.
#[derive(Debug, Clone)]
pub struct ActiveOutage {
    key: u64,
    request_id: String,
    outage: Outage,
    record: Weak<Mutex<Invocation>>,
    at: usize,
}

/// Ends the outage when it is dropped.
#[derive(Debug)]
pub struct OutageGuard {
    outages: Arc<Outages>,
    key: u64,
}

impl ActiveOutage {
    /// What goes wrong.
    pub const fn trouble(&self) -> Trouble {
        self.outage.trouble
    }

    /// Records in the ledger that a call was really affected.
    pub fn hit(&self) {
        if let Some(record) = self.record.upgrade() {
            lock(&record).set_done(self.at, true);
        }
    }
}

impl Outages {
    /// The outages of the environment of `function`: none, and no open invocation.
    pub fn new(function: String) -> Self {
        Self { function, state: Mutex::default(), changed: watch::Sender::new(()), next: AtomicU64::new(0), said: AtomicBool::new(false) }
    }

    /// Records that an invocation was handed over.
    pub fn opened(&self, request_id: &str, deadline: Option<Instant>) {
        lock(&self.state).open.insert(request_id.to_owned(), deadline);
        self.changed.send_replace(());
    }

    /// Records that an invocation was answered.
    pub fn closed(&self, request_id: &str) {
        if lock(&self.state).open.remove(request_id).is_some() {
            self.changed.send_replace(());
        }
    }

    /// Starts an outage for the fault at index `at` of an invocation.
    pub fn begin(self: &Arc<Self>, outage: Outage, record: &SharedInvocation, at: usize) -> OutageGuard {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        let request_id = lock(record).request_id.clone();
        lock(&self.state).active.push(ActiveOutage { key, request_id, outage, record: Arc::downgrade(record), at });
        self.changed.send_replace(());
        OutageGuard { outages: Arc::clone(self), key }
    }

    /// The outage that affects calls to `host` now. Several open invocations' calls cannot be told
    /// apart, so then there is none.
    pub fn affecting(&self, host: &str) -> Option<ActiveOutage> {
        let found = {
            let mut state = lock(&self.state);
            if state.active.is_empty() {
                return None;
            }
            let now = Instant::now();
            state.open.retain(|_, deadline| deadline.is_none_or(|deadline| deadline > now));
            let outage = state.active.iter().find(|outage| affects(&outage.outage, host)).cloned()?;
            let alone = state.open.len() == 1 && state.open.contains_key(&outage.request_id);
            if !alone && state.open.len() < 2 {
                return None;
            }
            alone.then_some(outage)
        };
        if found.is_none() && !self.said.swap(true, Ordering::Relaxed) {
            note(&self.function, "several invocations are open at once: their calls cannot be told apart, and none is disturbed");
        }
        found
    }

    /// Completes when `outage` does not affect calls to `host` any more.
    pub async fn ended(&self, host: &str, outage: &ActiveOutage) {
        let mut changes = self.changed.subscribe();
        while self.affecting(host).is_some_and(|now| now.key == outage.key) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

impl Drop for OutageGuard {
    fn drop(&mut self) {
        lock(&self.outages.state).active.retain(|outage| outage.key != self.key);
        self.outages.changed.send_replace(());
    }
}

fn affects(outage: &Outage, host: &str) -> bool {
    let bare = |text: &str| text.trim_matches(['[', ']']).to_ascii_lowercase();
    matches(&bare(&outage.host), &bare(host), Wild::Text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use faults::{Action, Arm, Decision, Start};

    use super::*;
    use crate::invocation::{Handed, Line};
    use crate::running::Running;

    fn record(id: &str, outage: &Outage) -> SharedInvocation {
        let decision = Decision { fault: "f".into(), arm: Arm::Treatment, action: Action::Disturb(outage.clone()), message: None, call: 1 };
        Arc::new(Mutex::new(Invocation {
            request_id: id.into(),
            root: None,
            run: "r".into(),
            sequence: 1,
            start: Start::Warm,
            deadline: None,
            lines: vec![Line::new(decision)],
            control: Vec::new(),
            guard: None,
            told: false,
            handed: Handed::default(),
            running: Running::default(),
        }))
    }

    #[tokio::test]
    async fn an_outage_affects_calls_only_while_its_invocation_is_the_only_one() {
        let outages = Arc::new(Outages::new("f".into()));
        let outage = Outage { host: "DynamoDB.*.amazonaws.com".into(), trouble: Trouble::Refused };
        let host = "dynamodb.eu-west-1.amazonaws.COM";
        let record = record("a", &outage);
        let guard = outages.begin(outage, &record, 0);
        assert!(outages.affecting(host).is_none(), "not handed over");
        outages.opened("a", None);
        assert!(outages.affecting(host).is_some() && outages.affecting("s3.amazonaws.com").is_none());
        outages.opened("b", None);
        assert!(outages.affecting(host).is_none() && outages.said.load(Ordering::Relaxed));
        outages.closed("b");
        outages.opened("c", Some(Instant::now()));
        let outage = outages.affecting(host).expect("an invocation past its deadline is not open");
        assert!(!lock(&record).lines[0].done);
        outage.hit();
        assert!(lock(&record).lines[0].done);
        let waiting = tokio::spawn({
            let outages = Arc::clone(&outages);
            async move { outages.ended(host, &outage).await }
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(!waiting.is_finished());
        drop(guard);
        waiting.await.unwrap();
        assert!(outages.affecting(host).is_none());
    }
}
