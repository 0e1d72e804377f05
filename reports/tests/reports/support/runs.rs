//! Made-up runs: everything that [`reports::judge`] needs, healthy unless the test says otherwise.

use std::time::Duration;

use faults::Fault;
use reports::measurements::{
    Books, End, Endings, Experiment, Generator, Injections, Invariant, Measurements, PhaseSpan, Platform, Restored, RunKind,
};
use reports::{Bound, Expectation, Latencies, Outcome, Phase, Rolls, Starts, Tag};

/// The endpoint under test.
pub const OF: &str = "clinic GET /appointment/{id}";

/// A tag of [`OF`].
pub fn tag(phase: Phase, rolls: Rolls) -> Tag {
    Tag { endpoint: OF.into(), phase, rolls, cold: false, outcome: Outcome::Answered }
}

/// An aim of [`OF`] on the default arm.
pub fn aim(bound: Bound) -> Expectation {
    Expectation { of: OF.into(), bound, arm: None, starts: Starts::All }
}

/// This many microseconds, as experiments write them.
pub fn us(us: f64) -> faults::time::Time {
    Duration::from_micros(us.round() as u64).into()
}

/// A fault that delays half of the requests.
pub fn delay(name: &str) -> Fault {
    let text = r#"{"name":"NAME","place":{"function":"authorizer"},"share":0.5,"kind":{"latency":{"at":"before","time":"1us"}}}"#;
    serde_json::from_str(&text.replace("NAME", name)).unwrap()
}

/// A fault that is an error itself, for half of the requests.
pub fn error(name: &str) -> Fault {
    let text = r#"{"name":"NAME","place":{"function":"authorizer"},"share":0.5,"kind":{"error":{"type":"Runtime.Planned","message":"as planned"}}}"#;
    serde_json::from_str(&text.replace("NAME", name)).unwrap()
}

/// Phases one after another, in whole seconds.
pub fn phases(lengths: &[(Phase, u32)]) -> Vec<PhaseSpan> {
    let mut from_s = 0.0;
    let span = |(phase, seconds): &(Phase, u32)| {
        let span = PhaseSpan { phase: *phase, from_s, to_s: from_s + f64::from(*seconds) };
        from_s = span.to_s;
        span
    };
    lengths.iter().map(span).collect()
}

/// A run without any request, whose counts are empty and balanced.
pub fn empty(phases: Vec<PhaseSpan>, faults: Vec<Fault>, expectations: Vec<Expectation>) -> Measurements {
    Measurements {
        experiment: Experiment {
            kind: RunKind::Experiment,
            name: "made-up".into(),
            question: "Is the verdict right?".into(),
            seed: 7,
            text: "question = \"Is the verdict right?\"\n".into(),
            command: "brownout run made-up.toml --seed 7".into(),
            systems: vec!["clinic".into()],
            weaknesses: vec![],
            faults,
            expectations,
            any_errors: vec![],
            none_broken: true,
            compressed_time: String::new(),
            version: "0.1.0".into(),
        },
        phases,
        started_unix_ms: 1_700_000_000_000,
        latencies: Latencies::default(),
        service_times: Latencies::default(),
        books: Books::default(),
        endings: Endings::default(),
        dispositions: vec![],
        deployments: vec![],
        injections: vec![],
        discrepancies: vec![],
        generator: Generator {
            intended_per_s: 10.0,
            achieved_per_s: 10.0,
            lag_p50: Duration::from_micros(60),
            lag_p99: Duration::from_micros(800),
            lag_max: Duration::from_millis(4),
            cpu: 0.1,
        },
        platform: Platform { invocations: 6_000, environments: 31, ..Platform::default() },
        invariants: vec![rule("A-1", 2_700)],
        end: End::Finished,
        restored: Restored::Yes,
        unchecked: vec![],
        notes: vec![],
    }
}

/// A rule that held in this many checks.
pub fn rule(id: &str, checked: u64) -> Invariant {
    Invariant { id: id.into(), rule: "Nobody does what is forbidden.".into(), checked, broken: 0, broken_in_baseline: 0, exchanges: vec![] }
}

/// Records a request that was sent when it was due.
pub fn record(measured: &mut Measurements, second: u32, tag: &Tag, us: f64, half: bool) {
    let us = us.round().max(1.0) as u64;
    measured.latencies.record(second, tag, us, half);
    measured.service_times.record(second, tag, us, half);
}

/// Sets counts that agree with the recorded requests: every eligible request is in the ledger of
/// each fault that was about it.
pub fn balance(measured: &mut Measurements) {
    let (latencies, books) = (&measured.latencies, &mut measured.books);
    let of = |outcome: Outcome| latencies.count(|tag| tag.outcome == outcome);
    books.answered = of(Outcome::Answered);
    (books.failed, books.timed_out, books.cancelled) = (of(Outcome::Failed), of(Outcome::TimedOut), of(Outcome::Cancelled));
    books.sent = latencies.count(|_| true);
    books.planned = books.sent;
    let in_fault = |tag: &Tag| tag.phase == Phase::Fault;
    measured.injections = (0..)
        .zip(&measured.experiment.faults)
        .map(|(index, fault)| {
            let struck = latencies.count(|tag| in_fault(tag) && tag.rolls.struck.has(index));
            let eligible = latencies.count(|tag| in_fault(tag) && tag.rolls.about.has(index));
            Injections { eligible, planned: struck, struck, ..Injections::none_of(fault) }
        })
        .collect();
}
