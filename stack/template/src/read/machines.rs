//! `AWS::StepFunctions::StateMachine`, with its definition in the template or in a file of it.

use std::collections::BTreeMap;

use faults::Complaint;
use serde_json::Value;
use states::{Definition, DefinitionError};

use super::physical::Kind;
use super::section::{Section, read_yaml, substituted, substituted_text};
use crate::account::arn;
use crate::blueprint::{Machine, MachineKind};
use crate::integrations::{Findings, Needs, findings, needs};

/// Reads a machine; `None` if its definition is wrong or not on this machine. One that uses what is
/// not served exists and cannot be started.
pub(crate) fn read(machine: &Section<'_>, name: String) -> Option<Machine> {
    machine.only(
        &["StateMachineName", "StateMachineType", "Definition", "DefinitionString", "DefinitionS3Location", "DefinitionSubstitutions"],
        &["RoleArn", "LoggingConfiguration", "TracingConfiguration", "EncryptionConfiguration", "Tags"],
    );
    let kind = machine.one_of("StateMachineType", &["STANDARD", "EXPRESS"]);
    let (key, definition) = definition(machine)?;
    let kind = if kind.as_deref() == Some("EXPRESS") { MachineKind::Express } else { MachineKind::Standard };
    let definition = match Definition::read(&definition) {
        Ok(definition) => definition,
        Err(DefinitionError::Wrong(complaints)) => {
            complaints.into_iter().for_each(|complaint| machine.complain(&complaint.key, complaint.what));
            return None;
        }
        Err(DefinitionError::NotServed(parts)) => return Some(Machine { definition: Err(not_served(machine, &name, &parts)), name, kind }),
    };
    let Findings { wrong, not_served: parts } = findings(&definition);
    for complaint in wrong {
        machine.complain(&format!("{key}.{}", complaint.key), complaint.what);
    }
    if !parts.is_empty() {
        return Some(Machine { definition: Err(not_served(machine, &name, &parts)), name, kind });
    }
    for (state, need) in needs(&definition) {
        let (kind, arn) = match need {
            Needs::Function(function) if function.starts_with("arn:") => (Kind::Function, function),
            Needs::Function(function) => (Kind::Function, arn("lambda", &format!("function:{function}"))),
            Needs::Queue(url) => (Kind::Queue, arn("sqs", url.rsplit('/').next().unwrap_or_default())),
            Needs::Topic(topic) => (Kind::Topic, topic),
        };
        machine.name(kind, &format!("{key}.{state}"), &arn);
    }
    Some(Machine { name, definition: Ok(definition), kind })
}

/// Tells that a machine cannot be started here, and returns why.
fn not_served(machine: &Section<'_>, name: &str, parts: &[Complaint]) -> String {
    let why = parts.iter().map(Complaint::to_string).collect::<Vec<_>>().join("; ");
    machine.notice("", format!("the state machine `{name}` cannot be started here: {why}"));
    why
}

/// The definition, and the property that it is in.
fn definition(machine: &Section<'_>) -> Option<(&'static str, Value)> {
    let by = machine.within("DefinitionSubstitutions").text_fields();
    let ways = ["Definition", "DefinitionString", "DefinitionS3Location"];
    let given: Vec<_> = ways.into_iter().filter(|key| machine.has(key)).collect();
    let [key] = given.as_slice() else {
        machine.complain("Definition", format!("expected one of {}", ways.join(", ")));
        return None;
    };
    let read = match *key {
        "Definition" => machine.value(key).map(|value| substituted(value, &by)),
        "DefinitionString" => machine.text(key).map(|text| parsed(&text, &by)),
        _ => from_file(machine, key, &by),
    };
    match read? {
        Ok(value) => Some((key, value)),
        Err(why) => {
            machine.complain(key, why);
            None
        }
    }
}

fn from_file(machine: &Section<'_>, key: &str, by: &BTreeMap<String, String>) -> Option<Result<Value, String>> {
    let Some(path) = machine.value(key).and_then(Value::as_str).filter(|path| !path.contains("://")) else {
        machine.notice(key, "the definition is in S3, which is not read: the state machine is missing");
        return None;
    };
    Some(machine.known.file(path).and_then(|text| parsed(&text, by)))
}

/// A definition from text: JSON, or YAML in a file.
fn parsed(text: &str, by: &BTreeMap<String, String>) -> Result<Value, String> {
    // Substitution comes first: `${Count}` may be a number.
    let text = substituted_text(text, by)?;
    match serde_json::from_str(&text) {
        Ok(value) => Ok(value),
        Err(why) if text.trim_start().starts_with('{') => Err(why.to_string()),
        Err(_) => read_yaml(&text),
    }
}
