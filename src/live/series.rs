//! The series of a run: what `/metrics` and an OpenTelemetry collector get of a snapshot.

use engine::snapshot::{Moment, Snapshot};
use reports::Label;
use reports::coarse::Coarse;
use reports::measurements::RunKind;

/// The upper bounds of the buckets, in microseconds. A latency is in its bucket within 1.6 %.
const BOUNDS_US: [u32; 14] =
    [1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000];

/// Names and values of labels.
pub type Labels = Vec<(&'static str, String)>;

/// Samples of one name.
pub struct Family {
    /// Such as `brownout_sent`. One in seconds ends with `_seconds`.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub help: &'static str,
    /// Its samples.
    pub samples: Samples,
}

/// The samples of a family, by its kind.
pub enum Samples {
    /// What does not change, as labels.
    Info(Labels),
    /// In which of some states the run is.
    States(Vec<(&'static str, bool)>),
    /// What rises and falls.
    Gauge(f64),
    /// What only rises.
    Counter(Vec<(Labels, u64)>),
    /// Latencies.
    Histogram(Vec<(Labels, Histogram)>),
}

/// How many latencies are not above each bound.
pub struct Histogram {
    /// The upper bounds in seconds, rising, and how many are not above them.
    pub up_to: Vec<(f64, u64)>,
    /// All of them.
    pub count: u64,
    /// Their sum in seconds.
    pub sum: f64,
}

/// The series of this moment. What only rises never falls from one to the next.
pub fn of(snapshot: &Snapshot) -> Vec<Family> {
    let mut families = run(snapshot);
    families.extend(rates(snapshot));
    families.extend(requests(snapshot));
    families
}

const fn family(name: &'static str, help: &'static str, samples: Samples) -> Family {
    Family { name, help, samples }
}

fn count(number: u64) -> Samples {
    Samples::Counter(vec![(Labels::new(), number)])
}

fn run(snapshot: &Snapshot) -> Vec<Family> {
    let labels = vec![("name", snapshot.name.clone()), ("kind", snapshot.kind.name().to_owned())];
    let states = Moment::ALL.map(|moment| (moment.name(snapshot.kind), moment == snapshot.moment));
    vec![
        family("brownout_run", "The run.", Samples::Info(labels)),
        family("brownout_phase", "What the run is doing.", Samples::States(states.to_vec())),
        family("brownout_left_seconds", "Time until the last arrival is due.", Samples::Gauge(snapshot.left().as_secs_f64())),
    ]
}

fn rates(snapshot: &Snapshot) -> Vec<Family> {
    let due = "Arrivals a second that are due; one may send several requests.";
    let sent = "Requests a second that were sent in the last two seconds.";
    let mut families = vec![
        family("brownout_due_per_second", due, Samples::Gauge(snapshot.due_per_s)),
        family("brownout_sent_per_second", sent, Samples::Gauge(snapshot.sent_per_s)),
        family("brownout_sent", "Requests sent, in any phase.", count(snapshot.sent)),
        family("brownout_errors", "Requests that failed or timed out, in any phase.", count(snapshot.failed)),
    ];
    if snapshot.kind == RunKind::Experiment {
        let broken = snapshot.broken.iter().map(|broken| (vec![("rule", broken.id.clone())], broken.times)).collect();
        families.push(family("brownout_struck", "Strikes of faults, by the ledgers.", count(snapshot.struck)));
        families.push(family("brownout_violations", "How often each broken rule was broken.", Samples::Counter(broken)));
    }
    families
}

/// The requests of the recorded phases.
fn requests(snapshot: &Snapshot) -> [Family; 2] {
    let of = |label| labels(snapshot.kind, label);
    let counts = snapshot.totals.iter().map(|(label, counts)| (of(label), counts.total())).collect();
    let latencies = snapshot.totals.iter().map(|(label, counts)| (of(label), histogram(counts))).collect();
    [
        family("brownout_requests", "Requests of the recorded phases that came to their end.", Samples::Counter(counts)),
        family("brownout_latency_seconds", "Latency from the time a request was due.", Samples::Histogram(latencies)),
    ]
}

fn labels(kind: RunKind, label: &Label) -> Labels {
    vec![
        ("endpoint", label.endpoint.to_string()),
        ("arm", label.arm.name().to_owned()),
        ("phase", kind.phase(label.phase).to_owned()),
        ("outcome", label.outcome.name().to_owned()),
    ]
}

fn histogram(counts: &Coarse) -> Histogram {
    let up_to = BOUNDS_US.map(|bound| (f64::from(bound) / 1e6, counts.up_to(bound)));
    Histogram { up_to: up_to.to_vec(), count: counts.total(), sum: counts.sum_us() as f64 / 1e6 }
}
