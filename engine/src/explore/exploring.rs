//! The course of an exploration: a fault-free run, then run after run with single faults, then the cases
//! that others hurt once more, apart from each other; then the same with pairs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reports::explored::End;

use super::cases::{Dealt, Window, deal};
use super::findings::{Found, Tried, reduce};
use super::ground::Ground;
use super::handed_over::Known;
use super::judge::{Judged, Sides};
use super::matrix::{Matrix, site};
use super::observed::Observed;
use super::pairs;
use super::path::Path;
use super::place::Only;
use super::roots::Roots;
use super::saved::{Saved, SoFar};
use super::wave::{self, Ended, LONGEST_JOURNEY};
use super::{Budget, Explore, ExploreError, Explored, Stages};
use crate::Asked;
use crate::nearest::there_are;

/// A wave has about so many arrivals of the slowest journey.
const ARRIVALS: f64 = 100.0;
/// The shortest and the longest time in which requests are hurt.
const SPAN: (Duration, Duration) = (Duration::from_secs(8), Duration::from_secs(25));
/// One of so many arrivals of a run is hurt at most, so that many are not; where there are few, cases are so far apart.
const ONE_OF: f64 = 2.0;
const APART: Duration = Duration::from_millis(200);
/// How far apart the cases are that others may have hurt.
const FAR_APART: Duration = Duration::from_millis(1500);

/// An exploration under way.
struct Exploring<'a> {
    asked: &'a Explore,
    stages: &'a mut dyn Stages,
    ground: Ground,
    roots: Roots,
    /// When the last arrival that is hurt begins.
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
        roots: Roots::of(&wave::plan(plan, &ground, wave::timeline(to + LONGEST_JOURNEY), Vec::new())),
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

/// How far apart cases are, for this many arrivals a second.
fn apart(arrivals: f64) -> Duration {
    Duration::try_from_secs_f64(ONE_OF / arrivals).unwrap_or(APART).min(APART)
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
        self.resume(0);
        let end = self.try_all(self.matrix.order()).await?;
        pairs::add(&mut self.matrix, &self.tried, |place| site(&self.fault_free, &self.ground, place));
        let pairs = self.matrix.pairs();
        self.resume(pairs.start);
        if end != End::Complete || pairs.is_empty() {
            return Ok(end);
        }
        self.stages.say(&format!("{} pairs of faults", pairs.len()));
        let open = pairs.filter(|index| !self.tried.contains_key(index)).take(self.asked.pairs.most());
        self.try_all(open.collect()).await
    }

    /// Takes over what an earlier exploration has decided of the cases from this index on.
    fn resume(&mut self, from: usize) {
        let Some(saved) = &self.asked.resumed else { return };
        let (tried, lost) = saved.tried(&self.matrix.cases, from);
        let what = if from == 0 { "cases" } else { "pairs" };
        self.stages.say(&format!("{} {what} were decided before", tried.len()));
        if lost > 0 {
            self.notes
                .push(format!("{lost} {what} that were decided before are left out: the traffic did not come to their places this time"));
        }
        self.resumed += tried.len();
        self.tried.extend(tried);
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

    /// Tries these cases in their order, and then those of them that others hurt.
    async fn try_all(&mut self, these: Vec<usize>) -> Result<End, ExploreError> {
        let mut open: Vec<usize> = these.iter().copied().filter(|index| !self.tried.contains_key(index)).collect();
        let mut are_apart = false;
        loop {
            if let Some(signal) = self.signal.or_else(|| self.stages.asked()) {
                self.signal = Some(signal);
                return Ok(End::Interrupted);
            }
            if open.is_empty() && !are_apart {
                open = these.iter().copied().filter(|index| self.is_hurt_by_another(*index)).collect();
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
            let apart = if are_apart { FAR_APART } else { apart(self.asked.plan.load.arrivals()) };
            // What comes late in a journey is hurt too.
            let window = Window { from: wave::first(), begin: self.to, to: self.to + LONGEST_JOURNEY, apart };
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

    fn is_hurt_by_another(&self, case: usize) -> bool {
        self.tried.get(&case).is_some_and(|one| one.judged == Judged::HurtByAnother)
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
            let judged = sides.judge(case, self.ground.is_called(case.first.place.spot.function()), one);
            let is_known = |spot: &_| self.matrix.has(&case.first.place.endpoint, spot);
            let path = Path::of(self.fault_free.tree(&one.root), ended.observed.tree(&one.root), is_known);
            self.tried.insert(one.case, Tried { judged, root: one.root.clone(), path });
        }
        self.look_around(dealt, &ended.observed);
        self.tell();
        Ok(ended.trouble)
    }

    /// Breaches of requests that no case hurt.
    fn look_around(&mut self, dealt: &[Dealt], observed: &Observed) {
        self.so_far.unattributed.extend(observed.unattributed.iter().cloned());
        for (arrival, _) in observed.arrivals() {
            if !dealt.iter().any(|one| one.arrival == arrival) {
                self.so_far.unattributed.extend(observed.broken(arrival).iter().cloned());
            }
        }
    }

    /// Runs the traffic with the faults of these cases, the last of which is due at `last`.
    async fn run(&mut self, last: Duration, dealt: &[Dealt]) -> Result<Ended, ExploreError> {
        self.so_far.waves += 1;
        let cases = &self.matrix.cases;
        let faults = dealt.iter().filter_map(|one| Some(cases.get(one.case)?.faults(one.case, &one.root))).flatten().collect();
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
        self.so_far.took_s += self.began.elapsed().as_secs_f64();
        let Self { asked, ground, fault_free, matrix, tried, so_far, notes, .. } = &self;
        let known = Known { asked, ground, fault_free, matrix, tried, found: &self.found(), so_far, notes };
        let (exploration, experiments) = known.hand_over(end);
        let saved = Saved::of(&asked.plan, &matrix.cases, tried, so_far.clone(), asked.resumed.as_ref());
        Explored { exploration, experiments, saved, asked: self.signal, left: self.left }
    }
}
