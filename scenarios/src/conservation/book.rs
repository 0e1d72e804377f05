//! The book that all rules of a file share: it takes in answers and effects, opens a case for each
//! answer that a rule is about, and says what each rule found.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use reports::{ArmTag, Dispositions};
use run_folder::Seen;
use run_folder::effects::Effect;

use crate::exchange::Told;
use crate::invariants::everywhere::DEAD_LETTERS;
use crate::invariants::{ArmOf, Breach, Ended, Found, Kind, Quiet, Rule, Sweeps, table};
use crate::{Event, Exchange};

use super::blame::{Accused, Exchanges, Shown};
use super::cases::{Case, Now, State};
use super::claims::{Claim, Conservation, FileRule};
use super::dead_letters::DeadLetters;
use super::records::Records;
use super::standing::{Drains, Never};

/// How often the open cases are looked at.
const SWEEP: Duration = Duration::from_millis(500);

/// What a rule of the file keeps apart from its cases.
#[derive(Debug)]
enum Standing {
    /// It has cases only.
    Cases,
    Never(Never),
    Drains(Drains),
}

/// The book.
#[derive(Debug)]
pub(super) struct Book {
    rules: Vec<FileRule>,
    standing: Vec<Standing>,
    dead_letters: DeadLetters,
    records: Records,
    /// All exchanges, if a rule may have to find one by its trace root.
    exchanges: Exchanges,
    names_exchanges: bool,
    cases: Vec<Case>,
    /// How many cases seek the same things.
    alike: HashMap<String, u32>,
    /// The number of the rule, and what it found; that of the dead letters is one more than the last.
    accused: Vec<(usize, Accused)>,
    sweeps: Sweeps,
    /// The time of the newest event, and when that was on this clock.
    newest: Option<(Duration, Instant)>,
}

/// What each rule found, by its number.
type Findings = Vec<Found>;

impl Book {
    pub(super) fn new(of: &Conservation) -> Self {
        let standing = |rule: &FileRule| match &rule.claim {
            Claim::After { .. } => Standing::Cases,
            Claim::Never(wanted) => match wanted.filled(&BTreeMap::new()) {
                Some(sought) => Standing::Never(Never::new(sought, wanted.place.name().to_owned())),
                None => Standing::Cases,
            },
            Claim::Drains { queue, within } => Standing::Drains(Drains::new(queue.clone(), *within)),
        };
        Self {
            standing: of.rules.iter().map(standing).collect(),
            rules: of.rules.clone(),
            dead_letters: DeadLetters::new(of.dead_letters.clone(), of.faults_from),
            records: Records::default(),
            exchanges: Exchanges::default(),
            names_exchanges: !of.dead_letters.is_empty() || of.rules.iter().any(|rule| !matches!(rule.claim, Claim::After { .. })),
            cases: Vec::new(),
            alike: HashMap::new(),
            accused: Vec::new(),
            sweeps: Sweeps::default(),
            newest: None,
        }
    }

    /// A rule for the judge for each of the file, then that of the dead letters.
    pub(super) fn rules(of: &Conservation) -> Vec<Rule<Self>> {
        let names = of.rules.iter().map(|rule| (rule.name, rule.sentence));
        let dead = (!of.dead_letters.is_empty()).then_some(DEAD_LETTERS);
        let number = |(number, (id, text)): (usize, (&'static str, &'static str))| {
            Rule::new(id, text, move |_: &Self, found: &Findings, _| found.get(number).cloned().unwrap_or_default()).of_services()
        };
        names.chain(dead).enumerate().map(number).collect()
    }

    fn sentence(&self, rule: usize) -> &'static str {
        self.rules.get(rule).map_or(DEAD_LETTERS.1, |rule| rule.sentence)
    }

    /// The time of now on the clock of events.
    fn now(&self) -> Duration {
        self.newest.map_or(Duration::ZERO, |(at, since)| at + since.elapsed())
    }

    fn answered(&mut self, exchange: &Exchange) {
        if self.names_exchanges {
            self.exchanges.add(Shown::of(exchange));
        }
        let (Some(told), Some(status)) = (&exchange.told, exchange.status) else { return };
        for (number, rule) in self.rules.iter().enumerate() {
            let Some(case) = case(number, rule, exchange, told, status) else { continue };
            *self.alike.entry(case.subject.clone()).or_default() += 1;
            self.cases.push(case);
        }
    }

    fn happened(&mut self, at: Duration, effect: &Effect, found: &mut Findings) {
        let last = self.rules.len();
        let Some(record) = self.records.add(at, effect) else { return };
        // What was there before the first request is not theirs, such as S3's test event.
        if at.is_zero() {
            return;
        }
        for (number, standing) in self.standing.iter_mut().enumerate() {
            match standing {
                Standing::Cases => {}
                Standing::Never(never) => self.accused.extend(never.see(at, effect, record).map(|accused| (number, accused))),
                Standing::Drains(drains) => match drains.see(at, effect) {
                    None => {}
                    Some(Ok(())) => count(found, number),
                    Some(Err(accused)) => self.accused.push((number, accused)),
                },
            }
        }
        self.accused.extend(self.dead_letters.see(at, effect, &self.exchanges).map(|accused| (last, accused)));
    }

    /// Looks at what is open; at the end also at what was kept.
    fn look(&mut self, at: Duration, is_end: bool, found: &mut Findings) {
        for case in &mut self.cases {
            let is_due = if is_end { case.state != State::Broken } else { case.state == State::Open };
            if !is_due {
                continue;
            }
            let alike = self.alike.get(&case.subject).copied().unwrap_or(1);
            let before = case.state;
            let (state, breach) = match case.look(&self.records, Now { at, is_end, alike }) {
                Ok(state) => (state, None),
                Err(what) => (State::Broken, Some(case.shown.breach(&what, self.rules.get(case.rule).map_or("", |rule| rule.sentence)))),
            };
            case.state = state;
            if before == State::Open && state != State::Open {
                count(found, case.rule);
            }
            add(found, case.rule, breach);
        }
        for (number, standing) in self.standing.iter_mut().enumerate() {
            if let Standing::Drains(drains) = standing {
                self.accused.extend(drains.overdue(at, is_end).into_iter().map(|accused| (number, accused)));
            }
        }
        let (ready, rest) =
            std::mem::take(&mut self.accused).into_iter().partition(|(_, accused)| is_end || accused.is_ready(&self.exchanges, at));
        self.accused = rest;
        for (number, accused) in ready {
            count(found, number);
            add(found, number, Some(accused.breach(&self.exchanges, self.sentence(number))));
        }
    }

    fn findings(&self) -> Findings {
        vec![Found::default(); self.rules.len() + 1]
    }
}

