//! Invocations about which something was decided and that have no answer yet, and what was done to each: lines on standard output.
//! It must never write a payload, a header's value or a variable's value.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use faults::ledger::{Decided, Name, OfFault};
use faults::{Action, Decision, Entry, Memory, Start, Trigger};
use tokio::task::AbortHandle;

use crate::decide::Who;
use crate::emf::{self, Namespace};
use crate::event::Event;
use crate::meanwhile::Meanwhile;

/// The ledger of one environment.
#[derive(Debug)]
pub struct Ledger {
    function: String,
    open: Mutex<HashMap<String, Open>>,
    /// Events so far.
    events: AtomicU64,
    memory: Mutex<Memory>,
    /// Where each line stands a second time, as metrics.
    metrics: Option<Namespace>,
}

/// An invocation that has no answer yet.
pub type Open = Arc<Mutex<Invocation>>;

/// What was decided about one invocation, and what has become of it.
#[derive(Debug)]
pub struct Invocation {
    /// Lambda's request id.
    pub request_id: String,
    /// The root of its trace, where there was one.
    pub root: Option<String>,
    /// The run whose plan decided.
    pub run: String,
    /// That plan's sequence number.
    pub sequence: u64,
    /// Cold or warm.
    pub start: Start,
    /// When its deadline comes, where that is known.
    pub deadline: Option<Instant>,
    /// One for each fault that strikes it, or of which there is more to say than that it does not.
    pub lines: Vec<Line>,
    /// The other faults that are about it.
    pub control: Vec<Name>,
    /// Tells the ledger in time where the deadline comes before an answer does.
    pub guard: Option<AbortHandle>,
    /// Whether its line is written.
    pub told: bool,
    /// What must be known of the event when the handler answers.
    pub(crate) handed: Handed,
    /// What runs while the handler runs.
    pub meanwhile: Meanwhile,
}

/// How an event was handed over.
#[derive(Debug, Default)]
pub(crate) struct Handed {
    /// The event, where it will be handed over once more.
    pub(crate) again: Option<Event>,
    /// What has made it, where it was edited: then the answer to it must not open a door.
    pub(crate) edited: Option<Trigger>,
}

/// One decision and how far it has been carried out.
#[derive(Debug)]
pub struct Line {
    /// What was decided.
    pub decision: Decision,
    /// What was waited for it so far.
    pub waited: Duration,
    /// Since when it is waited, where it is.
    pub since: Option<Instant>,
    /// Whether it was carried out.
    pub done: bool,
    /// Whether it must not be: the event does not tell that nobody asks for leave with it.
    pub barred: bool,
}

impl Line {
    /// A decision of which nothing is carried out yet; there is nothing to do about [`Action::Pass`].
    pub fn new(decision: Decision) -> Self {
        let done = decision.action == Action::Pass;
        Self { decision, waited: Duration::ZERO, since: None, done, barred: false }
    }

    /// What is to be done.
    pub const fn action(&self) -> &Action {
        if self.barred { &Action::Pass } else { &self.decision.action }
    }

    /// As the ledger tells it.
    fn told(&self) -> OfFault {
        let waited = self.waited + self.since.map_or(Duration::ZERO, |since| since.elapsed());
        OfFault::of(self.decision.clone(), waited, self.done || self.since.is_some())
    }
}

impl Invocation {
    /// What is to be done, in the plan's order.
    pub fn actions(&self) -> Vec<Action> {
        self.lines.iter().map(|line| line.action().clone()).collect()
    }

    /// Ends the wait that is under way: it was not done.
    fn cut_short(&mut self) {
        for line in &mut self.lines {
            if let Some(since) = line.since.take() {
                line.waited = line.waited.saturating_add(since.elapsed());
                line.done = false;
            }
        }
    }

    /// Whether nothing is left to be done once the handler has the event.
    pub fn is_settled(&self) -> bool {
        !self.lines.iter().any(|line| line.action().acts_on_the_answer())
    }
}

/// Whether the event at this place, from 1, met a new environment.
pub const fn start(place: u64) -> Start {
    if place == 1 { Start::Cold } else { Start::Warm }
}

