//! The state machines on the page, with their executions and the history of each.

use serde_json::Value;

use super::{Shown, StepFunctions};
use crate::services::shows::{Cell, Part, Rows, Shows, Thing};

impl Shows for StepFunctions {
    fn things(&self) -> Vec<Thing> {
        self.machines
            .values()
            .map(|machine| Thing { note: machine.note(), ..Thing::new("state machine", machine.name.clone(), machine.book.count()) })
            .collect()
    }

    /// A machine's executions, or the history of the execution in `machine/execution`.
    fn rows(&self, thing: &str, part: Part) -> Option<Rows> {
        match thing.split_once('/') {
            None => Some(executions(thing, self.machines.get(thing)?.book.newest(usize::MAX, |_| true, usize::MAX), part)),
            Some((machine, execution)) => Some(history(self.machines.get(machine)?.book.history(execution)?, part)),
        }
    }
}

fn executions(machine: &str, all: Vec<(usize, Shown)>, part: Part) -> Rows {
    let columns = ["Execution", "Began", "Status", "Error", "States entered or tried", "Input"];
    Rows::of(columns, all.into_iter(), part, |(_, shown)| {
        let opens = Cell::Opens { text: shown.name.clone(), thing: format!("{machine}/{}", shown.name) };
        let (status, error) = (shown.status().to_owned(), shown.error().unwrap_or_default().to_owned());
        [opens, dates::milliseconds(shown.started).into(), status.into(), error.into(), shown.tries.to_string().into(), shown.input.into()]
    })
}

fn history(events: Vec<Value>, part: Part) -> Rows {
    Rows::of(["Event", "After", "Type", "State", "Details"], events.into_iter(), part, |event| {
        let number = |key: &str| event.get(key).map(ToString::to_string).unwrap_or_default();
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let details = event.as_object().into_iter().flatten().find(|(key, _)| key.ends_with("Details")).map(|(_, details)| details);
        let state = details.and_then(|details| details.get("name")).and_then(Value::as_str).unwrap_or_default().to_owned();
        let details = details.map(ToString::to_string).unwrap_or_default();
        [number("id").into(), number("previousEventId").into(), kind.into(), state.into(), details.into()]
    })
}
