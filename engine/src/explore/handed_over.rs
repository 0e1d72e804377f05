//! What an exploration hands over once it ends: matrix, pairs, findings with their experiments, and
//! what the reader should know. It decides nothing.

use std::collections::BTreeMap;

use reports::explored::{
    End, Exploration, Finding, Injection as ShownInjection, Outcome, Pair, Pairs as ShownPairs, Place as ShownPlace, Way as Column,
};

use super::cases::{Case, Injection};
use super::findings::{Found, Tried, done};
use super::ground::Ground;
use super::judge::command;
use super::matrix::{Matrix, Row, journeys};
use super::observed::Observed;
use super::pairs::Pairs;
use super::saved::SoFar;
use super::ways::Way;
use super::{Explore, experiment};

/// What is known when an exploration ends.
pub struct Known<'a> {
    /// What was asked.
    pub asked: &'a Explore,
    /// The stack.
    pub ground: &'a Ground,
    /// The traffic without faults.
    pub fault_free: &'a Observed,
    /// The places and the cases.
    pub matrix: &'a Matrix,
    /// What came of the cases.
    pub tried: &'a BTreeMap<usize, Tried>,
    /// What was found.
    pub found: &'a [Found],
    /// What it has shown besides.
    pub so_far: &'a SoFar,
    /// What the reader should know already.
    pub notes: &'a [String],
}

impl Known<'_> {
    /// The exploration, and the experiments that repeat its findings.
    pub fn hand_over(&self, end: End) -> (Exploration, Vec<(String, String)>) {
        let (mut findings, experiments) = self.findings();
        let unused = self.asked.accepted.mark(&mut findings);
        let notes = self.so_far.notes.iter().chain(self.notes).cloned().chain(unused).chain(self.explain(&end));
        let exploration = Exploration {
            name: self.asked.plan.name.clone(),
            seed: self.asked.plan.seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command: self.asked.command.clone(),
            took_s: self.so_far.took_s,
            followed: self.fault_free.arrivals().count(),
            waves: self.so_far.waves,
            ways: Way::ALL.map(|way| Column { letter: way.letter(), title: way.title().to_owned(), about: way.about().to_owned() }).into(),
            places: self.matrix.rows.iter().map(|row| self.place(row, &end)).collect(),
            pairs: ShownPairs { possible: self.matrix.pairs().len(), done: self.pairs() },
            findings,
            journeys: journeys(self.fault_free),
            notes: notes.collect(),
            end,
        };
        (exploration, experiments)
    }

    /// The number of the finding that a case belongs to.
    fn finding(&self, case: usize) -> Option<usize> {
        self.found.iter().position(|found| found.cases.contains(&case)).map(|at| at + 1)
    }

    fn place(&self, row: &Row, end: &End) -> ShownPlace {
        let rest = match end {
            End::Budget => "the budget is used up",
            End::Interrupted => "stopped as asked",
            End::BrokenWithoutFault | End::NotShown(_) => "the exploration ended before",
            End::Complete if row.under.is_some() && self.asked.pairs != Pairs::Rest => "`--pairs` leaves it out",
            End::Complete => "no request of the traffic comes there at a time at which it can be hurt",
        };
        let under = row.under.and_then(|case| self.matrix.cases.get(case));
        ShownPlace {
            endpoint: row.place.endpoint.clone(),
            place: row.place.to_string(),
            under: under.map(|case| shown(&case.first)),
            cells: self.matrix.shown(row, self.tried, |case| self.finding(case), rest),
        }
    }

    fn pairs(&self) -> Vec<Pair> {
        let pair = |(index, one): (&usize, &Tried)| {
            let Case { first, second } = self.matrix.cases.get(*index)?;
            let second = second.as_ref()?;
            let done = done(one, self.finding(*index));
            Some(Pair { first: shown(first), second: shown(&second.injection), why: second.why, done })
        };
        self.tried.iter().filter_map(pair).collect()
    }

    /// The findings, each with the experiment that repeats it.
    fn findings(&self) -> (Vec<Finding>, Vec<(String, String)>) {
        let cases = &self.matrix.cases;
        let (mut findings, mut experiments) = (Vec::new(), Vec::new());
        for (found, number) in self.found.iter().zip(1..) {
            let case = found.case.and_then(|index| cases.get(index));
            let command = case.map_or_else(|| self.asked.command.clone(), |case| command(&self.asked.command, case));
            let repeated = found.repeatable(cases);
            let written = repeated.ok_or_else(|| "no case explains it".to_owned()).and_then(|case| {
                let Explore { plan, folder, .. } = self.asked;
                let text = experiment::write(&plan.text, folder, plan.seed, case, &found.broken.rule)?;
                let checked = crate::check_in(folder, &plan.name, &text);
                let complaint = |wrong: Vec<crate::file::Wrong>| wrong.into_iter().next().map(|wrong| wrong.what).unwrap_or_default();
                checked.map(|_| text).map_err(|wrong| format!("`run` cannot carry it out: {}", complaint(wrong)))
            });
            let file = format!("explore/{number}.toml");
            let experiment = written.map(|text| {
                experiments.push((file.clone(), text));
                file
            });
            findings.push(found.shown(number, cases, command, experiment));
        }
        (findings, experiments)
    }

    fn explain(&self, end: &End) -> Vec<String> {
        let mut notes = Vec::new();
        let as_set = self.asked.plan.setup.compressed;
        let compressed = self.ground.compressed(as_set);
        if compressed != as_set && self.ground.retries() {
            notes.push(format!("queues and asynchronous retries waited {} times shorter than at AWS", compressed.queues));
        }
        let unclear = self.tried.values().filter(|one| one.judged.shown().0 == Outcome::Unclear).count();
        if unclear > 0 {
            notes.push(format!("{unclear} cases are unclear and count as not tried; the report says why"));
        }
        let pairs = self.matrix.pairs();
        let left = pairs.clone().filter(|index| !self.tried.contains_key(index)).count();
        let why = match (self.asked.pairs, end) {
            (Pairs::AtMost(_), End::Complete) => "`--pairs` leaves them out",
            (_, End::Complete) => "no request of the traffic comes to both of their places at a time at which it can be hurt",
            (_, End::Budget) => "the budget is used up, and pairs come after all single faults",
            (_, End::Interrupted | End::BrokenWithoutFault | End::NotShown(_)) => "the exploration ended before",
        };
        if left > 0 {
            notes.push(format!("{left} of {} pairs of faults were not tried: {why}", pairs.len()));
        }
        notes
    }
}

fn shown(injection: &Injection) -> ShownInjection {
    ShownInjection { place: injection.place.to_string(), way: injection.way.title().to_owned() }
}
