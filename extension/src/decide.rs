//! What the plan in force decides about an event. It carries nothing out, and a bug in it must
//! never lose the event.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use faults::{Facts, Identity};

use crate::head::EventIdentity;
use crate::invocation::{Handed, Invocation, Line, start};
use crate::ledger::Ledger;
use crate::lock::lock;
use crate::plan_sources::InForce;
use crate::running::Running;

/// Decides about one event; `None` if no fault applies to it.
pub fn decide(plan: &InForce, ledger: &Ledger, event: EventIdentity, deadline: Option<Instant>, facts: &Facts<'_>) -> Option<Invocation> {
    let identity = Identity(event.root.as_deref().unwrap_or(&event.request_id));
    let decided = catch_unwind(AssertUnwindSafe(|| {
        let (mut lines, mut control) = (Vec::new(), Vec::with_capacity(plan.plan.faults.len()));
        for (at, rolled) in plan.plan.roll(ledger.function(), identity, facts, &mut lock(ledger.memory())) {
            match plan.names.get(at).filter(|_| !rolled.is_notable()) {
                Some(name) => control.push(name.clone()),
                None => lines.push(Line::new(rolled.decision())),
            }
        }
        (lines, control)
    }));
    let Ok((lines, control)) = decided else {
        ledger.note("deciding failed: the event passes untouched");
        return None;
    };
    if lines.is_empty() && control.is_empty() {
        return None;
    }
    Some(Invocation {
        request_id: event.request_id,
        root: event.root,
        run: plan.plan.run.clone(),
        sequence: plan.plan.sequence,
        start: start(facts.request),
        deadline,
        lines,
        control,
        guard: None,
        told: false,
        handed: Handed::default(),
        running: Running::default(),
    })
}
