//! All that was measured becomes one verdict, one sentence and the reasons for it. It must never be green when nothing was proven.

use serde::{Deserialize, Serialize};

use crate::aims;
use crate::distributions::binomial_band;
use crate::measurements::{Books, End, Generator, Injections, Invariant, Platform, Restored};
use crate::report::{Aim, Answer, InjectionRow, MethodCheck, Recovered, Report, VERSION, short};
use crate::tables::{effects, endpoints, method_check};
use crate::words::{count, percent, time};
use crate::{Bound, Dispositions, Measurements, deployments, recovery};

/// What a run shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every aim and invariant held, and the faults were proven to have struck.
    Held,
    /// Not carried out.
    CouldNotRun,
    /// An aim or an invariant is broken.
    Broken,
    /// Neither held nor broken.
    NotShown,
    /// A stop condition fired.
    Stopped,
    /// Something is still attached.
    NotRestored,
}

impl Verdict {
    /// The process's exit code.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::CouldNotRun => 2,
            Self::Broken => 3,
            Self::NotShown => 4,
            Self::Stopped => 5,
            Self::NotRestored => 6,
        }
    }

    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::CouldNotRun => "could-not-run",
            Self::Broken => "broken",
            Self::NotShown => "not-shown",
            Self::Stopped => "stopped",
            Self::NotRestored => "not-restored",
        }
    }
}

/// Judges a run.
pub fn judge(measured: &Measurements) -> Report {
    let mut named: Vec<&str> = measured.experiment.expectations.iter().map(|e| e.of.as_str()).collect();
    named.sort_unstable();
    named.dedup();
    let recoveries: Vec<Recovered> = named.into_iter().filter_map(|endpoint| recovery::of(measured, endpoint)).collect();
    let mut generator = measured.generator.clone();
    for value in [&mut generator.intended_per_s, &mut generator.achieved_per_s, &mut generator.cpu] {
        *value = short(*value);
    }
    let mut discrepancies = measured.discrepancies.clone();
    discrepancies.extend(imbalance(measured.books));
    discrepancies.extend(measured.dispositions.iter().filter_map(Dispositions::imbalance));
    let mut report = Report {
        version: VERSION,
        verdict: Verdict::NotShown,
        exit_code: 0,
        sentence: String::new(),
        reasons: Vec::new(),
        struck: measured.injections.iter().map(|row| row.struck).sum(),
        planned: measured.injections.iter().map(|row| row.planned).sum(),
        sent: measured.books.sent,
        experiment: measured.experiment.clone(),
        phases: measured.phases.clone(),
        started_unix_ms: measured.started_unix_ms,
        aims: aims::judge(measured, &recoveries),
        invariants: measured.invariants.clone(),
        endpoints: endpoints(&measured.latencies),
        effects: effects(measured),
        method: method_check(measured),
        recoveries,
        books: measured.books,
        dispositions: measured.dispositions.clone(),
        deployments: deployments::compare(measured),
        discrepancies,
        injections: injections(measured),
        generator_trouble: generator_trouble(measured, &generator),
        generator,
        platform: measured.platform.clone(),
        platform_trouble: platform_trouble(&measured.platform),
        end: measured.end.clone(),
        restored: measured.restored.clone(),
        notes: measured.notes.clone(),
    };
    let (verdict, sentence, reasons) = decide(&report);
    report.verdict = verdict;
    report.exit_code = verdict.exit_code();
    report.sentence = sentence;
    report.reasons = reasons;
    report
}

fn imbalance(books: Books) -> Option<String> {
    let ended = books.answered + books.failed + books.timed_out + books.cancelled;
    (ended != books.sent).then(|| format!("{} requests were sent, but {} came to an end", count(books.sent), count(ended)))
}

fn injections(measured: &Measurements) -> Vec<InjectionRow> {
    let row = |fault: &faults::Fault| {
        let books = measured.injections.iter().find(|row| row.fault == fault.name).cloned().unwrap_or_else(|| Injections::none_of(fault));
        let share = fault.share.value();
        InjectionRow { band: band(fault, books.eligible), share, books }
    };
    measured.experiment.faults.iter().map(row).collect()
}

