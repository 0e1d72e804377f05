//! A snapshot for tests: an experiment of 80 s in its 52nd second.

use std::time::Duration;

use engine::snapshot::{Latency, Moment, Recent, Snapshot};
use reports::measurements::RunKind;
use reports::{Latencies, Outcome, Phase, Rolls, Tag, Totals};

/// The snapshot; its totals are those of [`totals`] at 1.
pub fn snapshot() -> Snapshot {
    let took = |ms| Some(Latency::Took(Duration::from_millis(ms)));
    Snapshot {
        name: "slow-authorizer".into(),
        kind: RunKind::Experiment,
        moment: Moment::Phase(Phase::Fault),
        at: Duration::from_millis(52_400),
        length: Duration::from_secs(80),
        due_per_s: 45.0,
        sent_per_s: 74.44,
        sent: 3_870,
        failed: 15,
        struck: 471,
        struck_arm: Recent { requests: 230, errors: 12, p50: took(312), p99: Some(Latency::Failed) },
        other_arms: Recent { requests: 1_220, errors: 0, p50: took(12), p99: took(80) },
        totals: totals(1),
        rules: 14,
        broken: Vec::new(),
    }
}

/// For each arm of an endpoint so many answers after 1 ms, 300 ms and 20 s, and as many failures.
pub fn totals(times: u64) -> Totals {
    let mut latencies = Latencies::default();
    for struck in [true, false] {
        let rolls = Rolls::one(0, struck);
        let tag = |outcome| Tag { endpoint: "shop GET /\"a\"".into(), phase: Phase::Fault, rolls, cold: false, outcome };
        for _ in 0..times {
            [1_000, 300_000, 20_000_000].into_iter().for_each(|us| latencies.record(3, &tag(Outcome::Answered), us, false));
            latencies.record(3, &tag(Outcome::Failed), 7_000, false);
        }
    }
    Totals::default().with_open(&latencies)
}
