//! The course of an exploration: a fault-free run, then run after run with cases, then the cases that
//! others hurt once more, apart from each other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reports::explored::{End, Exploration, Finding, Outcome, Place as ShownPlace, Way as Column};

use super::cases::{Dealt, Window, deal};
use super::findings::{Found, Tried, reduce};
use super::ground::Ground;
use super::judge::{Judged, Sides, command};
use super::matrix::{Matrix, Row, journeys};
use super::observed::Observed;
use super::place::Only;
use super::roots::Roots;
use super::saved::{Saved, SoFar};
use super::wave::{self, Ended};
use super::ways::Way;
use super::{Budget, Explore, ExploreError, Explored, Stages, experiment};
use crate::Asked;
use crate::nearest::there_are;

/// A wave has about so many arrivals of the slowest journey.
const ARRIVALS: f64 = 100.0;
/// The shortest and the longest time in which requests are hurt.
const SPAN: (Duration, Duration) = (Duration::from_secs(8), Duration::from_secs(25));
/// How far apart the cases of a run are at least, so that many arrivals of it are not hurt.
const APART: Duration = Duration::from_millis(200);
/// How far apart the cases are that others may have hurt.
const FAR_APART: Duration = Duration::from_millis(1500);

/// An exploration under way.
struct Exploring<'a> {
    asked: &'a Explore,
    stages: &'a mut dyn Stages,
    ground: Ground,
    roots: Roots,
    /// When the last request may be hurt.
    to: Duration,
    fault_free: Observed,
    matrix: Matrix,
    tried: BTreeMap<usize, Tried>,
    /// How many of them an earlier exploration tried.
    resumed: usize,
    so_far: SoFar,
    notes: Vec<String>,
    told: usize,
    began: Instant,
    signal: Option<Asked>,
    left: Option<String>,
}

pub(super) async fn explore(asked: &Explore, stages: &mut dyn Stages) -> Result<Explored, ExploreError> {
    let plan = &asked.plan;
    if plan.deployed.is_some() || (plan.own.is_none() && plan.systems.is_empty()) {
        return Err(ExploreError::NoStack("`explore` needs a stack on this machine: `[stack] template`, or `systems`"));
    }
    let ground = Ground::of(plan)?;
    known(&asked.only, &ground)?;
    let to = wave::first() + span(&asked.plan);
    let mut exploring = Exploring {
        roots: Roots::of(&wave::plan(plan, &ground, wave::timeline(to), Vec::new())),
        asked,
        stages,
        ground,
        to,
        fault_free: Observed::default(),
        matrix: Matrix::default(),
        tried: BTreeMap::new(),
        resumed: 0,
        so_far: asked.resumed.as_ref().map(|saved| saved.so_far.clone()).unwrap_or_default(),
        notes: Vec::new(),
        told: 0,
        began: Instant::now(),
        signal: None,
        left: None,
    };
    let end = exploring.whole().await?;
    Ok(exploring.hand_over(end))
}

/// Refuses a function that the stack does not have.
fn known(only: &Only, ground: &Ground) -> Result<(), ExploreError> {
    match only {
        Only::Function(name) if ground.function(name).is_none() => {
            let there = there_are(name, ground.names(), "`brownout list functions` lists those of all systems");
            Err(ExploreError::Only(format!("the stack has no function `{name}`; {there}")))
        }
        _ => Ok(()),
    }
}

/// How long requests are hurt, so that even the slowest journey has many arrivals.
fn span(plan: &crate::Plan) -> Duration {
    let rates = plan.load.journeys.iter().map(|journey| journey.rate).chain(plan.load.systems.iter().map(|load| load.rate()));
    let slowest = rates.filter(|rate| *rate > 0.0).fold(f64::INFINITY, f64::min);
    Duration::try_from_secs_f64(ARRIVALS / slowest).unwrap_or(SPAN.1).clamp(SPAN.0, SPAN.1)
}

