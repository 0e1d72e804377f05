//! CloudWatch's texts about an alarm: the message to its topic, and its description in answers.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::watch::Change;
use template::account::{ACCOUNT, arn};
use template::blueprint::{Alarm, Metric};

/// The region's name for people.
const REGION_FOR_PEOPLE: &str = "US East (N. Virginia)";

/// A metric as CloudWatch names it: metric and statistic.
pub const fn measured(metric: Metric) -> (&'static str, &'static str) {
    match metric {
        Metric::AgeOfOldest => ("ApproximateAgeOfOldestMessage", "Maximum"),
        Metric::Sent => ("NumberOfMessagesSent", "Sum"),
        Metric::Visible => ("ApproximateNumberOfMessagesVisible", "Maximum"),
    }
}

/// The comparison with the threshold, as CloudWatch names it.
pub const fn comparison(alarm: &Alarm) -> &'static str {
    if alarm.inclusive { "GreaterThanOrEqualToThreshold" } else { "GreaterThanThreshold" }
}

/// The alarm's ARN.
pub fn alarm_arn(alarm: &Alarm) -> String {
    arn("cloudwatch", &format!("alarm:{}", alarm.name))
}

/// The reason for the present state.
pub fn reason(alarm: &Alarm, change: &Change) -> String {
    let compared = if alarm.inclusive { "greater than or equal to" } else { "greater than" };
    let crossed = change.to == super::State::Alarm;
    let (begin, was) = if crossed { ("Threshold Crossed", "was") } else { ("Threshold not crossed", "was not") };
    format!("{begin}: 1 datapoint [{:?}] {was} {compared} the threshold ({:?}).", change.value, alarm.threshold)
}

/// Subject and message of the notification. Source: Amazon CloudWatch, alarm notifications by SNS.
pub fn notification(alarm: &Alarm, change: &Change, at: SystemTime) -> (String, String) {
    let (metric, statistic) = measured(alarm.metric);
    let actions: Vec<_> = alarm.tells.iter().map(|topic| arn("sns", topic)).collect();
    let message = json!({
        "AlarmName": alarm.name,
        "AlarmDescription": null,
        "AWSAccountId": ACCOUNT,
        "NewStateValue": change.to.name(),
        "NewStateReason": reason(alarm, change),
        "StateChangeTime": dates::milliseconds(at).replace('Z', "+0000"),
        "Region": REGION_FOR_PEOPLE,
        "AlarmArn": alarm_arn(alarm),
        "OldStateValue": change.from.name(),
        "OKActions": actions,
        "AlarmActions": actions,
        "InsufficientDataActions": [],
        "Trigger": {
            "MetricName": metric,
            "Namespace": "AWS/SQS",
            "StatisticType": "Statistic",
            "Statistic": statistic.to_uppercase(),
            "Unit": null,
            "Dimensions": [{"value": alarm.queue, "name": "QueueName"}],
            "Period": alarm.period.as_secs(),
            "EvaluationPeriods": 1,
            "DatapointsToAlarm": 1,
            "ComparisonOperator": comparison(alarm),
            "Threshold": alarm.threshold,
            "TreatMissingData": "notBreaching",
            "EvaluateLowSampleCountPercentile": "",
        },
    });
    (format!("{}: \"{}\" in {REGION_FOR_PEOPLE}", change.to.name(), alarm.name), message.to_string())
}

/// An alarm as `DescribeAlarms` shows it.
pub fn description(alarm: &Alarm, state: super::State, reason: &str) -> Value {
    let (metric, statistic) = measured(alarm.metric);
    let actions: Vec<_> = alarm.tells.iter().map(|topic| arn("sns", topic)).collect();
    json!({
        "AlarmName": alarm.name,
        "AlarmArn": alarm_arn(alarm),
        "ActionsEnabled": true,
        "OKActions": actions,
        "AlarmActions": actions,
        "InsufficientDataActions": [],
        "StateValue": state.name(),
        "StateReason": reason,
        "MetricName": metric,
        "Namespace": "AWS/SQS",
        "Statistic": statistic,
        "Dimensions": [{"Name": "QueueName", "Value": alarm.queue}],
        "Period": alarm.period.as_secs(),
        "EvaluationPeriods": 1,
        "DatapointsToAlarm": 1,
        "Threshold": alarm.threshold,
        "ComparisonOperator": comparison(alarm),
        "TreatMissingData": "notBreaching",
    })
}
