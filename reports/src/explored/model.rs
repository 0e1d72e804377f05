//! What an exploration found, and what that shows. Pure.

use serde::Serialize;

use crate::verdict::Verdict;

/// What an exploration found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Exploration {
    /// The experiment's name.
    pub name: String,
    /// What everything depends on.
    pub seed: u64,
    /// brownout's version.
    pub version: String,
    /// The command that repeats it.
    pub command: String,
    /// How long it took, in seconds.
    pub took_s: f64,
    /// Why it ended.
    pub end: End,
    /// The fault-free arrivals that were followed.
    pub followed: usize,
    /// The runs on a fresh stack, the fault-free one included.
    pub waves: usize,
    /// The ways in which places were hurt: the columns.
    pub ways: Vec<Way>,
    /// The places: the rows.
    pub places: Vec<Place>,
    /// What two faults did to one request.
    pub pairs: Pairs,
    /// What was found.
    pub findings: Vec<Finding>,
    /// What follows from a request to each endpoint.
    pub journeys: Vec<Journey>,
    /// What the reader should know.
    pub notes: Vec<String>,
}

/// Why an exploration ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Everything that can be tried was tried.
    Complete,
    /// The budget was used up.
    Budget,
    /// A signal came.
    Interrupted,
    /// The journeys break rules without a fault.
    BrokenWithoutFault,
    /// No place was found that can be hurt, or it could not go on; why.
    NotShown(String),
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Way {
    /// Its letter.
    pub letter: char,
    /// Its name.
    pub title: String,
    /// What it is.
    pub about: String,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Place {
    /// The endpoint whose requests come here.
    pub endpoint: String,
    /// The place.
    pub place: String,
    /// The fault under which alone requests come here; each cell is then a pair with it.
    pub under: Option<Injection>,
    /// One for each way.
    pub cells: Vec<Cell>,
}

/// What is done to a request at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Injection {
    /// The place.
    pub place: String,
    /// The way by its name.
    pub way: String,
}

/// Pairs of faults.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pairs {
    /// How many pairs there are to try after the single faults.
    pub possible: usize,
    /// Those that were carried out, or that should have been, in the order of their promise.
    pub done: Vec<Pair>,
}

/// Two faults of one request.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pair {
    /// The first.
    pub first: Injection,
    /// The second.
    pub second: Injection,
    /// Why both are done to one request.
    pub why: Why,
    /// What came of it.
    pub done: Done,
}

/// Why two faults are a pair, the most promising first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Requests come to the place of the second only under the first.
    Opened,
    /// What the first hurts is tried again, and hurt again.
    Again,
    /// Both places are on the way of one request, and each fault alone held.
    Both,
}

impl Why {
    /// In a few words.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Opened => "the first opens the place of the second",
            Self::Again => "the second try is hurt too",
            Self::Both => "each alone held",
        }
    }
}

/// A place and a way.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// It cannot happen there; why.
    Impossible(String),
    /// It can happen, and was not tried; why.
    NotTried(String),
    /// It was done to a request.
    Done(Done),
}

/// A case that was carried out, or that should have been.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Done {
    /// What came of it.
    pub outcome: Outcome,
    /// Why, in a phrase.
    pub why: String,
    /// The root of the request's trace.
    pub root: String,
    /// The number of its finding.
    pub finding: Option<usize>,
}

/// What came of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing was noticed.
    Held,
    /// Slower, or refused, as the contract allows.
    Degraded,
    /// A rule was broken.
    Broken,
    /// It did not strike, or could not be followed to its end: not tried.
    Unclear,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Held, Self::Degraded, Self::Broken, Self::Unclear];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Degraded => "degraded",
            Self::Broken => "broken",
            Self::Unclear => "unclear",
        }
    }

    /// Its letter in the matrix.
    pub const fn letter(self) -> char {
        match self {
            Self::Held => 'h',
            Self::Degraded => 'd',
            Self::Broken => 'B',
            Self::Unclear => '?',
        }
    }
}

/// Cases that broke the same rule at the same place.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// Its number, from 1.
    pub number: usize,
    /// The rule's id.
    pub rule: String,
    /// The rule in a sentence.
    pub text: String,
    /// The place, or both of a pair; `None` if no case explains it.
    pub place: Option<String>,
    /// The ways that broke it there, the smallest first.
    pub ways: Vec<String>,
    /// What was requested in the smallest case.
    pub asked: String,
    /// What was answered, or found.
    pub answered: String,
    /// What was expected.
    pub expected: String,
    /// A command that repeats the request.
    pub repeat: String,
    /// The root of the request's trace.
    pub root: String,
    /// The command that repeats the case.
    pub command: String,
    /// The file of the experiment that repeats it, or why there is no such file.
    pub experiment: Result<String, String>,
    /// Why it is accepted, if it is.
    pub accepted: Option<Accepted>,
}

/// A finding that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Accepted {
    /// Why it is accepted.
    pub reason: String,
    /// Since when: `2026-01-31`.
    pub date: String,
}

/// What follows from a request to an endpoint, as it was seen most often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Journey {
    /// The endpoint.
    pub endpoint: String,
    /// How many requests were followed.
    pub seen: usize,
    /// Invocations, and their calls below them.
    pub steps: Vec<Step>,
    /// The effects that each has.
    pub effects: Vec<String>,
}

/// A step of a journey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// A function is invoked.
    Invoked(String),
    /// It makes a call.
    Called(String),
}