/// The central 99.9 % of what may be struck of `eligible`. Of bursts each is one throw: their number has the band, and the last one may be cut short.
fn band(fault: &faults::Fault, eligible: u64) -> (u64, u64) {
    let burst = if let faults::Kind::Throttle(burst) = &fault.kind { u64::from(burst.burst.max(1)) } else { 1 };
    let (low, high) = binomial_band(eligible / burst, fault.share.value());
    ((low * burst).saturating_sub(burst - 1), (high * burst + burst - 1).min(eligible))
}

fn generator_trouble(measured: &Measurements, generator: &Generator) -> Option<String> {
    if generator.achieved_per_s < 0.99 * generator.intended_per_s {
        return Some(format!("it sent {:.1} requests a second of {:.1} intended", generator.achieved_per_s, generator.intended_per_s));
    }
    let lag_us = generator.lag_p99.as_secs_f64() * 1e6;
    let median_us = measured.latencies.counts(|_, _, _| true).quantile(0.5).unwrap_or(0) as f64;
    (lag_us > 5_000.0 && lag_us > 0.1 * median_us)
        .then(|| format!("its requests left {} late at p99, where the median answer took {}", time(lag_us), time(median_us)))
}

fn platform_trouble(platform: &Platform) -> Option<String> {
    let wait_us = platform.queue_p99.as_secs_f64() * 1e6;
    (platform.queued > 0 && wait_us > 5_000.0 && platform.queued * 100 > platform.invocations).then(|| {
        format!(
            "{} of {} invocations waited for an environment, {} at p99",
            count(platform.queued),
            count(platform.invocations),
            time(wait_us)
        )
    })
}

type Decided = (Verdict, String, Vec<String>);

fn decide(report: &Report) -> Decided {
    if let Restored::No { left, command } = &report.restored {
        let sentence = format!("Not everything was put back: {} left. Run `{command}` to undo it.", left.join(", "));
        return (Verdict::NotRestored, sentence, left.iter().map(|one| format!("still there: {one}")).collect());
    }
    let broken = broken(report);
    let doubts = doubts(report);
    let both = || broken.iter().chain(&doubts).cloned().collect::<Vec<_>>();
    match &report.end {
        End::Failed(why) => return (Verdict::CouldNotRun, format!("The experiment could not be carried out: {why}."), vec![why.clone()]),
        End::Stopped(why) => {
            let reasons = std::iter::once(why.clone()).chain(broken).collect();
            return (Verdict::Stopped, format!("The run was stopped early and the faults were ended at once: {why}."), reasons);
        }
        End::Finished | End::BrokenBaseline | End::Interrupted => {}
    }
    if let Some(first) = report.discrepancies.first() {
        let sentence =
            format!("Nothing can be concluded, because the harness's own books do not balance: {first}. This is a fault of the harness.");
        return (Verdict::NotShown, sentence, report.discrepancies.iter().cloned().chain(both()).collect());
    }
    if report.end == End::BrokenBaseline {
        return baseline(report, broken);
    }
    if let Some(first) = broken.first() {
        let more = if broken.len() > 1 { format!(" ({} more below)", broken.len() - 1) } else { String::new() };
        return (Verdict::Broken, format!("The system broke: {first}{more}."), both());
    }
    if report.end == End::Interrupted {
        let why = "the run was interrupted before its end".to_owned();
        return (Verdict::NotShown, "Nothing can be concluded: the run was interrupted before its end.".to_owned(), vec![why]);
    }
    if let Some(first) = doubts.first() {
        return (Verdict::NotShown, format!("Neither held nor broken was shown: {first}."), doubts);
    }
    (Verdict::Held, held(report), Vec::new())
}

fn held(report: &Report) -> String {
    if report.experiment.faults.is_empty() {
        return "Every aim and invariant held. No fault was planned, so this says nothing about behaviour under fault.".to_owned();
    }
    let what = if report.aims.is_empty() { "No aim was set; every invariant" } else { "Every aim and invariant" };
    format!("{what} held while the faults struck {} times.", count(report.struck))
}

