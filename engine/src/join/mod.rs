//! Joins what the generator saw with what the ledgers report, by trace root, and keeps count of
//! both.

mod coverage;
mod traced;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use faults::ledger::{Eligible, Started};
use faults::{Action, ActionName, Arm, Entry, Fault, Identity, Kind, Place};
use load::PATIENCE;
use reports::measurements::Injections;
use reports::{ArmTag, Rolls};
use scenarios::{Event, Struck};

use coverage::{Heard, Rehearsed};

use super::plan::Plan;
use super::windows::Windows;

/// How long facts about a request are kept after the last moment at which it may be judged.
const MARGIN_OF_MEMORY: Duration = Duration::from_secs(60);

/// The same about a message, which a queue may deliver again and again,
/// and about a record, on which a state machine works for minutes.
const MEMORY_OF_MESSAGES: Duration = Duration::from_secs(1200);

/// No report names more differences than this.
const MOST_DISCREPANCIES: usize = 20;

/// An exchange with its arm.
#[derive(Debug)]
pub struct Joined {
    /// What happened, `struck` filled in.
    pub event: Event,
    /// What is known about it from its trace.
    pub traced: Traced,
}

/// What the ledgers report about a request, a message or a record.
#[derive(Debug, Clone, Copy, Default)]
pub struct Traced {
    /// The results of the rolls.
    pub rolls: Rolls,
    /// Whether it waited for a new environment.
    pub cold: bool,
    /// Which half of the control arm it falls into, for the method's check on itself.
    pub half: bool,
}

/// What the ledgers report about one request, or about one message of a queue.
#[derive(Debug)]
struct Root {
    since: Instant,
    memory: Duration,
    eligible: Vec<Eligible>,
    invoked: Vec<String>,
    cold: bool,
    /// Whether the request has been judged; lines that come now are too late.
    judged: bool,
}

/// One decision, as a line of a ledger reports it.
struct Told<'a> {
    fault: &'a str,
    place: &'a str,
    /// What identifies its roll.
    identity: &'a str,
    arm: Arm,
    done: bool,
    waited_us: u64,
}

/// The join and its counts.
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
    /// For each fault, whether its function serves all requests of an endpoint if it serves any.
    serves_all: Vec<bool>,
    books: Vec<Injections>,
    /// By trace root, or by message id.
    roots: HashMap<String, Root>,
    /// The message that an invocation with this trace root was about.
    messages: HashMap<String, String>,
    pending: VecDeque<(Instant, Event)>,
    counted: HashSet<(usize, String)>,
    /// By endpoint and fault.
    rehearsed: HashMap<(&'static str, usize), Rehearsed>,
    /// Plans up to this one injected nothing.
    rehearsal: Option<u64>,
    /// For each fault, whether its ledger must report it before anything is struck, and whether it
    /// has.
    heard: Vec<Heard>,
    /// Whether work for a request continues after its answer, so that lines about it may come
    /// later.
    is_asynchronous: bool,
    late: u64,
    forgotten: Instant,
    discrepancies: Vec<String>,
    /// Notes of extensions and services, each once.
    pub notes: Vec<String>,
    /// Requests that waited for a new environment.
    pub cold_starts: u64,
}

impl Join {
    /// An empty join for one run of a plan; an event waits for the ledgers for `lag`.
    pub fn new(run: &str, plan: &Plan, lag: Duration) -> Self {
        Self {
            lag,
            memory: if plan.load.systems.iter().any(|load| load.works_for_minutes()) {
                MEMORY_OF_MESSAGES
            } else {
                lag + PATIENCE + MARGIN_OF_MEMORY
            },
            run: run.to_owned(),
            seed: plan.seed,
            fault_from: plan.timeline.fault_from(),
            calm_at: plan.timeline.calm_at(),
            faults: plan.faults.clone(),
            windows: plan.windows.clone(),
            serves_all: plan.faults.iter().map(|fault| plan.serves_all(&fault.place)).collect(),
            books: plan.faults.iter().map(Injections::none_of).collect(),
            roots: HashMap::new(),
            messages: HashMap::new(),
            pending: VecDeque::new(),
            counted: HashSet::new(),
            rehearsed: HashMap::new(),
            rehearsal: None,
            heard: plan.faults.iter().map(|fault| Heard::of(plan, fault)).collect(),
            is_asynchronous: plan.is_asynchronous() || plan.wave.is_some(),
            late: 0,
            forgotten: Instant::now(),
            discrepancies: Vec::new(),
            notes: Vec::new(),
            cold_starts: 0,
        }
    }

