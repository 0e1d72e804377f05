//! Converts what a run knows about itself for the report. It measures nothing.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reports::machine::Machine;
use reports::measurements::{Deployment, Experiment, PhaseSpan, Platform, RunKind};
use reports::{Phase, words};
use run_folder::{Addresses, Compressed, Health};

use super::check::ARMING;
use super::plan::Plan;
use super::processors::Usage;

/// The experiment, as the report shows it.
pub fn experiment(plan: &Plan, command: String) -> Experiment {
    Experiment {
        kind: plan.kind,
        name: plan.name.clone(),
        question: plan.question.clone(),
        seed: plan.seed,
        text: plan.text.clone(),
        command,
        systems: plan.systems.iter().map(|system| system.name().to_owned()).collect(),
        weaknesses: plan.setup.weaknesses.clone(),
        faults: plan.faults.clone(),
        expectations: plan.expectations.clone(),
        any_errors: plan.any_errors.clone(),
        none_broken: plan.none_broken,
        compressed_time: compressed_time(plan.setup.compressed),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Such as `queues 30 times faster than at AWS`; empty if nothing is faster.
fn compressed_time(compressed: Compressed) -> String {
    let faster = |what: &str, factor: u32| (factor > 1).then(|| format!("{what} {} times faster than at AWS", words::count(factor.into())));
    let said = [faster("queues", compressed.queues), faster("time to live", compressed.expiry)];
    said.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The deployments of one API to compare.
pub fn deployments(plan: &Plan) -> Vec<Deployment> {
    plan.systems.iter().flat_map(|system| system.compared()).collect()
}

/// What no rule can check on the target, for the text of a green verdict; `rules` are those that the target cannot show.
pub fn unchecked(plan: &Plan, addresses: &Addresses, rules: &[&str]) -> Vec<String> {
    if plan.kind == RunKind::Load {
        return Vec::new();
    }
    // Functions on AWS, and a server of the user, are known only by their answers.
    let is_told = !plan.load.conservation.rules.is_empty();
    let behind = (plan.systems.is_empty() && !is_told).then(|| "what happens behind the answers".to_owned());
    let cache = addresses.redis_is_foreign.then(|| "what leaves the cache, which is somebody else's".to_owned());
    let rules = (!rules.is_empty()).then(|| format!("what services do, which {} would", rules.join(", ")));
    let off = (!plan.load.off.is_empty()).then(|| format!("{}, which the experiment switches off", plan.load.off.join(", ")));
    let aims = plan.deployed.iter().flat_map(|deployed| deployed.unmeasured.iter().map(|endpoint| format!("the aims of `{endpoint}`")));
    behind.into_iter().chain(cache).chain(rules).chain(plan.unseen.iter().cloned()).chain(off).chain(aims).collect()
}

/// The recorded phases, in seconds from the start of the baseline; without phases that were not
/// reached.
pub fn phases(plan: &Plan, calmed: Option<Duration>, over: Duration) -> Vec<PhaseSpan> {
    let timeline = plan.timeline;
    let from = timeline.recording_from();
    let calm = calmed.unwrap_or(timeline.calm_at());
    [
        (Phase::Baseline, from, timeline.strike_at()),
        (Phase::Fault, timeline.strike_at() + ARMING, calm),
        (Phase::Recovery, calm, timeline.end()),
    ]
    .into_iter()
    .map(|(phase, begin, end)| (phase, begin, end.min(over)))
    .filter(|(_, begin, end)| begin < end)
    .map(|(phase, begin, end)| PhaseSpan {
        phase,
        from_s: begin.saturating_sub(from).as_secs_f64(),
        to_s: end.saturating_sub(from).as_secs_f64(),
    })
    .collect()
}

/// The platform's counts, as the verdict weighs them.
pub fn platform(health: &Health, usage: &Usage) -> Platform {
    let total: u64 = health.queued_by_ms.iter().sum();
    let mut sum = 0;
    let at = health.queued_by_ms.iter().position(|count| {
        sum += count;
        total > 0 && sum * 100 >= total * 99
    });
    Platform {
        invocations: health.invocations,
        environments: health.environments,
        queued: health.queued,
        queue_p99: at.map_or(Duration::ZERO, |power| Duration::from_millis(1 << power)),
        throttled: health.throttled,
        ended_badly: health.ended_badly,
        processors: usage.phases(),
    }
}

/// What this machine did to the requests of the baseline, at its end.
pub fn baseline_machine(health: &Health, usage: &Usage) -> Machine {
    let platform = platform(health, usage);
    let wait_us = u64::try_from(platform.queue_p99.as_micros()).unwrap_or(u64::MAX);
    Machine { wait_us, processors: platform.processors.get(&Phase::Baseline).copied() }
}

/// A moment, past or to come, in milliseconds since 1970.
pub(super) fn unix_ms_at(moment: Instant) -> u64 {
    let (now, unix) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
    ms((unix + moment.saturating_duration_since(now)).saturating_sub(now.saturating_duration_since(moment)))
}

/// A span in whole milliseconds.
pub fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{endpoints, faults::functions};

    #[test]
    fn each_target_names_what_no_rule_can_check() {
        let plan = |name: &str| {
            let (name, text) = crate::shipped::find(name).unwrap();
            crate::check(&name, &text).unwrap()
        };
        let deployed = crate::check("orders", include_str!("../../docs/examples/orders.toml")).unwrap();
        let (own, foreign) = (Addresses::default(), Addresses { redis_is_foreign: true, ..Addresses::default() });
        assert_eq!(unchecked(&plan("slow-cache"), &own, &[]), Vec::<String>::new());
        assert_eq!(unchecked(&plan("slow-cache"), &own, &["B-4", "B-6"]), ["what services do, which B-4, B-6 would"]);
        assert_eq!(unchecked(&plan("audit-sizes"), &foreign, &[]), ["what leaves the cache, which is somebody else's"]);
        assert_eq!(unchecked(&deployed, &own, &[]), ["what happens behind the answers"]);
    }

    #[test]
    fn the_compared_routes_are_recorded_and_can_be_struck() {
        let (name, text) = crate::shipped::find("blast-radius").unwrap();
        let compared = deployments(&crate::check(&name, &text).unwrap());
        assert_eq!(compared.len(), 3);
        for route in compared.iter().flat_map(|one| &one.routes) {
            assert!(endpoints().any(|(endpoint, ..)| endpoint == route.endpoint), "{}", route.endpoint);
            assert!(functions().any(|(function, _, _)| function == route.function), "{}", route.function);
        }
        let (name, text) = crate::shipped::find("slow-mail").unwrap();
        assert_eq!(deployments(&crate::check(&name, &text).unwrap()), []);
    }
}
