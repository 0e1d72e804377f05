//! Turns all measurements into one verdict, one sentence and the reasons. It must never be green if
//! nothing was proven.

use crate::baseline::{Baseline, Problems};
use crate::dispositions::Dispositions;
use crate::distributions::binomial_band;
use crate::expectation::Bound;
use crate::implied::Asked;
use crate::latencies::Phase;
use crate::machine::{Machine, platform_trouble};
use crate::measurements::{Books, End, Generator, Injections, Invariant, Measurements, Restored, RunKind};
use crate::report::{Aim, Answer, InjectionRow, MethodCheck, Recovered, Report, Source, VERSION, short};
use crate::tables::{effects, endpoints, method_check, span};
use crate::verdict::Verdict;
use crate::words::{count, percent};
use crate::{aims, deployments, interference, recovery, sentence};

/// Judges a run.
pub fn judge(measured: &Measurements) -> Report {
    let recoveries: Vec<Recovered> =
        measured.latencies.endpoints().iter().filter_map(|endpoint| recovery::of(measured, endpoint)).collect();
    let mut generator = measured.generator.clone();
    for value in [&mut generator.intended_per_s, &mut generator.achieved_per_s, &mut generator.cpu] {
        *value = short(*value);
    }
    let mut discrepancies = measured.discrepancies.clone();
    discrepancies.extend(imbalance(measured.books));
    discrepancies.extend(measured.dispositions.iter().filter_map(Dispositions::imbalance));
    let problems = before_any_fault(measured);
    let is_dead = !problems.dead.is_empty();
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
        endpoints: endpoints(measured),
        effects: effects(measured),
        interference: interference::rows(measured),
        before_any_fault: problems.dead.into_iter().chain(problems.missed).collect(),
        method: method_check(measured),
        recoveries,
        books: measured.books,
        endings: measured.endings.clone(),
        dispositions: measured.dispositions.clone(),
        deployments: deployments::compare(measured),
        discrepancies,
        injections: injections(measured),
        generator_trouble: generator_trouble(&generator),
        generator,
        platform: measured.platform.clone(),
        platform_trouble: platform_trouble(measured),
        end: measured.end.clone(),
        restored: measured.restored.clone(),
        unchecked: measured.unchecked.clone(),
        notes: measured.notes.clone(),
    };
    let (verdict, sentence, reasons) = decide(&report, is_dead);
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

/// The central 99.9 % band of the number struck among `eligible`. Each burst is one roll: the band
/// is for the number of bursts, and the last one may be cut short.
fn band(fault: &faults::Fault, eligible: u64) -> (u64, u64) {
    let burst = if let faults::Kind::Throttle(burst) = &fault.kind { u64::from(burst.burst.max(1)) } else { 1 };
    let (low, high) = binomial_band(eligible / burst, fault.share.value());
    ((low * burst).saturating_sub(burst - 1), (high * burst + burst - 1).min(eligible))
}

/// The problems before any fault; broken rules count as missed.
fn before_any_fault(measured: &Measurements) -> Problems {
    let Some(span) = span(&measured.phases, Phase::Baseline) else { return Problems::default() };
    let (asked, service_times) = (Asked::of(measured), &measured.service_times);
    let baseline = Baseline { asked, service_times, span, machine: Machine::during(Phase::Baseline, measured) };
    let Problems { dead, missed } = baseline.problems();
    if measured.experiment.kind == RunKind::Load {
        // Its aims and rules are judged on this very phase.
        return Problems { dead, missed: Vec::new() };
    }
    let rules = measured.invariants.iter().filter(|rule| measured.experiment.none_broken && rule.broken_in_baseline > 0);
    let rules = rules.map(|rule| format!("`{}` was broken {} times ({})", rule.id, count(rule.broken_in_baseline), rule.rule));
    Problems { dead, missed: rules.chain(missed).collect() }
}

/// Lateness alone is not a problem: it is part of every latency, so an aim that holds would hold
/// without it too. Requests that were never sent are a problem.
fn generator_trouble(generator: &Generator) -> Option<String> {
    (generator.achieved_per_s < 0.99 * generator.intended_per_s)
        .then(|| format!("it sent {:.1} requests a second of {:.1} intended", generator.achieved_per_s, generator.intended_per_s))
}

