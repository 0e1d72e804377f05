//! Made-up runs for tests: the measurements of a healthy and of a slow system.

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::dispositions::{Dispositions, Row};
use crate::expectation::{Bound, Expectation, Starts};
use crate::latencies::{Latencies, Outcome, Phase, Tag};
use crate::measurements::{
    Books, Deployment, End, Endings, Exchange, Experiment, Generator, Injections, Invariant, Measurements, PhaseSpan, Platform, Restored,
    Route, RunKind,
};
use crate::rolls::{ArmTag, Rolls};

const CLINIC: &str = "clinic GET /appointment/{id}";

fn latencies(slowness: f64) -> (Latencies, Latencies, Books) {
    let mut random = Pcg64Mcg::seed_from_u64(42);
    let (mut latencies, mut service_times) = (Latencies::default(), Latencies::default());
    let mut books = Books::default();
    for second in 0..60_u32 {
        let phase = if second < 15 {
            Phase::Baseline
        } else if second < 45 {
            Phase::Fault
        } else {
            Phase::Recovery
        };
        for n in 0..90 {
            let endpoint = [CLINIC, "thermostat POST /control/{thing}", "thermostat shadow"][n % 3];
            let roll: f64 = random.random();
            let rolls = match phase {
                Phase::Recovery => Rolls::NONE,
                _ if n % 3 == 2 => Rolls::NONE,
                Phase::Fault => Rolls::one(0, roll < 0.5),
                _ => Rolls::one(0, false),
            };
            let (struck, cold) = (rolls.arm() == ArmTag::Treatment, phase != Phase::Fault && roll < 0.01);
            let normal = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt() * (std::f64::consts::TAU * random.random::<f64>()).cos();
            let own = [14_000.0, 19_000.0, 6_000.0][n % 3] * (0.3 * normal).exp();
            let added = if struck { 300_000.0 * slowness * (0.2 * normal).exp() } else { 0.0 };
            let failed = struck && n % 3 == 1 && random.random::<f64>() < 0.004;
            let outcome = if failed { Outcome::Failed } else { Outcome::Answered };
            books.sent += 1;
            books.answered += u64::from(!failed);
            books.failed += u64::from(failed);
            let starting = if cold { 180_000.0 } else { 0.0 };
            let tag = Tag { endpoint: endpoint.into(), phase, rolls, cold, outcome };
            let (latency, half) = ((own + added + starting) as u64, random.random());
            latencies.record(second, &tag, latency, half);
            service_times.record(second, &tag, latency, half);
        }
    }
    books.planned = books.sent;
    (latencies, service_times, books)
}

fn experiment() -> Experiment {
    let fault = r#"{"name":"slow-authorizer","place":{"function":"authorizer"},"share":0.5,"when":{"path":"/appointment/*"},
        "kind":{"latency":{"at":"before","time":"300ms","jitter":{"lognormal":0.2}}}}"#;
    let aim = |of: &str, bound| Expectation { of: of.into(), bound, arm: None, starts: Starts::All };
    Experiment {
        kind: RunKind::Experiment,
        name: "slow-authorizer".into(),
        question: "Do appointments stay readable while the authorizer is slow?".into(),
        seed: 7,
        text: "question = \"Do appointments stay readable while the authorizer is slow?\"\nseed = 7\n\n[[fault]]\nfunction = \"authorizer\"\nshare = 0.5\nlatency = { at = \"before\", time = \"300ms\" }\n".into(),
        command: "brownout run scenarios/experiments/slow-authorizer.toml --seed 7".into(),
        systems: vec!["thermostat".into(), "clinic".into()],
        weaknesses: vec![],
        faults: vec![serde_json::from_str(fault).unwrap()],
        expectations: vec![
            aim(CLINIC, Bound::P99("1s".parse().unwrap())),
            aim(CLINIC, Bound::Errors(0.01.try_into().unwrap())),
            aim(CLINIC, Bound::Recovery("10s".parse().unwrap())),
            aim("thermostat shadow", Bound::P90("100ms".parse().unwrap())),
        ],
        any_errors: vec![],
        none_broken: true,
        compressed_time: "queues 30 times faster".into(),
        version: "0.1.0".into(),
    }
}

/// Two deployments that share a route.
fn deployments() -> Vec<Deployment> {
    let with_one = |(name, endpoint, function): (&str, &str, &str)| Deployment {
        name: name.into(),
        routes: vec![Route { route: "the one".into(), endpoint: endpoint.into(), function: function.into() }],
    };
    [("clinic", CLINIC, "authorizer"), ("thermostat", "thermostat POST /control/{thing}", "thermostat-api")].map(with_one).into()
}

