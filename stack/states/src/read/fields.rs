//! The fields of an object with its path: reads fields, and reports complaints under that path.

use std::cell::{RefCell, RefMut};
use std::ops::RangeInclusive;
use std::time::Duration;

use faults::Complaint;
use serde_json::{Map, Value};

use super::findings::Findings;

/// An object of the definition.
pub(super) struct Fields<'a> {
    path: String,
    fields: &'a Map<String, Value>,
    findings: &'a RefCell<Findings>,
}

impl<'a> Fields<'a> {
    /// The fields of `value`, which is at `path`.
    pub(super) fn of(value: &'a Value, path: &str, findings: &'a RefCell<Findings>) -> Option<Self> {
        if let Value::Object(fields) = value {
            return Some(Self { path: path.to_owned(), fields, findings });
        }
        findings.borrow_mut().wrong.push(Complaint::new(path, format!("found {}, expected an object", kind(value))));
        None
    }

    pub(super) fn complain(&self, key: &str, what: impl Into<String>) {
        self.findings.borrow_mut().wrong.push(Complaint::new(self.at(key), what));
    }

    /// The field is right, and not served here.
    pub(super) fn not_served(&self, key: &str, what: impl Into<String>) {
        self.findings.borrow_mut().not_served.push(Complaint::new(self.at(key), what));
    }

    /// Those of these fields that are there are not served here.
    pub(super) fn none_served(&self, keys: &[&str], what: &str) {
        keys.iter().filter(|key| self.has(key)).for_each(|key| self.not_served(key, what));
    }

    /// The path of a field.
    pub(super) fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    /// Complains about every field that `what` does not have here.
    pub(super) fn only(&self, what: &str, known: &[&str]) {
        for key in self.fields.keys().filter(|key| !known.contains(&key.as_str())) {
            self.complain(key, format!("a {what} has no such field here; remove it, the fields are: {}", known.join(", ")));
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.fields.contains_key(key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    pub(super) fn value(&self, key: &str) -> Option<&'a Value> {
        self.fields.get(key)
    }

    /// The complaints, for code that reads a value by itself.
    pub(super) fn complaints(&self) -> RefMut<'a, Vec<Complaint>> {
        RefMut::map(self.findings.borrow_mut(), |findings| &mut findings.wrong)
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        match self.value(key)? {
            Value::String(text) => Some(text.clone()),
            other => {
                self.complain(key, format!("found {}, expected text", kind(other)));
                None
            }
        }
    }

    pub(super) fn needed_text(&self, key: &str) -> Option<String> {
        if !self.has(key) {
            self.complain(key, "found none");
        }
        self.text(key)
    }

    pub(super) fn whole(&self, key: &str, bounds: RangeInclusive<u64>) -> Option<u64> {
        let value = self.value(key)?;
        let number = value.as_u64().filter(|number| bounds.contains(number));
        if number.is_none() {
            self.complain(key, format!("found `{value}`, expected a whole number from {} to {}", bounds.start(), bounds.end()));
        }
        number
    }

    pub(super) fn seconds(&self, key: &str, bounds: RangeInclusive<u64>) -> Option<Duration> {
        self.whole(key, bounds).map(Duration::from_secs)
    }

    /// A number, whole or not, of at least `least`.
    pub(super) fn number(&self, key: &str, least: f64) -> Option<f64> {
        let value = self.value(key)?;
        let number = value.as_f64().filter(|number| *number >= least);
        if number.is_none() {
            self.complain(key, format!("found `{value}`, expected a number of at least {least}"));
        }
        number
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        match self.value(key) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                self.complain(key, format!("found {}, expected true or false", kind(other)));
                false
            }
        }
    }

    /// An object within this one that must exist.
    pub(super) fn needed_within(&self, key: &str) -> Option<Self> {
        match self.value(key) {
            Some(value) => Self::of(value, &self.at(key), self.findings),
            None => {
                self.complain(key, "found none");
                None
            }
        }
    }

    /// What `read` makes of a text.
    pub(super) fn read<T>(&self, key: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(key)?;
        read(&text).map_err(|what| self.complain(key, what)).ok()
    }

    /// The elements of a list, each with its path.
    pub(super) fn list(&self, key: &str) -> Vec<(String, &'a Value)> {
        match self.value(key) {
            None => Vec::new(),
            Some(Value::Array(list)) => {
                list.iter().enumerate().map(|(index, value)| (format!("{}[{index}]", self.at(key)), value)).collect()
            }
            Some(other) => {
                self.complain(key, format!("found {}, expected a list", kind(other)));
                Vec::new()
            }
        }
    }

    /// The objects of a list.
    pub(super) fn each(&self, key: &str) -> Vec<Self> {
        self.list(key).into_iter().filter_map(|(at, value)| Self::of(value, &at, self.findings)).collect()
    }

    /// The objects in the fields of this one, each with its name; `None` for a field that is not an
    /// object.
    pub(super) fn children(&self) -> Vec<(&'a str, Option<Self>)> {
        self.fields.iter().map(|(key, value)| (key.as_str(), Self::of(value, &self.at(key), self.findings))).collect()
    }
}

/// The type of a value, in a word.
pub(super) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
