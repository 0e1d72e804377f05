//! Reads a definition: everything in it is understood, or reported: what is wrong, or else what is
//! not served here.

mod choices;
mod fields;
mod findings;
mod graph;
mod handling;
mod maps;
mod shapes;
mod states;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use faults::Complaint;
use serde_json::Value;

use crate::definition::{Definition, Flow, Name};
use fields::Fields;
use findings::Findings;

/// The longest name of a state, in characters. Source: Amazon States Language, "States".
const LONGEST_NAME: usize = 80;

/// The longest time allowed, in seconds. Source: Step Functions API reference and developer guide,
/// Task state.
const LONGEST_SECONDS: u64 = 99_999_999;

/// Why a definition cannot be run; each reason with its state and field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// Step Functions would refuse it too.
    #[error("{}", joined(.0))]
    Wrong(Vec<Complaint>),
    /// It uses what is not served here. What else may be wrong with it is not told: it may be right
    /// in what is not understood.
    #[error("{}", joined(.0))]
    NotServed(Vec<Complaint>),
}

fn joined(complaints: &[Complaint]) -> String {
    complaints.iter().map(Complaint::to_string).collect::<Vec<_>>().join("; ")
}

impl Definition {
    /// Reads a definition.
    ///
    /// # Errors
    /// All reasons at once.
    pub fn read(value: &Value) -> Result<Self, DefinitionError> {
        let findings = RefCell::default();
        let definition = machine(value, &findings);
        let Findings { wrong, not_served } = findings.into_inner();
        match definition {
            _ if !not_served.is_empty() => Err(DefinitionError::NotServed(not_served)),
            Some(definition) if wrong.is_empty() => Ok(definition),
            _ => Err(DefinitionError::Wrong(wrong)),
        }
    }
}

fn machine(value: &Value, findings: &RefCell<Findings>) -> Option<Definition> {
    let fields = Fields::of(value, "Definition", findings)?;
    if !in_json_path(&fields) {
        return None;
    }
    fields.only("state machine", &["Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"]);
    if let Some(found) = fields.text("Version").filter(|found| found != "1.0") {
        fields.complain("Version", format!("found `{found}`, there is: 1.0"));
    }
    let timeout = fields.seconds("TimeoutSeconds", 1..=LONGEST_SECONDS);
    let mut names = BTreeSet::new();
    let flow = flow(&fields, &mut names)?;
    Some(Definition { flow, timeout })
}

/// Whether a machine or a state is written in JSONPath; JSONata is another language.
fn in_json_path(fields: &Fields<'_>) -> bool {
    match fields.text("QueryLanguage").as_deref() {
        None | Some("JSONPath") => return true,
        Some("JSONata") => fields.not_served("QueryLanguage", "JSONata is not served here, JSONPath is"),
        Some(other) => fields.complain("QueryLanguage", format!("found `{other}`, there are: JSONPath, JSONata")),
    }
    false
}

/// The states of a machine or of a branch. `names` holds every name that is already used.
fn flow(fields: &Fields<'_>, names: &mut BTreeSet<Name>) -> Option<Flow> {
    let start_at = fields.needed_text("StartAt");
    let states_of = fields.needed_within("States")?;
    if states_of.is_empty() {
        fields.complain("States", "found none, expected at least one state");
    }
    let mut states = BTreeMap::new();
    let mut understood = true;
    for (name, state) in states_of.children() {
        if name.is_empty() || name.chars().count() > LONGEST_NAME {
            states_of.complain(name, format!("found a name of {} characters, expected 1 to {LONGEST_NAME}", name.chars().count()));
        }
        let name: Name = Arc::from(name);
        if !names.insert(Arc::clone(&name)) {
            states_of.complain(&name, "another state of the machine has this name too; names are unique in all branches together");
        }
        match state.and_then(|state| states::state(&state, names)) {
            Some(state) => drop(states.insert(name, state)),
            None => understood = false,
        }
    }
    let flow = Flow { start_at: Arc::from(start_at?), states };
    // If a state was not understood, its transitions are unknown.
    if understood {
        graph::check(fields, &flow);
    }
    Some(flow)
}

#[cfg(test)]
mod tests;