/// An exchange that breaks a rule: the answer should have been a denial.
fn forbidden() -> Exchange {
    Exchange {
        at_s: 21.4,
        root: "1-67891233-abcdef012345678912345678".into(),
        asked: "POST /control/Thermostat1 as jane_doe, SetTemperature 79 <b>".into(),
        answered: "200".into(),
        expected: "403: jane_doe may set 70 to 75 only".into(),
        repeat: "brownout run slow-authorizer.toml --seed 7".into(),
    }
}

fn run(slowness: f64) -> Measurements {
    let (latencies, service_times, books) = latencies(slowness);
    let span = |phase, from_s, to_s| PhaseSpan { phase, from_s, to_s };
    let rule = |id: &str, rule: &str, exchanges| Invariant {
        id: id.into(),
        rule: rule.into(),
        checked: 2_700,
        broken: 0,
        broken_in_baseline: 0,
        exchanges,
    };
    Measurements {
        experiment: experiment(),
        phases: vec![span(Phase::Baseline, 0.0, 15.0), span(Phase::Fault, 15.0, 45.0), span(Phase::Recovery, 45.0, 60.0)],
        started_unix_ms: 1_700_000_000_000,
        latencies,
        service_times,
        books,
        endings: Endings::default(),
        dispositions: vec![Dispositions {
            of: "mails".into(),
            taken: 1_800,
            ends: vec![
                Row { what: "delivered to all readers".into(), struck: 448, control: 452, neither: 890 },
                Row { what: "in flight".into(), struck: 0, control: 0, neither: 10 },
            ],
            of_these: vec![Row { what: "delivered twice".into(), struck: 3, control: 0, neither: 0 }],
        }],
        deployments: deployments(),
        injections: vec![Injections {
            fault: "slow-authorizer".into(),
            place: "authorizer".into(),
            eligible: 900,
            unknown: 0,
            planned: 448,
            struck: 448,
            asked_us: 137_000_000,
            waited_us: 137_400_000,
        }],
        discrepancies: vec![],
        generator: Generator {
            intended_per_s: 90.0,
            achieved_per_s: 90.0,
            lag_p50: Duration::from_micros(60),
            lag_p99: Duration::from_micros(800),
            lag_max: Duration::from_millis(4),
            cpu: 0.11,
        },
        platform: Platform { invocations: 6_000, environments: 31, ..Platform::default() },
        invariants: vec![
            rule("A-1", "Nobody does what the policies forbid.", vec![forbidden()]),
            rule("B-3", "No answer is more than the caller may see.", vec![]),
        ],
        end: End::Finished,
        restored: Restored::Yes,
        unchecked: vec![],
        notes: vec!["31 environments were new".into()],
    }
}

/// A system that keeps its aims.
pub(crate) fn healthy() -> Measurements {
    run(1.0)
}

/// The same system, under fault four times slower than allowed.
pub(crate) fn slow() -> Measurements {
    run(12.0)
}

/// An hour of ten endpoints with ten requests a second each, whose latencies spread widely and of
/// which some fail in every minute: the most that charts have to show.
pub(crate) fn an_hour() -> Measurements {
    let mut measured = run(1.0);
    let span = |phase, from_s, to_s| PhaseSpan { phase, from_s, to_s };
    measured.phases = vec![span(Phase::Baseline, 0.0, 600.0), span(Phase::Fault, 602.0, 3_000.0), span(Phase::Recovery, 3_000.0, 3_600.0)];
    (measured.latencies, measured.service_times, measured.books) = Default::default();
    let mut random = Pcg64Mcg::seed_from_u64(43);
    for PhaseSpan { phase, from_s, to_s } in measured.phases.clone() {
        for (second, n) in (from_s as u32..to_s as u32).flat_map(|second| (0..100).map(move |n| (second, n))) {
            let outcome = match random.random_range(0..100) {
                0 => Outcome::Failed,
                1 => Outcome::TimedOut,
                _ => Outcome::Answered,
            };
            let rolls = Rolls::one(0, phase == Phase::Fault && random.random());
            let endpoint = format!("shop GET /catalogue/{}/items/{{item}}", n % 10);
            let tag = Tag { endpoint, phase, rolls, cold: n == 0, outcome };
            let latency = (20_000.0 * (6.0 * random.random::<f64>() * random.random::<f64>()).exp()) as u64;
            let half = random.random();
            measured.latencies.record(second, &tag, latency, half);
            measured.service_times.record(second, &tag, latency, half);
            measured.books.sent += 1;
            match outcome {
                Outcome::Failed => measured.books.failed += 1,
                Outcome::TimedOut => measured.books.timed_out += 1,
                _ => measured.books.answered += 1,
            }
        }
    }
    measured.books.planned = measured.books.sent;
    measured
}
