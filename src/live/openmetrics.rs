//! A snapshot as OpenMetrics text 1.0, for Prometheus and what reads the same:
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>.

use std::fmt::{Display, Write as _};

use engine::snapshot::Snapshot;

use super::series::{self, Family, Histogram, Labels, Samples};

/// The type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The text; before the first snapshot it has no metric.
pub fn write(snapshot: Option<&Snapshot>) -> String {
    let mut text = Text(String::new());
    snapshot.map(series::of).into_iter().flatten().for_each(|family| text.family(&family));
    text.0 + "# EOF\n"
}

/// The text so far.
struct Text(String);

impl Text {
    fn family(&mut self, Family { name, help, samples }: &Family) {
        let kind = match samples {
            Samples::Info(_) => "info",
            Samples::States(_) => "stateset",
            Samples::Gauge(_) => "gauge",
            Samples::Counter(_) => "counter",
            Samples::Histogram(_) => "histogram",
        };
        self.line(format_args!("# TYPE {name} {kind}"));
        if name.ends_with("_seconds") {
            self.line(format_args!("# UNIT {name} seconds"));
        }
        self.line(format_args!("# HELP {name} {help}"));
        self.samples(name, samples);
    }

    fn samples(&mut self, name: &str, samples: &Samples) {
        match samples {
            Samples::Info(labels) => self.sample(&format!("{name}_info"), labels, 1),
            Samples::States(states) => {
                // The label has the name of the family.
                let sample = |(state, is): &(&str, bool)| self.line(format_args!("{name}{{{name}=\"{state}\"}} {}", u8::from(*is)));
                states.iter().for_each(sample);
            }
            Samples::Gauge(value) => self.sample(name, &Labels::new(), value),
            Samples::Counter(counts) => counts.iter().for_each(|(labels, count)| self.sample(&format!("{name}_total"), labels, count)),
            Samples::Histogram(all) => all.iter().for_each(|(labels, histogram)| self.histogram(name, labels, histogram)),
        }
    }

    fn histogram(&mut self, name: &str, labels: &Labels, histogram: &Histogram) {
        let finite = histogram.up_to.iter().map(|(bound, count)| (format!("{bound:?}"), *count));
        for (bound, count) in finite.chain([("+Inf".to_owned(), histogram.count)]) {
            let mut labels = labels.clone();
            labels.push(("le", bound));
            self.sample(&format!("{name}_bucket"), &labels, count);
        }
        self.sample(&format!("{name}_count"), labels, histogram.count);
        self.sample(&format!("{name}_sum"), labels, histogram.sum);
    }

    fn sample(&mut self, name: &str, labels: &Labels, value: impl Display) {
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.line(format_args!("{name}{labels} {value}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.0, "{line}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use engine::snapshot::Broken;
    use reports::measurements::RunKind;

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
