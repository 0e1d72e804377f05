//! The first resolve: everything that depends on parameters, mappings and conditions. `Ref`,
//! `Fn::GetAtt` and `Fn::Sub` of resources stay, and so do functions of them. Of `Fn::If` and
//! `AWS::NoValue` nothing stays.

use std::collections::{BTreeMap, BTreeSet};

use faults::Complaint;
use serde_json::{Map, Value, json};

use crate::files::Files;
use crate::foreach;
use crate::functions::{Piece, apply, attribute, escaped, function, is_plain, pieces, sub_parts, text};
use crate::notices::Notice;
use crate::yaml;

/// The most bytes that functions may make of a template, and the most entries that its loops may.
const MOST_BYTES: usize = 32_000_000;
const MOST_ENTRIES: usize = 10_000;

/// What a template is resolved with, and what was found while doing so.
pub(crate) struct Resolver<'a> {
    /// Parameters and pseudo parameters: text or lists.
    pub(crate) values: BTreeMap<String, Value>,
    pub(crate) mappings: Map<String, Value>,
    /// Conditions that could be evaluated.
    pub(crate) conditions: BTreeMap<String, bool>,
    /// Whether the template has the transform `AWS::LanguageExtensions`.
    pub(crate) extended: bool,
    /// Values of exports of other stacks, by the export's name.
    pub(crate) exports: &'a BTreeMap<String, String>,
    /// The exports that the template imports.
    pub(crate) imported: BTreeSet<String>,
    pub(crate) files: &'a dyn Files,
    pub(crate) complaints: Vec<Complaint>,
    pub(crate) notices: Vec<Notice>,
    /// The bytes that functions have made so far, and the entries that loops have.
    pub(crate) made: (usize, usize),
}

