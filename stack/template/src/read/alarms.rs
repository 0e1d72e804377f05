//! `AWS::CloudWatch::Alarm` on a queue.

use std::time::Duration;

use super::physical::Kind;
use super::section::Section;
use crate::blueprint::{Alarm, Metric};

/// The supported metrics, each with its statistic.
const METRICS: [(&str, Metric, &str); 3] = [
    ("ApproximateAgeOfOldestMessage", Metric::AgeOfOldest, "Maximum"),
    ("NumberOfMessagesSent", Metric::Sent, "Sum"),
    ("ApproximateNumberOfMessagesVisible", Metric::Visible, "Maximum"),
];

/// Reads an alarm; `resource` is its name if it declares none.
pub(crate) fn read(alarm: &Section<'_>, resource: &str) -> Option<Alarm> {
    alarm.only(
        &[
            "AlarmName",
            "Namespace",
            "MetricName",
            "Dimensions",
            "Statistic",
            "Period",
            "EvaluationPeriods",
            "Threshold",
            "ComparisonOperator",
            "TreatMissingData",
            "AlarmActions",
        ],
        &["AlarmDescription", "Tags"],
    );
    for key in ["Namespace", "MetricName", "Statistic", "Period", "EvaluationPeriods", "Threshold", "ComparisonOperator"] {
        if !alarm.has(key) {
            alarm.complain(key, "found none");
        }
    }
    alarm.served("Namespace", &["AWS/SQS"]);
    alarm.served("EvaluationPeriods", &["1"]);
    alarm.served("TreatMissingData", &["notBreaching"]);
    let operator = alarm.served("ComparisonOperator", &["GreaterThanOrEqualToThreshold", "GreaterThanThreshold"]);
    Some(Alarm {
        name: alarm.text("AlarmName").unwrap_or_else(|| resource.to_owned()),
        queue: queue(alarm)?,
        metric: metric(alarm)?,
        period: Duration::from_secs(alarm.number("Period", 10..=86_400)?),
        inclusive: operator.as_deref() == Some("GreaterThanOrEqualToThreshold"),
        threshold: alarm.number("Threshold", 0.0..=1e12)?,
        tells: tells(alarm),
    })
}

fn metric(alarm: &Section<'_>) -> Option<Metric> {
    let names = METRICS.map(|(name, ..)| name);
    let found = alarm.served("MetricName", &names)?;
    let (_, metric, statistic) = METRICS.into_iter().find(|(name, ..)| *name == found)?;
    alarm.served("Statistic", &[statistic]);
    Some(metric)
}

fn queue(alarm: &Section<'_>) -> Option<String> {
    let dimensions = alarm.each("Dimensions");
    let [only] = dimensions.as_slice() else {
        alarm.complain("Dimensions", format!("found {}, expected one, `QueueName`", dimensions.len()));
        return None;
    };
    only.served("Name", &["QueueName"]);
    Some(only.needed("Value"))
}

fn tells(alarm: &Section<'_>) -> Option<String> {
    let actions = alarm.texts("AlarmActions");
    if actions.len() > 1 {
        alarm.complain("AlarmActions", format!("found {} actions, one topic is told here", actions.len()));
    }
    alarm.name(Kind::Topic, "AlarmActions", actions.first()?)
}
