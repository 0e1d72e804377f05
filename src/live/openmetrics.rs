//! A snapshot as OpenMetrics text 1.0, for Prometheus and what reads the same:
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>.

use std::fmt::{Display, Write as _};

use engine::snapshot::{Moment, Snapshot};
use reports::Label;
use reports::coarse::Coarse;
use reports::measurements::RunKind;

/// The type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The upper bounds of the buckets, in microseconds. A latency is in its bucket within 1.6 %.
const BOUNDS_US: [u32; 14] =
    [1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000];

/// Names and values of labels.
type Labels<'a> = [(&'a str, &'a str)];

/// The text; before the first snapshot it has no metric.
pub fn write(snapshot: Option<&Snapshot>) -> String {
    let mut text = Text(String::new());
    if let Some(snapshot) = snapshot {
        run(&mut text, snapshot);
        rates(&mut text, snapshot);
        requests(&mut text, snapshot);
    }
    text.0 + "# EOF\n"
}

/// The text so far.
struct Text(String);

impl Text {
    /// Begins a family; one in seconds says so.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# TYPE {name} {kind}");
        if name.ends_with("_seconds") {
            let _ = writeln!(self.0, "# UNIT {name} seconds");
        }
        let _ = writeln!(self.0, "# HELP {name} {help}");
    }

    fn sample(&mut self, name: &str, labels: &Labels, value: impl Display) {
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    /// A family of one sample without labels.
    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    /// The same that only rises.
    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        self.sample(&format!("{name}_total"), &[], value);
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn run(text: &mut Text, snapshot: &Snapshot) {
    text.family("brownout_run", "info", "The run.");
    text.sample("brownout_run_info", &[("name", snapshot.name.as_str()), ("kind", snapshot.kind.name())], 1);
    text.family("brownout_phase", "stateset", "What the run is doing.");
    for moment in Moment::ALL {
        text.sample("brownout_phase", &[("brownout_phase", moment.name(snapshot.kind))], u8::from(moment == snapshot.moment));
    }
    text.gauge("brownout_left_seconds", "Time until the last arrival is due.", snapshot.left().as_secs_f64());
}

fn rates(text: &mut Text, snapshot: &Snapshot) {
    text.gauge("brownout_due_per_second", "Arrivals a second that are due; one may send several requests.", snapshot.due_per_s);
    text.gauge("brownout_sent_per_second", "Requests a second that were sent in the last two seconds.", snapshot.sent_per_s);
    text.counter("brownout_sent", "Requests sent, in any phase.", snapshot.sent);
    text.counter("brownout_errors", "Requests that failed or timed out, in any phase.", snapshot.failed);
    if snapshot.kind == RunKind::Experiment {
        text.counter("brownout_struck", "Strikes of faults, by the ledgers.", snapshot.struck);
        text.family("brownout_violations", "counter", "How often each broken rule was broken.");
        for broken in &snapshot.broken {
            text.sample("brownout_violations_total", &[("rule", broken.id.as_str())], broken.times);
        }
    }
}

/// The requests of the recorded phases.
fn requests(text: &mut Text, snapshot: &Snapshot) {
    text.family("brownout_requests", "counter", "Requests of the recorded phases that came to their end.");
    for (label, counts) in snapshot.totals.iter() {
        text.sample("brownout_requests_total", &labels(snapshot.kind, label), counts.total());
    }
    let name = "brownout_latency_seconds";
    text.family(name, "histogram", "Latency from the time a request was due.");
    for (label, counts) in snapshot.totals.iter() {
        let labels = labels(snapshot.kind, label);
        for (bound, count) in buckets(counts) {
            text.sample(&format!("{name}_bucket"), &[&labels[..], &[("le", bound.as_str())][..]].concat(), count);
        }
        text.sample(&format!("{name}_count"), &labels, counts.total());
        text.sample(&format!("{name}_sum"), &labels, counts.sum_us() as f64 / 1e6);
    }
}

fn labels(kind: RunKind, label: &Label) -> [(&'static str, &str); 4] {
    [
        ("endpoint", label.endpoint.as_str()),
        ("arm", label.arm.name()),
        ("phase", kind.phase(label.phase)),
        ("outcome", label.outcome.name()),
    ]
}

/// Each bound in seconds, with how many latencies are not above it.
fn buckets(counts: &Coarse) -> impl Iterator<Item = (String, u64)> {
    let finite = BOUNDS_US.iter().map(move |bound| (format!("{:?}", f64::from(*bound) / 1e6), counts.up_to(*bound)));
    finite.chain([("+Inf".to_owned(), counts.total())])
}

#[cfg(test)]
mod tests {
    use engine::snapshot::Broken;

    use super::*;
    use crate::openmetrics::read;
    use crate::sample::{snapshot, totals};

    #[test]
    fn the_text_is_strict_and_says_what_the_snapshot_says() {
        let broken = vec![Broken { id: "B-3".into(), rule: "a rule".into(), times: 12 }];
        let text = write(Some(&Snapshot { broken, ..snapshot() }));
        let metrics = read(&text);
        for (name, labels, value) in [
            ("brownout_run_info", "kind=experiment,name=slow-authorizer", 1.0),
            ("brownout_phase", "brownout_phase=fault", 1.0),
            ("brownout_phase", "brownout_phase=baseline", 0.0),
            ("brownout_left_seconds", "", 27.6),
            ("brownout_due_per_second", "", 45.0),
            ("brownout_sent_total", "", 3_870.0),
            ("brownout_errors_total", "", 15.0),
            ("brownout_struck_total", "", 471.0),
            ("brownout_violations_total", "rule=B-3", 12.0),
            ("brownout_requests_total", "arm=treatment,endpoint=shop GET /\"a\",outcome=answered,phase=fault", 3.0),
            ("brownout_requests_total", "arm=control,endpoint=shop GET /\"a\",outcome=failed,phase=fault", 1.0),
        ] {
            assert_eq!(metrics.value(name, labels), Some(value), "{name} {labels}\n{text}");
        }
        // 1 ms is within the first bucket, 300 ms within 500 ms, and 20 s above 10 s.
        let of = |le: &str| {
            let labels = format!("arm=control,endpoint=shop GET /\"a\",le={le},outcome=answered,phase=fault");
            metrics.value("brownout_latency_seconds_bucket", &labels)
        };
        assert_eq!(["0.001", "0.25", "0.5", "10.0", "30.0", "+Inf"].map(of), [1.0, 1.0, 2.0, 2.0, 3.0, 3.0].map(Some), "{text}");
    }

    #[test]
    fn nothing_that_counts_ever_falls() {
        let at = |times| read(&write(Some(&Snapshot { totals: totals(times), ..snapshot() })));
        let [earlier, later] = [at(1), at(3)];
        later.has_risen_since(&earlier);
        assert!(std::panic::catch_unwind(|| earlier.has_risen_since(&later)).is_err(), "the reader finds what falls");
    }

    #[test]
    fn load_alone_has_no_strikes_and_before_the_first_snapshot_no_metric_exists() {
        let text = write(Some(&Snapshot { kind: RunKind::Load, ..snapshot() }));
        assert!(!text.contains("struck") && !text.contains("violations"), "{text}");
        read(&text);
        assert_eq!(write(None), "# EOF\n");
    }
}
