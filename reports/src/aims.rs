//! Gives each aim one of three answers. Whether the run as a whole can be trusted is decided
//! elsewhere.

use faults::Fault;
use faults::time::Time;

use crate::compare::{Effect, NotComparable, compare};
use crate::counts::Counts;
use crate::expectation::{AimArm, Bound, Expectation};
use crate::intervals::{ONE_SIDE, holm, samples_needed};
use crate::latencies::{LONGEST_US, Latencies, Phase, Tag};
use crate::machine::Machine;
use crate::measurements::{Measurements, PhaseSpan};
use crate::misses::{Found, Miss, Misses};
use crate::report::{Aim, Answer, Recovered, Source, short};
use crate::rolls::{ArmTag, FaultSet};
use crate::tables::{arm_blocks, served, span};
use crate::words::{count, percent, seconds, time};
use crate::{implied, interference, recovery};

/// The fewest struck requests that prove something about an endpoint under fault.
pub const FEWEST_STRUCK: u64 = 10;

/// Judges all aims, those of the experiment and the implied ones. A broken aim must stay broken
/// after the correction for many aims (Holm).
pub fn judge(measured: &Measurements, recoveries: &[Recovered]) -> Vec<Aim> {
    let own = measured.experiment.expectations.iter().map(|one| (one.clone(), Source::Experiment));
    let implied = implied::aims(measured, recoveries).into_iter().map(|one| (one, Source::Implied));
    let mut aims: Vec<Aim> = own.chain(implied).map(|(expectation, source)| one(measured, expectation, source, recoveries)).collect();
    // Recovery has its own correction, over its windows.
    let by_chance = |aim: &Aim| !matches!(aim.expectation.bound, Bound::Recovery(_));
    let adjusted = holm(&aims.iter().filter(|aim| by_chance(aim)).map(|aim| aim.p_broken).collect::<Vec<_>>());
    for (aim, p) in aims.iter_mut().filter(|aim| by_chance(aim)).zip(adjusted) {
        if aim.answer == Answer::Broken && p > ONE_SIDE {
            aim.answer = Answer::NotShown;
            aim.why = "beyond the bound on its own, but not when all aims of the run are counted together".to_owned();
        }
        aim.p_broken = short(p);
    }
    aims
}

/// One aim on one group of requests, with what is needed to judge it.
struct Question<'a> {
    measured: &'a Measurements,
    expectation: Expectation,
    source: Source,
    arm: AimArm,
    errors: FaultSet,
}

/// The result for one aim.
struct Finding {
    found: String,
    interval: String,
    answer: Answer,
    why: String,
    p_broken: f64,
}

impl Finding {
    fn undecided(found: &str, why: String) -> Self {
        Self { found: found.to_owned(), interval: "none".to_owned(), answer: Answer::NotShown, why, p_broken: 1.0 }
    }
}

fn one(measured: &Measurements, expectation: Expectation, source: Source, recoveries: &[Recovered]) -> Aim {
    let errors = implied::errors(&measured.experiment.faults);
    let arm = match expectation.bound {
        Bound::Recovery(_) => AimArm::All,
        Bound::P99Ratio(_) => AimArm::Struck,
        _ => arm_of(&expectation, &measured.experiment.faults, &measured.latencies, measured.judged()),
    };
    let question = Question { measured, expectation, source, arm, errors };
    let (finding, baseline) = match question.expectation.bound {
        Bound::P99Ratio(limit) => (question.ratio(limit), None),
        Bound::Recovery(limit) => (question.recovered(limit, recoveries), None),
        _ => (question.under_fault(), question.in_baseline()),
    };
    let Question { expectation, source, arm, .. } = question;
    let asked = expectation.bound.asked();
    let Finding { found, interval, answer, why, p_broken } = finding;
    Aim { expectation, source, arm, asked, found, interval, answer, why, p_broken, baseline }
}

/// The arm that an aim on time or errors judges. By default it is the struck arm if a roll chose
/// which requests were struck: an aim under fault is not about requests that were left alone.
/// `phase` shows which requests a fault is about.
pub fn arm_of(aim: &Expectation, faults: &[Fault], latencies: &Latencies, phase: Phase) -> AimArm {
    let has_share = || faults.iter().any(|fault| (0.0..1.0).contains(&fault.share.value()));
    let is_chosen = |tag: &Tag| tag.phase == phase && tag.endpoint == aim.of && tag.ended() && tag.arm() != ArmTag::Untouched;
    aim.arm.unwrap_or_else(|| if has_share() && latencies.count(is_chosen) > 0 { AimArm::Struck } else { AimArm::All })
}

