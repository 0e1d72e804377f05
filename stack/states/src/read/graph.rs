//! Checks the transitions between the states of one level: each leads to a state, every state can
//! be reached, and an end too.

use std::collections::BTreeSet;

use super::fields::Fields;
use crate::definition::{Flow, Name};

/// Complains about transitions that are wrong.
pub(super) fn check(fields: &Fields<'_>, flow: &Flow) {
    let there_are = || flow.states.keys().map(|name| &**name).collect::<Vec<_>>().join(", ");
    if !flow.states.contains_key(&flow.start_at) {
        fields.complain("StartAt", format!("found `{}`, which is no state, there are: {}", flow.start_at, there_are()));
        return;
    }
    for (name, state) in &flow.states {
        for next in state.successors().into_iter().filter(|next| !flow.states.contains_key(*next)) {
            fields.complain(
                &format!("States.{name}"),
                format!("found `{next}` as the next state, but this level has no such state; it has: {}", there_are()),
            );
        }
    }
    let reached = reached(flow);
    for name in flow.states.keys().filter(|name| !reached.contains(*name)) {
        fields.complain(&format!("States.{name}"), "no state leads to it; make it the `Next` of a state, or remove it");
    }
    if !reached.iter().filter_map(|name| flow.states.get(*name)).any(|state| state.ends()) {
        fields.complain("States", "no state that is reached ends it; give one `End: true`, or lead to a Succeed or a Fail");
    }
}

fn reached(flow: &Flow) -> BTreeSet<&Name> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![&flow.start_at]);
    while let Some(name) = open.pop() {
        if reached.insert(name) {
            open.extend(flow.states.get(name).into_iter().flat_map(|state| state.successors()));
        }
    }
    reached
}