    /// The counts of the ledgers, one row a fault.
    pub fn injections(&self) -> Vec<Injections> {
        self.books.clone()
    }

    /// Struck so far.
    pub fn struck(&self) -> u64 {
        self.books.iter().map(|book| book.struck).sum()
    }

    /// Plans up to this sequence number inject nothing: ledger lines about them count neither as
    /// treatment nor as control.
    pub fn rehearsed(&mut self, sequence: u64) {
        self.rehearsal = Some(sequence);
    }

    fn is_rehearsal(&self, sequence: u64) -> bool {
        self.rehearsal.is_some_and(|last| sequence <= last)
    }

    /// Differences between the counts, each of which is a bug in the harness.
    pub fn discrepancies(&self) -> Vec<String> {
        let eligible: u64 = self.books.iter().map(|book| book.eligible).sum();
        let late = (self.late * 100 > eligible.max(1))
            .then(|| format!("{} lines of the ledgers came after their requests had been judged: `ledger-lag` is too short", self.late));
        self.discrepancies.iter().cloned().chain(late).collect()
    }

    /// Takes a line of a ledger.
    pub fn entry(&mut self, entry: Entry, now: Instant) {
        match entry {
            Entry::Decided(ref decided) if decided.run == self.run => {
                entry.eligible().into_iter().for_each(|eligible| self.eligible(eligible, now));
            }
            Entry::Started(started) if started.run == self.run => self.started(&started),
            Entry::Decided(_) | Entry::Started(_) => {}
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
        self.roots.entry(key).or_insert_with(|| Root {
            since: now,
            memory,
            eligible: Vec::new(),
            invoked: Vec::new(),
            cold: false,
            judged: false,
        })
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
        if self.is_rehearsal(eligible.sequence) {
            self.hear(&eligible.fault);
        } else {
            self.told(&told);
        }
        let Some(root) = eligible.root.clone() else { return };
        if let Some(message) = &eligible.message {
            self.messages.insert(root.clone(), message.clone());
        }
        // A function that was frozen with a pending call makes the call after its answer.
        let may_be_late = self.is_asynchronous || !self.is_of_a_function(&eligible.fault);
        let known = self.root(root, now);
        let is_late = known.judged && !may_be_late;
        known.eligible.push(eligible);
        self.late += u64::from(is_late);
    }

    fn is_of_a_function(&self, fault: &str) -> bool {
        self.faults.iter().any(|known| known.name == fault && matches!(known.place, Place::Function(_)))
    }

    fn started(&mut self, started: &Started) {
        if self.is_rehearsal(started.sequence) {
            return;
        }
        self.told(&Told {
            fault: &started.fault,
            place: &started.place,
            identity: &started.environment,
            arm: started.arm,
            done: started.done,
            waited_us: started.waited_us,
        });
    }

    /// Events for the oracles about work for which no request waits; empty if nothing was struck.
    pub fn strikes(&self, entry: &Entry, at: Duration) -> Vec<Event> {
        match entry {
            Entry::Decided(decided) if decided.run == self.run => {
                entry.eligible().iter().filter(|line| is_struck(line)).filter_map(|line| self.strike(line, at)).collect()
            }
            Entry::Started(start) if start.run == self.run && start.arm == Arm::Treatment && start.done => {
                self.strike_of(&start.fault, start.action, None, at).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn strike(&self, line: &Eligible, at: Duration) -> Option<Event> {
        let message = line.message.clone().or_else(|| self.messages.get(line.root.as_ref()?).cloned());
        self.strike_of(&line.fault, line.action, message, at)
    }

    fn strike_of(&self, fault: &str, action: ActionName, message: Option<String>, at: Duration) -> Option<Event> {
        let fault = self.faults.iter().find(|known| known.name == fault)?;
        let (name, place) = (fault.name.clone(), fault.place.clone());
        Some(Event::Struck(Box::new(Struck { message, fault: name, place, action, at })))
    }

    fn told(&mut self, told: &Told<'_>) {
        let Some(index) = self.index(told.fault) else {
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
        // Within a burst an invocation is struck regardless of its own roll.
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
            due.push(self.joined(event, now));
        }
        self.forget(now);
        due
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
        self.rolls(identity).arm()
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

#[cfg(test)]
mod tests;
