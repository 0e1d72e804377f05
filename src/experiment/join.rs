//! Brings together what the generator saw and what the ledgers say, by trace root, and keeps the books of both.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use faults::ledger::Eligible;
use faults::{Action, Arm, Entry, Facts, Fault, Identity, Place, Roll};
use reports::measurements::Injections;
use reports::{ArmTag, Phase};
use scenarios::{Event, Exchange};

/// How long an event waits for the ledgers: their lines are written before the answer is sent, so this is ample.
const LAG: Duration = Duration::from_millis(700);

/// Facts about a root are forgotten after this; no request lives longer.
const MEMORY: Duration = Duration::from_secs(90);

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

#[derive(Debug)]
struct Root {
    since: Instant,
    eligible: Vec<Eligible>,
    invoked: Vec<String>,
    cold: bool,
}

/// The join and the books.
#[derive(Debug)]
pub struct Join {
    run: String,
    seed: u64,
    calm_at: Duration,
    faults: Vec<Fault>,
    books: Vec<Injections>,
    roots: HashMap<String, Root>,
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
    /// An empty join for one run whose faults end at `calm_at`.
    pub fn new(run: &str, seed: u64, faults: &[Fault], calm_at: Duration) -> Self {
        Self {
            run: run.to_owned(),
            seed,
            calm_at,
            faults: faults.to_vec(),
            books: faults.iter().map(Injections::none_of).collect(),
            roots: HashMap::new(),
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
            Entry::Eligible(_) => {}
            Entry::ColdStart { root, .. } => {
                self.cold_starts += 1;
                if let Some(root) = root {
                    self.root(root, now).cold = true;
                }
            }
            Entry::Invoked { function, root: Some(root), .. } => self.root(root, now).invoked.push(function),
            Entry::Invoked { root: None, .. } => {}
            Entry::Note { place, what } => {
                let note = format!("{place}: {what}");
                if !self.notes.contains(&note) && self.notes.len() < MOST_DISCREPANCIES {
                    self.notes.push(note);
                }
            }
        }
    }

    fn root(&mut self, root: String, now: Instant) -> &mut Root {
        self.roots.entry(root).or_insert_with(|| Root { since: now, eligible: Vec::new(), invoked: Vec::new(), cold: false })
    }

    fn eligible(&mut self, eligible: Eligible, now: Instant) {
        let Some(root) = eligible.root.clone() else { return };
        let Some(index) = self.faults.iter().position(|fault| fault.name == eligible.fault) else {
            self.differ(format!("the ledger of {} names a fault `{}` that was never planned", eligible.place, eligible.fault));
            return;
        };
        // A retry of the same call is struck alike and counts once.
        if self.counted.insert((index, root.clone())) {
            self.count(index, &root, &eligible);
        }
        self.root(root, now).eligible.push(eligible);
    }

    fn count(&mut self, index: usize, root: &str, eligible: &Eligible) {
        let (Some(fault), Some(book)) = (self.faults.get(index), self.books.get_mut(index)) else { return };
        let decision = fault.decide(self.seed, Identity(root));
        let planned = decision.arm == Arm::Treatment;
        book.eligible += 1;
        book.planned += u64::from(planned);
        if eligible.arm == Arm::Treatment && eligible.done {
            book.struck += 1;
            if let Action::Wait { time, .. } = decision.action {
                book.asked_us += u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
                book.waited_us += eligible.waited_us;
            }
        }
        if decision.arm != eligible.arm {
            let what = format!("`{}` was rolled {:?} for {root} and the ledger says {:?}", eligible.fault, decision.arm, eligible.arm);
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
        while self.pending.front().is_some_and(|(since, _)| now.duration_since(*since) >= LAG) {
            let Some((_, event)) = self.pending.pop_front() else { break };
            due.push(self.joined(event));
        }
        self.forget(now);
        due
    }

    fn joined(&mut self, event: Event) -> Joined {
        let Event::Exchange(mut exchange) = event else { return Joined { event, arm: ArmTag::Untouched, half: false } };
        let half = Roll::new(self.seed, "control-half", Identity(&exchange.root)).unit() < 0.5;
        let arm = self.arm(&mut exchange);
        Joined { event: Event::Exchange(exchange), arm, half }
    }

    fn arm(&mut self, exchange: &mut Exchange) -> ArmTag {
        self.miss(exchange);
        let Some(root) = self.roots.get(&exchange.root) else { return ArmTag::Untouched };
        let struck: Vec<_> = root.eligible.iter().filter(|e| e.arm == Arm::Treatment && e.done).collect();
        for eligible in &struck {
            if let Some(fault) = self.faults.iter().find(|fault| fault.name == eligible.fault) {
                exchange.struck.push((fault.name.clone(), fault.place.clone()));
            }
        }
        exchange.struck.dedup();
        if root.cold {
            ArmTag::Cold
        } else if !struck.is_empty() {
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
            let known = root.eligible.iter().any(|e| e.fault == fault.name);
            if root.invoked.contains(function) && fault.when.matches(&facts) && !known {
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
        self.roots.retain(|_, root| now.duration_since(root.since) < MEMORY);
        let roots = &self.roots;
        self.counted.retain(|(_, root)| roots.contains_key(root));
    }
}
