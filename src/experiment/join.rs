//! Brings together what the generator saw and what the ledgers say, by trace root, and keeps the books of both.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use faults::ledger::{Eligible, Started};
use faults::{Action, Arm, Entry, Facts, Fault, Identity, Kind, Place, Roll};
use reports::measurements::Injections;
use reports::{ArmTag, Phase};
use scenarios::{Event, Exchange, Struck};

use super::plan::Plan;
use super::windows::Windows;

/// Facts about a request are forgotten after this; none lives longer.
const MEMORY: Duration = Duration::from_secs(90);

/// The same about a message, which a queue may deliver again and again,
/// and about a record, on which a state machine works for minutes.
const MEMORY_OF_MESSAGES: Duration = Duration::from_secs(1200);

/// A fault that begins or ends within the phase may be early or late by this.
const MARGIN: Duration = Duration::from_secs(2);

/// No report names more differences than this.
const MOST_DISCREPANCIES: usize = 20;

/// An exchange with its arm.
#[derive(Debug)]
pub struct Joined {
    /// What happened, `struck` filled in.
    pub event: Event,
    /// The arm of an exchange.
    pub arm: ArmTag,
    /// Which half of the control arm it falls into, for the method's check on itself.
    pub half: bool,
}

/// What the ledgers say about one request, or about one message of a queue.
#[derive(Debug)]
struct Root {
    since: Instant,
    memory: Duration,
    eligible: Vec<Eligible>,
    invoked: Vec<String>,
    cold: bool,
}

/// What a line of a ledger tells about one decision.
struct Told<'a> {
    fault: &'a str,
    place: &'a str,
    /// What its roll hung on.
    identity: &'a str,
    arm: Arm,
    done: bool,
    waited_us: u64,
}

/// The join and the books.
#[derive(Debug)]
pub struct Join {
    lag: Duration,
    /// How long facts about a request are kept.
    memory: Duration,
    run: String,
    seed: u64,
    fault_from: Duration,
    calm_at: Duration,
    faults: Vec<Fault>,
    windows: Windows,
    books: Vec<Injections>,
    /// By trace root, or by message id.
    roots: HashMap<String, Root>,
    /// The message that an invocation with this trace root was about.
    messages: HashMap<String, String>,
    pending: VecDeque<(Instant, Event)>,
    counted: HashSet<(usize, String)>,
    forgotten: Instant,
    /// Differences between the books: a fault of the harness.
    pub discrepancies: Vec<String>,
    /// Notes of extensions and services, each once.
    pub notes: Vec<String>,
    /// Eligible invocations that passed untouched since no plan was in force where they arrived.
    pub missed: u64,
    /// New environments in the way of a request.
    pub cold_starts: u64,
}

impl Join {
    /// An empty join for one run of a plan; an event waits for the ledgers for `lag`.
    pub fn new(run: &str, plan: &Plan, lag: Duration) -> Self {
        Self {
            lag,
            memory: if plan.load.audit.is_some() { MEMORY_OF_MESSAGES } else { MEMORY },
            run: run.to_owned(),
            seed: plan.seed,
            fault_from: plan.timeline.fault_from(),
            calm_at: plan.timeline.calm_at(),
            faults: plan.faults.clone(),
            windows: plan.windows.clone(),
            books: plan.faults.iter().map(Injections::none_of).collect(),
            roots: HashMap::new(),
            messages: HashMap::new(),
            pending: VecDeque::new(),
            counted: HashSet::new(),
            forgotten: Instant::now(),
            discrepancies: Vec::new(),
            notes: Vec::new(),
            missed: 0,
            cold_starts: 0,
        }
    }

    /// The ledgers' books, one row a fault.
    pub fn injections(&self) -> Vec<Injections> {
        self.books.clone()
    }

    /// Struck so far.
    pub fn struck(&self) -> u64 {
        self.books.iter().map(|book| book.struck).sum()
    }

    /// Takes a line of a ledger.
    pub fn entry(&mut self, entry: Entry, now: Instant) {
        match entry {
            Entry::Eligible(eligible) if eligible.run == self.run => self.eligible(eligible, now),
            Entry::Started(started) if started.run == self.run => self.started(&started),
            Entry::Eligible(_) | Entry::Started(_) => {}
            Entry::ColdStart { root, .. } => {
                self.cold_starts += 1;
                if let Some(root) = root {
                    self.root(root, now).cold = true;
                }
            }
            Entry::Invoked { function, root: Some(root), message, .. } => {
                if let Some(message) = message {
                    self.messages.insert(root.clone(), message);
                }
                self.root(root, now).invoked.push(function);
            }
            Entry::Invoked { root: None, .. } => {}
            Entry::Note { place, what } => {
                let note = format!("{place}: {what}");
                if !self.notes.contains(&note) && self.notes.len() < MOST_DISCREPANCIES {
                    self.notes.push(note);
                }
            }
        }
    }

