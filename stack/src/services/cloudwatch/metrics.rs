//! Metrics that functions put. They are recorded and feed no alarm: alarms here are on queues.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::services::wire::{Refused, parsed};

/// The most data of one call, dimensions of a metric, and values of a datum. Source: CloudWatch API
/// reference, PutMetricData and MetricDatum.
const MOST: usize = 1000;
const MOST_DIMENSIONS: usize = 30;
const MOST_VALUES: usize = 150;

/// The most data that are kept; the oldest are dropped first.
const KEPT: usize = 10_000;

/// What was put.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<VecDeque<Datum>>);

/// A datum.
#[derive(Debug, Clone, PartialEq)]
pub struct Datum {
    /// `Namespace`.
    pub namespace: String,
    /// `MetricName`.
    pub name: String,
    /// `Dimensions`: names and values.
    pub dimensions: Vec<(String, String)>,
    /// The values: one, several, or the sum of a statistic.
    pub values: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    namespace: String,
    metric_data: Vec<Asked>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Asked {
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    value: Option<f64>,
    values: Option<Vec<f64>>,
    statistic_values: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Dimension {
    name: String,
    value: String,
}

fn invalid(kind: &'static str, message: impl Into<String>) -> Refused {
    Refused::new(kind, message)
}

impl Metrics {
    /// `PutMetricData`.
    ///
    /// # Errors
    /// If CloudWatch would refuse it; then nothing is recorded.
    pub fn put(&self, body: &Value) -> Result<(), Refused> {
        let Put { namespace, metric_data } = parsed(body)?;
        if namespace.is_empty() || namespace.len() > 255 || namespace.starts_with(':') || namespace.starts_with("AWS/") {
            let message = "The value AWS/ for parameter Namespace is invalid, or it does not have 1 to 255 letters.";
            return Err(invalid("InvalidParameterValue", message));
        }
        if !(1..=MOST).contains(&metric_data.len()) {
            return Err(invalid("InvalidParameterValue", format!("The collection MetricData must have a size between 1 and {MOST}.")));
        }
        let data = metric_data.into_iter().map(|asked| asked.datum(&namespace)).collect::<Result<Vec<_>, _>>()?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(data);
        let over = kept.len().saturating_sub(KEPT);
        kept.drain(..over);
        Ok(())
    }

    /// What was put, oldest first.
    pub fn all(&self) -> Vec<Datum> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl Asked {
    fn datum(self, namespace: &str) -> Result<Datum, Refused> {
        if !(1..=255).contains(&self.metric_name.len()) || self.dimensions.len() > MOST_DIMENSIONS {
            let message = format!("A metric has a name of 1 to 255 letters and at most {MOST_DIMENSIONS} dimensions.");
            return Err(invalid("InvalidParameterValue", message));
        }
        if self.dimensions.iter().any(|it| it.name.is_empty() || it.value.is_empty()) {
            return Err(invalid("InvalidParameterValue", "A dimension has a name and a value."));
        }
        let values = match (self.value, self.values, self.statistic_values) {
            (Some(value), None, None) => vec![value],
            (None, Some(values), None) if (1..=MOST_VALUES).contains(&values.len()) => values,
            (None, None, Some(set)) => {
                let number = |name: &str| set.get(name).and_then(Value::as_f64);
                let sum = ["SampleCount", "Minimum", "Maximum", "Sum"].iter().map(|name| number(name)).collect::<Option<Vec<_>>>();
                let sum = sum.and_then(|all| all.last().copied());
                vec![sum.ok_or_else(|| invalid("MissingParameter", "StatisticValues has SampleCount, Sum, Minimum and Maximum."))?]
            }
            _ => {
                let message = "The parameters MetricData.member.1.Value and MetricData.member.1.StatisticValues are mutually exclusive and \
                               you have specified both, or neither.";
                return Err(invalid("InvalidParameterCombination", message));
            }
        };
        let dimensions = self.dimensions.into_iter().map(|it| (it.name, it.value)).collect();
        Ok(Datum { namespace: namespace.to_owned(), name: self.metric_name, dimensions, values })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_are_recorded_all_or_none() {
        let metrics = Metrics::default();
        let put =
            |namespace: &str, data: Value| metrics.put(&json!({"Namespace": namespace, "MetricData": data})).map_err(|refused| refused.0);
        let one = json!({"MetricName": "Orders", "Dimensions": [{"Name": "shop", "Value": "1"}], "Value": 2.5, "Unit": "Count"});
        assert_eq!(put("app", json!([one, {"MetricName": "Many", "Values": [1, 2]}])), Ok(()));
        for (namespace, data, kind) in [
            ("AWS/Lambda", json!([one]), "InvalidParameterValue"),
            ("app", json!([]), "InvalidParameterValue"),
            ("app", json!([one, {"MetricName": "None"}]), "InvalidParameterCombination"),
            ("app", json!([{"MetricName": "", "Value": 1}]), "InvalidParameterValue"),
            ("app", json!([{"MetricName": "n", "StatisticValues": {"Sum": 1}}]), "MissingParameter"),
            ("app", json!([{"MetricName": "n", "Value": "text"}]), "SerializationException"),
        ] {
            assert_eq!(put(namespace, data.clone()), Err(kind), "{namespace} {data}");
        }
        let all = metrics.all();
        assert_eq!((all.len(), all[0].values.as_slice(), all[1].values.as_slice()), (2, &[2.5][..], &[1.0, 2.0][..]));
        assert_eq!(all[0].dimensions, [("shop".to_owned(), "1".to_owned())]);
    }
}