/// How many struck requests of the endpoint were recorded in the fault phase; `None` if no fault
/// was about any of them.
fn struck(measured: &Measurements, of: &str) -> Option<u64> {
    let ours = |tag: &Tag| tag.phase == Phase::Fault && tag.endpoint == of && tag.ended();
    let about = measured.latencies.count(|tag| ours(tag) && tag.arm() != ArmTag::Untouched);
    (about > 0).then(|| measured.latencies.count(|tag| ours(tag) && tag.arm() == ArmTag::Treatment))
}

/// How much more time is needed until an interval of this half-width is on one side of a bound at
/// this distance.
fn more_time(span: PhaseSpan, reach: f64, distance: f64) -> String {
    let more = (span.to_s - span.from_s) * ((reach / distance).powi(2) - 1.0);
    if more.is_finite() && more <= 86_400.0 {
        let under_fault = if span.phase == Phase::Fault { " under fault" } else { "" };
        format!("about {} more{under_fault} would decide it", seconds(more.max(1.0).ceil()))
    } else {
        "it lies so close to the bound that no reasonable time would decide it".to_owned()
    }
}

impl Question<'_> {
    fn wants(&self, tag: &Tag, arm: AimArm) -> bool {
        tag.endpoint == self.expectation.of && arm.has(tag, self.errors) && self.expectation.starts.has(tag.cold)
    }

    /// A bound on time or errors, judged on the fault phase.
    fn under_fault(&self) -> Finding {
        let judged = self.measured.judged();
        let Some(finding) = self.share(judged, self.arm) else {
            let phase = self.measured.experiment.kind.phase(judged);
            let whose = if self.arm == AimArm::All { String::new() } else { format!(" in the arm `{}`", self.arm.words()) };
            return Finding::undecided("no request", format!("`{}` had no request{whose} in the {phase} phase", self.expectation.of));
        };
        match struck(self.measured, &self.expectation.of) {
            Some(struck) if struck < FEWEST_STRUCK && finding.answer == Answer::Holds && self.source == Source::Experiment => Finding {
                answer: Answer::NotShown,
                why: format!("only {struck} struck requests of this endpoint were recorded; {FEWEST_STRUCK} are needed"),
                ..finding
            },
            _ => finding,
        }
    }

    /// The same bound on the baseline, in which nothing was struck; `None` if it is judged there anyway.
    fn in_baseline(&self) -> Option<Answer> {
        (self.measured.judged() != Phase::Baseline).then_some(())?;
        self.share(Phase::Baseline, AimArm::All).map(|finding| finding.answer)
    }

    /// The finding about a share of requests; `None` if there are no requests.
    fn share(&self, phase: Phase, arm: AimArm) -> Option<Finding> {
        let (miss, allowed) = self.expectation.bound.allows()?;
        let span = span(&self.measured.phases, phase)?;
        if allowed >= 1.0 {
            return Some(Finding::undecided("not judged", "no request can miss it".to_owned()));
        }
        let misses = Misses::of(&self.measured.latencies, span, miss, |tag| self.wants(tag, arm));
        let Found { interval, clustering } = misses.found()?;
        let total = misses.total();
        let p_late = misses.p_above(allowed);
        let machine = Machine::during(phase, self.measured);
        // Latency counts from the intended time, so lateness of the generator only adds to it: an
        // aim must be broken without that.
        let punctual = |(miss, allowed)| self.punctual(span, miss, arm).p_above(allowed);
        let p_broken = p_late.max(punctual(machine.forgives(miss, allowed)));
        let (answer, why) = if interval.high <= allowed {
            (Answer::Holds, String::new())
        } else if p_broken < ONE_SIDE {
            (Answer::Broken, String::new())
        } else if let Some(excuse) = machine.excuse()
            && punctual((miss.later_by(machine.wait_us), allowed)) < ONE_SIDE
        {
            (Answer::NotShown, excuse)
        } else if p_late < ONE_SIDE {
            (Answer::NotShown, "only with the time that requests waited to be sent or to be served by this machine".to_owned())
        } else {
            (Answer::NotShown, self.lacks(span, &misses, interval.high, interval.low, allowed))
        };
        let found = match self.expectation.bound.quantile() {
            Some(quantile) => self.quantile(&served(&self.measured.latencies, |tag| tag.phase == phase && self.wants(tag, arm)), quantile),
            None => format!("{} ({} of {})", percent(misses.share()), count(misses.missed()), count(total)),
        };
        let missed = if matches!(miss, Miss::Failed) { "" } else { " missed it" };
        let clustered = if clustering > 1.5 {
            format!("; in clusters, as {} requests", count((total as f64 / clustering) as u64))
        } else {
            String::new()
        };
        let shown = format!("{} to {}{missed}{clustered}", percent(interval.low), percent(interval.high));
        Some(Finding { found, interval: shown, answer, why, p_broken })
    }

    /// The misses that the generator's lateness does not explain.
    fn punctual(&self, span: PhaseSpan, miss: Miss, arm: AimArm) -> Misses {
        Misses::of(&self.measured.service_times, span, miss, |tag| self.wants(tag, arm))
    }

    fn quantile(&self, counts: &Counts, quantile: f64) -> String {
        let found = counts.quantile(quantile).unwrap_or(LONGEST_US);
        let found = if found >= LONGEST_US { "no right answer".to_owned() } else { time(found as f64) };
        format!("{found} over {} requests", count(counts.total()))
    }

    fn lacks(&self, span: PhaseSpan, misses: &Misses, high: f64, low: f64, allowed: f64) -> String {
        let needed = samples_needed(1.0 - allowed.clamp(1e-9, 0.5));
        if misses.total() < needed {
            return format!("needs {} more requests", count(needed - misses.total()));
        }
        let share = misses.share();
        let reach = if share > allowed { share - low } else { high - share };
        more_time(span, reach, (share - allowed).abs())
    }

    /// p99 of each fault's own arms; the aim holds if it holds for every fault that is about the
    /// endpoint.
    fn ratio(&self, bound: f64) -> Finding {
        let faults = self.measured.experiment.faults.len().min(FaultSet::MOST);
        let findings: Vec<Finding> = (0..faults).filter_map(|fault| self.ratio_of(fault, bound)).collect();
        let worst = |answer: Answer| match answer {
            Answer::Broken => 0,
            Answer::NotShown => 1,
            Answer::Holds => 2,
        };
        let several = findings.len() as f64;
        findings
            .into_iter()
            .min_by(|a, b| worst(a.answer).cmp(&worst(b.answer)).then(a.p_broken.total_cmp(&b.p_broken)))
            .map(|finding| Finding { p_broken: (finding.p_broken * several).min(1.0), ..finding })
            .unwrap_or_else(|| {
                let why = format!("`{}` had no requests in both arms of a fault in the fault phase", self.expectation.of);
                Finding::undecided("nothing to compare", why)
            })
    }

    fn ratio_of(&self, fault: usize, bound: f64) -> Option<Finding> {
        let arm = |struck| arm_blocks(self.measured, &self.expectation.of, fault, struck);
        let (treatment, control) = (arm(true), arm(false));
        if treatment.is_empty() || control.is_empty() {
            return None;
        }
        let name = self.measured.experiment.faults.get(fault).map_or("", |fault| fault.name.as_str());
        let [_, _, found] = compare(&treatment, &control, self.measured.experiment.seed);
        let effect: Effect = match found {
            Ok(effect) => effect,
            Err(NotComparable::StruckFail) => return self.struck_fail(fault, name),
            Err(missing) => return Some(Finding::undecided("too few to compare", format!("`{name}`: {missing}"))),
        };
        let margin = bound.max(f64::MIN_POSITIVE).ln();
        let (mut answer, mut why) = if effect.high <= margin {
            (Answer::Holds, String::new())
        } else if effect.low > margin {
            (Answer::Broken, String::new())
        } else {
            let span = span(&self.measured.phases, Phase::Fault)?;
            (Answer::NotShown, more_time(span, effect.high - effect.ln_ratio, (effect.ln_ratio - margin).abs()))
        };
        // If the control arm suffers too, every ratio looks small.
        if let (Answer::Holds, Some(reached)) = (answer, interference::of(self.measured, &self.expectation.of)) {
            (answer, why) = (Answer::NotShown, format!("the control arm is no measure: {}", reached.words()));
        }
        let (struck_us, control_us) = (time(effect.treatment_us as f64), time(effect.control_us as f64));
        let found = format!("{:.2} times ({struck_us} against {control_us}) by `{name}`", effect.ln_ratio.exp());
        let interval = format!("{:.2} to {:.2} times", effect.low.exp(), effect.high.exp());
        Some(Finding { found, interval, answer, why, p_broken: effect.p_above(margin) })
    }

    /// If p99 of the struck requests is a failure, no ratio is small enough.
    fn struck_fail(&self, fault: usize, name: &str) -> Option<Finding> {
        let span = span(&self.measured.phases, Phase::Fault)?;
        let is_struck = |tag: &Tag| tag.endpoint == self.expectation.of && tag.rolls.first.has(fault);
        let failed = Misses::of(&self.measured.latencies, span, Miss::Failed, is_struck);
        let found = format!("{} of {} struck by `{name}` failed", count(failed.missed()), count(failed.total()));
        let p_broken = failed.p_above(0.01);
        let answer = if p_broken < ONE_SIDE { Answer::Broken } else { Answer::NotShown };
        let why = if answer == Answer::Broken { String::new() } else { NotComparable::StruckFail.to_string() };
        Some(Finding { found, interval: "none".to_owned(), answer, why, p_broken })
    }

    /// Why its recovery is unknown.
    fn no_recovery(&self) -> String {
        let of = &self.expectation.of;
        if span(&self.measured.phases, Phase::Recovery).is_none() {
            "the run had no recovery phase".to_owned()
        } else if !self.measured.latencies.endpoints().contains(of) {
            format!("`{of}` had no request")
        } else {
            format!("nothing says when `{of}` is well again: it has no aim on time or errors")
        }
    }

    /// Why a recovery that took too long is not broken: what this machine does not explain was over in time.
    fn excused(&self, limit: f64) -> Option<String> {
        let machine = Machine::during(Phase::Recovery, self.measured);
        let excuse = machine.excuse()?;
        let rest = recovery::beside(self.measured, &self.expectation.of, machine)?;
        rest.after_s.is_some_and(|after| after <= limit).then_some(excuse)
    }

    fn recovered(&self, limit: Time, recoveries: &[Recovered]) -> Finding {
        let of = &self.expectation.of;
        let limit = limit.duration().as_secs_f64();
        let Some(recovery) = recoveries.iter().find(|one| one.endpoint == *of) else {
            return Finding::undecided("not measured", self.no_recovery());
        };
        if recovery.windows == 0 {
            return Finding::undecided("too few requests", format!("the recovery had fewer than {} requests to `{of}`", recovery::FEWEST));
        }
        let watched = format!("watched for {}", seconds(recovery.watched_s));
        let finding = |found: String, answer, why, p_broken| Finding { found, interval: watched.clone(), answer, why, p_broken };
        let broken = |found: String| match self.excused(limit) {
            Some(excuse) => finding(found, Answer::NotShown, excuse, 1.0),
            None => finding(found, Answer::Broken, String::new(), 0.0),
        };
        match recovery.after_s {
            Some(after) => {
                let found = if after > 0.0 { format!("after {}", seconds(after)) } else { "at once".to_owned() };
                let kept = recovery.watched_s - after;
                if after > limit {
                    broken(found)
                } else if !recovery.lacks.is_empty() && self.source == Source::Experiment {
                    finding(found, Answer::NotShown, recovery.lacks.clone(), 1.0)
                } else if kept < f64::from(recovery::KEPT_S) {
                    finding(found, Answer::Holds, format!("seen to hold for {} only, as the run then ended", seconds(kept)), 1.0)
                } else {
                    finding(found, Answer::Holds, String::new(), 1.0)
                }
            }
            None if recovery.watched_s >= limit => broken(format!("not within {}", seconds(recovery.watched_s))),
            None => {
                let why = "the recovery phase is shorter than the aim".to_owned();
                Finding::undecided(&format!("not within {}", seconds(recovery.watched_s)), why)
            }
        }
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::expectation::Starts;
    use crate::latencies::Outcome;
    use crate::measurements::Measurements;
    use crate::rolls::Rolls;
    use crate::sample::healthy;

    const OF: &str = "clinic GET /appointment/{id}";

    fn answer(bound: Bound, change: impl FnOnce(&mut Measurements)) -> Aim {
        let mut measured = healthy();
        measured.experiment.expectations.truncate(1);
        measured.experiment.expectations.push(Expectation { of: OF.into(), bound, arm: None, starts: Starts::All });
        change(&mut measured);
        let recoveries: Vec<_> = recovery::of(&measured, OF).into_iter().collect();
        judge(&measured, &recoveries).remove(1)
    }

    /// A clinic that is too slow for this many seconds after the calm at second 45.
    fn slow_after_the_calm(measured: &mut Measurements, seconds: u32) {
        let tag = Tag { endpoint: OF.into(), phase: Phase::Recovery, rolls: Rolls::NONE, cold: false, outcome: Outcome::Answered };
        for second in 45..45 + seconds {
            for _ in 0..10 {
                measured.latencies.record(second, &tag, 3_000_000, false);
            }
        }
    }

    #[test]
    fn recovery_is_the_time_after_the_last_bad_second() {
        let within = |time: &str| Bound::Recovery(time.parse().unwrap());
        assert_eq!(answer(within("10s"), |_| ()).found, "at once");
        let late = answer(within("3s"), |m| slow_after_the_calm(m, 4));
        assert_eq!((late.found.as_str(), late.answer), ("after 4 s", Answer::Broken));
        let soon = answer(within("5s"), |m| slow_after_the_calm(m, 4));
        assert_eq!(soon.answer, Answer::Holds);
        assert!(soon.why.contains("11 s only"), "{}", soon.why);
        assert_eq!(answer(within("5s"), |m| slow_after_the_calm(m, 15)).answer, Answer::Broken);
        assert_eq!(answer(within("1m"), |m| slow_after_the_calm(m, 15)).answer, Answer::NotShown);
    }

    #[test]
    fn a_recovery_that_is_not_measured_has_a_reason() {
        let recovery = || Bound::Recovery("10s".parse().unwrap());
        let let_go = |m: &mut Measurements| {
            m.experiment.any_errors.push(OF.into());
            m.experiment.expectations.retain(|aim| aim.of != OF || aim.bound == recovery());
            m.experiment.expectations.insert(0, Expectation { of: "thermostat shadow".into(), ..m.experiment.expectations[0].clone() });
        };
        let no_phase = |m: &mut Measurements| m.phases.retain(|span| span.phase != Phase::Recovery);
        let no_request = |m: &mut Measurements| m.experiment.expectations[1].of = "nowhere".into();
        for (aim, why) in [
            (answer(recovery(), let_go), "nothing says when `clinic GET /appointment/{id}` is well again"),
            (answer(recovery(), no_phase), "the run had no recovery phase"),
            (answer(recovery(), no_request), "`nowhere` had no request"),
        ] {
            assert!(aim.answer == Answer::NotShown && aim.why.contains(why), "{why}: {aim:?}");
        }
    }

    #[test]
    fn a_bound_within_the_interval_is_not_shown_and_names_the_time_needed() {
        let close = answer(Bound::P50("30ms".parse().unwrap()), |_| ());
        assert_ne!(close.answer, Answer::Holds);
        let errors = answer(Bound::Errors(0.001.try_into().unwrap()), |_| ());
        assert_eq!(errors.answer, Answer::NotShown);
        assert!(errors.why.contains("more requests"), "{}", errors.why);
        let close = answer(Bound::P90("400ms".parse().unwrap()), |_| ());
        assert_eq!(close.answer, Answer::NotShown, "{close:?}");
        assert!(close.why.contains("more under fault"), "{}", close.why);
    }

    #[test]
    fn an_aim_that_no_request_can_miss_never_holds() {
        let all = answer(Bound::Errors(1.0.try_into().unwrap()), |_| ());
        assert_eq!((all.answer, all.why.as_str()), (Answer::NotShown, "no request can miss it"));
        assert_eq!(answer(Bound::Errors(0.99.try_into().unwrap()), |_| ()).answer, Answer::Holds);
    }

    /// A healthy run with at most this many struck requests of the clinic.
    fn few_struck(measured: &mut Measurements, most: u64) {
        for latencies in [&mut measured.latencies, &mut measured.service_times] {
            let (mut fewer, mut struck) = (Latencies::default(), 0);
            latencies.visit(
                |_| true,
                |second, tag, half, pairs| {
                    for us in pairs.iter().flat_map(|(us, n)| (0..*n).map(|_| u64::from(*us))) {
                        let counts = tag.phase == Phase::Fault && tag.endpoint == OF && tag.arm() == ArmTag::Treatment;
                        struck += u64::from(counts);
                        if !counts || struck <= most {
                            fewer.record(second, tag, us, half);
                        }
                    }
                },
            );
            *latencies = fewer;
        }
    }

    #[test]
    fn fewer_than_ten_struck_requests_show_nothing_whichever_arm_is_judged() {
        for arm in [AimArm::All, AimArm::Struck, AimArm::NotStruck] {
            let aim = |most| {
                answer(Bound::P50("1s".parse().unwrap()), |m| {
                    m.experiment.expectations[1].arm = Some(arm);
                    few_struck(m, most);
                })
            };
            let nine = aim(9);
            assert!(nine.answer == Answer::NotShown && nine.why.contains("only 9 struck"), "{arm:?}: {nine:?}");
            assert_eq!(aim(10).answer, Answer::Holds, "{arm:?}");
        }
    }

    #[test]
    fn cold_starts_count_unless_the_aim_is_for_warm_requests() {
        // One of five struck requests finds a new environment and takes three seconds.
        let with_starts = |m: &mut Measurements| {
            let tag = Tag { endpoint: OF.into(), phase: Phase::Fault, rolls: Rolls::one(0, true), cold: true, outcome: Outcome::Answered };
            for second in 15..45 {
                for _ in 0..4 {
                    m.latencies.record(second, &tag, 3_000_000, false);
                    m.service_times.record(second, &tag, 3_000_000, false);
                }
            }
        };
        let p90 = |starts: Starts| {
            answer(Bound::P90("1s".parse().unwrap()), |m| {
                m.experiment.expectations[1].starts = starts;
                with_starts(m);
            })
        };
        assert_eq!((p90(Starts::All).answer, p90(Starts::Warm).answer), (Answer::Broken, Answer::Holds));
        let mut measured = healthy();
        with_starts(&mut measured);
        let rows = crate::tables::endpoints(&measured);
        let cold = |arm| rows.iter().find(|row| row.endpoint == OF && row.phase == Phase::Fault && row.arm == arm).unwrap().cold;
        assert_eq!([ArmTag::Treatment, ArmTag::Control].map(cold), [120, 0]);
    }

    #[test]
    fn a_failure_misses_every_bound_on_time_even_if_errors_are_accepted() {
        let all_fail = |m: &mut Measurements| {
            m.experiment.any_errors.push(OF.into());
            for latencies in [&mut m.latencies, &mut m.service_times] {
                let mut failed = Latencies::default();
                latencies.visit(
                    |_| true,
                    |second, tag, half, pairs| {
                        let outcome = if tag.phase == Phase::Fault { Outcome::Failed } else { tag.outcome };
                        let tag = Tag { outcome, ..tag.clone() };
                        pairs.iter().for_each(|(us, n)| (0..*n).for_each(|_| failed.record(second, &tag, u64::from(*us), half)));
                    },
                );
                *latencies = failed;
            }
        };
        for bound in [Bound::P50, Bound::P90, Bound::P99] {
            let aim = answer(bound("25s".parse().unwrap()), all_fail);
            assert_eq!((aim.answer, aim.found.contains("no right answer")), (Answer::Broken, true), "{aim:?}");
        }
    }

    #[test]
    fn a_ratio_is_judged_on_the_two_arms() {
        assert_eq!(answer(Bound::P99Ratio(2.0), |_| ()).answer, Answer::Broken);
        assert_eq!(answer(Bound::P99Ratio(100.0), |_| ()).answer, Answer::Holds);
    }

    #[test]
    fn an_aim_without_its_endpoint_names_it() {
        let aim = answer(Bound::P99("1s".parse().unwrap()), |m| m.experiment.expectations[1].of = "nowhere".into());
        assert!(aim.answer == Answer::NotShown && aim.why.contains("`nowhere`"), "{}", aim.why);
    }
}
