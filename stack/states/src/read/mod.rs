//! Reads a definition: everything in it is understood or reported as a complaint, all at once.

mod fields;
mod graph;
mod handling;
mod states;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use faults::Complaint;
use serde_json::Value;

use crate::definition::{Definition, Flow, Name};
use fields::Fields;

/// The longest name of a state, in characters. Source: Amazon States Language, "States".
const LONGEST_NAME: usize = 80;

/// The longest time allowed, in seconds. Source: Step Functions API reference and developer guide,
/// Task state.
const LONGEST_SECONDS: u64 = 99_999_999;

/// Everything in a definition that was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(Complaint::to_string).collect::<Vec<_>>().join("; "))]
pub struct DefinitionError(pub Vec<Complaint>);

impl Definition {
    /// Reads a definition.
    ///
    /// # Errors
    /// All complaints at once, each with its state and field.
    pub fn read(value: &Value) -> Result<Self, DefinitionError> {
        let complaints = RefCell::new(Vec::new());
        let definition = machine(value, &complaints);
        let complaints = complaints.into_inner();
        match definition {
            Some(definition) if complaints.is_empty() => Ok(definition),
            _ => Err(DefinitionError(complaints)),
        }
    }
}

fn machine(value: &Value, complaints: &RefCell<Vec<Complaint>>) -> Option<Definition> {
    let fields = Fields::of(value, "Definition", complaints)?;
    fields.only("state machine", &["Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"]);
    for (key, served) in [("QueryLanguage", "JSONPath"), ("Version", "1.0")] {
        if let Some(found) = fields.text(key).filter(|found| found != served) {
            fields.complain(key, format!("found `{found}`, there is: {served}"));
        }
    }
    let timeout = fields.seconds("TimeoutSeconds", 1..=LONGEST_SECONDS);
    let mut names = BTreeSet::new();
    let flow = flow(&fields, &mut names)?;
    Some(Definition { flow, timeout })
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
