//! `Parameters`: their types and constraints, the values that were given, and what is missing. All
//! missing ones are told at once. A value of a `NoEcho` parameter is never shown.

use std::collections::BTreeMap;

use faults::Complaint;
use regex::Regex;
use serde_json::{Map, Value};

use crate::functions::text;

/// The longest value, in bytes, and the most parameters. Source: CloudFormation quotas.
const LONGEST: usize = 4096;
const MOST: usize = 200;

/// The properties of a parameter. Source: CloudFormation User Guide, Parameters syntax.
const PROPERTIES: [&str; 11] = [
    "AllowedPattern",
    "AllowedValues",
    "ConstraintDescription",
    "Default",
    "Description",
    "MaxLength",
    "MaxValue",
    "MinLength",
    "MinValue",
    "NoEcho",
    "Type",
];

/// A parameter that has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Its name.
    pub name: String,
    /// Its type, as in the template.
    pub kind: String,
    /// `Description`.
    pub description: Option<String>,
    /// `AllowedValues`; empty for any.
    pub allowed: Vec<String>,
    /// For a parameter of Systems Manager: its name, whose value is asked for.
    pub ssm: Option<String>,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, kind, description, allowed, ssm } = self;
        write!(f, "missing, give it with `--parameter {name}=VALUE`; its type is {kind}")?;
        if let Some(ssm) = ssm {
            write!(f, ", the value is what `{ssm}` has in Systems Manager")?;
        }
        if !allowed.is_empty() {
            write!(f, ", one of {}", allowed.join(", "))?;
        }
        description.as_ref().map_or(Ok(()), |description| write!(f, " ({description})"))
    }
}

/// What a value of a type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Number,
    Texts,
    Numbers,
}

/// The values of parameters and what is wrong with them.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// Text or lists, by name.
    pub(crate) values: BTreeMap<String, Value>,
    pub(crate) missing: Vec<Missing>,
    pub(crate) complaints: Vec<Complaint>,
    /// Patterns that cannot be checked here, by place.
    pub(crate) unchecked: Vec<(String, String)>,
}

/// Reads the section with the values that were given.
pub(crate) fn read(declared: &Map<String, Value>, given: &BTreeMap<String, String>) -> Read {
    let mut read = Read::default();
    if declared.len() > MOST {
        read.complaints.push(Complaint::new("Parameters", format!("found {} parameters, a template has at most {MOST}", declared.len())));
    }
    for (name, parameter) in declared {
        let place = format!("Parameters.{name}");
        match parameter.as_object() {
            Some(fields) => Parameter { place, name, fields, read: &mut read }.read(given.get(name)),
            None => read.complaints.push(Complaint::new(place, "expected a map with a `Type`")),
        }
    }
    read
}

struct Parameter<'a> {
    place: String,
    name: &'a str,
    fields: &'a Map<String, Value>,
    read: &'a mut Read,
}

