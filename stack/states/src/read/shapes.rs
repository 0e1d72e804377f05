//! The fields that several types of states have: what comes after, input and output, and values that
//! may be given by a path.

use std::sync::Arc;

use serde_json::Value;

use super::fields::{Fields, kind};
use crate::definition::{After, Given, ResultPlace, Selection, Shaping};
use crate::path::Path;
use crate::payload::Payload;

pub(super) const EVERY: [&str; 4] = ["Type", "Comment", "QueryLanguage", "Assign"];
pub(super) const GOES_ON: [&str; 2] = ["Next", "End"];
pub(super) const PATHS: [&str; 2] = ["InputPath", "OutputPath"];

/// Why `Assign` is not served.
pub(super) const VARIABLES: &str = "variables are not served here";

/// A value of the definition, or the path in the field of the same name with `Path` at its end.
pub(super) fn given<T>(fields: &Fields<'_>, key: &str, read: impl FnOnce(&Fields<'_>, &str) -> Option<T>) -> Option<Given<T>> {
    let by_path = format!("{key}Path");
    if fields.has(key) && fields.has(&by_path) {
        fields.complain(&by_path, format!("found it beside `{key}`, expected one of the two"));
    }
    read(fields, key).map(Given::Here).or_else(|| fields.read(&by_path, Path::read).map(Given::At))
}

pub(super) fn after(fields: &Fields<'_>) -> Option<After> {
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

pub(super) fn shaping(fields: &Fields<'_>) -> Shaping {
    Shaping {
        input: selection(fields, "InputPath"),
        parameters: payload(fields, "Parameters"),
        selector: payload(fields, "ResultSelector"),
        result: result_place(fields),
        output: selection(fields, "OutputPath"),
    }
}

pub(super) fn payload(fields: &Fields<'_>, key: &str) -> Option<Payload> {
    let value = fields.value(key)?;
    if !value.is_object() {
        fields.complain(key, format!("found {}, expected an object", kind(value)));
    }
    Some(Payload::read(value, &fields.at(key), &mut fields.complaints()))
}

pub(super) fn selection(fields: &Fields<'_>, key: &str) -> Selection {
    if fields.value(key).is_some_and(Value::is_null) {
        return Selection::Nothing;
    }
    let path = fields.read(key, Path::read);
    Selection::Path(path.unwrap_or(Path::everything()))
}

/// `ResultPath` of a state or of a catcher.
pub(super) fn result_place(fields: &Fields<'_>) -> ResultPlace {
    let key = "ResultPath";
    if fields.value(key).is_some_and(Value::is_null) {
        return ResultPlace::Nowhere;
    }
    let path = fields.read(key, Path::read_in_input);
    ResultPlace::At(path.unwrap_or(Path::everything()))
}