impl Resolver<'_> {
    pub(crate) fn complain(&mut self, place: &str, what: impl Into<String>) {
        self.complaints.push(Complaint::new(place, what));
    }

    /// A value after the first resolve; `None` if it is `AWS::NoValue`, or invalid, which is a
    /// complaint.
    pub(crate) fn resolve(&mut self, place: &str, value: &Value) -> Option<Value> {
        if let Some((name, argument)) = function(value).filter(|(name, _)| !foreach::is_loop(name)) {
            let made = self.function(place, name, argument).and_then(|value| self.counted(value));
            return made.unwrap_or_else(|why| {
                self.complain(place, why);
                None
            });
        }
        match value {
            Value::Array(list) => {
                let items = list.iter().enumerate();
                Some(Value::Array(items.filter_map(|(index, one)| self.resolve(&format!("{place}[{index}]"), one)).collect()))
            }
            Value::Object(fields) => Some(Value::Object(self.fields(place, fields))),
            Value::String(text) if text.contains("{{resolve:") => {
                self.notices
                    .push(Notice::new(place, format!("the dynamic reference `{text}` is not resolved here; the value is this text")));
                Some(value.clone())
            }
            other => Some(other.clone()),
        }
    }

    /// `{{resolve:ssm:name}}` and the like. Source: CloudFormation User Guide, dynamic references.
    fn tell_dynamic(&mut self, place: &str, text: &str) {
        if text.contains("{{resolve:") {
            self.notices.push(Notice::new(place, format!("the dynamic reference `{text}` is not resolved here; the value is this text")));
        }
    }

    /// A template of 1 MB could ask for a text of 4 KB at a hundred thousand places.
    fn counted(&mut self, value: Option<Value>) -> Result<Option<Value>, String> {
        let before = self.made.0;
        self.made.0 += value.as_ref().map_or(0, size);
        match (before > MOST_BYTES, self.made.0 > MOST_BYTES) {
            // Told already.
            (true, _) => Ok(None),
            (false, true) => Err(format!("the functions of the template make more than {MOST_BYTES} bytes")),
            (false, false) => Ok(value),
        }
    }

    /// The fields of a map, with its loops and its `Fn::Transform` carried out.
    pub(crate) fn fields(&mut self, place: &str, fields: &Map<String, Value>) -> Map<String, Value> {
        let mut resolved = Map::new();
        for (key, value) in fields {
            let below = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
            if foreach::is_loop(key) {
                let entries = self.entries(&below, value);
                // Loops may be nested.
                let looped = self.fields(place, &entries);
                let again = looped.keys().find(|key| resolved.contains_key(*key) || fields.contains_key(*key)).cloned();
                if let Some(again) = again {
                    self.complain(&below, format!("found the key `{again}` twice"));
                }
                resolved.extend(looped);
            } else if key == "Fn::Transform" {
                let included = self.unrolled(place, &Map::from_iter([(key.clone(), value.clone())]));
                resolved.extend(self.fields(place, &included));
            } else if let Some(value) = self.resolve(&below, value) {
                resolved.insert(key.clone(), value);
            }
        }
        resolved
    }

    /// The entries of `Fn::ForEach`.
    fn entries(&mut self, place: &str, argument: &Value) -> Map<String, Value> {
        if !self.extended {
            self.complain(place, "`Fn::ForEach` needs the transform `AWS::LanguageExtensions`");
            return Map::new();
        }
        // Told already.
        if self.made.1 > MOST_ENTRIES {
            return Map::new();
        }
        let collection = argument.get(1).and_then(|collection| self.resolve(place, collection));
        let entries = foreach::entries(argument, collection.as_ref()).and_then(|entries| {
            self.made.1 += entries.len();
            if self.made.1 > MOST_ENTRIES { Err(format!("found more than {MOST_ENTRIES} entries in loops")) } else { Ok(entries) }
        });
        entries.unwrap_or_else(|why| {
            self.complain(place, why);
            Map::new()
        })
    }

    fn function(&mut self, place: &str, name: &str, argument: &Value) -> Result<Option<Value>, String> {
        match name {
            "Ref" => self.reference(place, argument),
            "Fn::If" => self.choose(place, argument),
            "Fn::FindInMap" => self.find_in_map(place, argument).map(Some),
            "Fn::Sub" => self.substitute(place, argument).map(Some),
            "Fn::GetAtt" => {
                let argument = self.resolve(place, argument).unwrap_or_default();
                let (resource, attribute) = attribute(&argument)?;
                Ok(Some(json!({ "Fn::GetAtt": [resource, attribute] })))
            }
            "Fn::GetAZs" => {
                let region = self.resolve(place, argument).and_then(|region| text(&region)).filter(|region| !region.is_empty());
                let region = region.or_else(|| self.values.get("AWS::Region").and_then(text)).unwrap_or_default();
                Ok(Some(["a", "b", "c"].map(|zone| format!("{region}{zone}")).to_vec().into()))
            }
            "Fn::ImportValue" => Ok(Some(self.import(place, argument)?)),
            "Fn::Transform" => {
                let included = self.include(place, argument)?;
                Ok(self.resolve(place, &included))
            }
            "Fn::Length" | "Fn::ToJsonString" if !self.extended => Err(format!("`{name}` needs the transform `AWS::LanguageExtensions`")),
            name => {
                let argument = self.resolve(place, argument).unwrap_or_default();
                Ok(Some(apply(name, &argument)?.unwrap_or_else(|| json!({ name: argument }))))
            }
        }
    }

    fn reference(&mut self, place: &str, argument: &Value) -> Result<Option<Value>, String> {
        let name = match argument {
            Value::String(name) => name.clone(),
            other if self.extended => self.resolve(place, other).and_then(|name| text(&name)).ok_or("expected a name in `Ref`")?,
            other => return Err(format!("found `{other}` in `Ref`, expected a name")),
        };
        match name.as_str() {
            "AWS::NoValue" => Ok(None),
            name if name.starts_with("AWS::") && !self.values.contains_key(name) => {
                Err(format!("found `{name}`, which is no pseudo parameter of CloudFormation"))
            }
            name => Ok(Some(self.values.get(name).cloned().unwrap_or_else(|| json!({ "Ref": name })))),
        }
    }

    fn choose(&mut self, place: &str, argument: &Value) -> Result<Option<Value>, String> {
        let [condition, yes, no] = argument.as_array().map(Vec::as_slice).unwrap_or_default() else {
            return Err("expected a condition and two values in `Fn::If`".to_owned());
        };
        let holds = condition.as_str().and_then(|name| self.conditions.get(name).copied());
        let holds = holds.ok_or_else(|| format!("found {condition} in `Fn::If`, which is no condition that can be told here"))?;
        Ok(self.resolve(place, if holds { yes } else { no }))
    }

    fn find_in_map(&mut self, place: &str, argument: &Value) -> Result<Value, String> {
        let parts = self.resolve(place, argument);
        let parts = parts.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let (keys, default) = match parts {
            [_, _, _] => (parts, None),
            [map, first, second, more] if self.extended => {
                (&[map.clone(), first.clone(), second.clone()][..], more.get("DefaultValue").cloned())
            }
            [_, _, _, _] => return Err("a default in `Fn::FindInMap` needs the transform `AWS::LanguageExtensions`".to_owned()),
            _ => return Err("expected a map and two keys in `Fn::FindInMap`".to_owned()),
        };
        let keys: Vec<String> = keys.iter().filter_map(text).collect();
        let [map, first, second] = keys.as_slice() else {
            return Err(format!("found `{argument}` in `Fn::FindInMap`, its keys must be known before the stack is"));
        };
        let found = self.mappings.get(map).and_then(|map| map.get(first)).and_then(|first| first.get(second)).cloned();
        found.or(default).ok_or_else(|| format!("found no `{map}.{first}.{second}` in `Mappings`"))
    }

    /// A text, as soon as every variable in it is known; else `Fn::Sub` of what is left.
    fn substitute(&mut self, place: &str, argument: &Value) -> Result<Value, String> {
        let (whole, variables) = sub_parts(argument)?;
        self.tell_dynamic(place, whole);
        let mut own = BTreeMap::new();
        for (name, value) in &variables {
            own.insert(name.as_str(), self.resolve(place, value).ok_or_else(|| format!("found no value for `{name}` in `Fn::Sub`"))?);
        }
        // What is resolved, and the same as a text of `Fn::Sub`.
        let (mut plain, mut left, mut kept) = (String::new(), String::new(), Map::new());
        let mut is_open = false;
        for piece in pieces(whole) {
            let known = match piece {
                Piece::Text(text) => Some(text),
                Piece::Variable(name) => {
                    let value = own.get(name).or_else(|| self.values.get(name));
                    match value {
                        Some(value) if is_plain(value) => {
                            Some(text(value).ok_or_else(|| format!("found the list `{name}` in `Fn::Sub`, expected text"))?)
                        }
                        value => {
                            is_open = true;
                            left.push_str(&format!("${{{name}}}"));
                            kept.extend(value.map(|value| (name.to_owned(), value.clone())));
                            None
                        }
                    }
                }
            };
            let known = known.unwrap_or_default();
            plain.push_str(&known);
            left.push_str(&escaped(&known));
        }
        Ok(match (is_open, kept.is_empty()) {
            (false, _) => Value::String(plain),
            (true, true) => json!({ "Fn::Sub": left }),
            (true, false) => json!({ "Fn::Sub": [left, kept] }),
        })
    }

    /// An export of another stack: its value must be given, else it is its own name.
    fn import(&mut self, place: &str, argument: &Value) -> Result<Value, String> {
        let name = self.resolve(place, argument).and_then(|name| text(&name));
        let name = name.ok_or_else(|| format!("found `{argument}` in `Fn::ImportValue`, its name must be known before the stack is"))?;
        self.imported.insert(name.clone());
        if let Some(value) = self.exports.get(&name) {
            return Ok(value.clone().into());
        }
        let what =
            format!("the export `{name}` is another stack's; the value is this name here, give it with `--parameter '{name}=VALUE'`");
        self.notices.push(Notice::new(place, what));
        Ok(name.into())
    }

    /// `AWS::Include`: what a file of the template's folder contains.
    fn include(&mut self, place: &str, argument: &Value) -> Result<Value, String> {
        let argument = self.resolve(place, argument).unwrap_or_default();
        match argument.get("Name").and_then(Value::as_str) {
            Some("AWS::Include") => {}
            Some(other) => return Err(format!("found the macro `{other}`, only `AWS::Include` runs here")),
            None => return Err("found no `Name` in `Fn::Transform`".to_owned()),
        }
        let location = argument.get("Parameters").and_then(|parameters| parameters.get("Location")).and_then(Value::as_str);
        let location = location.ok_or("found no `Location` in `Fn::Transform`, it names the file")?;
        let text = self.files.read(location).map_err(|why| why.to_string())?;
        let document = yaml::read(&text).map_err(|why| format!("`{location}`: {why}"))?;
        if contains_transform(&document.value) {
            return Err(format!("`{location}` has a `Fn::Transform`, which CloudFormation does not take in an included file"));
        }
        self.counted(Some(document.value)).map(Option::unwrap_or_default)
    }

    /// Loops and included files at the top of a section, of which nothing else is resolved.
    pub(crate) fn unrolled(&mut self, place: &str, made: &Map<String, Value>) -> Map<String, Value> {
        let mut unrolled = Map::new();
        for (key, value) in made {
            let below = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
            if foreach::is_loop(key) {
                let entries = self.entries(&below, value);
                unrolled.extend(self.unrolled(place, &entries));
            } else if key == "Fn::Transform" {
                match self.include(&below, value) {
                    Ok(Value::Object(included)) => unrolled.extend(included),
                    Ok(_) => self.complain(&below, "expected a map in the file"),
                    Err(why) => self.complain(&below, why),
                }
            } else {
                unrolled.insert(key.clone(), value.clone());
            }
        }
        unrolled
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(size).sum(),
        Value::Object(fields) => fields.iter().map(|(key, value)| key.len() + size(value)).sum(),
        _ => 1,
    }
}

/// CloudFormation does not include files of included files. Source: CloudFormation User Guide,
/// AWS::Include transform, considerations.
fn contains_transform(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.iter().any(contains_transform),
        Value::Object(fields) => fields.iter().any(|(key, value)| key == "Fn::Transform" || contains_transform(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests;

/// A resolver for tests.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    static NONE: BTreeMap<String, String> = BTreeMap::new();

    pub(crate) fn resolver() -> Resolver<'static> {
        let values = [
            ("Stage", json!("dev")),
            ("Count", json!("3")),
            ("List", json!(["a", "b", "c"])),
            ("AWS::Region", json!("us-east-1")),
            ("AWS::AccountId", json!("123456789012")),
        ];
        Resolver {
            values: values.map(|(name, value)| (name.to_owned(), value)).into(),
            mappings: json!({"Sizes": {"dev": {"Size": "small", "All": ["x", "y"]}}}).as_object().cloned().unwrap_or_default(),
            conditions: [("Yes".to_owned(), true), ("No".to_owned(), false)].into(),
            extended: true,
            exports: &NONE,
            imported: BTreeSet::new(),
            files: &crate::files::NoFiles,
            complaints: Vec::new(),
            notices: Vec::new(),
            made: (0, 0),
        }
    }
}
