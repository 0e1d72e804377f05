//! `AWS::Serverless::StateMachine` with its definition written in the template.

use states::{Definition, DefinitionError};

use super::physical::Kind;
use super::section::Section;
use crate::account::arn;
use crate::blueprint::{Machine, MachineKind};
use crate::integrations::{Needs, complaints, needs};

/// Reads a machine; `None` if its definition is not understood, which is a complaint.
pub(crate) fn read(machine: &Section<'_>, name: String) -> Option<Machine> {
    machine.only(
        &["Name", "Type", "Definition", "DefinitionSubstitutions"],
        &["Policies", "Role", "Logging", "Tracing", "Tags", "PermissionsBoundary", "RolePath", "PropagateTags"],
    );
    machine.served("Type", &["STANDARD"]);
    if !machine.has("Definition") {
        machine.complain("Definition", "found none, it is written in the template here");
    }
    let substitutions = machine.within("DefinitionSubstitutions").text_fields();
    let definition = match Definition::read(&machine.resolved("Definition", &substitutions)?) {
        Ok(definition) => definition,
        Err(DefinitionError(complaints)) => {
            complaints.into_iter().for_each(|complaint| machine.complain(&complaint.key, complaint.what));
            return None;
        }
    };
    for complaint in complaints(&definition) {
        machine.complain(&format!("Definition.{}", complaint.key), complaint.what);
    }
    for (state, need) in needs(&definition) {
        let (kind, arn) = match need {
            Needs::Function(function) if function.starts_with("arn:") => (Kind::Function, function),
            Needs::Function(function) => (Kind::Function, arn("lambda", &format!("function:{function}"))),
            Needs::Queue(url) => (Kind::Queue, arn("sqs", url.rsplit('/').next().unwrap_or_default())),
            Needs::Topic(topic) => (Kind::Topic, topic),
        };
        machine.name(kind, &format!("Definition.{state}"), &arn);
    }
    Some(Machine { name, definition, kind: MachineKind::Standard })
}