impl Parameter<'_> {
    fn complain(&mut self, what: impl Into<String>) {
        self.read.complaints.push(Complaint::new(self.place.clone(), what));
    }

    fn read(mut self, given: Option<&String>) {
        if !self.name.chars().all(|c| c.is_ascii_alphanumeric()) {
            self.complain("the name of a parameter is letters and digits");
        }
        for key in self.fields.keys().filter(|key| !PROPERTIES.contains(&key.as_str())) {
            self.complain(format!("found `{key}`, there are: {}", PROPERTIES.join(", ")));
        }
        let kind = self.fields.get("Type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let (kind, from_ssm) = match kind.strip_prefix("AWS::SSM::Parameter::Value<").and_then(|rest| rest.strip_suffix('>')) {
            Some(inner) => (inner.to_owned(), true),
            None => (kind, false),
        };
        let Some(shape) = shape(&kind) else {
            return self.complain(format!(
                "found the type `{kind}`, there are: String, Number, CommaDelimitedList, List<Number>, AWS::..., List<AWS::...>, AWS::SSM::Parameter::Value<...>"
            ));
        };
        let default = match self.fields.get("Default") {
            None => None,
            Some(value) => match text(value) {
                Some(text) => Some(text),
                None => return self.complain("expected text in `Default`"),
            },
        };
        // The default of a parameter of Systems Manager is its name there, not its value.
        let value = if from_ssm { given.cloned() } else { given.cloned().or_else(|| default.clone()) };
        let Some(value) = value else {
            let described = |key: &str| self.fields.get(key).and_then(Value::as_str).map(str::to_owned);
            let allowed = if from_ssm { Vec::new() } else { self.allowed() };
            let missing = Missing { name: self.name.to_owned(), kind, description: described("Description"), allowed, ssm: default };
            return self.read.missing.push(missing);
        };
        if !from_ssm {
            self.check(&value, shape, if given.is_some() { "" } else { "the default: " });
        }
        let is_list = matches!(shape, Shape::Texts | Shape::Numbers);
        let value = if is_list { value.split(',').map(str::trim).map(Value::from).collect() } else { Value::String(value) };
        self.read.values.insert(self.name.to_owned(), value);
    }

    fn is_secret(&self) -> bool {
        self.fields.get("NoEcho").and_then(text).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn allowed(&self) -> Vec<String> {
        self.fields.get("AllowedValues").and_then(Value::as_array).into_iter().flatten().filter_map(text).collect()
    }

    /// Complains about a value outside its constraints, in the words of `ConstraintDescription`.
    fn check(&mut self, value: &str, shape: Shape, which: &str) {
        let shown = if self.is_secret() { "a value that is not shown".to_owned() } else { format!("`{value}`") };
        if value.len() > LONGEST {
            return self.complain(format!("{which}found {} bytes, a value has at most {LONGEST}", value.len()));
        }
        let parts: Vec<&str> =
            if matches!(shape, Shape::Texts | Shape::Numbers) { value.split(',').map(str::trim).collect() } else { vec![value] };
        let expected = match self.violated(&parts, shape) {
            Ok(None) => return,
            Ok(Some(expected)) => expected,
            Err((key, why)) => {
                self.read.unchecked.push((format!("{}.{key}", self.place), why));
                return;
            }
        };
        let described = self.fields.get("ConstraintDescription").and_then(Value::as_str);
        self.complain(format!("{which}found {shown}, expected {}", described.unwrap_or(&expected)));
    }

    /// What was expected, if a part is outside the constraints; an error if one cannot be checked.
    fn violated(&self, parts: &[&str], shape: Shape) -> Result<Option<String>, (&'static str, String)> {
        let allowed = self.allowed();
        if self.fields.contains_key("AllowedValues") && !parts.iter().all(|part| allowed.iter().any(|value| value == part)) {
            return Ok(Some(format!("one of {}", allowed.join(", "))));
        }
        let bound = |key: &str| self.fields.get(key).and_then(text).and_then(|text| text.parse::<f64>().ok());
        if matches!(shape, Shape::Number | Shape::Numbers) {
            let numbers: Vec<Option<f64>> = parts.iter().map(|part| part.parse().ok().filter(|number: &f64| number.is_finite())).collect();
            let (least, most) = (bound("MinValue").unwrap_or(f64::MIN), bound("MaxValue").unwrap_or(f64::MAX));
            let is_inside = |number: &Option<f64>| number.is_some_and(|number| (least..=most).contains(&number));
            return Ok((!numbers.iter().all(is_inside)).then(|| match (bound("MinValue"), bound("MaxValue")) {
                (None, None) => "a number".to_owned(),
                (Some(least), None) => format!("a number from {least}"),
                (None, Some(most)) => format!("a number up to {most}"),
                (Some(least), Some(most)) => format!("a number from {least} to {most}"),
            }));
        }
        if shape == Shape::Text {
            let length = parts.iter().map(|part| part.chars().count()).sum::<usize>();
            let (least, most) = (bound("MinLength").unwrap_or(0.0), bound("MaxLength").unwrap_or(f64::MAX));
            #[expect(clippy::cast_precision_loss, reason = "a value has at most 4096 characters")]
            if !(least..=most).contains(&(length as f64)) {
                return Ok(Some(if most == f64::MAX {
                    format!("at least {least} characters")
                } else {
                    format!("{least} to {most} characters")
                }));
            }
        }
        let Some(pattern) = self.fields.get("AllowedPattern").and_then(Value::as_str) else { return Ok(None) };
        // The whole value must match, and each member of a list. Source: CloudFormation User Guide, Parameters.
        match Regex::new(&format!("^(?:{pattern})$")) {
            Ok(regex) => Ok((!parts.iter().all(|part| regex.is_match(part))).then(|| format!("a match of `{pattern}`"))),
            Err(_) => Err(("AllowedPattern", format!("`{pattern}` cannot be checked here"))),
        }
    }
}