fn baseline(report: &Report, broken: Vec<String>) -> Decided {
    let rule = report.invariants.iter().find(|one| one.broken_in_baseline > 0);
    match (rule, &report.generator_trouble) {
        (Some(rule), _) => {
            let sentence = format!(
                "The system is broken without any fault: `{}` failed in the baseline ({}), so nothing was struck.",
                rule.id, rule.rule
            );
            (Verdict::Broken, sentence, broken)
        }
        (None, Some(why)) => {
            let sentence = format!("Nothing can be concluded: the baseline missed its aims, but the load generator was saturated ({why}).");
            (Verdict::NotShown, sentence, vec![why.clone()])
        }
        (None, None) => {
            let why = "the baseline missed an aim; no fault was needed".to_owned();
            (
                Verdict::Broken,
                "The system is broken without any fault: it missed an aim in the baseline, so nothing was struck.".to_owned(),
                vec![why],
            )
        }
    }
}

/// An aim is believed only where the one who measured was healthy; a rule that was seen broken stays broken.
fn believed(report: &Report, aim: &Aim) -> bool {
    let method = matches!(report.method, MethodCheck::Failed(_)) && matches!(aim.expectation.bound, Bound::P99Ratio(_));
    report.generator_trouble.is_none() && report.platform_trouble.is_none() && !method
}

fn breach(rule: &Invariant) -> String {
    let before =
        if rule.broken_in_baseline > 0 { format!(", {} of them before any fault", count(rule.broken_in_baseline)) } else { String::new() };
    format!("`{}` was broken {} times in {} checks{before}: {}", rule.id, count(rule.broken), count(rule.checked), rule.rule)
}

fn broken(report: &Report) -> Vec<String> {
    let rules = report.invariants.iter().filter(|rule| report.experiment.none_broken && rule.broken > 0).map(breach);
    let aims = report.aims.iter().filter(|aim| aim.answer == Answer::Broken && believed(report, aim));
    rules.chain(aims.map(|aim| format!("`{}` should keep {}, but showed {}", aim.expectation.of, aim.asked, aim.found))).collect()
}

