//! Reads one state, with the fields of its type.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::fields::Fields;
use super::{LONGEST_SECONDS, flow, handling};
use crate::definition::{After, Fail, Flow, Name, Parallel, Pass, ResultPlace, Selection, Shaping, State, Succeed, Task};
use crate::intrinsic::Source;
use crate::path::Path;
use crate::payload::Payload;

const EVERY: [&str; 2] = ["Type", "Comment"];
const GOES_ON: [&str; 2] = ["Next", "End"];
const PATHS: [&str; 2] = ["InputPath", "OutputPath"];

/// Reads a state; `names` holds the names of all states read so far.
pub(super) fn state(fields: &Fields<'_>, names: &mut BTreeSet<Name>) -> Option<State> {
    match fields.needed_text("Type")?.as_str() {
        "Task" => task(fields),
        "Parallel" => parallel(fields, names),
        "Pass" => pass(fields),
        "Succeed" => {
            fields.only("Succeed", &[&EVERY[..], &PATHS].concat());
            Some(State::Succeed(Succeed { input: selection(fields, "InputPath"), output: selection(fields, "OutputPath") }))
        }
        "Fail" => Some(State::Fail(fail(fields))),
        other => {
            fields.complain("Type", format!("found `{other}`, there are: Task, Parallel, Pass, Succeed, Fail"));
            None
        }
    }
}

fn task(fields: &Fields<'_>) -> Option<State> {
    let own = ["Resource", "Parameters", "ResultSelector", "ResultPath", "TimeoutSeconds", "Retry", "Catch"];
    fields.only("Task", &[&EVERY[..], &PATHS, &own, &GOES_ON].concat());
    let (shaping, handling, after) = (shaping(fields), handling::read(fields), after(fields));
    let timeout = fields.seconds("TimeoutSeconds", 1..=LONGEST_SECONDS);
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
    literal.or_else(|| Source::read(&fields.text(by_path)?).map_err(|what| fields.complain(by_path, what)).ok())
}

fn after(fields: &Fields<'_>) -> Option<After> {
    let (next, end) = (fields.text("Next"), fields.flag("End"));
    match (fields.has("Next"), end) {
        (true, false) => Some(After::Next(Arc::from(next?))),
        (false, true) => Some(After::End),
        (true, true) => {
            fields.complain("End", "found it beside `Next`, expected one of the two");
            None
        }
        (false, false) => {
            fields.complain("Next", "found neither `Next` nor `End: true`, expected one of the two");
            None
        }
    }
}

fn shaping(fields: &Fields<'_>) -> Shaping {
    Shaping {
        input: selection(fields, "InputPath"),
        parameters: payload(fields, "Parameters"),
        selector: payload(fields, "ResultSelector"),
        result: result_place(fields),
        output: selection(fields, "OutputPath"),
    }
}

fn payload(fields: &Fields<'_>, key: &str) -> Option<Payload> {
    let value = fields.value(key)?;
    if !value.is_object() {
        fields.complain(key, format!("found {}, expected an object", super::fields::kind(value)));
    }
    Some(Payload::read(value, &fields.at(key), &mut fields.complaints()))
}

fn selection(fields: &Fields<'_>, key: &str) -> Selection {
    if fields.value(key).is_some_and(Value::is_null) {
        return Selection::Nothing;
    }
    let path = fields.text(key).and_then(|text| Path::read(&text).map_err(|what| fields.complain(key, what)).ok());
    Selection::Path(path.unwrap_or(Path::everything()))
}

/// `ResultPath` of a state or of a catcher.
pub(super) fn result_place(fields: &Fields<'_>) -> ResultPlace {
    let key = "ResultPath";
    if fields.value(key).is_some_and(Value::is_null) {
        return ResultPlace::Nowhere;
    }
    let path = fields.text(key).and_then(|text| Path::read_in_input(&text).map_err(|what| fields.complain(key, what)).ok());
    ResultPlace::At(path.unwrap_or(Path::everything()))
}
