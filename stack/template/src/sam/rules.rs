//! Events that EventBridge sends: rules and schedules, to a function or a state machine.

use serde_json::{Map, Value, json};

use super::Expansion;
use super::tree::{attribute, field, resource};

impl Expansion<'_> {
    /// A rule or a schedule with one target.
    pub(super) fn rule(&mut self, place: &str, id: &str, arn: Value, kind: &str, fields: &Map<String, Value>, machine: bool) {
        let state = match (fields.get("State"), fields.get("Enabled")) {
            (Some(_), Some(_)) => {
                self.findings.complain(format!("{place}.Enabled"), "`State` and `Enabled` cannot both be given");
                Value::Null
            }
            (Some(state), None) => state.clone(),
            (None, Some(enabled)) => json!(if enabled == &json!(true) || enabled == "true" { "ENABLED" } else { "DISABLED" }),
            (None, None) => Value::Null,
        };
        let needed: &[&str] = match kind {
            "Schedule" => &["Schedule"],
            "ScheduleV2" => &["ScheduleExpression"],
            _ => &["Pattern"],
        };
        for key in needed.iter().filter(|key| !fields.contains_key(**key)) {
            self.findings.complain(format!("{place}.{key}"), "found none");
        }
        let suffix = match (kind, machine) {
            ("ScheduleV2", _) => "",
            (_, true) => "StepFunctionsTarget",
            _ => "LambdaTarget",
        };
        let mut target = Map::from_iter([("Arn".to_owned(), arn), ("Id".to_owned(), json!(format!("{id}{suffix}")))]);
        for key in ["Input", "InputPath", "InputTransformer", "RetryPolicy"] {
            if let Some(value) = fields.get(key) {
                target.insert(key.to_owned(), value.clone());
            }
        }
        if let Some(dead) = fields.get("DeadLetterConfig") {
            let arn = self.dead_letters(place, id, dead);
            target.insert("DeadLetterConfig".to_owned(), json!({"Arn": arn}));
        }
        if kind == "ScheduleV2" {
            target.remove("Id");
            target.insert("RoleArn".to_owned(), fields.get("RoleArn").cloned().unwrap_or_else(|| json!("")));
            self.schedule(id, state, Value::Object(target), fields);
            return;
        }
        let name = if kind == "Schedule" { field(fields, "Name") } else { field(fields, "RuleName") };
        let rule = json!({
            "Name": name,
            "Description": field(fields, "Description"),
            "State": state,
            "ScheduleExpression": field(fields, "Schedule"),
            "EventBusName": field(fields, "EventBusName"),
            "EventPattern": field(fields, "Pattern"),
            "Targets": [target],
        });
        self.add(id, resource("AWS::Events::Rule", rule));
    }

    fn schedule(&mut self, id: &str, state: Value, target: Value, fields: &Map<String, Value>) {
        let mut made: Map<String, Value> = fields
            .iter()
            .filter(|(key, _)| {
                !["Input", "RetryPolicy", "DeadLetterConfig", "RoleArn", "PermissionsBoundary", "OmitName", "Enabled"]
                    .contains(&key.as_str())
            })
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        made.insert("Target".to_owned(), target);
        made.insert("State".to_owned(), state);
        made.entry("FlexibleTimeWindow").or_insert_with(|| json!({"Mode": "OFF"}));
        if fields.get("OmitName") != Some(&json!(true)) {
            made.entry("Name").or_insert_with(|| json!(id));
        }
        self.add(id, resource("AWS::Scheduler::Schedule", Value::Object(made)));
    }

    /// The dead-letter queue that is named or that SAM makes.
    fn dead_letters(&mut self, place: &str, id: &str, declared: &Value) -> Value {
        if let Some(arn) = declared.get("Arn") {
            return arn.clone();
        }
        if declared.get("Type").and_then(Value::as_str) != Some("SQS") {
            self.findings.complain(format!("{place}.DeadLetterConfig"), "expected `Arn`, or `Type: SQS`");
        }
        let name = declared.get("QueueLogicalId").and_then(Value::as_str).map_or_else(|| format!("{id}Queue"), str::to_owned);
        if !self.made.contains_key(&name) {
            self.add(&name, resource("AWS::SQS::Queue", json!({})));
        }
        attribute(&name, "Arn")
    }
}