/// Everything that keeps a run from being green.
fn doubts(report: &Report) -> Vec<String> {
    let mut doubts = Vec::new();
    if let Some(why) = &report.generator_trouble {
        doubts.push(format!("the load generator was saturated: {why}"));
    }
    if let Some(why) = &report.platform_trouble {
        doubts.push(format!("this machine was the bottleneck: {why}"));
    }
    let planned: Vec<_> = report.injections.iter().filter(|row| row.share > 0.0).collect();
    if !planned.is_empty() && planned.iter().all(|row| row.books.struck == 0) {
        doubts.push("nothing was struck, although faults were planned".to_owned());
    }
    for row in &planned {
        let InjectionRow { books, share, band: (low, high) } = row;
        if books.eligible == 0 {
            doubts.push(format!("no invocation was eligible for `{}` at `{}`", books.fault, books.place));
        } else if !(*low..=*high).contains(&books.struck) {
            let (struck, eligible) = (count(books.struck), count(books.eligible));
            doubts.push(format!(
                "`{}` struck {struck} of {eligible} eligible; {} of them is {low} to {high}",
                books.fault,
                percent(*share)
            ));
        } else if books.struck == 0 && planned.len() > 1 {
            doubts.push(format!("`{}` struck nothing", books.fault));
        }
    }
    if let MethodCheck::Failed(why) = &report.method {
        doubts.push(format!("the method failed its own check: {why}"));
    }
    for aim in &report.aims {
        let because = if aim.why.is_empty() { String::new() } else { format!(": {}", aim.why) };
        match aim.answer {
            Answer::NotShown => doubts.push(format!("`{}`, {}, is not shown{because}", aim.expectation.of, aim.asked)),
            Answer::Broken if !believed(report, aim) => {
                doubts.push(format!("`{}` missed its aim ({}), but what measured it cannot be trusted", aim.expectation.of, aim.asked));
            }
            Answer::Broken | Answer::Holds => {}
        }
    }
    doubts
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sample::{healthy, slow};

    #[track_caller]
    fn verdict(change: impl FnOnce(&mut Measurements), expected: Verdict, says: &str) {
        let mut measured = healthy();
        change(&mut measured);
        let report = judge(&measured);
        assert_eq!((report.verdict, report.exit_code), (expected, expected.exit_code()), "{}\n{:#?}", report.sentence, report.reasons);
        assert!(report.sentence.contains(says), "`{}` does not say `{says}`", report.sentence);
    }

    fn break_a_rule(measured: &mut Measurements) {
        measured.invariants[0].broken = 2;
    }

    #[test]
    fn a_healthy_run_held() {
        verdict(|_| (), Verdict::Held, "while the faults struck");
    }

    #[test]
    fn what_is_left_behind_comes_before_everything() {
        let left = Restored::No { left: vec!["the layer of `authorizer`".into()], command: "brownout recover".into() };
        verdict(
            |m| {
                m.restored = left;
                break_a_rule(m);
            },
            Verdict::NotRestored,
            "brownout recover",
        );
    }

    #[test]
    fn the_order_of_verdicts_is_fixed() {
        verdict(
            |m| {
                m.end = End::Failed("no port".into());
                break_a_rule(m);
            },
            Verdict::CouldNotRun,
            "no port",
        );
        verdict(
            |m| {
                m.end = End::Stopped("errors above 50 %".into());
                break_a_rule(m);
            },
            Verdict::Stopped,
            "errors above 50 %",
        );
        verdict(
            |m| {
                m.discrepancies.push("a root is missing".into());
                break_a_rule(m);
            },
            Verdict::NotShown,
            "fault of the harness",
        );
        verdict(|m| m.books.sent += 1, Verdict::NotShown, "fault of the harness");
        verdict(|m| m.dispositions[0].taken += 1, Verdict::NotShown, "1,801 mails were taken in, but 1,800 are accounted for");
        verdict(break_a_rule, Verdict::Broken, "`A-1` was broken 2 times");
        verdict(|m| m.end = End::Interrupted, Verdict::NotShown, "interrupted");
    }

    #[test]
    fn a_broken_baseline_needs_no_fault() {
        verdict(
            |m| {
                m.end = End::BrokenBaseline;
                break_a_rule(m);
                m.invariants[0].broken_in_baseline = 2;
            },
            Verdict::Broken,
            "without any fault",
        );
    }

    #[test]
    fn nothing_struck_is_never_green() {
        verdict(|m| m.injections[0].struck = 0, Verdict::NotShown, "nothing was struck");
        verdict(|m| m.injections.clear(), Verdict::NotShown, "nothing was struck");
        verdict(|m| m.injections[0].struck /= 2, Verdict::NotShown, "eligible");
    }

    #[test]
    fn a_run_without_faults_says_so() {
        verdict(
            |m| {
                m.experiment.faults.clear();
                m.injections.clear();
            },
            Verdict::Held,
            "No fault was planned",
        );
    }

    #[test]
    fn a_slow_generator_takes_back_an_aim_but_not_a_rule() {
        let tired = |m: &mut Measurements| m.generator.lag_p99 = Duration::from_millis(40);
        verdict(tired, Verdict::NotShown, "the load generator was saturated");
        verdict(
            |m| {
                tired(m);
                break_a_rule(m);
            },
            Verdict::Broken,
            "`A-1`",
        );
        verdict(
            |m| {
                *m = slow();
                tired(m);
            },
            Verdict::NotShown,
            "saturated",
        );
        verdict(|m| m.generator.achieved_per_s *= 0.9, Verdict::NotShown, "saturated");
    }

    #[test]
    fn a_crowded_machine_is_not_the_systems_fault() {
        verdict(
            |m| {
                m.platform.queued = 500;
                m.platform.queue_p99 = Duration::from_millis(90);
            },
            Verdict::NotShown,
            "bottleneck",
        );
    }

    #[test]
    fn a_slow_answer_breaks_its_aim() {
        verdict(|m| *m = slow(), Verdict::Broken, "p99 at most 1s");
    }

    #[test]
    fn an_aim_for_an_endpoint_without_requests_is_not_shown() {
        verdict(|m| m.experiment.expectations[0].of = "clinic DELETE /nowhere".into(), Verdict::NotShown, "clinic DELETE /nowhere");
    }

    #[test]
    fn a_control_arm_that_differs_from_itself_proves_nothing() {
        let tag = crate::Tag {
            endpoint: "clinic GET /appointment/{id}".into(),
            phase: crate::Phase::Fault,
            arm: crate::ArmTag::Control,
            outcome: crate::Outcome::Answered,
        };
        let skew = |m: &mut Measurements| (0..600).for_each(|n| m.latencies.record(15 + n % 30, &tag, 200_000, true));
        verdict(skew, Verdict::NotShown, "the method failed its own check");
    }
}