/// Locks, whatever a thread that panicked may have left.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Says that something happened which the reader should know.
    pub fn note(&self, what: &str) {
        write(&Entry::Note { place: self.function.clone(), what: what.to_owned() }.to_line());
    }

    /// What the environment remembers of a run.
    pub const fn memory(&self) -> &Mutex<Memory> {
        &self.memory
    }

    /// Counts an event; its place among those of the environment, from 1.
    pub fn count(&self) -> u64 {
        self.events.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Says that this is the environment's first invocation.
    pub fn say_cold(&self, who: &Who) {
        write(&Entry::ColdStart { function: self.function.clone(), request_id: who.request_id.clone(), root: who.root.clone() }.to_line());
    }

    /// Opens the page of an invocation. One that was open under its id, of an event that was never handed over, is forgotten.
    pub fn open(self: &Arc<Self>, invocation: Invocation) -> Open {
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
        // Not within the `if`: a page is locked before the list of pages, never behind it.
        let old = lock(&self.open).insert(id, Arc::clone(&open));
        if let Some(old) = old {
            close(&mut lock(&old));
        }
        open
    }

    /// Whether any page is open.
    pub fn has_open(&self) -> bool {
        !lock(&self.open).is_empty()
    }

    /// The open page of the invocation with this id.
    pub fn find(&self, id: &str) -> Option<Open> {
        let open = lock(&self.open);
        if open.is_empty() { None } else { open.get(id).cloned() }
    }

    /// Writes an invocation's line, if the deadline's guard has not, and closes its page. That of an edited event is still found until it is
    /// forgotten: an answer that is sent once more must be looked at once more.
    pub fn tell(&self, open: &Open) {
        let mut invocation = lock(open);
        self.write_line(&mut invocation);
        close(&mut invocation);
        if invocation.handed.edited.is_none() {
            self.remove(open, &invocation.request_id);
        }
    }

    /// Removes this page, but not a later one under the same id.
    fn remove(&self, open: &Open, id: &str) {
        let mut all = lock(&self.open);
        if all.get(id).is_some_and(|found| Arc::ptr_eq(found, open)) {
            all.remove(id);
        }
    }

    /// Forgets an invocation without a line: its event will be decided about again, or it is over.
    pub fn forget(&self, open: &Open) {
        let mut invocation = lock(open);
        close(&mut invocation);
        self.remove(open, &invocation.request_id);
    }

    /// Closes an invocation's page where it stands: a wait that is under way ends here and was not done.
    pub fn give_up(&self, open: &Open) {
        lock(open).cut_short();
        self.tell(open);
    }

    /// Writes whatever is not written yet; what is still waited for is cut short.
    pub fn tell_all(&self) {
        // The pages stay: an answer that still comes is treated as was decided.
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

/// No line may follow any more, no guard is needed, and nothing may run on for it.
fn close(invocation: &mut Invocation) {
    invocation.told = true;
    invocation.meanwhile = Meanwhile::default();
    if let Some(guard) = invocation.guard.take() {
        guard.abort();
    }
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// When the lines of an invocation that runs into its deadline are written: shortly before the platform ends us, and the caller hears of it.
fn before(deadline: Instant) -> Instant {
    let left = deadline.saturating_duration_since(Instant::now());
    deadline.checked_sub((left / 10).min(Duration::from_millis(25))).unwrap_or(deadline)
}

/// One line with one write, past the buffer of the standard library, so that lines of two writers never mix.
pub(crate) fn write(line: &str) {
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        match rustix::io::write(std::io::stdout(), rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => (),
            // Nobody reads: the function matters more than its books.
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            meanwhile: Meanwhile::default(),
        }
    }

    #[tokio::test]
    async fn a_page_is_open_until_it_is_told() {
        let ledger = Arc::new(Ledger::new("f".into()));
        let open = ledger.open(invocation("a", None));
        assert!(ledger.find("a").is_some() && ledger.find("b").is_none());
        ledger.tell(&open);
        assert!(ledger.find("a").is_none());
        assert!(lock(&open).told);
    }

    #[tokio::test]
    async fn what_runs_into_its_deadline_is_told_before_it() {
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

    #[test]
    fn only_the_first_invocation_is_cold() {
        let ledger = Ledger::new("f".into());
        assert_eq!([ledger.count(), ledger.count(), ledger.count()].map(start), [Start::Cold, Start::Warm, Start::Warm]);
    }
}
