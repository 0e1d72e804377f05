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
    /// One for each way.
    pub cells: Vec<Cell>,
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
    /// The place; `None` if no single case explains it.
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
}

impl Place {
    /// Whether a case was tried here.
    pub fn is_tried(&self) -> bool {
        self.cells.iter().any(|cell| matches!(cell, Cell::Done(done) if done.outcome != Outcome::Unclear))
    }
}

impl Exploration {
    /// What was covered.
    pub fn coverage(&self) -> Coverage {
        let places = &self.places;
        let places_tried = places.iter().filter(|place| place.is_tried()).count();
        let mut coverage = Coverage { places_seen: places.len(), places_tried, ..Coverage::default() };
        for cell in places.iter().flat_map(|place| &place.cells) {
            match cell {
                Cell::Impossible(_) => coverage.impossible += 1,
                Cell::NotTried(_) => coverage.possible += 1,
                Cell::Done(done) => {
                    coverage.possible += 1;
                    coverage.tried += usize::from(done.outcome != Outcome::Unclear);
                    *match done.outcome {
                        Outcome::Held => &mut coverage.held,
                        Outcome::Degraded => &mut coverage.degraded,
                        Outcome::Broken => &mut coverage.broken,
                        Outcome::Unclear => &mut coverage.unclear,
                    } += 1;
                }
            }
        }
        coverage
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
        let expected =
            Coverage { places_seen: 2, places_tried: 1, possible: 5, impossible: 1, tried: 3, held: 1, degraded: 1, broken: 1, unclear: 1 };
        assert_eq!(coverage, expected);
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
