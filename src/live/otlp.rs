//! The series of a run as OTLP 1, in JSON:
//! <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/metrics/v1/metrics.proto>.

use std::time::{SystemTime, UNIX_EPOCH};

use engine::snapshot::Snapshot;
use serde::Serialize;

use super::series::{self, Family, Histogram, Labels, Samples};

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`: each message has all since the begin, so that one that is lost takes nothing with it.
const CUMULATIVE: u8 = 2;

/// From when to when something was counted.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// The begin of the run.
    pub since: SystemTime,
    /// Now.
    pub until: SystemTime,
}

/// An `ExportMetricsServiceRequest` of one resource.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    resource_metrics: [ResourceMetrics; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceMetrics {
    resource: Resource,
    scope_metrics: [ScopeMetrics; 1],
}

#[derive(Serialize)]
struct Resource {
    attributes: Vec<Attribute>,
}

#[derive(Serialize)]
struct ScopeMetrics {
    scope: Scope,
    metrics: Vec<Metric>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Metric {
    name: String,
    description: &'static str,
    unit: &'static str,
    #[serde(flatten)]
    data: Data,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Data {
    Gauge { data_points: Vec<Point> },
    Sum { aggregation_temporality: u8, is_monotonic: bool, data_points: Vec<Point> },
    Histogram { aggregation_temporality: u8, data_points: Vec<Point> },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Point {
    attributes: Vec<Attribute>,
    start_time_unix_nano: String,
    time_unix_nano: String,
    #[serde(flatten)]
    value: Value,
}

/// Whole numbers of 64 bits are text in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Value {
    AsInt(String),
    AsDouble(f64),
    #[serde(untagged)]
    Buckets {
        count: String,
        sum: f64,
        bucket_counts: Vec<String>,
        explicit_bounds: Vec<f64>,
    },
}

#[derive(Serialize)]
struct Attribute {
    key: String,
    value: Text,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    string_value: String,
}

/// The message of a snapshot, as a resource with these attributes.
pub fn message(snapshot: &Snapshot, resource: &[(String, String)], span: Span) -> Message {
    let metrics = series::of(snapshot).into_iter().map(|family| metric(family, span)).collect();
    let scope = Scope { name: "brownout", version: env!("CARGO_PKG_VERSION") };
    let attributes = resource.iter().map(|(key, value)| attribute(key, value)).collect();
    Message { resource_metrics: [ResourceMetrics { resource: Resource { attributes }, scope_metrics: [ScopeMetrics { scope, metrics }] }] }
}

fn metric(Family { name, help, samples }: Family, span: Span) -> Metric {
    // As OpenMetrics calls the sample.
    let ending = if matches!(samples, Samples::Info(_)) { "_info" } else { "" };
    let unit = if name.ends_with("_seconds") { "s" } else { "" };
    Metric { name: format!("{name}{ending}"), description: help, unit, data: data(name, samples, span) }
}

fn data(name: &str, samples: Samples, span: Span) -> Data {
    let none = Labels::new();
    match samples {
        Samples::Info(labels) => Data::Gauge { data_points: vec![point(&labels, span, whole(1))] },
        Samples::States(states) => {
            let state =
                |(state, is): (&str, bool)| Point { attributes: vec![attribute(name, state)], ..point(&none, span, whole(is.into())) };
            Data::Gauge { data_points: states.into_iter().map(state).collect() }
        }
        Samples::Gauge(value) => Data::Gauge { data_points: vec![point(&none, span, Value::AsDouble(value))] },
        Samples::Counter(counts) => Data::Sum {
            aggregation_temporality: CUMULATIVE,
            is_monotonic: true,
            data_points: counts.iter().map(|(labels, count)| point(labels, span, whole(*count))).collect(),
        },
        Samples::Histogram(all) => Data::Histogram {
            aggregation_temporality: CUMULATIVE,
            data_points: all.iter().map(|(labels, histogram)| point(labels, span, buckets(histogram))).collect(),
        },
    }
}

fn point(labels: &Labels, span: Span, value: Value) -> Point {
    Point {
        attributes: labels.iter().map(|(key, value)| attribute(key, value)).collect(),
        start_time_unix_nano: nanoseconds(span.since),
        time_unix_nano: nanoseconds(span.until),
        value,
    }
}

fn whole(number: u64) -> Value {
    Value::AsInt(number.to_string())
}

fn buckets(histogram: &Histogram) -> Value {
    let up_to = || histogram.up_to.iter().map(|(_, count)| *count);
    let below = std::iter::once(0).chain(up_to());
    Value::Buckets {
        count: histogram.count.to_string(),
        sum: histogram.sum,
        bucket_counts: up_to().chain([histogram.count]).zip(below).map(|(up_to, below)| (up_to - below).to_string()).collect(),
        explicit_bounds: histogram.up_to.iter().map(|(bound, _)| *bound).collect(),
    }
}

fn attribute(key: &str, value: &str) -> Attribute {
    Attribute { key: key.to_owned(), value: Text { string_value: value.to_owned() } }
}

fn nanoseconds(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::{Value, json};

    use super::{Span, message};
    use crate::sample::snapshot;

    #[test]
    fn counts_are_cumulative_and_buckets_are_apart() {
        let since = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let span = Span { since, until: since + Duration::from_secs(5) };
        let written = message(&snapshot(), &[("service.name".to_owned(), "shop".to_owned())], span);
        let written: Value = serde_json::to_value(written).unwrap();
        let all = &written["resourceMetrics"][0];
        assert_eq!(all["resource"]["attributes"][0], json!({ "key": "service.name", "value": { "stringValue": "shop" } }));
        let metrics = all["scopeMetrics"][0]["metrics"].as_array().unwrap();
        let of = |name: &str| metrics.iter().find(|metric| metric["name"] == name).unwrap_or_else(|| panic!("{name}: {written:#}"));
        let sent = &of("brownout_sent")["sum"];
        assert!(sent["isMonotonic"] == true && sent["aggregationTemporality"] == 2, "{sent}");
        let times = json!({ "startTimeUnixNano": "1700000000000000000", "timeUnixNano": "1700000005000000000" });
        let point = &sent["dataPoints"][0];
        assert!(point["asInt"] == "3870" && point["timeUnixNano"] == times["timeUnixNano"], "{point}");
        assert_eq!(point["startTimeUnixNano"], times["startTimeUnixNano"]);
        assert_eq!(of("brownout_left_seconds")["unit"], "s");
        assert_eq!(of("brownout_run_info")["gauge"]["dataPoints"][0]["asInt"], "1");
        let latency = &of("brownout_latency_seconds")["histogram"]["dataPoints"];
        let answered = |point: &&Value| {
            let label = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
            let says = |key: &str, value: &str| point["attributes"].as_array().unwrap().contains(&label(key, value));
            says("outcome", "answered") && says("arm", "control")
        };
        let point = latency.as_array().unwrap().iter().find(answered).unwrap();
        // 1 ms, 300 ms and 20 s.
        let counts: Vec<_> = point["bucketCounts"].as_array().unwrap().iter().map(|count| count.as_str().unwrap()).collect();
        assert_eq!(counts, ["1", "0", "0", "0", "0", "0", "0", "0", "1", "0", "0", "0", "0", "1", "0"]);
        assert!(point["count"] == "3" && point["explicitBounds"].as_array().unwrap().len() == 14, "{point}");
    }
}
