//! The statistical power of a run: compares the requests that an aim needs with the most that the
//! run gives. It refuses nothing.

use std::time::Duration;

use faults::time::Time;
use reports::aims::FEWEST_STRUCK;
use reports::intervals::samples_needed;
use reports::measurements::RunKind;
use reports::recovery::{FEWEST, WINDOW_S};
use reports::{AimArm, Bound, Expectation};

use super::super::plan::Plan;
use super::reach::{a_second, faults_about};

/// The significance level: a bound on errors is held if that many requests without an error would
/// have a chance of 2.5 %.
const CHANCE: f64 = 0.025;

/// What should be known before the start, and the aims that this run can break but not hold, one line
/// each.
pub fn notices(plan: &Plan) -> Vec<String> {
    let of_aims = plan.expectations.iter().filter_map(|aim| notice(plan, aim, arm_share(plan, aim)));
    plan.notices.iter().cloned().chain(of_aims).collect()
}

/// The notice about one aim whose arm is this share of the endpoint's requests; `None` if the run
/// gives enough.
fn notice(plan: &Plan, aim: &Expectation, share: f64) -> Option<String> {
    if matches!(aim.bound, Bound::Recovery(_)) {
        return rare(plan, &aim.of);
    }
    let (of, what) = (&aim.of, words(aim.bound)?);
    let Some(needs) = needed(aim.bound)? else {
        return Some(format!("{what} of `{of}` can be broken, but not held: no number of requests shows that none fails; write `<= 1%`"));
    };
    let needs = if faults_about(plan, of).next().is_some() { needs.max(FEWEST_STRUCK) } else { needs };
    // A ratio needs enough requests in both arms.
    let share = if matches!(aim.bound, Bound::P99Ratio(_)) { share.min(1.0 - share) } else { share };
    let a_second = a_second(&plan.load, of) * share;
    // The tolerance makes 40 s at 9.2/s give 368.
    let gives = (a_second * plan.judged().as_secs_f64() + 1e-6) as u64;
    if gives >= needs {
        return None;
    }
    let arm = if share < 1.0 { " in the arm that it judges" } else { "" };
    let judged = match plan.kind {
        RunKind::Experiment => "fault",
        RunKind::Load => "measured",
    };
    let cure = Duration::try_from_secs_f64((needs as f64 / a_second).ceil()).map(Time::from);
    let cure = cure.map_or_else(|_| "raise the rate".to_owned(), |phase| format!("make the {judged} phase `{phase}` or raise the rate"));
    Some(format!("{what} of `{of}` needs {needs} requests, this gives at most {gives}{arm}: it can be broken, but not held; {cure}"))
}

/// Recovery is judged in windows with enough requests.
fn rare(plan: &Plan, of: &str) -> Option<String> {
    let gives = a_second(&plan.load, of) * f64::from(WINDOW_S);
    (gives < FEWEST as f64).then(|| {
        format!(
            "recovery of `{of}` is seen in {FEWEST} requests, this gives {gives:.1} in {WINDOW_S} s: it may be seen late or not at all; raise the rate"
        )
    })
}

fn words(bound: Bound) -> Option<&'static str> {
    match bound {
        Bound::P50(_) => Some("p50"),
        Bound::P90(_) => Some("p90"),
        Bound::P99(_) => Some("p99"),
        Bound::P99Ratio(_) => Some("p99-ratio"),
        Bound::Errors(_) => Some("errors"),
        _ => None,
    }
}

/// The number of requests needed to show that a bound holds. `None` if the bound does not depend on
/// it, `Some(None)` if no number is enough.
fn needed(bound: Bound) -> Option<Option<u64>> {
    match bound {
        Bound::P50(_) => Some(Some(samples_needed(0.5))),
        Bound::P90(_) => Some(Some(samples_needed(0.9))),
        Bound::P99(_) | Bound::P99Ratio(_) => Some(Some(samples_needed(0.99))),
        Bound::Errors(share) => {
            let needs = (CHANCE.ln() / (1.0 - share.value()).ln()).ceil();
            Some(needs.is_finite().then_some(needs as u64))
        }
        _ => None,
    }
}

