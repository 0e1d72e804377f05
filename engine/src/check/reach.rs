//! Refuses aims and stop conditions that could never give a result, before anything is started.

use std::time::Duration;

use ::faults::time::Time;
use ::faults::{Fault, Place};
use load::PATIENCE;
use reports::measurements::RunKind;
use reports::{AimArm, Bound};
use scenarios::systems::System;
use scenarios::traffic::Load;
use toml::Spanned;

use super::super::bounds::MoreThanFor;
use super::super::file::{ExpectEntry, File};
use super::super::plan::Plan;
use super::faults::functions;
use super::{Check, bounds, endpoints};

/// The fewest answers in a stop condition's window that mean something.
const FEWEST: f64 = 10.0;

/// The shortest window of a stop condition.
const SHORTEST_WINDOW: Duration = Duration::from_secs(5);

/// Requests a second to `endpoint` in this load.
pub(super) fn a_second(load: &Load, endpoint: &str) -> f64 {
    if let Some(rate) = load.journeys.iter().find_map(|journey| journey.a_second(endpoint)) {
        return rate;
    }
    let known = endpoints().find(|(name, ..)| *name == endpoint);
    known.map_or(0.0, |(_, system, requests)| rate(load, system) * requests)
}

/// Whether no expectation of an endpoint says when it has recovered.
fn is_never_well(plan: &Plan, of: &str) -> bool {
    plan.any_errors.iter().any(|free| free == of) && !plan.expectations.iter().any(|aim| aim.of == of && aim.bound.allows().is_some())
}

/// The faults that can be about an endpoint: those of its system's functions, and those of services.
pub(super) fn faults_about<'a>(plan: &'a Plan, endpoint: &str) -> impl Iterator<Item = &'a Fault> {
    let system = endpoints().find(|(name, ..)| *name == endpoint).map(|(_, system, _)| system);
    let is_about = move |place: &Place| match functions().find(|(name, ..)| place.is_function(name)) {
        Some((_, of, _)) => system.is_none_or(|system| system == of),
        None => true,
    };
    plan.faults.iter().filter(move |fault| is_about(&fault.place))
}

/// Arrivals a second at a system, or at each of its APIs if it has several.
fn rate(load: &Load, system: System) -> f64 {
    load.of(system.name()).map_or(0.0, |load| load.rate())
}