    /// What is known about a request, or about the message that its invocation is about.
    fn root(&mut self, root: String, now: Instant) -> &mut Root {
        let (key, memory) = match self.messages.get(&root) {
            Some(message) => (message.clone(), MEMORY_OF_MESSAGES),
            None => (root, self.memory),
        };
        self.roots.entry(key).or_insert_with(|| Root { since: now, memory, eligible: Vec::new(), invoked: Vec::new(), cold: false })
    }

    fn eligible(&mut self, eligible: Eligible, now: Instant) {
        let told = Told {
            fault: &eligible.fault,
            place: &eligible.place,
            identity: &eligible.identity(),
            arm: eligible.arm,
            done: eligible.done,
            waited_us: eligible.waited_us,
        };
        self.told(&told);
        let Some(root) = eligible.root.clone() else { return };
        if let Some(message) = &eligible.message {
            self.messages.insert(root.clone(), message.clone());
        }
        self.root(root, now).eligible.push(eligible);
    }

    fn started(&mut self, started: &Started) {
        self.told(&Told {
            fault: &started.fault,
            place: &started.place,
            identity: &started.environment,
            arm: started.arm,
            done: started.done,
            waited_us: started.waited_us,
        });
    }

    /// What a line of a ledger tells the oracles of work for which no request waits; nothing where nothing was struck.
    pub fn strike(&self, entry: &Entry, at: Duration) -> Option<Event> {
        let (fault, action, message) = match entry {
            Entry::Eligible(line) if line.run == self.run && is_struck(line) => {
                (&line.fault, &line.action, line.message.clone().or_else(|| self.messages.get(line.root.as_ref()?).cloned()))
            }
            Entry::Started(start) if start.run == self.run && start.arm == Arm::Treatment && start.done => {
                (&start.fault, &start.action, None)
            }
            _ => return None,
        };
        let fault = self.faults.iter().find(|known| known.name == *fault)?;
        let (name, place, action) = (fault.name.clone(), fault.place.clone(), action.clone());
        Some(Event::Struck(Box::new(Struck { message, fault: name, place, action, at })))
    }

    fn told(&mut self, told: &Told<'_>) {
        let Some(index) = self.faults.iter().position(|fault| fault.name == told.fault) else {
            return self.differ(format!("the ledger of {} names a fault `{}` that was never planned", told.place, told.fault));
        };
        // A retry of the same call is struck alike and counts once.
        if self.counted.insert((index, told.identity.to_owned())) {
            self.count(index, told);
        }
    }

    fn count(&mut self, index: usize, told: &Told<'_>) {
        let (Some(fault), Some(book)) = (self.faults.get(index), self.books.get_mut(index)) else { return };
        let decision = fault.decide(self.seed, Identity(told.identity));
        // Within a burst an invocation is struck whatever its own roll says.
        let in_burst = matches!(fault.kind, Kind::Throttle(_)) && told.arm == Arm::Treatment;
        book.eligible += 1;
        book.planned += u64::from(decision.arm == Arm::Treatment || in_burst);
        if told.arm == Arm::Treatment && told.done {
            book.struck += 1;
            if let Action::Wait { time, .. } | Action::SlowStart { time } = decision.action {
                book.asked_us += u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
                book.waited_us += told.waited_us;
            }
        }
        if decision.arm != told.arm && !in_burst {
            let what = format!("`{}` was rolled {:?} for {} and the ledger says {:?}", told.fault, decision.arm, told.identity, told.arm);
            self.differ(what);
        }
    }

    fn differ(&mut self, what: String) {
        if self.discrepancies.len() < MOST_DISCREPANCIES {
            self.discrepancies.push(what);
        }
    }

    /// Takes what the generator saw.
    pub fn event(&mut self, event: Event, now: Instant) {
        self.pending.push_back((now, event));
    }

    /// Whether anything still waits for the ledgers.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// The events that have waited long enough, in the order in which they came.
    pub fn due(&mut self, now: Instant) -> Vec<Joined> {
        let mut due = Vec::new();
        while self.pending.front().is_some_and(|(since, _)| now.duration_since(*since) >= self.lag) {
            let Some((_, event)) = self.pending.pop_front() else { break };
            due.push(self.joined(event));
        }
        self.forget(now);
        due
    }

    fn joined(&mut self, event: Event) -> Joined {
        let seed = self.seed;
        let half = |identity: &str| Roll::new(seed, "control-half", Identity(identity)).unit() < 0.5;
        match event {
            Event::Exchange(mut exchange) => {
                self.miss(&exchange);
                let (half, arm) = (half(&exchange.root), self.arm(&exchange.root));
                exchange.struck = self.struck_on(&exchange.root);
                Joined { event: Event::Exchange(exchange), arm, half }
            }
            Event::Disposed(mut disposed) => {
                let (half, arm) = (half(&disposed.message), self.arm(&disposed.message));
                disposed.struck = self.struck_on(&disposed.message);
                Joined { event: Event::Disposed(disposed), arm, half }
            }
            Event::Closed(mut closed) => {
                let (half, arm) = (half(&closed.root), self.arm(&closed.root));
                closed.struck = self.struck_on(&closed.root);
                Joined { event: Event::Closed(closed), arm, half }
            }
            event => Joined { event, arm: ArmTag::Untouched, half: false },
        }
    }

