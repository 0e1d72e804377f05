//! EventBridge: `AWS::Events::EventBus`, `AWS::Events::Rule` and `AWS::Scheduler::Schedule`.

use std::time::Duration;

use serde_json::Value;

use super::physical::Kind;
use super::section::Section;
use crate::blueprint::{Bus, Given, Rule, RuleTarget, Schedule, Target, Trigger};

/// The kinds of targets that are served. A rule may send to other services at AWS.
const TARGETS: [Kind; 6] = [Kind::Function, Kind::Queue, Kind::Topic, Kind::Bus, Kind::DataStream, Kind::Machine];

pub(crate) fn bus(bus: &Section<'_>, name: String) -> Bus {
    bus.only(&["Name"], &["Description", "Tags", "Policy", "KmsKeyIdentifier", "LogConfig"]);
    if bus.has("EventSourceName") {
        bus.notice("EventSourceName", "events of partners are not served here");
    }
    Bus { name }
}

/// Reads a rule; `None` if it never applies or has no target here.
pub(crate) fn rule(rule: &Section<'_>, name: String) -> Option<Rule> {
    rule.only(&["Name", "EventBusName", "EventPattern", "ScheduleExpression", "State", "Targets"], &["Description", "RoleArn", "Tags"]);
    let pattern = pattern(rule);
    let schedule = rule.text("ScheduleExpression").and_then(|text| schedule(rule, "ScheduleExpression", &text));
    let trigger = match (pattern, schedule) {
        (Some(pattern), None) => Trigger::Pattern { bus: bus_name(rule)?, pattern },
        (None, Some(schedule)) => Trigger::Schedule(schedule),
        (Some(pattern), Some(schedule)) => Trigger::Both { bus: bus_name(rule)?, pattern, schedule },
        (None, None) => {
            if !rule.has("EventPattern") && !rule.has("ScheduleExpression") {
                rule.complain("EventPattern", "found neither `EventPattern` nor `ScheduleExpression`");
            }
            return None;
        }
    };
    if !matches!(trigger, Trigger::Pattern { .. }) && rule.has("EventBusName") && bus_name(rule).is_some_and(|bus| bus != "default") {
        // Source: EventBridge API reference, PutRule.
        rule.complain("ScheduleExpression", "only rules of the bus `default` have schedules");
    }
    let targets: Vec<_> = rule.each("Targets").into_iter().filter_map(|target| read_target(&target)).collect();
    let state = rule.one_of("State", &["ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"]);
    (!targets.is_empty()).then_some(Rule { name, trigger, targets, enabled: state.as_deref() != Some("DISABLED") })
}

fn pattern(rule: &Section<'_>) -> Option<Value> {
    let parsed = match rule.value("EventPattern")? {
        Value::String(text) => serde_json::from_str(text).ok(),
        other => Some(other.clone()),
    };
    let pattern = parsed.filter(Value::is_object);
    if pattern.is_none() {
        rule.complain("EventPattern", "expected an object");
    }
    pattern
}

/// The bus that a rule names, by name or ARN.
fn bus_name(rule: &Section<'_>) -> Option<String> {
    let Some(text) = rule.text("EventBusName") else { return Some("default".to_owned()) };
    if text.starts_with("arn:") { rule.resource(Kind::Bus, "EventBusName") } else { Some(text) }
}

fn read_target(target: &Section<'_>) -> Option<RuleTarget> {
    target.only(
        &["Arn", "Input", "InputPath", "InputTransformer", "DeadLetterConfig", "RetryPolicy", "SqsParameters", "KinesisParameters"],
        &["Id", "RoleArn"],
    );
    if target.has("KinesisParameters") {
        target.notice("KinesisParameters", "partition keys of a target are not served here");
    }
    let transformer = target.within("InputTransformer");
    transformer.only(&["InputPathsMap", "InputTemplate"], &[]);
    let ways = ["Input", "InputPath", "InputTransformer"].into_iter().filter(|key| target.has(key)).count();
    if ways > 1 {
        // Source: EventBridge API reference, Target.
        target.complain("Input", "expected one of Input, InputPath and InputTransformer");
    }
    let given = if target.has("InputTransformer") {
        Given::Transformed { paths: transformer.within("InputPathsMap").text_fields(), template: transformer.needed("InputTemplate") }
    } else {
        match (target.text("Input"), target.text("InputPath")) {
            (Some(text), _) => Given::Text(text),
            (None, Some(path)) => Given::Path(path),
            (None, None) => Given::Event,
        }
    };
    sent(target, given)
}