fn count(found: &mut Findings, rule: usize) {
    if let Some((_, checks)) = found.get_mut(rule) {
        *checks += 1;
    }
}

fn add(found: &mut Findings, rule: usize, breach: Option<Breach>) {
    if let Some((breaches, _)) = found.get_mut(rule) {
        breaches.extend(breach);
    }
}

/// The case that an answer opens for a rule.
fn case(number: usize, rule: &FileRule, exchange: &Exchange, told: &Told, status: u16) -> Option<Case> {
    let Claim::After { when, outcomes, within } = &rule.claim else { return None };
    if when.of != exchange.endpoint || !when.has(status) {
        return None;
    }
    let outcomes = outcomes.iter().map(|wanted| wanted.filled(&told.values)).collect::<Option<Vec<_>>>()?;
    Some(Case::new(number, Shown::of(exchange), outcomes, exchange.done + *within))
}

impl crate::invariants::Book for Book {
    type Ripe = Findings;

    fn see(&mut self, event: &Event) -> Findings {
        let mut found = self.findings();
        if self.newest.is_none_or(|(at, _)| event.at() > at) {
            self.newest = Some((event.at(), Instant::now()));
        }
        self.sweeps.see(event);
        match event {
            Event::Exchange(exchange) => self.answered(exchange),
            Event::Saw { at, seen: Seen::Effect(effect) } => self.happened(*at, effect, &mut found),
            Event::Calmed { at } => self.dead_letters.calmed(*at),
            _ => {}
        }
        if let Some(now) = self.sweeps.due(SWEEP) {
            self.look(now, false, &mut found);
        }
        found
    }

    fn settled(&mut self, quiet: &Quiet) -> Findings {
        let mut found = self.findings();
        let end = self.sweeps.end(quiet);
        self.look(end, true, &mut found);
        // Nothing was found in all the time in which requests came.
        if !self.exchanges.is_empty() {
            let never = self.standing.iter().enumerate().filter(|(_, standing)| matches!(standing, Standing::Never(_)));
            let never: Vec<_> = never.map(|(number, _)| number).chain([self.rules.len()]).collect();
            never.into_iter().for_each(|number| count(&mut found, number));
        }
        found
    }

    fn under_way(&self) -> usize {
        let now = self.now();
        let messages = self.standing.iter().map(|standing| match standing {
            Standing::Drains(drains) => drains.under_way(now).count(),
            Standing::Cases | Standing::Never(_) => 0,
        });
        self.cases.iter().filter(|case| case.is_under_way(now)).count() + messages.sum::<usize>()
    }

    fn unfinished(&self) -> Vec<Ended> {
        let now = self.now();
        let name = |number: usize| self.rules.get(number).map_or("", |rule| rule.name);
        let cases = self.cases.iter().filter(|case| case.state == State::Open && now < case.deadline).map(|case| Ended {
            endpoint: name(case.rule),
            identity: Some(case.shown.root.clone()),
            due: case.shown.due,
            since: case.shown.due,
            end: None,
        });
        let messages = self.standing.iter().enumerate().flat_map(|(number, standing)| {
            let since: Vec<_> = if let Standing::Drains(drains) = standing { drains.under_way(now).collect() } else { Vec::new() };
            since.into_iter().map(move |since| Ended { endpoint: name(number), identity: None, due: since, since, end: None })
        });
        cases.chain(messages).collect()
    }

    fn tables(&self, arm: ArmOf<'_>) -> Vec<Dispositions> {
        const ENDS: [Kind<State>; 3] = [
            ("as the rule says", |state| *state == State::Kept),
            ("not as the rule says", |state| *state == State::Broken),
            ("not decided when the run ended", |state| *state == State::Open),
        ];
        let of_rule = |(number, rule): (usize, &FileRule)| {
            let cases = self.cases.iter().filter(|case| case.rule == number);
            let things: Vec<(ArmTag, State)> = cases.map(|case| (arm(&case.shown.root), case.state)).collect();
            table(&format!("answers for `{}`", rule.name), &things, &ENDS, &[])
        };
        self.rules.iter().enumerate().map(of_rule).collect()
    }
}
