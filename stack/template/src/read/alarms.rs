//! `AWS::CloudWatch::Alarm` on a queue. Other alarms are a notice.

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

/// The properties that are read.
const READ: [&str; 11] = [
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
];

/// Reads an alarm; `None` if it is not served, which is a notice.
pub(crate) fn read(alarm: &Section<'_>, resource: &str) -> Option<Alarm> {
    alarm.only(&READ, &["AlarmDescription", "Tags", "Unit", "ActionsEnabled"]);
    let metric = alarm.text("MetricName").unwrap_or_default();
    let found = METRICS.into_iter().find(|(name, ..)| *name == metric);
    let dimensions = alarm.each("Dimensions");
    let ([only], Some((_, metric, statistic)), "AWS/SQS") =
        (dimensions.as_slice(), found, alarm.text("Namespace").unwrap_or_default().as_str())
    else {
        let names: Vec<_> = METRICS.iter().map(|(name, ..)| *name).collect();
        alarm
            .notice("", format!("this alarm never fires: only alarms on these metrics of one queue are served here: {}", names.join(", ")));
        return None;
    };
    let needed = ["Period", "Statistic", "Threshold", "EvaluationPeriods", "ComparisonOperator"];
    for key in needed.into_iter().filter(|key| !alarm.has(key)) {
        alarm.complain(key, "found none");
    }
    let served = [
        only.is_served("Name", &["QueueName"]),
        alarm.is_served("Statistic", &[statistic]),
        alarm.is_served("EvaluationPeriods", &["1"]),
        alarm.is_served("TreatMissingData", &["notBreaching"]),
        alarm.is_served("ComparisonOperator", &["GreaterThanOrEqualToThreshold", "GreaterThanThreshold"]),
    ];
    let operator = alarm.text("ComparisonOperator");
    let read = Alarm {
        name: alarm.text("AlarmName").unwrap_or_else(|| resource.to_owned()),
        queue: only.needed("Value"),
        metric,
        period: Duration::from_secs(alarm.number("Period", 10..=86_400)?),
        inclusive: operator.as_deref() == Some("GreaterThanOrEqualToThreshold"),
        threshold: alarm.number("Threshold", 0.0..=1e12)?,
        tells: tells(alarm),
    };
    served.into_iter().all(|served| served).then_some(read)
}

fn tells(alarm: &Section<'_>) -> Option<String> {
    let actions = alarm.texts("AlarmActions");
    if actions.len() > 1 {
        alarm.notice("AlarmActions", format!("found {} actions, one topic is told here", actions.len()));
    }
    alarm.name(Kind::Topic, "AlarmActions", actions.first()?)
}
