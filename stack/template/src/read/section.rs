//! A part of the template with its path, its intrinsics resolved: reads fields, and reports
//! findings under that path.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Map, Value};

use super::physical::{Arns, Kind};
use crate::blueprint::Target;
use crate::files::Files;
use crate::findings::Findings;

/// What is known while parts are read, and the findings so far.
pub(crate) struct Known<'a> {
    pub arns: &'a Arns,
    pub findings: RefCell<Findings>,
    pub files: &'a dyn Files,
    /// Where the code of each asset of a CDK app is, by the asset's hash.
    pub assets: BTreeMap<String, String>,
}

impl<'a> Known<'a> {
    /// A map under a path; another value is a complaint.
    pub(crate) fn section(&'a self, path: impl Into<String>, value: Option<&'a Value>) -> Section<'a> {
        let path = path.into();
        if value.is_some_and(|value| !value.is_object() && !value.is_null()) {
            self.complain(&path, "expected a map");
        }
        Section { path, fields: value.and_then(Value::as_object), known: self }
    }

    /// The text of a file that the template names.
    pub(crate) fn file(&self, path: &str) -> Result<String, String> {
        self.files.read(path).map_err(|why| why.to_string())
    }

    pub(crate) fn complain(&self, place: impl Into<String>, what: impl Into<String>) {
        self.findings.borrow_mut().complain(place, what);
    }

    pub(crate) fn notice(&self, place: impl Into<String>, what: impl Into<String>) {
        self.findings.borrow_mut().notice(place, what);
    }
}

/// A map of the template; a missing one has no fields.
#[derive(Clone)]
pub(crate) struct Section<'a> {
    path: String,
    fields: Option<&'a Map<String, Value>>,
    pub known: &'a Known<'a>,
}

impl<'a> Section<'a> {
    pub(crate) fn place(&self, key: &str) -> String {
        if key.is_empty() { self.path.clone() } else { format!("{}.{key}", self.path) }
    }

    /// AWS would refuse this.
    pub(crate) fn complain(&self, key: &str, what: impl Into<String>) {
        self.known.complain(self.place(key), what);
    }

    /// This is not served here.
    pub(crate) fn notice(&self, key: &str, what: impl Into<String>) {
        self.known.notice(self.place(key), what);
    }

    /// Notices every field that is neither read nor known to have no effect here.
    pub(crate) fn only(&self, read: &[&str], without_effect: &[&str]) {
        for key in self.fields.into_iter().flat_map(Map::keys) {
            if !read.contains(&key.as_str()) && !without_effect.contains(&key.as_str()) && self.value(key).is_some() {
                self.notice(key, "this property is not served here");
            }
        }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// The value of a field; `null` is the same as a missing one.
    pub(crate) fn value(&self, key: &str) -> Option<&'a Value> {
        self.fields?.get(key).filter(|value| !value.is_null())
    }

