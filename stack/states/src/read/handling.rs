//! Reads `Retry` and `Catch`.

use std::sync::Arc;

use serde_json::Value;

use super::fields::{Fields, kind};
use super::shapes::{VARIABLES, result_place};
use crate::definition::{Catcher, Handling};
use crate::error_equals::{ALL, ErrorEquals, RESERVED};
use crate::retry::{Jitter, Retrier};

/// The bounds of a retrier's numbers. Source: developer guide, "Retrying after an error".
const LONGEST_INTERVAL: u64 = 99_999_999;
const MOST_ATTEMPTS: u64 = 99_999_999;
const LONGEST_DELAY: u64 = 31_622_400;

pub(super) fn read(fields: &Fields<'_>) -> Handling {
    let (retry, catch) = (fields.each("Retry"), fields.each("Catch"));
    let (last_retry, last_catch) = (retry.len().saturating_sub(1), catch.len().saturating_sub(1));
    Handling {
        retry: retry.iter().enumerate().filter_map(|(index, one)| retrier(one, index == last_retry)).collect(),
        catch: catch.iter().enumerate().filter_map(|(index, one)| catcher(one, index == last_catch)).collect(),
    }
}

fn retrier(fields: &Fields<'_>, last: bool) -> Option<Retrier> {
    let known = ["ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy", "Comment"];
    fields.only("retrier", &known);
    let interval = fields.seconds("IntervalSeconds", 1..=LONGEST_INTERVAL);
    let longest = fields.seconds("MaxDelaySeconds", 1..=LONGEST_DELAY);
    let most = fields.whole("MaxAttempts", 0..=MOST_ATTEMPTS).and_then(|most| u32::try_from(most).ok());
    let backoff = fields.number("BackoffRate", 1.0);
    let interval = interval.unwrap_or(std::time::Duration::from_secs(1));
    if let Some(longest) = longest.filter(|longest| *longest <= interval) {
        let (longest, interval) = (longest.as_secs(), interval.as_secs());
        fields.complain("MaxDelaySeconds", format!("found `{longest}`, expected more than IntervalSeconds, which is {interval}"));
    }
    let errors = error_equals(fields, last);
    let jitter = jitter(fields);
    Some(Retrier { errors: errors?, interval, most: most.unwrap_or(3), backoff: backoff.unwrap_or(2.0), longest, jitter })
}

fn jitter(fields: &Fields<'_>) -> Jitter {
    match fields.text("JitterStrategy").as_deref() {
        None | Some("NONE") => Jitter::None,
        Some("FULL") => Jitter::Full,
        Some(other) => {
            fields.complain("JitterStrategy", format!("found `{other}`, there are: FULL, NONE"));
            Jitter::None
        }
    }
}

fn catcher(fields: &Fields<'_>, last: bool) -> Option<Catcher> {
    fields.only("catcher", &["ErrorEquals", "ResultPath", "Next", "Comment", "Assign"]);
    fields.none_served(&["Assign"], VARIABLES);
    let (errors, result, next) = (error_equals(fields, last), result_place(fields), fields.needed_text("Next"));
    Some(Catcher { errors: errors?, result, next: Arc::from(next?) })
}

/// `States.ALL` must be the only error of its entry, and its entry the last one. Source: Amazon States Language, "Errors".
fn error_equals(fields: &Fields<'_>, last: bool) -> Option<ErrorEquals> {
    let key = "ErrorEquals";
    let list = fields.list(key);
    if list.is_empty() {
        fields.complain(key, "found none, expected the names of errors");
    }
    let names: Vec<String> = list.into_iter().filter_map(|(_, value)| name(fields, value)).collect();
    if names.iter().any(|name| name == ALL) {
        if names.len() > 1 {
            fields.complain(key, format!("found `{ALL}` beside other names; it must be the only one"));
        }
        if !last {
            fields.complain(key, format!("found `{ALL}` and others after it, put it last"));
        }
    }
    (!names.is_empty()).then(|| ErrorEquals::new(names))
}

fn name(fields: &Fields<'_>, value: &Value) -> Option<String> {
    let key = "ErrorEquals";
    let Value::String(name) = value else {
        fields.complain(key, format!("found {}, expected the names of errors", kind(value)));
        return None;
    };
    if name.is_empty() || (name.starts_with("States.") && !RESERVED.contains(&name.as_str())) {
        fields.complain(key, format!("found `{name}`, of the names that begin with `States.` there are: {}", RESERVED.join(", ")));
    }
    Some(name.clone())
}