/// Counts of cells and rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Coverage {
    /// Places that were found.
    pub places_seen: usize,
    /// Places of which a case was tried.
    pub places_tried: usize,
    /// Cases that can happen.
    pub possible: usize,
    /// Cases that cannot happen.
    pub impossible: usize,
    /// Cases that struck and were followed to their end.
    pub tried: usize,
    /// Of these, those that held.
    pub held: usize,
    /// Of these, those that were degraded.
    pub degraded: usize,
    /// Of these, those that broke a rule.
    pub broken: usize,
    /// Cases that did not strike or could not be followed.
    pub unclear: usize,
    /// Pairs of faults, which are in none of the other numbers.
    pub pairs: Counts,
}

/// Counts of what came of cases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counts {
    /// Those that can happen.
    pub possible: usize,
    /// Those that struck and were followed to their end.
    pub tried: usize,
    /// Of these, those that held.
    pub held: usize,
    /// Of these, those that were degraded.
    pub degraded: usize,
    /// Of these, those that broke a rule.
    pub broken: usize,
    /// Those that did not strike or could not be followed.
    pub unclear: usize,
}

impl Counts {
    fn add(&mut self, outcome: Outcome) {
        self.tried += usize::from(outcome != Outcome::Unclear);
        *match outcome {
            Outcome::Held => &mut self.held,
            Outcome::Degraded => &mut self.degraded,
            Outcome::Broken => &mut self.broken,
            Outcome::Unclear => &mut self.unclear,
        } += 1;
    }
}

impl std::fmt::Display for Injection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}", self.place, self.way)
    }
}

impl Place {
    /// Its name, with the fault that opens it.
    pub fn name(&self) -> String {
        match &self.under {
            Some(under) => format!("{} (only under {under})", self.place),
            None => self.place.clone(),
        }
    }

    /// Whether a case that was tried here belongs to a finding.
    pub fn has_finding(&self) -> bool {
        self.cells.iter().any(|cell| matches!(cell, Cell::Done(Done { finding: Some(_), .. })))
    }

    /// Whether a case was tried here.
    pub fn is_tried(&self) -> bool {
        self.cells.iter().any(|cell| matches!(cell, Cell::Done(done) if done.outcome != Outcome::Unclear))
    }
}

impl Exploration {
    /// What was covered. The cells of places that only a fault opens are pairs.
    pub fn coverage(&self) -> Coverage {
        let places = || self.places.iter().filter(|place| place.under.is_none());
        let (mut single, mut impossible) = (Counts::default(), 0);
        for cell in places().flat_map(|place| &place.cells) {
            match cell {
                Cell::Impossible(_) => impossible += 1,
                Cell::NotTried(_) => single.possible += 1,
                Cell::Done(done) => {
                    single.possible += 1;
                    single.add(done.outcome);
                }
            }
        }
        let mut pairs = Counts { possible: self.pairs.possible, ..Counts::default() };
        self.pairs.done.iter().for_each(|pair| pairs.add(pair.done.outcome));
        let Counts { possible, tried, held, degraded, broken, unclear } = single;
        let (places_seen, places_tried) = (places().count(), places().filter(|place| place.is_tried()).count());
        Coverage { places_seen, places_tried, possible, impossible, tried, held, degraded, broken, unclear, pairs }
    }

    /// The findings that are not accepted.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.accepted.is_none())
    }

    /// What it shows: broken if there is a finding that is not accepted, and not shown if nothing could
    /// be tried.
    pub fn verdict(&self) -> Verdict {
        if self.open().next().is_some() {
            Verdict::Broken
        } else if self.coverage().tried == 0 || matches!(self.end, End::NotShown(_)) {
            Verdict::NotShown
        } else {
            Verdict::Held
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{exploration, finding};
    use super::*;

    #[test]
    fn what_did_not_strike_is_not_tried_and_no_share_is_shown_without_its_numbers() {
        let coverage = exploration().coverage();
        let pairs = Counts { possible: 7, tried: 2, held: 1, broken: 1, unclear: 1, ..Counts::default() };
        let single = Coverage { places_seen: 2, places_tried: 1, possible: 5, impossible: 1, tried: 3, ..Coverage::default() };
        assert_eq!(coverage, Coverage { held: 1, degraded: 1, broken: 1, unclear: 1, pairs, ..single });
    }

    #[test]
    fn a_place_that_only_a_fault_opens_says_under_which_and_is_none_of_those_without() {
        let opened = &exploration().places[2];
        assert_eq!(opened.name(), "buy place: late (only under buy place: place > dynamodb:PutItem, outage)");
        assert!(opened.is_tried() && opened.has_finding());
    }

    #[test]
    fn a_finding_breaks_it_unless_it_is_accepted_and_nothing_tried_shows_nothing() {
        let accepted = Accepted { reason: "known".into(), date: "2026-01-31".into() };
        let with = |findings: Vec<Finding>| Exploration { findings, ..exploration() };
        let known = Finding { accepted: Some(accepted), ..finding() };
        for (exploration, verdict) in [
            (with(vec![finding()]), Verdict::Broken),
            (with(vec![known.clone()]), Verdict::Held),
            (with(vec![known, finding()]), Verdict::Broken),
            (with(vec![]), Verdict::Held),
            (Exploration { places: Vec::new(), ..with(vec![]) }, Verdict::NotShown),
            (Exploration { end: End::NotShown("no".into()), ..with(vec![]) }, Verdict::NotShown),
            (Exploration { end: End::Budget, ..with(vec![]) }, Verdict::Held),
        ] {
            assert_eq!(exploration.verdict(), verdict, "{:?}", exploration.end);
        }
    }
}