    /// Text; `None` if it is missing, or something else, which is a complaint.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        let text = plain_text(self.value(key)?);
        if text.is_none() {
            self.complain(key, "expected text");
        }
        text
    }

    /// The same for a field that must exist.
    pub(crate) fn needed(&self, key: &str) -> String {
        if !self.has(key) {
            self.complain(key, "found none");
        }
        self.text(key).unwrap_or_default()
    }

    /// Text that is one of a closed list at AWS; another one is a complaint and `None`.
    pub(crate) fn one_of(&self, key: &str, values: &[&str]) -> Option<String> {
        let found = self.text(key)?;
        let known = values.contains(&found.as_str());
        if !known {
            self.complain(key, format!("found `{found}`, there are: {}", values.join(", ")));
        }
        known.then_some(found)
    }

    /// Whether the field is missing or has one of the values that are served; another one is a
    /// notice.
    pub(crate) fn is_served(&self, key: &str, values: &[&str]) -> bool {
        let Some(found) = self.text(key) else { return true };
        let served = values.contains(&found.as_str());
        if !served {
            self.notice(key, format!("found `{found}`, only these are served here: {}", values.join(", ")));
        }
        served
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
        self.switch(key).unwrap_or_default()
    }

    /// A switch, if it is there.
    pub(crate) fn switch(&self, key: &str) -> Option<bool> {
        let text = self.text(key)?;
        match text.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                self.complain(key, format!("found `{text}`, expected true or false"));
                None
            }
        }
    }

    /// A map within this one; empty if it is missing.
    pub(crate) fn within(&self, key: &str) -> Self {
        self.known.section(self.place(key), self.value(key))
    }

    /// The maps of a list.
    pub(crate) fn each(&self, key: &str) -> Vec<Self> {
        let one = |(index, value)| self.known.section(self.place(&format!("{key}[{index}]")), Some(value));
        self.list(key).iter().enumerate().map(one).collect()
    }

    fn list(&self, key: &str) -> &'a [Value] {
        match self.value(key) {
            None => &[],
            Some(Value::Array(list)) => list,
            // CloudFormation takes a single value for a list of one.
            Some(other) => std::slice::from_ref(other),
        }
    }

    /// The texts of a list.
    pub(crate) fn texts(&self, key: &str) -> Vec<String> {
        let texts = self.list(key).iter().filter(|value| !value.is_null()).filter_map(|value| {
            let text = plain_text(value);
            if text.is_none() {
                self.complain(key, format!("found `{value}`, expected text"));
            }
            text
        });
        texts.collect()
    }

    /// The fields of this map as text.
    pub(crate) fn text_fields(&self) -> BTreeMap<String, String> {
        self.fields.into_iter().flat_map(Map::keys).filter_map(|key| Some((key.clone(), self.text(key)?))).collect()
    }

    /// The maps in the fields of this one, each with its name.
    pub(crate) fn children(&self) -> Vec<(&'a str, Self)> {
        let fields = self.fields.into_iter().flatten().filter(|(_, value)| value.is_object());
        fields.map(|(key, value)| (key.as_str(), self.known.section(self.place(key), Some(value)))).collect()
    }

    /// The names of the fields.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.fields.into_iter().flat_map(Map::keys).map(String::as_str)
    }

    /// What a field with an ARN names, if it is one of these kinds; anything else is a notice.
    pub(crate) fn target(&self, key: &str, kinds: &[Kind]) -> Option<Target> {
        let text = self.text(key)?;
        let found = self.known.arns.target(&text).filter(|(kind, _)| kinds.contains(kind));
        if found.is_none() {
            let words: Vec<_> = kinds.iter().map(|kind| kind.word()).collect();
            self.notice(key, format!("found `{text}`, which is none of the template that is served here: {}", words.join(", ")));
        }
        let (kind, name) = found?;
        kind.target(name)
    }

    /// The name of the resource of one kind whose ARN is in a field; anything else is a notice.
    pub(crate) fn resource(&self, kind: Kind, key: &str) -> Option<String> {
        let text = self.text(key)?;
        self.name(kind, key, &text)
    }

    /// The name of the resource of one kind with an ARN from a field.
    pub(crate) fn name(&self, kind: Kind, key: &str, arn: &str) -> Option<String> {
        let found = self.known.arns.target(arn).filter(|(found, _)| *found == kind);
        if found.is_none() {
            self.notice(key, format!("found `{arn}`, which is no {} of the template", kind.word()));
        }
        Some(found?.1)
    }

    /// The name of the function in a field, from a name, an ARN, or an address for API Gateway.
    pub(crate) fn function(&self, key: &str) -> Option<String> {
        let text = self.text(key)?;
        let found = self.known.arns.function(&text);
        if found.is_none() {
            self.notice(key, format!("found `{text}`, which is no function of the template"));
        }
        found
    }
}

/// A document of YAML or JSON.
pub(crate) fn read_yaml(text: &str) -> Result<Value, String> {
    crate::yaml::read(text).map(|document| document.value).map_err(|why| why.what)
}

fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Replaces each `${name}` of `DefinitionSubstitutions`. Source: CloudFormation, resource
/// `AWS::StepFunctions::StateMachine`. A name without a value is an error, as it is there.
pub(crate) fn substituted(value: &Value, by: &BTreeMap<String, String>) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => Value::String(substituted_text(text, by)?),
        Value::Array(list) => Value::Array(list.iter().map(|one| substituted(one, by)).collect::<Result<_, _>>()?),
        Value::Object(fields) => {
            let each = fields.iter().map(|(key, value)| Ok((key.clone(), substituted(value, by)?)));
            Value::Object(each.collect::<Result<_, String>>()?)
        }
        other => other.clone(),
    })
}

/// The same in one text.
pub(crate) fn substituted_text(text: &str, by: &BTreeMap<String, String>) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or_else(|| format!("found `{text}`, a brace is not closed"))?;
        let value = by.get(name).ok_or_else(|| format!("found `${{{name}}}`, which `DefinitionSubstitutions` does not name"))?;
        out.push_str(before);
        out.push_str(value);
        rest = after;
    }
    Ok(out + rest)
}