/// A target with its retries. Bounds: EventBridge API reference, RetryPolicy.
fn sent(target: &Section<'_>, given: Given) -> Option<RuleTarget> {
    let retry = target.within("RetryPolicy");
    retry.only(&["MaximumRetryAttempts", "MaximumEventAgeInSeconds"], &[]);
    let retries = retry.number("MaximumRetryAttempts", 0..=185);
    let oldest = retry.seconds("MaximumEventAgeInSeconds", 60..=86_400);
    let dead_letters = target.within("DeadLetterConfig").resource(Kind::Queue, "Arn");
    let group = target.within("SqsParameters");
    group.only(&["MessageGroupId"], &[]);
    let group = group.text("MessageGroupId");
    let to = target.target("Arn", &TARGETS)?;
    if matches!(&to, Target::Queue(name) if name.ends_with(".fifo")) && group.is_none() {
        // Source: EventBridge API reference, SqsParameters: a queue that is first in, first out needs one.
        target.notice("SqsParameters", "the queue is first in, first out and the target has no `MessageGroupId`: nothing is delivered");
    }
    Some(RuleTarget { to, given, dead_letters, group, retries, oldest })
}

/// Reads a schedule of EventBridge Scheduler.
pub(crate) fn scheduled(schedule_of: &Section<'_>, name: String) -> Option<Rule> {
    schedule_of.only(
        &["Name", "ScheduleExpression", "ScheduleExpressionTimezone", "State", "Target", "FlexibleTimeWindow", "StartDate", "EndDate"],
        &["Description", "GroupName", "KmsKeyArn"],
    );
    let zone = schedule_of.text("ScheduleExpressionTimezone");
    if zone.is_some_and(|zone| zone != "UTC") {
        schedule_of.notice("ScheduleExpressionTimezone", "schedules are in UTC here");
    }
    for key in ["StartDate", "EndDate"].into_iter().filter(|key| schedule_of.has(key)) {
        schedule_of.notice(key, "the schedule has no bounds here");
    }
    schedule_of.within("FlexibleTimeWindow").one_of("Mode", &["OFF", "FLEXIBLE"]);
    let text = schedule_of.needed("ScheduleExpression");
    let trigger = Trigger::Schedule(schedule(schedule_of, "ScheduleExpression", &text)?);
    let target = schedule_of.within("Target");
    target.only(&["Arn", "Input", "RetryPolicy", "DeadLetterConfig", "SqsParameters"], &["RoleArn"]);
    // Source: EventBridge Scheduler user guide, "Managing targets": without `Input` the target gets
    // an event of its own form.
    let given = target.text("Input").map_or(Given::Event, Given::Text);
    let state = schedule_of.one_of("State", &["ENABLED", "DISABLED"]);
    Some(Rule { name, trigger, targets: vec![sent(&target, given)?], enabled: state.as_deref() != Some("DISABLED") })
}

/// A schedule expression. Source: EventBridge user guide, "Schedule expressions": a rate of one has
/// the singular unit, a larger one the plural; a cron expression has six fields.
fn schedule(section: &Section<'_>, key: &str, text: &str) -> Option<Schedule> {
    let inner = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    let read = if let Some(rate) = inner("rate") {
        rate.split_once(' ').and_then(|(count, unit)| {
            let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
            let unit = if count == 1 { unit } else { unit.strip_suffix('s')? };
            let seconds = match unit {
                "minute" => 60,
                "hour" => 60 * 60,
                "day" => 24 * 60 * 60,
                _ => return None,
            };
            Some(Schedule::Every(Duration::from_secs(count.checked_mul(seconds)?)))
        })
    } else if let Some(fields) = inner("cron") {
        (fields.split_whitespace().count() == 6).then(|| Schedule::Cron(fields.to_owned()))
    } else {
        inner("at").map(|time| Schedule::Once(time.to_owned()))
    };
    if read.is_none() {
        section.complain(
            key,
            format!("found `{text}`, expected such as `rate(5 minutes)`, `cron(0 12 * * ? *)` (six fields), `at(2026-11-29T12:00:00)`"),
        );
    }
    read
}
