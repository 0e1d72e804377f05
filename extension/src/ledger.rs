//! The records of invocations that faults apply to and that are not answered yet, and their lines.
//! It must never write a payload, a header's value or a variable's value.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use faults::ledger::Decided;
use faults::{Entry, Memory};

use crate::emf::{self, Namespace};
use crate::head::EventIdentity;
use crate::invocation::{Invocation, Line, SharedInvocation};
use crate::lock::lock;
use crate::stdout::{note, write};

/// The ledger of one environment.
#[derive(Debug)]
pub struct Ledger {
    function: String,
    open: Mutex<HashMap<String, SharedInvocation>>,
    /// The number of events so far.
    events: AtomicU64,
    memory: Mutex<Memory>,
    /// If set, each line is written a second time, as metrics.
    metrics: Option<Namespace>,
}

impl Ledger {
    /// An empty ledger of the function called `function`.
    pub fn new(function: String) -> Self {
        Self { function, open: Mutex::default(), events: AtomicU64::new(0), memory: Mutex::default(), metrics: None }
    }

    /// The same, with metrics in the namespace, if there is one.
    #[must_use]
    pub fn with_metrics(self, metrics: Option<Namespace>) -> Self {
        Self { metrics, ..self }
    }

    /// The function it belongs to.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// Writes a note for the reader of the ledger.
    pub fn note(&self, what: &str) {
        note(&self.function, what);
    }

    /// What the environment remembers about a run.
    pub const fn memory(&self) -> &Mutex<Memory> {
        &self.memory
    }

    /// Counts an event; returns its number in the environment, from 1.
    pub fn count(&self) -> u64 {
        self.events.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Writes that this is the environment's first invocation.
    pub fn say_cold(&self, event: &EventIdentity) {
        let (request_id, root) = (event.request_id.clone(), event.root.clone());
        write(&Entry::ColdStart { function: self.function.clone(), request_id, root }.to_line());
    }

    /// Opens the record of an invocation. A record with the same id, of an event that was never
    /// handed over, is dropped.
    pub fn open(self: &Arc<Self>, invocation: Invocation) -> SharedInvocation {
        let (id, deadline) = (invocation.request_id.clone(), invocation.deadline);
        let open = Arc::new(Mutex::new(invocation));
        if let Some(deadline) = deadline {
            let (ledger, guarded) = (Arc::clone(self), Arc::clone(&open));
            let guard = tokio::spawn(async move {
                tokio::time::sleep_until(before(deadline).into()).await;
                ledger.write_line(&mut lock(&guarded));
            });
            lock(&open).guard = Some(guard.abort_handle());
        }
        // Not within the `if`: lock order is a record first, then the list of records.
        let old = lock(&self.open).insert(id, Arc::clone(&open));
        if let Some(old) = old {
            lock(&old).close();
        }
        open
    }

    /// Whether any record is open.
    pub fn has_open(&self) -> bool {
        !lock(&self.open).is_empty()
    }

    /// The open record of the invocation with this id.
    pub fn find(&self, id: &str) -> Option<SharedInvocation> {
        let open = lock(&self.open);
        if open.is_empty() { None } else { open.get(id).cloned() }
    }

    /// Writes an invocation's line, if the deadline's guard has not, and closes its record. The
    /// record of an edited event can be found until it is dropped: an answer that is sent again
    /// must be checked again.
    pub fn tell(&self, open: &SharedInvocation) {
        let mut invocation = lock(open);
        self.write_line(&mut invocation);
        invocation.close();
        if invocation.handed.edited.is_none() {
            self.remove(open, &invocation.request_id);
        }
    }

    /// Removes this record, but not a later one with the same id.
    fn remove(&self, open: &SharedInvocation, id: &str) {
        let mut all = lock(&self.open);
        if all.get(id).is_some_and(|found| Arc::ptr_eq(found, open)) {
            all.remove(id);
        }
    }

    /// Drops an invocation without a line: its event will be decided again, or it has ended.
    pub fn forget(&self, open: &SharedInvocation) {
        let mut invocation = lock(open);
        invocation.close();
        self.remove(open, &invocation.request_id);
    }

    /// Closes an invocation's record early: the current wait ends here and does not count as done.
    pub fn give_up(&self, open: &SharedInvocation) {
        lock(open).cut_short();
        self.tell(open);
    }

    /// Writes every line that is not written yet; current waits are cut short.
    pub fn tell_all(&self) {
        // The records stay: an answer that still comes is treated as decided.
        let open: Vec<_> = lock(&self.open).values().cloned().collect();
        for open in open {
            let mut invocation = lock(&open);
            invocation.cut_short();
            self.write_line(&mut invocation);
        }
    }

    fn write_line(&self, invocation: &mut Invocation) {
        if std::mem::replace(&mut invocation.told, true) {
            return;
        }
        if invocation.lines.is_empty() && invocation.control.is_empty() {
            return;
        }
        let entry = Entry::Decided(Decided {
            run: invocation.run.clone(),
            sequence: invocation.sequence,
            request_id: invocation.request_id.clone(),
            root: invocation.root.clone(),
            place: self.function.clone(),
            start: invocation.start,
            faults: invocation.lines.iter().map(Line::told).collect(),
            control: std::mem::take(&mut invocation.control),
        });
        write(&entry.to_line());
        if let Some(namespace) = &self.metrics {
            entry.eligible().iter().for_each(|eligible| write(&emf::line(namespace, eligible, now_ms())));
        }
    }
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// When the lines of an invocation that reaches its deadline are written: shortly before the
/// platform ends the extension and the caller gets the timeout.
fn before(deadline: Instant) -> Instant {
    let left = deadline.saturating_duration_since(Instant::now());
    deadline.checked_sub((left / 10).min(Duration::from_millis(25))).unwrap_or(deadline)
}

#[cfg(test)]
mod tests {
    use faults::Start;

    use super::*;
    use crate::invocation::Handed;
    use crate::running::Running;

    fn invocation(id: &str, deadline: Option<Instant>) -> Invocation {
        Invocation {
            request_id: id.into(),
            root: None,
            run: "r".into(),
            sequence: 1,
            start: Start::Warm,
            deadline,
            lines: Vec::new(),
            control: vec!["f".into()],
            guard: None,
            told: false,
            handed: Handed::default(),
            running: Running::default(),
        }
    }

    #[tokio::test]
    async fn a_record_is_open_until_its_line_is_written() {
        let ledger = Arc::new(Ledger::new("f".into()));
        let open = ledger.open(invocation("a", None));
        assert!(ledger.find("a").is_some() && ledger.find("b").is_none());
        ledger.tell(&open);
        assert!(ledger.find("a").is_none());
        assert!(lock(&open).told);
    }

    #[tokio::test]
    async fn a_line_is_written_before_the_deadline() {
        let ledger = Arc::new(Ledger::new("f".into()));
        let deadline = Instant::now() + Duration::from_millis(300);
        assert!(before(deadline) < deadline);
        let open = ledger.open(invocation("a", Some(deadline)));
        assert!(!lock(&open).told);
        while !lock(&open).told {
            assert!(deadline.elapsed() < Duration::from_secs(10), "never told");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
