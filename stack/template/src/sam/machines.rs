//! `AWS::Serverless::StateMachine`.

use serde_json::{Map, Value, json};

use super::functions::stored;
use super::tree::{field, kind, reference, resource};
use super::{Expansion, alphanumeric};

impl Expansion<'_> {
    pub(super) fn machine(&mut self, id: &str, fields: &Map<String, Value>) {
        let (own, from_file) = (fields.get("Definition"), fields.get("DefinitionUri"));
        if own.is_some() == from_file.is_some() {
            self.findings.complain(format!("{id}.Definition"), "expected either `Definition` or `DefinitionUri`");
        }
        let role = fields.get("Role").cloned().unwrap_or_else(|| self.role(id));
        let machine = json!({
            "StateMachineName": field(fields, "Name"),
            "StateMachineType": field(fields, "Type"),
            "Definition": field(fields, "Definition"),
            "DefinitionS3Location": from_file.map(|file| stored(file, ("Bucket", "Key", "Version"))),
            "DefinitionSubstitutions": field(fields, "DefinitionSubstitutions"),
            "LoggingConfiguration": field(fields, "Logging"),
            "TracingConfiguration": field(fields, "Tracing"),
            "RoleArn": role,
        });
        self.add(id, resource("AWS::StepFunctions::StateMachine", machine));
        if let Some(name) = fields.get("AutoPublishAlias") {
            self.findings.notice(format!("{id}.AutoPublishAlias"), "aliases of state machines are not served here");
            self.renamed.insert(format!("{id}.Alias"), format!("{id}Alias{}", alphanumeric(name.as_str())));
        }
        for (name, event) in fields.get("Events").and_then(Value::as_object).into_iter().flatten() {
            let (place, event_id) = (format!("{id}.Events.{name}"), format!("{id}{name}"));
            self.origins.insert(event_id.clone(), format!("{place}.Properties"));
            let none = Map::new();
            let properties = event.get("Properties").and_then(Value::as_object).unwrap_or(&none);
            match kind(event) {
                it @ ("Schedule" | "ScheduleV2" | "EventBridgeRule" | "CloudWatchEvent") => {
                    self.rule(&place, &event_id, reference(id), it, properties, true);
                }
                "Api" => self.findings.notice(place, "an API that starts a state machine is not served here"),
                other => self.findings.complain(place, format!("found the type `{other}`, which a state machine does not have")),
            }
        }
    }
}