    /// The faults that struck a request, or the processing of a message.
    fn struck_on(&self, identity: &str) -> Vec<(String, Place)> {
        let eligible = self.roots.get(identity).map(|root| root.eligible.as_slice()).unwrap_or_default();
        let mut struck = Vec::new();
        for line in eligible.iter().filter(|line| is_struck(line)) {
            let fault = self.faults.iter().find(|fault| fault.name == line.fault);
            struck.extend(fault.map(|fault| (fault.name.clone(), fault.place.clone())).filter(|fault| !struck.contains(fault)));
        }
        struck
    }

    /// The arm of a request, or of a message.
    pub fn arm(&self, identity: &str) -> ArmTag {
        let Some(root) = self.roots.get(identity) else { return ArmTag::Untouched };
        if root.cold {
            ArmTag::Cold
        } else if root.eligible.iter().any(is_struck) {
            ArmTag::Treatment
        } else if !root.eligible.is_empty() {
            ArmTag::Control
        } else {
            ArmTag::Untouched
        }
    }

    /// Counts the invocations of this exchange that a fault should have been about and no ledger knows.
    fn miss(&mut self, exchange: &Exchange) {
        let Some(root) = self.roots.get(&exchange.root) else { return };
        // A late request may have been due in the fault phase and sent after the calm.
        if exchange.phase != Some(Phase::Fault) || exchange.sent >= self.calm_at {
            return;
        }
        let facts = Facts::of_request(exchange.method, &exchange.path);
        for (fault, book) in self.faults.iter().zip(&mut self.books) {
            let Place::Function(function) = &fault.place else { continue };
            let at = exchange.sent.saturating_sub(self.fault_from);
            let should_be_known = is_known_to_the_sender(fault) && self.windows.is_surely_open(&fault.name, at, MARGIN);
            let known = root.eligible.iter().any(|e| e.fault == fault.name);
            if should_be_known && root.invoked.contains(function) && fault.when.matches(&facts) && !known {
                self.missed += 1;
                book.eligible += 1;
                book.planned += u64::from(fault.decide(self.seed, Identity(&exchange.root)).arm == Arm::Treatment);
            }
        }
    }

    fn forget(&mut self, now: Instant) {
        if now.duration_since(self.forgotten) < Duration::from_secs(5) {
            return;
        }
        self.forgotten = now;
        self.roots.retain(|_, root| now.duration_since(root.since) < root.memory);
        let roots = &self.roots;
        self.messages.retain(|_, message| roots.contains_key(message));
        let messages = &self.messages;
        self.counted.retain(|(_, identity)| roots.contains_key(identity) || messages.contains_key(identity));
    }
}

fn is_struck(line: &Eligible) -> bool {
    line.arm == Arm::Treatment && line.done
}

/// Whether method and path tell if a request's invocation is eligible.
fn is_known_to_the_sender(fault: &Fault) -> bool {
    fault.when.is_known_to_the_sender() && fault.at_most.is_none() && !matches!(fault.kind, Kind::Init(_))
}

#[cfg(test)]
mod tests {
    use faults::Start;

    use super::*;

    const CACHE_REFUSES: &str = include_str!("../../scenarios/experiments/close-fails.toml");

    fn call(plan: &Plan, request_id: &str) -> Entry {
        let decision = plan.faults[0].decide(plan.seed, Identity(request_id));
        Entry::Eligible(Eligible {
            run: "run".into(),
            sequence: 1,
            request_id: request_id.into(),
            root: None,
            place: "redis:DEL".into(),
            fault: "refused-delete".into(),
            arm: decision.arm,
            action: decision.action.name().into(),
            waited_us: 0,
            start: Start::Warm,
            done: true,
            message: None,
            call: 1,
        })
    }

    #[test]
    fn a_call_without_a_trace_is_in_the_books_by_its_own_id() {
        let plan = crate::experiment::check("close-fails", CACHE_REFUSES).unwrap();
        let mut join = Join::new("run", &plan, Duration::ZERO);
        let now = Instant::now();
        let entries: Vec<_> = (0..100).map(|n| call(&plan, &format!("call-{n}"))).collect();
        let struck = entries.iter().filter(|entry| join.strike(entry, Duration::ZERO).is_some()).count() as u64;
        entries.into_iter().for_each(|entry| join.entry(entry, now));
        let book = &join.injections()[0];
        assert_eq!((book.eligible, book.planned, book.struck), (100, struck, struck));
        assert!((20..60).contains(&struck), "{struck}");
        assert_eq!(join.discrepancies, Vec::<String>::new());
    }
}