type Decided = (Verdict, String, Vec<String>);

/// `is_dead` means that an endpoint served nothing before any fault: then no aim shows the effect
/// of the faults, and no aim may look kept.
fn decide(report: &Report, is_dead: bool) -> Decided {
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
    if report.end == End::BrokenBaseline || is_dead {
        return (Verdict::Broken, sentence::broken_baseline(report), report.before_any_fault.iter().cloned().chain(broken).collect());
    }
    if let Some(first) = broken.first() {
        return (Verdict::Broken, sentence::broken(report, first, broken.len() - 1), both());
    }
    // `strike-a-broken-baseline` strikes all the same, but a certain miss stays one.
    if !report.before_any_fault.is_empty() {
        return (Verdict::Broken, sentence::broken_baseline(report), report.before_any_fault.iter().cloned().chain(doubts).collect());
    }
    if report.end == End::Interrupted {
        let why = "the run was interrupted before its end".to_owned();
        return (Verdict::NotShown, "Nothing can be concluded: the run was interrupted before its end.".to_owned(), vec![why]);
    }
    if let Some(first) = doubts.first() {
        return (Verdict::NotShown, sentence::not_shown(report, first), doubts);
    }
    (Verdict::Held, sentence::held(report), Vec::new())
}

fn breach(rule: &Invariant) -> String {
    let before =
        if rule.broken_in_baseline > 0 { format!(", {} of them before any fault", count(rule.broken_in_baseline)) } else { String::new() };
    format!("`{}` was broken {} times in {} checks{before}: {}", rule.id, count(rule.broken), count(rule.checked), rule.rule)
}

/// An aim as a reason: the arm that was judged, what was found, and whether it was already so
/// before any fault.
fn missed(aim: &Aim) -> String {
    let before = match aim.baseline {
        Some(Answer::Broken) => "; it was so before any fault",
        Some(Answer::NotShown) => "; whether the baseline kept it is not shown",
        Some(Answer::Holds) | None => "",
    };
    format!("`{}` should keep {} ({}), but showed {}{before}", aim.expectation.of, aim.asked, whose(aim), aim.found)
}

fn whose(aim: &Aim) -> String {
    let implied = if aim.source == Source::Implied { ", implied" } else { "" };
    format!("{} requests{implied}", aim.whose())
}

/// A comparison of arms counts only if the two halves of the control arm agree.
fn is_believed(report: &Report, aim: &Aim) -> bool {
    !(matches!(report.method, MethodCheck::Failed(_)) && matches!(aim.expectation.bound, Bound::P99Ratio(_)))
}

fn broken(report: &Report) -> Vec<String> {
    let rules = report.invariants.iter().filter(|rule| report.experiment.none_broken && rule.broken > 0).map(breach);
    let aims = report.aims.iter().filter(|aim| aim.answer == Answer::Broken && is_believed(report, aim));
    rules.chain(aims.map(missed)).collect()
}

/// Everything that prevents a green verdict.
fn doubts(report: &Report) -> Vec<String> {
    let mut doubts = Vec::new();
    if let Some(why) = &report.generator_trouble {
        doubts.push(format!("the load generator was saturated: {why}"));
    }
    if report.books.sent == 0 {
        doubts.push("no request was sent in the recorded phases".to_owned());
    }
    // Including one with a share of 0: that it strikes nothing proves nothing.
    let planned = &report.injections;
    if !planned.is_empty() && planned.iter().all(|row| row.books.struck == 0) {
        doubts.push("nothing was struck, although faults were planned".to_owned());
    }
    doubts.extend(planned.iter().filter_map(|row| unproven(row, planned.len())));
    if let MethodCheck::Failed(why) = &report.method {
        doubts.push(format!("the method failed its own check: {why}"));
    }
    for aim in &report.aims {
        let because = if aim.why.is_empty() { String::new() } else { format!(": {}", aim.why) };
        match aim.answer {
            Answer::NotShown => doubts.push(format!("`{}`, {} ({}), is not shown{because}", aim.expectation.of, aim.asked, whose(aim))),
            Answer::Broken if !is_believed(report, aim) => {
                doubts.push(format!("`{}` missed its aim ({}), but the control arm cannot be trusted", aim.expectation.of, aim.asked));
            }
            Answer::Broken | Answer::Holds => {}
        }
    }
    doubts
}

