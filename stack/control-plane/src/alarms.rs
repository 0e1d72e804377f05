//! CloudWatch's alarms, as far as their states: JSON 1.0, with the operation in `x-amz-target`.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::arn::{ACCOUNT, REGION};
use crate::state::ControlPlane;

/// The ARN of the alarm with this name.
pub(crate) fn alarm_arn(name: &str) -> String {
    format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}")
}

impl ControlPlane {
    /// `DescribeAlarms`. Without `AlarmTypes` it shows metric alarms only, and an alarm that does not
    /// exist is left out. Source: Amazon CloudWatch API Reference.
    pub(crate) fn describe_alarms(&self, wish: &Value) -> Result<Answer, Answer> {
        let names = wish["AlarmNames"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !wish.is_object() || names.len() > 100 {
            return Err(Answer::refused(400, "ValidationError", "AlarmNames has at most 100 names"));
        }
        let asked = |kind: &str| match wish["AlarmTypes"].as_array() {
            Some(types) => types.iter().any(|one| one == kind),
            None => kind == "MetricAlarm",
        };
        let shown = |is_composite: bool| {
            let all = self.alarms.iter().filter(|(name, alarm)| {
                alarm.is_composite == is_composite && (names.is_empty() || names.iter().any(|one| one.as_str() == Some(name.as_str())))
            });
            let shown = all.map(|(name, alarm)| json!({"AlarmName": name, "AlarmArn": alarm_arn(name), "StateValue": alarm.state}));
            shown.collect::<Vec<_>>()
        };
        let of = |kind: &str, is_composite| if asked(kind) { shown(is_composite) } else { Vec::new() };
        Ok(Answer::ok(200, json!({"MetricAlarms": of("MetricAlarm", false), "CompositeAlarms": of("CompositeAlarm", true)})))
    }
}
