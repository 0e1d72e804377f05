//! Reads one state, with the fields of its type.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::fields::Fields;
use super::shapes::{EVERY, GOES_ON, PATHS, VARIABLES, after, given, selection, shaping};
use super::{LONGEST_SECONDS, choices, flow, handling, in_json_path, maps};
use crate::definition::{Fail, Flow, Name, Parallel, Pass, State, Succeed, Task, Until, Wait};
use crate::intrinsic::Source;

/// Reads a state; `names` holds the names of all states read so far.
pub(super) fn state(fields: &Fields<'_>, names: &mut BTreeSet<Name>) -> Option<State> {
    if !in_json_path(fields) {
        return None;
    }
    fields.none_served(&["Assign"], VARIABLES);
    match fields.needed_text("Type")?.as_str() {
        "Task" => task(fields),
        "Parallel" => parallel(fields, names),
        "Map" => maps::read(fields, names),
        "Choice" => choices::read(fields),
        "Wait" => wait(fields),
        "Pass" => pass(fields),
        "Succeed" => {
            fields.only("Succeed", &[&EVERY[..], &PATHS].concat());
            Some(State::Succeed(Succeed { input: selection(fields, "InputPath"), output: selection(fields, "OutputPath") }))
        }
        "Fail" => Some(State::Fail(fail(fields))),
        other => {
            fields.complain("Type", format!("found `{other}`, there are: Task, Parallel, Map, Choice, Wait, Pass, Succeed, Fail"));
            None
        }
    }
}

fn task(fields: &Fields<'_>) -> Option<State> {
    let own =
        ["Resource", "Parameters", "ResultSelector", "ResultPath", "TimeoutSeconds", "TimeoutSecondsPath", "Retry", "Catch", "Credentials"];
    let heartbeats = ["HeartbeatSeconds", "HeartbeatSecondsPath"];
    fields.only("Task", &[&EVERY[..], &PATHS, &own, &heartbeats, &GOES_ON].concat());
    fields.none_served(&heartbeats, "heartbeats are not served here");
    let (shaping, handling, after) = (shaping(fields), handling::read(fields), after(fields));
    let timeout = given(fields, "TimeoutSeconds", |fields, key| fields.seconds(key, 1..=LONGEST_SECONDS));
    let resource = fields.needed_text("Resource");
    if resource.as_deref() == Some("") {
        fields.complain("Resource", "found nothing, expected the ARN of what does the task");
    }
    Some(State::Task(Task { resource: Arc::from(resource?), timeout, shaping, handling, after: after? }))
}

fn parallel(fields: &Fields<'_>, names: &mut BTreeSet<Name>) -> Option<State> {
    let own = ["Branches", "Parameters", "ResultSelector", "ResultPath", "Retry", "Catch"];
    fields.only("Parallel", &[&EVERY[..], &PATHS, &own, &GOES_ON].concat());
    let (shaping, handling, after) = (shaping(fields), handling::read(fields), after(fields));
    let declared = fields.list("Branches");
    if declared.is_empty() {
        fields.complain("Branches", "found none, expected at least one branch");
    }
    let branches: Vec<Option<Flow>> = fields.each("Branches").iter().map(|one| branch(one, names)).collect();
    let branches: Option<Vec<Flow>> = branches.into_iter().collect();
    Some(State::Parallel(Parallel { branches: branches?, shaping, handling, after: after? }))
}

fn wait(fields: &Fields<'_>) -> Option<State> {
    let ways = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];
    fields.only("Wait", &[&EVERY[..], &PATHS, &ways, &GOES_ON].concat());
    if ways.iter().filter(|key| fields.has(key)).count() != 1 {
        fields.complain("Seconds", format!("expected exactly one of {}", ways.join(", ")));
        return None;
    }
    let seconds = given(fields, "Seconds", |fields, key| fields.seconds(key, 0..=LONGEST_SECONDS)).map(Until::Over);
    let moment = |fields: &Fields<'_>, key: &str| {
        fields.read(key, |text| dates::read(text).ok_or_else(|| format!("found `{text}`, expected a time such as `2026-01-31T12:00:00Z`")))
    };
    let until = seconds.or_else(|| given(fields, "Timestamp", moment).map(Until::Moment));
    let (input, output, after) = (selection(fields, "InputPath"), selection(fields, "OutputPath"), after(fields));
    Some(State::Wait(Wait { until: until?, input, output, after: after? }))
}

fn branch(fields: &Fields<'_>, names: &mut BTreeSet<Name>) -> Option<Flow> {
    fields.only("branch", &["Comment", "StartAt", "States"]);
    flow(fields, names)
}

fn pass(fields: &Fields<'_>) -> Option<State> {
    fields.only("Pass", &[&EVERY[..], &PATHS, &["Result", "Parameters", "ResultPath"], &GOES_ON].concat());
    let (shaping, after) = (shaping(fields), after(fields));
    Some(State::Pass(Pass { result: fields.value("Result").cloned(), shaping, after: after? }))
}

fn fail(fields: &Fields<'_>) -> Fail {
    fields.only("Fail", &[&EVERY[..], &["Error", "ErrorPath", "Cause", "CausePath"]].concat());
    Fail { error: said(fields, "Error", "ErrorPath"), cause: said(fields, "Cause", "CausePath") }
}

/// The value of `key`, or the path in `by_path` that it is read from.
fn said(fields: &Fields<'_>, key: &str, by_path: &str) -> Option<Source> {
    if fields.has(key) && fields.has(by_path) {
        fields.complain(by_path, format!("found it beside `{key}`, expected one of the two"));
    }
    let literal = fields.text(key).map(|text| Source::Literal(Value::String(text)));
    literal.or_else(|| fields.read(by_path, Source::read))
}
