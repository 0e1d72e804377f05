//! A part of the template with its path: reads fields, and reports complaints under that path.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use faults::Complaint;
use serde_json::{Map, Value};

use super::physical::{Arns, Kind};
use crate::intrinsics::Names;

/// What is known while parts are read, and the complaints so far.
pub(crate) struct Known<'a> {
    pub names: &'a Names,
    pub arns: &'a Arns,
    pub complaints: RefCell<Vec<Complaint>>,
}

impl<'a> Known<'a> {
    /// The properties of a resource.
    pub(crate) fn properties(&'a self, resource: &str, declared: &'a Value) -> Section<'a> {
        Section { path: resource.to_owned(), fields: declared.get("Properties").and_then(Value::as_object), known: self }
    }
}

/// A map of the template; a missing one has no fields.
#[derive(Clone)]
pub(crate) struct Section<'a> {
    path: String,
    fields: Option<&'a Map<String, Value>>,
    known: &'a Known<'a>,
}

impl<'a> Section<'a> {
    pub(crate) fn complain(&self, key: &str, what: impl Into<String>) {
        self.known.complaints.borrow_mut().push(Complaint::new(format!("{}.{key}", self.path), what));
    }

    /// Complains about every field that is neither read nor known to have no effect here.
    pub(crate) fn only(&self, read: &[&str], without_effect: &[&str]) {
        for key in self.fields.into_iter().flat_map(Map::keys) {
            if !read.contains(&key.as_str()) && !without_effect.contains(&key.as_str()) {
                self.complain(key, format!("this is not understood here, there are: {}", read.join(", ")));
            }
        }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    fn value(&self, key: &str) -> Option<&'a Value> {
        self.fields?.get(key)
    }

    /// Text, with all intrinsics resolved; `None` if it is missing, or not understood, which is a
    /// complaint.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.known.names.text(self.value(key)?).map_err(|why| self.complain(key, why)).ok()
    }

    /// The same for a field that must exist.
    pub(crate) fn needed(&self, key: &str) -> String {
        if !self.has(key) {
            self.complain(key, "found none");
        }
        self.text(key).unwrap_or_default()
    }

    /// Complains if the field has another value than one of these; if it is missing, AWS takes the
    /// first.
    pub(crate) fn served(&self, key: &str, values: &[&str]) -> Option<String> {
        let found = self.text(key)?;
        if !values.contains(&found.as_str()) {
            self.complain(key, format!("found `{found}`, only these are served here: {}", values.join(", ")));
        }
        Some(found)
    }

    pub(crate) fn number<T: FromStr + PartialOrd + std::fmt::Display>(&self, key: &str, bounds: RangeInclusive<T>) -> Option<T> {
        let text = self.text(key)?;
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        if number.is_none() {
            self.complain(key, format!("found `{text}`, expected a number from {} to {}", bounds.start(), bounds.end()));
        }
        number
    }

    pub(crate) fn seconds(&self, key: &str, bounds: RangeInclusive<u64>) -> Option<Duration> {
        self.number(key, bounds).map(Duration::from_secs)
    }

    /// Whether a switch is on; a missing one is off, as at AWS.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.text(key).is_some_and(|text| {
            if !matches!(text.as_str(), "true" | "false") {
                self.complain(key, format!("found `{text}`, expected true or false"));
            }
            text == "true"
        })
    }

    /// A map within this one; empty if it is missing.
    pub(crate) fn within(&self, key: &str) -> Self {
        self.part(key, self.value(key))
    }

    fn part(&self, key: &str, value: Option<&'a Value>) -> Self {
        if value.is_some_and(|value| !value.is_object()) {
            self.complain(key, "expected a map");
        }
        Self { path: format!("{}.{key}", self.path), fields: value.and_then(Value::as_object), known: self.known }
    }

    /// The maps of a list.
    pub(crate) fn each(&self, key: &str) -> Vec<Self> {
        self.list(key).iter().enumerate().map(|(index, value)| self.part(&format!("{key}[{index}]"), Some(value))).collect()
    }

    fn list(&self, key: &str) -> &'a [Value] {
        match self.value(key) {
            None => &[],
            Some(Value::Array(list)) => list,
            Some(_) => {
                self.complain(key, "expected a list");
                &[]
            }
        }
    }

    /// The texts of a list.
    pub(crate) fn texts(&self, key: &str) -> Vec<String> {
        self.list(key).iter().filter_map(|value| self.known.names.text(value).map_err(|why| self.complain(key, why)).ok()).collect()
    }

    /// A field with everything resolved: intrinsics, and `${name}` in its texts by `substitutions`.
    /// What is not understood is a complaint and `null`.
    pub(crate) fn resolved(&self, key: &str, substitutions: &BTreeMap<String, String>) -> Option<Value> {
        Some(self.resolve(key, self.value(key)?, substitutions))
    }

    fn resolve(&self, at: &str, value: &Value, substitutions: &BTreeMap<String, String>) -> Value {
        let understood = |text: Result<String, String>| text.map(Value::String).map_err(|why| self.complain(at, why)).unwrap_or_default();
        match value {
            Value::String(text) => understood(substituted(text, substitutions)),
            Value::Object(fields) if is_intrinsic(fields) => understood(self.known.names.text(value)),
            Value::Object(fields) => {
                let resolved = |(key, value): (&String, &Value)| (key.clone(), self.resolve(&format!("{at}.{key}"), value, substitutions));
                Value::Object(fields.iter().map(resolved).collect())
            }
            Value::Array(list) => {
                let resolved = |(index, value): (usize, &Value)| self.resolve(&format!("{at}[{index}]"), value, substitutions);
                Value::Array(list.iter().enumerate().map(resolved).collect())
            }
            other => other.clone(),
        }
    }

    /// The fields of this map as text.
    pub(crate) fn text_fields(&self) -> BTreeMap<String, String> {
        self.fields.into_iter().flat_map(Map::keys).filter_map(|key| Some((key.clone(), self.text(key)?))).collect()
    }

    /// The maps in the fields of this one, each with its name.
    pub(crate) fn children(&self) -> Vec<(&'a str, Self)> {
        self.fields.into_iter().flatten().map(|(key, value)| (key.as_str(), self.part(key, Some(value)))).collect()
    }

    /// The name of the resource whose ARN is in a field.
    pub(crate) fn resource(&self, kind: Kind, key: &str) -> Option<String> {
        let arn = self.text(key)?;
        self.name(kind, key, &arn)
    }

    /// The name of the resource with an ARN from a field.
    pub(crate) fn name(&self, kind: Kind, key: &str, arn: &str) -> Option<String> {
        self.known.arns.name(kind, arn).map_err(|why| self.complain(key, why)).ok()
    }
}

fn is_intrinsic(fields: &Map<String, Value>) -> bool {
    fields.len() == 1 && fields.keys().all(|key| key == "Ref" || key.starts_with("Fn::"))
}

/// Replaces each `${name}` by its value. AWS would keep an unknown name as text; here it is an
/// error.
fn substituted(text: &str, substitutions: &BTreeMap<String, String>) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or_else(|| format!("found `{text}`, a brace is not closed"))?;
        let value = substitutions.get(name).ok_or_else(|| format!("found `${{{name}}}`, which `DefinitionSubstitutions` does not name"))?;
        out.push_str(before);
        out.push_str(value);
        rest = after;
    }
    Ok(out + rest)
}