impl Exploring<'_> {
    async fn whole(&mut self) -> Result<End, ExploreError> {
        self.stages.say("following the traffic without faults");
        let ended = self.run(self.to, &[]).await?;
        self.fault_free = ended.observed;
        if let Some(why) = ended.trouble {
            return Ok(End::NotShown(format!("the fault-free traffic could not be followed: {why}")));
        }
        if self.signal.is_some() {
            return Ok(End::Interrupted);
        }
        if self.fault_free.all_broken().next().is_some() {
            self.so_far.unattributed = self.fault_free.all_broken().cloned().collect();
            return Ok(End::BrokenWithoutFault);
        }
        self.matrix = Matrix::of(&self.fault_free, &self.ground, &self.asked.only);
        if self.matrix.cases.is_empty() {
            return Ok(End::NotShown(self.nothing_to_hurt()));
        }
        let (places, cases) = (self.matrix.rows.len(), self.matrix.cases.len());
        self.stages.say(&format!("{places} places, {cases} cases"));
        self.resume();
        self.try_all().await
    }

    /// Takes over what an earlier exploration has decided.
    fn resume(&mut self) {
        let Some(saved) = &self.asked.resumed else { return };
        let (tried, lost) = saved.tried(&self.matrix.cases);
        self.stages.say(&format!("{} cases were decided before", tried.len()));
        if lost > 0 {
            self.notes
                .push(format!("{lost} cases that were decided before are left out: the traffic did not come to their places this time"));
        }
        self.resumed = tried.len();
        self.tried = tried;
        self.told = self.found().len();
    }

    fn nothing_to_hurt(&self) -> String {
        let followed = self.fault_free.arrivals().count();
        if self.asked.only != Only::All {
            return format!("none of the {followed} fault-free arrivals came to a place that `--only` names");
        }
        format!(
            "{followed} fault-free arrivals were sent and none was followed into a function: explore follows requests over HTTP, \
             and calls of functions that hand on `X-Amzn-Trace-Id` as all AWS SDKs do"
        )
    }

    async fn try_all(&mut self) -> Result<End, ExploreError> {
        let mut open: Vec<usize> = self.matrix.order().into_iter().filter(|index| !self.tried.contains_key(index)).collect();
        let mut are_apart = false;
        loop {
            if let Some(signal) = self.signal.or_else(|| self.stages.asked()) {
                self.signal = Some(signal);
                return Ok(End::Interrupted);
            }
            if open.is_empty() && !are_apart {
                open = self.hurt_by_others();
                are_apart = true;
            }
            if open.is_empty() {
                return Ok(End::Complete);
            }
            let room = self.room();
            if room == 0 {
                return Ok(End::Budget);
            }
            let wanted: Vec<usize> = open.iter().copied().take(room).collect();
            let apart = if are_apart { FAR_APART } else { APART };
            let window = Window { from: wave::first(), to: self.to, apart };
            let dealt = deal(&self.matrix.cases, &wanted, &self.fault_free, window);
            if dealt.is_empty() {
                // No request of the traffic has these places within the time of a wave.
                return Ok(End::Complete);
            }
            if let Some(why) = self.wave(&dealt).await? {
                return Ok(End::NotShown(why));
            }
            open.retain(|index| !dealt.iter().any(|one| one.case == *index));
        }
    }

    /// How many more cases the budget allows.
    fn room(&self) -> usize {
        match self.asked.budget {
            Budget::Cases(most) => (most + self.resumed).saturating_sub(self.tried.len()),
            Budget::Time(most) if self.began.elapsed() >= most => 0,
            Budget::Time(_) => usize::MAX,
        }
    }

    fn hurt_by_others(&self) -> Vec<usize> {
        self.tried.iter().filter(|(_, one)| one.judged == Judged::HurtByAnother).map(|(index, _)| *index).collect()
    }

    /// Runs a wave of these cases and judges each; returns why the exploration cannot go on.
    async fn wave(&mut self, dealt: &[Dealt]) -> Result<Option<String>, ExploreError> {
        self.stages.say(&format!(
            "run {}: {} cases; {} of {} tried",
            self.so_far.waves + 1,
            dealt.len(),
            self.tried.len(),
            self.matrix.cases.len()
        ));
        let last = dealt.iter().map(|one| one.due).max().unwrap_or_default();
        let ended = match self.run(last, dealt).await {
            Ok(ended) => ended,
            Err(error) => return Ok(Some(format!("run {} could not be carried out: {}", self.so_far.waves, crate::chain(&error)))),
        };
        let sides = Sides::new(&self.fault_free, &ended.observed, dealt);
        for one in dealt {
            let Some(case) = self.matrix.cases.get(one.case) else { continue };
            self.tried.insert(
                one.case,
                Tried { judged: sides.judge(case, self.ground.is_called(case.place.spot.function()), one), root: one.root.clone() },
            );
        }
        self.look_around(dealt, &ended.observed);
        self.tell();
        Ok(ended.trouble)
    }

    /// Breaches of requests that no case hurt, and places that only a fault opens.
    fn look_around(&mut self, dealt: &[Dealt], observed: &Observed) {
        self.so_far.unattributed.extend(observed.unattributed.iter().cloned());
        for (arrival, requests) in observed.arrivals() {
            let hurt = dealt.iter().find(|one| one.arrival == arrival);
            if hurt.is_none() {
                self.so_far.unattributed.extend(observed.broken(arrival).iter().cloned());
            }
            let request = hurt.and_then(|one| requests.iter().find(|request| request.root == one.root));
            if let Some((request, tree)) = request.and_then(|request| Some((request, observed.tree(&request.root)?))) {
                let new = tree.spots().into_iter().filter(|spot| !self.matrix.has(request.endpoint, spot));
                self.so_far.new_places.extend(new.map(|spot| format!("{}: {spot}", request.endpoint)));
            }
        }
    }

    /// Runs the traffic with the faults of these cases, the last of which is due at `last`.
    async fn run(&mut self, last: Duration, dealt: &[Dealt]) -> Result<Ended, ExploreError> {
        self.so_far.waves += 1;
        let cases = &self.matrix.cases;
        let faults = dealt.iter().filter_map(|one| Some(cases.get(one.case)?.fault(one.case, &one.root))).collect();
        let plan = wave::plan(&self.asked.plan, &self.ground, wave::timeline(last), faults);
        let stage = self.stages.stage(&plan, self.so_far.waves).map_err(ExploreError::Stage)?;
        let ended = wave::carry_out(&plan, stage, &self.roots).await?;
        self.signal = self.signal.or(ended.asked);
        self.left = self.left.take().or(ended.left.clone());
        for what in ended.discrepancies.iter().take(3) {
            self.so_far.notes.push(format!("run {}: the books do not balance: {what}", self.so_far.waves));
        }
        Ok(ended)
    }

    fn found(&self) -> Vec<Found> {
        reduce(&self.matrix.cases, &self.tried, &self.so_far.unattributed)
    }

    /// Tells of the findings that are new. Their final numbers come at the end.
    fn tell(&mut self) {
        let found = self.found();
        for (index, one) in found.iter().enumerate().skip(self.told) {
            self.stages.found(&one.shown(index + 1, &self.matrix.cases, String::new(), Err(String::new())));
        }
        self.told = self.told.max(found.len());
    }

    fn hand_over(mut self, end: End) -> Explored {
        let plan = &self.asked.plan;
        let (mut findings, experiments) = self.findings();
        self.so_far.took_s += self.began.elapsed().as_secs_f64();
        let saved = Saved::of(plan, &self.matrix.cases, &self.tried, self.so_far.clone(), self.asked.resumed.as_ref());
        self.notes.extend(self.asked.accepted.mark(&mut findings));
        self.explain();
        let rest = match end {
            End::Complete => "no request of the traffic comes there at a time at which it can be hurt",
            End::Budget => "the budget is used up",
            End::Interrupted => "stopped as asked",
            End::BrokenWithoutFault | End::NotShown(_) => "the exploration ended before",
        };
        let found = self.found();
        let number = |index: usize| found.iter().position(|found| found.cases.contains(&index)).map(|at| at + 1);
        let shown = |row: &Row| self.matrix.shown(row, &self.tried, number, rest);
        let exploration = Exploration {
            name: plan.name.clone(),
            seed: plan.seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command: self.asked.command.clone(),
            took_s: self.so_far.took_s,
            end,
            followed: self.fault_free.arrivals().count(),
            waves: self.so_far.waves,
            ways: Way::ALL.map(|way| Column { letter: way.letter(), title: way.title().to_owned(), about: way.about().to_owned() }).into(),
            places: self
                .matrix
                .rows
                .iter()
                .map(|row| ShownPlace { endpoint: row.place.endpoint.clone(), place: row.place.to_string(), cells: shown(row) })
                .collect(),
            findings,
            journeys: journeys(&self.fault_free),
            notes: self.so_far.notes.into_iter().chain(self.notes).collect(),
        };
        Explored { exploration, experiments, saved, asked: self.signal, left: self.left }
    }

    /// The findings, each with the experiment that repeats it.
    fn findings(&self) -> (Vec<Finding>, Vec<(String, String)>) {
        let (mut findings, mut experiments) = (Vec::new(), Vec::new());
        for (found, number) in self.found().into_iter().zip(1..) {
            let case = found.case.and_then(|index| self.matrix.cases.get(index));
            let command = case.map_or_else(|| self.asked.command.clone(), |case| command(&self.asked.command, case));
            let repeated = found.repeatable(&self.matrix.cases);
            let written = repeated.ok_or_else(|| "no single case explains it".to_owned()).and_then(|case| {
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
            findings.push(found.shown(number, &self.matrix.cases, command, experiment));
        }
        (findings, experiments)
    }

    fn explain(&mut self) {
        let as_set = self.asked.plan.setup.compressed;
        let compressed = self.ground.compressed(as_set);
        if compressed != as_set && self.ground.retries() {
            self.notes.push(format!("queues and asynchronous retries waited {} times shorter than at AWS", compressed.queues));
        }
        let unclear = self.tried.values().filter(|one| one.judged.shown().0 == Outcome::Unclear).count();
        if unclear > 0 {
            self.notes.push(format!("{unclear} cases are unclear and count as not tried; the matrix says why"));
        }
        let new_places = &self.so_far.new_places;
        if !new_places.is_empty() {
            let names: Vec<_> = new_places.iter().take(5).cloned().collect();
            self.notes.push(format!(
                "{} places are reached only under a fault and were not hurt: {}{}",
                new_places.len(),
                names.join("; "),
                if new_places.len() > names.len() { "; ..." } else { "" }
            ));
        }
        self.notes.push("pairs of faults were not tried".to_owned());
    }
}