/// The share of an endpoint's requests that the aim judges, 1 if it judges all.
fn arm_share(plan: &Plan, aim: &Expectation) -> f64 {
    let struck = struck_share(plan, aim);
    match aim.arm {
        None | Some(AimArm::Struck | AimArm::Delayed) => struck,
        Some(AimArm::Control | AimArm::NotStruck) if struck < 1.0 => 1.0 - struck,
        Some(AimArm::Control | AimArm::NotStruck | AimArm::Untouched | AimArm::All) => 1.0,
    }
}

/// The share that is struck, 1 if there is no control arm: the smallest share among the faults that
/// can be about the endpoint.
fn struck_share(plan: &Plan, aim: &Expectation) -> f64 {
    faults_about(plan, &aim.of).map(|fault| fault.share.value()).fold(1.0, f64::min)
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::notices;

    const GOOD: &str = include_str!("../../../scenarios/experiments/slow-authorizer.toml");

    #[test]
    fn an_aim_that_can_be_broken_but_not_held_is_reported_with_a_fix() {
        assert_eq!(notices(&check("x", GOOD).unwrap()), Vec::<String>::new());
        // 20/s x 1.02 x 20 s x 0.5 are 204 in the struck arm.
        let less = GOOD.replacen("fault = \"40s\"", "fault = \"20s\"", 1).replacen(
            "clinic = { rate = \"30/s\" }",
            "clinic = { rate = \"20/s\" }",
            1,
        );
        let told = notices(&check("x", &less).unwrap());
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(
            told[0],
            "p99 of `clinic GET /appointment/{id}` needs 368 requests, this gives at most 204 in the arm that it judges: it can be broken, but not held; \
             make the fault phase `37s` or raise the rate"
        );
        assert!(told[1].starts_with("errors of `clinic GET /appointment/{id}` needs 368 requests"), "{told:?}");
    }

    #[test]
    fn without_a_control_arm_all_requests_count_and_a_ratio_counts_the_smaller_arm() {
        let whole = GOOD.replacen("share = 0.5", "share = 1.0", 1).replacen("fault = \"40s\"", "fault = \"20s\"", 1);
        assert_eq!(notices(&check("x", &whole).unwrap()), Vec::<String>::new());
        let ratio = GOOD.replacen("share = 0.5", "share = 0.9", 1).replacen("p99 = \"<= 1s\"", "p99-ratio = \"<= 2x\"", 1);
        let told = notices(&check("x", &ratio).unwrap());
        assert!(told.len() == 1 && told[0].contains("this gives at most 122 "), "{told:?}");
    }

    #[test]
    fn fewer_than_ten_struck_requests_or_five_in_a_window_are_reported() {
        let rare = GOOD.replacen("clinic = { rate = \"30/s\" }", "clinic = { rate = \"0.4/s\" }", 1).replacen(
            "p99 = \"<= 1s\"",
            "p50 = \"<= 1s\"",
            1,
        );
        let told = notices(&check("x", &rare).unwrap());
        let says = |what: &str| told.iter().any(|one| one.contains(what));
        assert!(says("p50 of `clinic GET /appointment/{id}` needs 10 requests, this gives at most 8"), "{told:?}");
        assert!(says("recovery of `clinic GET /appointment/{id}` is seen in 5 requests, this gives 2.0 in 5 s"), "{told:?}");
    }

    #[test]
    fn no_number_of_requests_shows_that_all_succeed() {
        let told = notices(&check("x", &GOOD.replacen("<= 1%", "<= 0%", 1)).unwrap());
        assert!(told.len() == 1 && told[0].contains("no number of requests"), "{told:?}");
    }
}
