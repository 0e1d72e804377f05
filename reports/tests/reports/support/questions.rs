//! The questions of the simulation to the real code, and counts of the answers.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use reports::baseline::Baseline;
use reports::implied::Asked;
use reports::machine::Machine;
use reports::measurements::{Measurements, PhaseSpan};
use reports::misses::Misses;
use reports::tables::{effects, span};
use reports::{Answer, Bound, Outcome, Phase, Rolls, Tag, aims, interference, recovery};

use super::runs::{OF, aim, delay, empty, phases, record, tag, us};
use super::worlds::{Moment, World};

/// Seconds a block.
pub const BLOCK_S: u32 = 5;
/// Requests a second and arm: 60 in a block.
const PER_SECOND: u32 = 12;
/// The share of requests that fail in the long run: the slowest ones.
const ERRORS: f64 = 0.02;
/// The quantiles that aims bound, and the quantile after which a request counts as failed.
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 1.0 - ERRORS];
/// The truth of an absolute aim as a multiple of its bound.
pub const TRUTHS: [(&str, f64); 5] =
    [("at the bound", 1.0), ("11 % better", 1.0 / 1.11), ("11 % worse", 1.11), ("twice as good", 0.5), ("twice as bad", 2.0)];
/// The kinds of absolute aim.
pub const KINDS: [&str; 4] = ["p50", "p90", "p99", "errors"];

/// A question to the real code.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Question {
    /// Absolute aims at each of [`TRUTHS`], one at a time, and the intervals under them.
    Aims,
    /// Struck requests take this many times as long as control: is it found?
    Effect(f64),
    /// An aim of a p99 ratio of 2, when this is the true ratio.
    Ratio(f64),
    /// Two faults that do nothing, one about all requests and the other only about the slow half,
    /// or both about all.
    TwoFaults {
        /// Whether both are about all requests.
        about_all: bool,
    },
    /// Recovery within 5 s to aims on p90 and p99.
    Recovery {
        /// Requests a second.
        per_second: u32,
        /// Truth over bound once the system is healthy.
        truth: f64,
        /// For how many seconds of the recovery phase it is not healthy.
        bad_s: u32,
        /// Whether it fails at once during them; else it answers 20 times slower.
        fails: bool,
    },
    /// Control takes this many times as long as in its baseline: is it named?
    Interference(f64),
    /// Aims on p90 and p99 in the baseline, when the truth is this many times the bound: is it
    /// noticed?
    Baseline(f64),
}

/// How often each answer was given.
#[derive(Debug, Default)]
pub struct Tally {
    /// The number of runs.
    pub runs: u64,
    hits: BTreeMap<String, u64>,
}

impl Tally {
    fn count(&mut self, what: String, is: bool) {
        *self.hits.entry(what).or_default() += u64::from(is);
    }

    /// The number of runs with this answer.
    pub fn hits(&self, what: &str) -> u64 {
        *self.hits.get(what).unwrap_or_else(|| panic!("`{what}` was not asked, but {:?}", self.hits.keys()))
    }

    /// The share of runs with this answer.
    pub fn share(&self, what: &str) -> f64 {
        self.hits(what) as f64 / self.runs as f64
    }
}

/// Asks in this many runs of this many blocks; the same seed gives the same runs.
pub fn ask(question: Question, world: World, blocks: u32, runs: u64, seed: u64) -> Tally {
    let mut tally = Tally { runs, ..Tally::default() };
    let seconds = blocks * BLOCK_S;
    let quantiles = QUANTILES.map(|quantile| world.quantile(quantile, seconds));
    for run in 0..runs {
        let mut random = Pcg64Mcg::seed_from_u64((seed << 32) + run);
        let mut one = Run { world, seconds, quantiles, random: &mut random, tally: &mut tally };
        match question {
            Question::Aims => one.aims(),
            Question::Effect(times) => one.effect(times),
            Question::Ratio(ratio) => one.ratio(ratio),
            Question::TwoFaults { about_all } => one.two_faults(about_all),
            Question::Recovery { per_second, truth, bad_s, fails } => one.recovery(per_second, truth, bad_s, fails),
            Question::Interference(times) => one.interference(times),
            Question::Baseline(truth) => one.baseline(truth),
        }
    }
    tally
}

struct Run<'a> {
    world: World,
    seconds: u32,
    /// The true quantiles, at [`QUANTILES`].
    quantiles: [f64; 4],
    random: &'a mut Pcg64Mcg,
    tally: &'a mut Tally,
}

/// An absolute aim and its truth.
struct Absolute {
    kind: &'static str,
    endpoint: &'static str,
    bound: Bound,
    /// The share of misses in the long run.
    long_run: f64,
    /// The share of misses in the seconds of this run.
    here: f64,
}

const WITH_ERRORS: &str = "clinic POST /appointment";