fn shape(kind: &str) -> Option<Shape> {
    let inner = kind.strip_prefix("List<").and_then(|rest| rest.strip_suffix('>'));
    match (kind, inner) {
        ("String", _) => Some(Shape::Text),
        ("Number", _) => Some(Shape::Number),
        ("CommaDelimitedList", _) | (_, Some("String")) => Some(Shape::Texts),
        (_, Some("Number")) => Some(Shape::Numbers),
        (_, Some(inner)) if inner.starts_with("AWS::") => Some(Shape::Texts),
        (kind, None) if kind.starts_with("AWS::") && !kind.contains('<') => Some(Shape::Text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn one(parameter: Value, given: Option<&str>) -> Read {
        let given = given.map(|value| ("P".to_owned(), value.to_owned())).into_iter().collect();
        read(json!({ "P": parameter }).as_object().unwrap(), &given)
    }

    #[test]
    fn a_value_has_the_form_of_its_type() {
        for (parameter, given, value) in [
            (json!({"Type": "String", "Default": "a"}), None, json!("a")),
            (json!({"Type": "String", "Default": "a"}), Some("b"), json!("b")),
            (json!({"Type": "String", "Default": ""}), None, json!("")),
            (json!({"Type": "String", "Default": true, "AllowedValues": [true, false]}), None, json!("true")),
            (json!({"Type": "Number", "Default": 3}), None, json!("3")),
            (json!({"Type": "CommaDelimitedList", "Default": "a, b,c "}), None, json!(["a", "b", "c"])),
            (json!({"Type": "List<Number>", "Default": "1,2"}), None, json!(["1", "2"])),
            (json!({"Type": "List<AWS::EC2::Subnet::Id>"}), Some("s-1,s-2"), json!(["s-1", "s-2"])),
            (json!({"Type": "AWS::EC2::VPC::Id"}), Some("vpc-1"), json!("vpc-1")),
            (json!({"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/a"}), Some("secret"), json!("secret")),
            (json!({"Type": "AWS::SSM::Parameter::Value<List<String>>"}), Some("a,b"), json!(["a", "b"])),
            (json!({"Type": "String", "AllowedPattern": "[a-z]+", "MinLength": 1, "MaxLength": "3"}), Some("abc"), json!("abc")),
        ] {
            let read = one(parameter.clone(), given);
            assert_eq!((read.values.get("P"), read.complaints), (Some(&value), Vec::new()), "{parameter}");
        }
    }

    #[test]
    fn a_value_outside_its_constraints_is_refused() {
        for (parameter, given, what) in [
            (json!({"Type": "String", "AllowedValues": ["a", "b"]}), "c", "one of a, b"),
            (json!({"Type": "String", "AllowedPattern": "[a-z]+"}), "abc1", "a match of"),
            (json!({"Type": "String", "AllowedPattern": "a|b", "ConstraintDescription": "be nice"}), "ab", "be nice"),
            (json!({"Type": "CommaDelimitedList", "AllowedPattern": "[a-z]"}), "a,bb", "a match of"),
            (json!({"Type": "String", "MinLength": 3}), "ab", "at least 3"),
            (json!({"Type": "String", "MaxLength": 3}), "abcd", "0 to 3"),
            (json!({"Type": "Number", "MinValue": 1, "MaxValue": 5}), "6", "from 1 to 5"),
            (json!({"Type": "Number"}), "six", "a number"),
            (json!({"Type": "Number"}), "NaN", "a number"),
            (json!({"Type": "List<Number>"}), "1,x", "a number"),
            (json!({"Type": "Strin"}), "a", "found the type"),
            (json!({"Type": "String", "Defaults": "a"}), "a", "`Defaults`"),
            (json!({"Type": "String", "Default": ["a"]}), "a", "`Default`"),
            (json!("String"), "a", "a map"),
            (json!({"Type": "String"}), &"x".repeat(4097), "4097 bytes"),
        ] {
            let complaints = one(parameter.clone(), Some(given)).complaints;
            assert!(complaints.iter().any(|complaint| complaint.what.contains(what)), "{parameter}: {complaints:?}");
        }
        let default = one(json!({"Type": "Number", "Default": "x"}), None).complaints;
        assert!(default[0].what.contains("the default"), "{default:?}");
        let secret = one(json!({"Type": "String", "NoEcho": true, "AllowedValues": ["a"]}), Some("hunter2")).complaints;
        assert!(!secret[0].what.contains("hunter2"), "{secret:?}");
    }

    #[test]
    fn all_missing_ones_are_told_at_once_with_what_they_are() {
        let declared = json!({
            "A": {"Type": "String", "Description": "first"},
            "B": {"Type": "Number", "AllowedValues": [1, 2]},
            "C": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/db"},
            "D": {"Type": "String", "Default": ""},
        });
        let missing = read(declared.as_object().unwrap(), &BTreeMap::new()).missing;
        let told: Vec<String> = missing.iter().map(Missing::to_string).collect();
        assert_eq!(missing.iter().map(|missing| missing.name.as_str()).collect::<Vec<_>>(), ["A", "B", "C"]);
        for (told, parts) in told.iter().zip([["A=VALUE", "first"], ["B=VALUE", "one of 1, 2"], ["C=VALUE", "`/db`"]]) {
            assert!(parts.iter().all(|part| told.contains(part)), "{told}");
        }
    }

    #[test]
    fn a_pattern_of_another_language_is_told_and_not_checked() {
        let read = one(json!({"Type": "String", "AllowedPattern": "(?=.*x)y"}), Some("anything"));
        assert_eq!((read.unchecked.len(), read.complaints.len()), (1, 0));
    }
}