impl Check<'_> {
    pub(super) fn reach(&mut self, file: &File, plan: &Plan) {
        // The missing part may just not have been read.
        if !self.has_form {
            return;
        }
        for entry in &file.expect {
            self.aim(entry.get_ref(), plan);
        }
        if let Some(stop) = &file.stop.errors {
            self.stop(stop, plan);
        }
    }

    fn aim(&mut self, entry: &ExpectEntry, plan: &Plan) {
        let of = &entry.of;
        let is_known = endpoints().any(|(name, system, _)| name == of.get_ref() && plan.systems.contains(&system));
        if is_known && a_second(&plan.load, of.get_ref()) <= 0.0 {
            self.missing(of.span(), &format!("`{}` gets no load; give its system a `rate` under `[load]`", of.get_ref()));
        }
        self.arms(entry, plan);
        // What is not one request, such as `mail arrival -> disposition`, has no timeout.
        let is_request = !of.get_ref().contains(" -> ");
        for bound in bounds(entry) {
            match bound {
                Bound::P50(time) | Bound::P90(time) | Bound::P99(time) if is_request && time.duration() >= PATIENCE => {
                    let patience = Time::from(PATIENCE);
                    let what = format!("`<= {time}` always holds: a request is given up after `{patience}`; write less than `{patience}`");
                    self.complain(of.span(), what);
                }
                Bound::P50(time) | Bound::P90(time) | Bound::P99(time) if time.duration().is_zero() => {
                    self.complain(of.span(), "`<= 0s` never holds: every answer takes some time; write more than `0s`");
                }
                Bound::Errors(share) if share.value() >= 1.0 => {
                    self.complain(of.span(), "`<= 100%` always holds; write less, or `errors = \"any\"`, which the report mentions");
                }
                // It was refused already.
                Bound::Recovery(_) if plan.kind == RunKind::Load => {}
                Bound::Recovery(_) if plan.timeline.recovery.is_zero() => {
                    self.complain(of.span(), "`recovery` is never looked at: the recovery phase is `0s`; lengthen it under `[phases]`");
                }
                Bound::Recovery(_) if is_never_well(plan, of.get_ref()) => {
                    let what = "`recovery` has nothing to recover to: errors are let go, and nothing says when this endpoint is well; \
                        add for example `p90`, or remove `errors = \"any\"`";
                    self.complain(of.span(), what);
                }
                Bound::Recovery(time) if time.duration() > plan.timeline.recovery => {
                    let phase = Time::from(plan.timeline.recovery);
                    let what =
                        format!("`recovery` of `<= {time}` is longer than the recovery phase, which is `{phase}`; lengthen the phase");
                    self.complain(of.span(), what);
                }
                _ => {}
            }
        }
    }

    /// Checks that the judged arms have requests.
    fn arms(&mut self, entry: &ExpectEntry, plan: &Plan) {
        let of = entry.of.get_ref();
        let about = || faults_about(plan, of);
        let has_control = || about().any(|fault| fault.share.value() < 1.0);
        let says = match entry.arm.map(AimArm::from) {
            Some(AimArm::Struck | AimArm::Control) if about().next().is_none() => "no fault is about it",
            Some(AimArm::Control) if !has_control() => "every fault about it has a `share` of 1, so nothing is left alone",
            _ if entry.p99_ratio.is_none() => return,
            _ if about().next().is_none() => "`p99-ratio` compares the struck with the control arm, and no fault is about it",
            _ if !has_control() => "`p99-ratio` needs a control arm, and every fault about it has a `share` of 1",
            _ => return,
        };
        let cure = if about().next().is_none() { "remove the aim" } else { "give a fault a `share` below 1" };
        self.missing(entry.of.span(), &format!("what is expected of `{of}` can never be shown: {says}; {cure}"));
    }

    fn stop(&mut self, stop: &Spanned<MoreThanFor>, plan: &Plan) {
        if stop.get_ref().share.value() >= 1.0 {
            return self.complain(stop.span(), "it can never fire: no more than all requests fail; write less than `100%`");
        }
        let (span, window) = (stop.get_ref().span, stop.get_ref().span.max(SHORTEST_WINDOW));
        let (watched, phases) = match plan.kind {
            RunKind::Experiment => (plan.timeline.fault + plan.timeline.recovery, "fault and recovery phases, `TIME` together"),
            RunKind::Load => (plan.timeline.baseline, "measured phase, `TIME`"),
        };
        if span > watched {
            let phases = phases.replace("TIME", &Time::from(watched).to_string());
            let what = format!("it can never fire: `{}` is longer than the {phases}; shorten it", Time::from(span));
            return self.complain(stop.span(), what);
        }
        // A journey sends at least one request.
        let answers = endpoints().map(|(name, ..)| a_second(&plan.load, name)).sum::<f64>().max(plan.load.arrivals());
        let answers = (answers + plan.load.journeys.iter().map(|journey| journey.rate).sum::<f64>()) * window.as_secs_f64();
        if answers < FEWEST {
            let window = Time::from(window);
            let what = format!(
                "it can never fire: all load together gives {answers:.1} answers in `{window}`, and it needs {FEWEST}; raise the rate"
            );
            self.complain(stop.span(), what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;

    const GOOD: &str = include_str!("../../../scenarios/experiments/slow-authorizer.toml");

    #[test]
    fn an_aim_that_can_never_give_a_result_is_refused_with_the_reason() {
        let slow = |text: &str| text.replace("15/s", "1/m").replace("30/s", "1/m");
        for (text, says) in [
            (GOOD.replacen("p99 = \"<= 1s\"", "p99 = \"<= 40s\"", 1), "a request is given up after `30s`"),
            (GOOD.replacen("p50 = \"<= 150ms\"", "p50 = \"<= 30s\"", 1), "a request is given up after `30s`"),
            (GOOD.replacen("p50 = \"<= 150ms\"", "p90 = \"<= 1m\"", 1), "a request is given up after `30s`"),
            (GOOD.replacen("errors = \"<= 1%\"", "errors = \"<= 100%\"", 1), "`<= 100%` always holds"),
            (GOOD.replacen("errors = \"<= 1%\"", "errors = \"<= 100.00 %\"", 1), "`errors = \"any\"`"),
            (GOOD.replacen("recovery = \"15s\"", "recovery = \"9s\"", 1), "longer than the recovery phase, which is `9s`"),
            (GOOD.replacen("p99 = \"<= 1s\"\nerrors = \"<= 1%\"", "errors = \"any\"", 1), "`recovery` has nothing to recover to"),
            (
                GOOD.replacen("p99 = \"<= 1s\"\nerrors = \"<= 1%\"", "p99-ratio = \"<= 2x\"\nerrors = \"any\"", 1),
                "`recovery` has nothing to recover to",
            ),
            (GOOD.replacen("recovery = \"15s\"", "recovery = \"0s\"", 1), "the recovery phase is `0s`"),
            (GOOD.replacen("p50 = \"<= 150ms\"", "p50 = \"<= 0s\"", 1), "`<= 0s` never holds"),
            (GOOD.replacen("p99 = \"<= 1s\"", "p99 = \"<= 0.4us\"", 1), "`<= 0s` never holds"),
            (GOOD.replacen("> 50% for", "> 100% for", 1), "no more than all requests fail"),
            (GOOD.replacen("for 5s", "for 10h", 1), "longer than the fault and recovery phases, `55s` together"),
            (GOOD.replacen("for 5s", "for 56s", 1), "it can never fire"),
            (slow(GOOD), "answers in `5s`, and it needs 10"),
        ] {
            assert_ne!(text, GOOD);
            let wrong = check("x", &text).unwrap_err();
            assert!(wrong.len() == 1 && wrong[0].what.contains(says), "{says}: {wrong:?}");
        }
    }

    #[test]
    fn an_aim_on_an_arm_without_requests_is_refused_with_a_fix() {
        let other = "of = \"thermostat POST /control/{id} Get\"\n";
        let aim = "p99 = \"<= 1s\"\n";
        let (control, ratio) = (format!("{aim}arm = \"control\"\n"), "p99-ratio = \"<= 2x\"\n".to_owned());
        let whole = GOOD.replacen("share = 0.5", "share = 1.0", 1);
        for (text, says) in [
            (whole.replacen(aim, &control, 1), "every fault about it has a `share` of 1, so nothing is left alone; give a fault"),
            (whole.replacen(aim, &ratio, 1), "`p99-ratio` needs a control arm, and every fault about it has a `share` of 1; give a fault"),
            (GOOD.replacen(other, &format!("{other}arm = \"struck\"\n"), 1), "no fault is about it; remove the aim"),
            (GOOD.replacen(other, &format!("{other}arm = \"control\"\n"), 1), "no fault is about it; remove the aim"),
            (GOOD.replacen(other, &format!("{other}{ratio}"), 1), "and no fault is about it; remove the aim"),
        ] {
            let wrong = check("x", &text).unwrap_err();
            assert!(wrong.len() == 1 && wrong[0].what.contains(says), "{says}: {wrong:?}");
        }
        for text in [
            GOOD.replacen(aim, &control, 1),
            GOOD.replacen(aim, &ratio, 1),
            whole.replacen(aim, &format!("{aim}arm = \"struck\"\n"), 1),
            GOOD.replacen(other, &format!("{other}arm = \"not-struck\"\n"), 1),
        ] {
            check("x", &text).unwrap();
        }
    }

    #[test]
    fn an_aim_that_can_just_give_a_result_is_not_refused() {
        for text in [
            GOOD.replacen("p99 = \"<= 1s\"", "p99 = \"<= 29999ms\"", 1),
            GOOD.replacen("p99 = \"<= 1s\"", "p99-ratio = \"<= 0.9x\"", 1),
            GOOD.replacen("errors = \"<= 1%\"", "errors = \"<= 99%\"", 1),
            GOOD.replacen("errors = \"<= 1%\"", "errors = \"any\"", 1),
            GOOD.replacen("p99 = \"<= 1s\"\nerrors = \"<= 1%\"\n", "", 1),
            GOOD.replacen("recovery = \"15s\"", "recovery = \"10s\"", 1),
            GOOD.replacen("for 5s", "for 55s", 1),
            GOOD.replace("15/s", "1/s").replace("30/s", "1/s"),
        ] {
            assert_ne!(text, GOOD);
            check("x", &text).unwrap();
        }
    }
}