impl Run<'_> {
    fn aims(&mut self) {
        let moments = self.world.moments(self.seconds, self.random);
        let [.., timeout] = self.quantiles;
        let mut measured = empty(phases(&[(Phase::Fault, self.seconds)]), vec![], vec![]);
        measured.experiment.any_errors = vec![OF.into(), WITH_ERRORS.into()];
        let answered = tag(Phase::Fault, Rolls::NONE);
        for (second, moment) in (0..).zip(&moments) {
            for _ in 0..PER_SECOND {
                record(&mut measured, second, &answered, self.world.latency(*moment, self.random), false);
                let us = self.world.latency(*moment, self.random);
                let outcome = if us > timeout { Outcome::Failed } else { Outcome::Answered };
                let tag = Tag { endpoint: WITH_ERRORS.into(), outcome, ..answered.clone() };
                record(&mut measured, second, &tag, us, false);
            }
        }
        for latencies in [&mut measured.latencies, &mut measured.service_times] {
            latencies.close_before(u32::MAX);
        }
        for (truth, factor) in TRUTHS {
            for kind in KINDS {
                let one = self.absolute(kind, factor, &moments, timeout);
                self.judge(&mut measured, &one, truth);
                if factor == 1.0 {
                    self.cover(&measured, &one);
                }
            }
        }
    }

    fn absolute(&self, kind: &'static str, factor: f64, moments: &[Moment], timeout: f64) -> Absolute {
        let [p50, p90, p99, _] = self.quantiles.map(|quantile| quantile / factor);
        let (allowed, limit, bound) = match kind {
            "p50" => (0.5, p50, Bound::P50(us(p50))),
            "p90" => (0.1, p90, Bound::P90(us(p90))),
            "p99" => (0.01, p99, Bound::P99(us(p99))),
            _ => {
                let bound = Bound::Errors((ERRORS / factor).try_into().unwrap());
                return Absolute { kind, endpoint: WITH_ERRORS, bound, long_run: ERRORS, here: self.world.above_in(moments, timeout) };
            }
        };
        // Used only at the bound, where it is this.
        Absolute { kind, endpoint: OF, bound, long_run: allowed, here: self.world.above_in(moments, limit) }
    }

    fn judge(&mut self, measured: &mut Measurements, one: &Absolute, truth: &str) {
        measured.experiment.expectations = vec![reports::Expectation { of: one.endpoint.into(), ..aim(one.bound) }];
        let answer = aims::judge(measured, &[]).remove(0).answer;
        let allowed = one.bound.allows().unwrap().1;
        let kind = one.kind;
        let mut count = |what: &str, is: bool| self.tally.count(format!("{kind} {truth}: {what}"), is);
        count("holds", answer == Answer::Holds);
        count("broken", answer == Answer::Broken);
        // If requests share nothing, the two are equal except for the last digits.
        let limit = allowed * 1.01;
        count("holds, but not here", answer == Answer::Holds && one.here > limit);
        count("broken, but not here", answer == Answer::Broken && one.here <= limit);
    }

    fn cover(&mut self, measured: &Measurements, one: &Absolute) {
        let span = span(&measured.phases, Phase::Fault).unwrap();
        let (miss, _) = one.bound.allows().unwrap();
        let found = Misses::of(&measured.latencies, span, miss, |tag| tag.endpoint == one.endpoint).found().unwrap();
        let covers = |share: f64| (found.interval.low..=found.interval.high).contains(&share);
        self.tally.count(format!("{} covers the long run", one.kind), covers(one.long_run));
        self.tally.count(format!("{} covers these seconds", one.kind), covers(one.here));
    }

    /// One fault whose rolls divide the requests of a fault phase; struck requests take `times` as
    /// long.
    fn two_arms(&mut self, times: f64) -> Measurements {
        let mut measured = empty(phases(&[(Phase::Fault, self.seconds)]), vec![delay("slow")], vec![]);
        measured.experiment.seed = self.random.random();
        let moments = self.world.moments(self.seconds, self.random);
        let tags = [false, true].map(|struck| tag(Phase::Fault, Rolls::one(0, struck)));
        for (second, moment) in (0..).zip(&moments) {
            for _ in 0..2 * PER_SECOND {
                let struck: bool = self.random.random();
                let us = self.world.latency(*moment, self.random) * if struck { times } else { 1.0 };
                record(&mut measured, second, &tags[usize::from(struck)], us, self.random.random());
            }
        }
        measured
    }

    fn effect(&mut self, times: f64) {
        let measured = self.two_arms(times);
        let rows = effects(&measured);
        for row in &rows {
            let alarm = row.effect.is_some_and(|effect| effect.interval.low > 1.0 || effect.interval.high < 1.0);
            self.tally.count(format!("{} alone", row.quantile), alarm);
            self.tally.count(format!("{} after Holm", row.quantile), row.effect.is_some_and(|effect| effect.differs));
            let covers = row.effect.is_none_or(|effect| (effect.interval.low..=effect.interval.high).contains(&times));
            self.tally.count(format!("{} covers", row.quantile), covers);
        }
        self.tally.count("any".into(), rows.iter().any(|row| row.effect.is_some_and(|effect| effect.differs)));
    }

    fn ratio(&mut self, ratio: f64) {
        let mut measured = self.two_arms(ratio);
        measured.experiment.any_errors = vec![OF.into()];
        measured.experiment.expectations = vec![aim(Bound::P99Ratio(2.0))];
        let answer = aims::judge(&measured, &[]).remove(0).answer;
        self.tally.count("holds".into(), answer == Answer::Holds);
        self.tally.count("broken".into(), answer == Answer::Broken);
    }

    fn two_faults(&mut self, about_all: bool) {
        let mut measured = empty(phases(&[(Phase::Fault, self.seconds)]), vec![delay("first"), delay("second")], vec![]);
        measured.experiment.seed = self.random.random();
        let moments = self.world.moments(self.seconds, self.random);
        for (second, moment) in (0..).zip(&moments) {
            for _ in 0..2 * PER_SECOND {
                let slow: bool = self.random.random();
                let mut rolls = Rolls::NONE;
                for fault in (0..2).filter(|fault| *fault == 0 || about_all || slow) {
                    rolls.about.insert(fault);
                    if self.random.random() {
                        rolls.struck.insert(fault);
                        rolls.first.insert(fault);
                    }
                }
                let us = self.world.latency(*moment, self.random) * if slow { 3.0 } else { 1.0 };
                record(&mut measured, second, &tag(Phase::Fault, rolls), us, false);
            }
        }
        let rows = effects(&measured);
        assert!(rows.iter().filter(|row| row.effect.is_some()).count() >= 4 || self.seconds < 40, "nothing was compared");
        self.tally.count("any".into(), rows.iter().any(|row| row.effect.is_some_and(|effect| effect.differs)));
    }

    fn recovery(&mut self, per_second: u32, truth: f64, bad_s: u32, fails: bool) {
        let [_, p90, p99, _] = self.quantiles.map(|quantile| us(quantile / truth));
        let wanted = [Bound::P90(p90), Bound::P99(p99), Bound::Recovery("5s".parse().unwrap())].map(aim);
        let mut measured = empty(phases(&[(Phase::Recovery, self.seconds)]), vec![], wanted.into());
        let moments = self.world.moments(self.seconds, self.random);
        let tag = tag(Phase::Recovery, Rolls::NONE);
        let failed = Tag { outcome: Outcome::Failed, ..tag.clone() };
        for (second, moment) in (0..).zip(&moments) {
            let is_bad = second < bad_s;
            let (tag, times) = if is_bad && fails { (&failed, 0.05) } else { (&tag, if is_bad { 20.0 } else { 1.0 }) };
            for _ in 0..per_second {
                let us = self.world.latency(*moment, self.random) * times;
                record(&mut measured, second, tag, us, false);
            }
        }
        let recoveries: Vec<_> = recovery::of(&measured, OF).into_iter().collect();
        let aim = aims::judge(&measured, &recoveries).remove(2);
        self.tally.count("holds".into(), aim.answer == Answer::Holds);
        self.tally.count("broken".into(), aim.answer == Answer::Broken);
    }

    fn interference(&mut self, times: f64) {
        let lengths = [(Phase::Baseline, self.seconds), (Phase::Fault, self.seconds)];
        let mut measured = empty(phases(&lengths), vec![delay("slow")], vec![]);
        let moments = self.world.moments(2 * self.seconds, self.random);
        for (second, moment) in (0..).zip(&moments) {
            let (phase, per_second, times) =
                if second < self.seconds { (Phase::Baseline, 2 * PER_SECOND, 1.0) } else { (Phase::Fault, PER_SECOND, times) };
            for _ in 0..per_second {
                let us = self.world.latency(*moment, self.random) * times;
                measured.latencies.record(second, &tag(phase, Rolls::one(0, false)), us as u64, false);
            }
        }
        self.tally.count("named".into(), interference::of(&measured, OF).is_some());
    }

    fn baseline(&mut self, truth: f64) {
        let [_, p90, p99, _] = self.quantiles.map(|quantile| us(quantile / truth));
        let wanted = [Bound::P90(p90), Bound::P99(p99)].map(aim);
        let mut measured = empty(phases(&[(Phase::Baseline, self.seconds)]), vec![], vec![]);
        let moments = self.world.moments(self.seconds, self.random);
        let tag = tag(Phase::Baseline, Rolls::NONE);
        for (second, moment) in (0..).zip(&moments) {
            for _ in 0..PER_SECOND {
                record(&mut measured, second, &tag, self.world.latency(*moment, self.random), false);
            }
        }
        let beyond = |limit: faults::time::Time| self.world.above_in(&moments, limit.duration().as_secs_f64() * 1e6);
        let is_well_here = beyond(p90) <= 0.1 && beyond(p99) <= 0.01;
        let is_noticed = !problems(&measured, &wanted).is_empty();
        self.tally.count("noticed".into(), is_noticed);
        self.tally.count("noticed, but not here".into(), is_noticed && is_well_here);
    }
}

fn problems(measured: &Measurements, expectations: &[reports::Expectation]) -> Vec<String> {
    let asked = Asked { expectations, ..Asked::of(measured) };
    let span: PhaseSpan = span(&measured.phases, Phase::Baseline).unwrap();
    Baseline { asked, service_times: &measured.service_times, span, machine: Machine::default() }.problems().missed
}
