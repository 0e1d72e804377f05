//! Any bytes are a plan or an error. A plan reads back from its own JSON, decides the same again, and never replaces an answer
//! with one that grants access. The plan is before the first NUL byte, an event after it.

#![no_main]

use faults::json::Reader;
use faults::{Action, Identity, Memory, Place, Plan};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Whether the caller of an authorizer or of a decision point would read this as a grant.
fn grants(answer: &Value, depth: u8) -> bool {
    match answer {
        Value::Array(values) => values.iter().any(|value| grants(value, depth)),
        Value::Object(fields) => fields.iter().any(|(key, value)| {
            let allow = value.as_str().is_some_and(|text| text.trim().eq_ignore_ascii_case("allow"));
            let says = matches!(key.to_ascii_lowercase().as_str(), "effect" | "decision") && allow;
            let is = key.eq_ignore_ascii_case("isAuthorized") && *value == Value::Bool(true);
            says || is || grants(value, depth)
        }),
        Value::String(text) => depth > 0 && serde_json::from_str(text).is_ok_and(|inner| grants(&inner, depth - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn look_at(action: &Action, event: &[u8]) {
    match action {
        Action::Replace { body, .. } => {
            let grants_access = serde_json::from_str(body).is_ok_and(|answer| grants(&answer, 4));
            assert!(!grants_access, "it grants access: {body}");
        }
        Action::EditEvent(edits) => {
            if let Some(edited) = edits.apply(event) {
                let mut reader = Reader::new(std::str::from_utf8(&edited).expect("an edited event is text"));
                assert!(reader.skip().is_ok() && reader.is_at_end(), "an edited event is an event");
            }
        }
        Action::Refuse { error_type, .. } | Action::LoseAnswer { error_type, .. } | Action::FailStart { error_type, .. } => {
            assert!(!error_type.bytes().any(|byte| byte.is_ascii_control()), "a request would break on {error_type:?}");
        }
        _ => {}
    }
}

fuzz_target!(|bytes: &[u8]| {
    let nul = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (plan, event) = (&bytes[..nul], bytes.get(nul + 1..).unwrap_or_default());
    let Ok(plan) = Plan::read(plan) else { return };
    let json = plan.to_json();
    let again = Plan::read(json.as_bytes()).expect("a plan reads back");
    assert_eq!(again, plan, "a plan reads back as itself");
    for fault in &plan.faults {
        for identity in ["", "1-5759e988-bd862e3fe1be46a994272793", "r-1", "r-2"].map(Identity) {
            match &fault.place {
                Place::Function(function) => {
                    let places = plan.places(function);
                    let facts = places.read(event, true).expect("of a whole event all is known").at_place(1);
                    // A memory counts what it has seen, so each call gets a new one.
                    let decide = || plan.decide(function, identity, &facts, &mut Memory::default());
                    let decided = decide();
                    assert_eq!(decide(), decided);
                    assert!(decided.is_empty() || plan.concerns(function));
                    let started = plan.decide_start(function, identity);
                    assert_eq!(plan.decide_start(function, identity), started);
                    for decision in decided.iter().chain(&started) {
                        look_at(&decision.action, event);
                    }
                }
                Place::Service { name, operation } => {
                    let called = operation.as_deref().unwrap_or("IsAuthorized");
                    let decided = plan.decide_call(name, called, identity, faults::cases::Caller::default(), |_| 2);
                    assert!(fault.cases.is_some() || !decided.is_empty());
                }
            }
        }
    }
});
