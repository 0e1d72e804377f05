//! What an aim or a stop condition can reach: what could never be found out is refused before anything is started.

use std::time::Duration;

use faults::time::Time;
use reports::Bound;
use scenarios::traffic::{Load, PATIENCE};
use toml::Spanned;

use super::super::bounds::MoreThanFor;
use super::super::file::{ExpectEntry, File, System};
use super::super::plan::Plan;
use super::{Check, bounds, endpoints};

/// Fewer answers in a stop condition's window say nothing.
const FEWEST: f64 = 10.0;

/// A stop condition looks back this far at least.
const SHORTEST_WINDOW: Duration = Duration::from_secs(5);

/// Requests to `endpoint` that the load makes a second.
pub(super) fn a_second(load: &Load, endpoint: &str) -> f64 {
    if let Some(request) = load.requests.iter().find(|request| request.of == endpoint) {
        return request.rate;
    }
    let known = endpoints().find(|(name, ..)| *name == endpoint);
    known.map_or(0.0, |(_, system, requests)| rate(load, system) * requests)
}

/// Arrivals a second at a system, at each of its shapes where it has several.
fn rate(load: &Load, system: System) -> f64 {
    let rate = match system {
        System::Thermostat => load.thermostat.map(|load| load.rate),
        System::Clinic => load.clinic.map(|load| load.rate),
        System::Mail => load.mail.as_ref().map(|load| load.rate),
        System::InactiveUsers => load.inactive_users.as_ref().map(|load| load.rate),
        System::UsersApi => load.users_api.map(|load| load.rate),
        System::Audit => load.audit.as_ref().map(|load| load.rate),
    };
    rate.unwrap_or(0.0)
}

impl Check<'_> {
    pub(super) fn reach(&mut self, file: &File, plan: &Plan) {
        // What could not be read may be what is missing.
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
        // What is not one request, such as `mail arrival -> disposition`, is not given up.
        let is_request = !of.get_ref().contains(" -> ");
        for bound in bounds(entry) {
            match bound {
                Bound::P50(time) | Bound::P90(time) | Bound::P99(time) if is_request && time.duration() >= PATIENCE => {
                    let patience = Time::from(PATIENCE);
                    let what = format!("`<= {time}` always holds: a request is given up after `{patience}`; write less than `{patience}`");
                    self.complain(of.span(), what);
                }
                Bound::Errors(share) if share.value() >= 1.0 => {
                    self.complain(of.span(), "`<= 100%` always holds; write less, or `errors = \"any\"`, which the report mentions");
                }
                Bound::Recovery(_) if plan.timeline.recovery.is_zero() => {
                    self.complain(of.span(), "`recovery` is never looked at: the recovery phase is `0s`; lengthen it under `[phases]`");
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

    fn stop(&mut self, stop: &Spanned<MoreThanFor>, plan: &Plan) {
        let (span, window) = (stop.get_ref().span, stop.get_ref().span.max(SHORTEST_WINDOW));
        let watched = plan.timeline.fault + plan.timeline.recovery;
        if span > watched {
            let (span, watched) = (Time::from(span), Time::from(watched));
            let what =
                format!("it can never fire: `{span}` is longer than the fault and recovery phases, `{watched}` together; shorten it");
            return self.complain(stop.span(), what);
        }
        // A journey sends one request at least.
        let answers = endpoints().map(|(name, ..)| a_second(&plan.load, name)).sum::<f64>().max(plan.intended_rate());
        let answers = (answers + plan.load.requests.iter().map(|load| load.rate).sum::<f64>()) * window.as_secs_f64();
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
    fn what_can_never_speak_is_refused_with_the_reason() {
        let slow = |text: &str| text.replace("15/s", "1/m").replace("30/s", "1/m");
        for (text, says) in [
            (GOOD.replacen("p99 = \"<= 1s\"", "p99 = \"<= 40s\"", 1), "a request is given up after `30s`"),
            (GOOD.replacen("p50 = \"<= 150ms\"", "p50 = \"<= 30s\"", 1), "a request is given up after `30s`"),
            (GOOD.replacen("p50 = \"<= 150ms\"", "p90 = \"<= 1m\"", 1), "a request is given up after `30s`"),
            (GOOD.replacen("errors = \"<= 1%\"", "errors = \"<= 100%\"", 1), "`<= 100%` always holds"),
            (GOOD.replacen("errors = \"<= 1%\"", "errors = \"<= 100.00 %\"", 1), "`errors = \"any\"`"),
            (GOOD.replacen("recovery = \"15s\"", "recovery = \"9s\"", 1), "longer than the recovery phase, which is `9s`"),
            (GOOD.replacen("recovery = \"15s\"", "recovery = \"0s\"", 1), "the recovery phase is `0s`"),
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
    fn what_can_just_speak_is_not_refused() {
        for text in [
            GOOD.replacen("p99 = \"<= 1s\"", "p99 = \"<= 29999ms\"", 1),
            GOOD.replacen("p99 = \"<= 1s\"", "p99-ratio = \"<= 0.9x\"", 1),
            GOOD.replacen("errors = \"<= 1%\"", "errors = \"<= 99%\"", 1),
            GOOD.replacen("recovery = \"15s\"", "recovery = \"10s\"", 1),
            GOOD.replacen("for 5s", "for 55s", 1),
            GOOD.replace("15/s", "1/s").replace("30/s", "1/s"),
        ] {
            assert_ne!(text, GOOD);
            check("x", &text).unwrap();
        }
    }
}