/// Why a fault is not proven to have struck as planned.
fn unproven(row: &InjectionRow, planned: usize) -> Option<String> {
    let InjectionRow { books, share, band: (low, high) } = row;
    let (struck, eligible) = (count(books.struck), count(books.eligible));
    if books.eligible == 0 {
        Some(format!("no invocation was eligible for `{}` at `{}`", books.fault, books.place))
    } else if books.unknown * 10 > books.eligible {
        Some(format!(
            "`{}`: {} of {eligible} eligible invocations are in no ledger: it did not reach them, or their lines were lost",
            books.fault,
            count(books.unknown)
        ))
    } else if !(*low..=*high).contains(&books.struck) {
        Some(format!("`{}` struck {struck} of {eligible} eligible; {} of them is {low} to {high}", books.fault, percent(*share)))
    } else {
        (books.struck == 0 && planned > 1).then(|| format!("`{}` struck nothing", books.fault))
    }
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
    fn leftovers_come_before_everything_else() {
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
        verdict(
            |m| {
                m.experiment.faults[0].share = 0.0.try_into().unwrap();
                m.injections[0].struck = 0;
            },
            Verdict::NotShown,
            "nothing was struck",
        );
    }

    #[test]
    fn a_fault_that_strikes_nothing_is_never_green_even_if_others_strike() {
        for share in [0.0, 0.001, 0.5, 1.0] {
            let idle = |m: &mut Measurements| {
                let fault = faults::Fault { name: "idle".into(), share: share.try_into().unwrap(), ..m.experiment.faults[0].clone() };
                m.injections.push(Injections { eligible: 97, ..Injections::none_of(&fault) });
                m.experiment.faults.push(fault);
            };
            verdict(idle, Verdict::NotShown, "`idle` struck");
        }
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

    /// Makes every answer of the fault phase later by this, counted from its intended time but not
    /// from its sending.
    fn late_by(us: u64, measured: &mut Measurements) {
        let mut late = crate::latencies::Latencies::default();
        let by = |tag: &crate::latencies::Tag| if tag.phase == Phase::Fault { us } else { 0 };
        measured.service_times.visit(
            |_| true,
            |second, tag, half, pairs| {
                pairs.iter().for_each(|(value, n)| (0..*n).for_each(|_| late.record(second, tag, u64::from(*value) + by(tag), half)));
            },
        );
        measured.latencies = late;
    }

    #[test]
    fn lateness_only_adds_so_an_aim_that_holds_with_it_holds_and_one_that_breaks_by_it_is_not_shown() {
        verdict(|m| late_by(40_000, m), Verdict::Held, "struck");
        verdict(|m| late_by(3_000_000, m), Verdict::NotShown, "p99 at most 1s");
        verdict(
            |m| {
                *m = slow();
                late_by(40_000, m);
            },
            Verdict::Broken,
            "p99 at most 1s",
        );
    }

    #[test]
    fn requests_that_were_never_sent_cancel_a_green_verdict_but_not_a_broken_one() {
        let tired = |m: &mut Measurements| m.generator.achieved_per_s *= 0.9;
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
            Verdict::Broken,
            "p99 at most 1s",
        );
    }

    fn crowd(measured: &mut Measurements) {
        measured.platform.queued = 500;
        measured.platform.queue_p99 = Duration::from_secs(8);
    }

    #[test]
    fn a_crowded_machine_is_not_the_systems_fault_and_cancels_nothing_that_holds() {
        verdict(crowd, Verdict::Held, "struck");
        verdict(
            |m| {
                *m = slow();
                crowd(m);
            },
            Verdict::NotShown,
            "p99 at most 1s",
        );
    }

    fn take_the_processors(measured: &mut Measurements) {
        let processors = crate::measurements::Processors { others: 85, idle: 2 };
        measured.platform.processors = [Phase::Baseline, Phase::Fault, Phase::Recovery].map(|phase| (phase, processors)).into();
    }

    /// Other programs take the processors while this share of an endpoint's requests fails.
    fn fail_beside_others(share: f64, phase: Phase, measured: &mut Measurements) {
        take_the_processors(measured);
        for latencies in [&mut measured.latencies, &mut measured.service_times] {
            let mut failing = crate::latencies::Latencies::default();
            let mut due = 0.0;
            latencies.visit(
                |_| true,
                |second, tag, half, pairs| {
                    for (value, n) in pairs {
                        for _ in 0..*n {
                            let mut tag = tag.clone();
                            due += if tag.endpoint == CLINIC && tag.phase == phase { share } else { 0.0 };
                            if due >= 1.0 {
                                due -= 1.0;
                                tag.outcome = crate::latencies::Outcome::Failed;
                            }
                            failing.record(second, &tag, u64::from(*value), half);
                        }
                    }
                },
            );
            *latencies = failing;
        }
    }

    #[test]
    fn what_fails_because_other_programs_take_the_machine_is_not_the_systems_fault_but_most_is() {
        for phase in [Phase::Baseline, Phase::Fault, Phase::Recovery] {
            verdict(|m| fail_beside_others(0.9, phase, m), Verdict::Broken, CLINIC);
            verdict(
                |m| {
                    fail_beside_others(0.2, phase, m);
                    m.platform.processors.clear();
                },
                Verdict::Broken,
                CLINIC,
            );
        }
        verdict(take_the_processors, Verdict::Held, "struck");
        verdict(
            |m| {
                *m = slow();
                take_the_processors(m);
            },
            Verdict::NotShown,
            "p99 at most 1s",
        );
        verdict(|m| fail_beside_others(0.2, Phase::Baseline, m), Verdict::Held, "struck");
        verdict(|m| fail_beside_others(0.2, Phase::Recovery, m), Verdict::NotShown, "recovery");
        let few = |m: &mut Measurements| fail_beside_others(0.2, Phase::Fault, m);
        verdict(few, Verdict::NotShown, CLINIC);
        let mut measured = healthy();
        few(&mut measured);
        let reasons = judge(&measured).reasons.join(" ");
        assert!(reasons.contains("other programs took 85 % of this machine's processors"), "{reasons}");
        verdict(
            |m| {
                few(m);
                break_a_rule(m);
            },
            Verdict::Broken,
            "`A-1`",
        );
    }

    #[test]
    fn waits_behind_a_start_that_a_fault_made_slow_are_blamed_on_the_fault() {
        verdict(
            |m| {
                *m = slow();
                crowd(m);
                m.experiment.faults[0].kind = serde_json::from_str(r#"{"init":{"slow":"2s"}}"#).unwrap();
            },
            Verdict::Broken,
            "p99 at most 1s",
        );
    }

    #[test]
    fn a_fault_that_is_in_no_ledger_for_a_tenth_of_its_invocations_is_not_proven() {
        verdict(|m| m.injections[0].unknown = 100, Verdict::NotShown, "100 of 900 eligible invocations are in no ledger");
        verdict(|m| m.injections[0].unknown = 9, Verdict::Held, "struck");
    }

    #[test]
    fn the_sentence_names_what_is_switched_off_or_not_exercised() {
        let off = |m: &mut Measurements| {
            m.experiment.none_broken = false;
            break_a_rule(m);
        };
        verdict(off, Verdict::Held, "`none-broken = false`, which hides 2 violations (A-1 2 times)");
        verdict(|m| m.invariants[1].checked = 0, Verdict::Held, "Not exercised: B-3.");
        verdict(|m| m.experiment.any_errors.push("thermostat shadow".into()), Verdict::Held, "`errors = \"any\"` at `thermostat shadow`");
    }

    /// Every request of an endpoint in these phases fails.
    fn kill(of: &'static str, phases: &[Phase], measured: &mut Measurements) {
        for latencies in [&mut measured.latencies, &mut measured.service_times] {
            let mut dead = crate::latencies::Latencies::default();
            latencies.visit(
                |_| true,
                |second, tag, half, pairs| {
                    let mut tag = tag.clone();
                    if tag.endpoint == of && phases.contains(&tag.phase) {
                        tag.outcome = crate::latencies::Outcome::Failed;
                    }
                    pairs.iter().for_each(|(value, n)| (0..*n).for_each(|_| dead.record(second, &tag, u64::from(*value), half)));
                },
            );
            *latencies = dead;
        }
    }

    const CLINIC: &str = "clinic GET /appointment/{id}";

    #[test]
    fn a_stack_that_fails_every_request_is_never_green() {
        let no_aim_on_errors =
            |m: &mut Measurements| m.experiment.expectations.retain(|aim| matches!(aim.bound, Bound::P99(_) | Bound::P90(_)));
        for phases in [&[Phase::Fault][..], &[Phase::Fault, Phase::Recovery], &[Phase::Baseline, Phase::Fault, Phase::Recovery]] {
            verdict(
                |m| {
                    no_aim_on_errors(m);
                    kill(CLINIC, phases, m);
                },
                Verdict::Broken,
                CLINIC,
            );
        }
        verdict(
            |m| {
                m.experiment.expectations.clear();
                kill("thermostat shadow", &[Phase::Fault], m);
            },
            Verdict::Broken,
            "`thermostat shadow` should keep errors at most 2 %",
        );
        verdict(|m| kill(CLINIC, &[Phase::Recovery], m), Verdict::Broken, "recovery within 10s");
        verdict(
            |m| kill("thermostat shadow", &[Phase::Recovery], m),
            Verdict::Broken,
            "`thermostat shadow` should keep recovery within 15s",
        );
    }

    #[test]
    fn a_dead_baseline_comes_first() {
        let everything = [Phase::Baseline, Phase::Fault, Phase::Recovery];
        verdict(
            |m| {
                kill(CLINIC, &everything, m);
                break_a_rule(m);
            },
            Verdict::Broken,
            "in the baseline `clinic GET /appointment/{id}` served none of its 450 requests",
        );
        verdict(
            |m| {
                m.end = End::BrokenBaseline;
                kill(CLINIC, &everything, m);
            },
            Verdict::Broken,
            "broken without any fault: in the baseline `clinic GET",
        );
    }

    #[test]
    fn a_baseline_that_certainly_misses_an_aim_is_broken_even_if_the_system_was_struck_all_the_same() {
        let slow_before = |m: &mut Measurements| {
            for latencies in [&mut m.latencies, &mut m.service_times] {
                let mut slow = crate::latencies::Latencies::default();
                latencies.visit(
                    |_| true,
                    |second, tag, half, pairs| {
                        let more = if tag.phase == Phase::Baseline && tag.endpoint == CLINIC { 3_000_000 } else { 0 };
                        pairs.iter().for_each(|(value, n)| (0..*n).for_each(|_| slow.record(second, tag, u64::from(*value) + more, half)));
                    },
                );
                *latencies = slow;
            }
        };
        verdict(
            slow_before,
            Verdict::Broken,
            "broken without any fault: in the baseline `clinic GET /appointment/{id}` misses p99 at most 1s. It was struck all the same.",
        );
        verdict(
            |m| {
                slow_before(m);
                break_a_rule(m);
            },
            Verdict::Broken,
            "Some of it needs no fault: in the baseline `clinic GET /appointment/{id}` misses p99 at most 1s.",
        );
        verdict(
            |m| {
                slow_before(m);
                m.end = End::Interrupted;
            },
            Verdict::Broken,
            "broken without any fault",
        );
        verdict(
            |m| {
                slow_before(m);
                m.books.sent += 1;
            },
            Verdict::NotShown,
            "fault of the harness",
        );
    }

    #[test]
    fn a_stack_that_was_dead_before_it_was_struck_is_never_green() {
        let everything = [Phase::Baseline, Phase::Fault, Phase::Recovery];
        verdict(
            |m| {
                m.experiment.expectations.clear();
                kill(CLINIC, &everything, m);
            },
            Verdict::Broken,
            "broken without any fault: in the baseline `clinic GET /appointment/{id}` served none of its 450 requests.",
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
        let tag = crate::latencies::Tag {
            endpoint: "clinic GET /appointment/{id}".into(),
            phase: crate::latencies::Phase::Fault,
            rolls: crate::rolls::Rolls::one(0, false),
            cold: false,
            outcome: crate::latencies::Outcome::Answered,
        };
        let skew = |m: &mut Measurements| (0..600).for_each(|n| m.latencies.record(15 + n % 30, &tag, 200_000, true));
        verdict(skew, Verdict::NotShown, "the method failed its own check");
    }
}
