//! Reads a Choice: its rules, and what each asks of the input.

use std::sync::Arc;

use serde_json::Value;

use super::fields::{Fields, kind};
use super::shapes::{EVERY, PATHS, VARIABLES, selection};
use crate::choice::{Check, Operand, Operator, Test, Type};
use crate::definition::{Choice, Name, State};
use crate::path::Path;

pub(super) fn read(fields: &Fields<'_>) -> Option<State> {
    fields.only("Choice", &[&EVERY[..], &PATHS, &["Choices", "Default"]].concat());
    if fields.list("Choices").is_empty() {
        fields.complain("Choices", "found none, expected at least one rule");
    }
    let rules: Vec<Option<(Test, Name)>> = fields.each("Choices").iter().map(rule).collect();
    let default = fields.text("Default").map(Arc::from);
    let (input, output) = (selection(fields, "InputPath"), selection(fields, "OutputPath"));
    Some(State::Choice(Choice { input, output, rules: rules.into_iter().collect::<Option<_>>()?, default }))
}

fn rule(fields: &Fields<'_>) -> Option<(Test, Name)> {
    fields.none_served(&["Assign"], VARIABLES);
    let test = test(fields, &["Next", "Comment", "Assign"]);
    let next = fields.needed_text("Next");
    Some((test?, Arc::from(next?)))
}

/// A test; a nested one has none of the fields of a rule.
fn test(fields: &Fields<'_>, of_rule: &[&str]) -> Option<Test> {
    let several = |key: &str, joined: fn(Vec<Test>) -> Test| {
        fields.only("rule", &[of_rule, &[key]].concat());
        if fields.list(key).is_empty() {
            fields.complain(key, "found none, expected at least one test");
        }
        let tests: Vec<_> = fields.each(key).iter().map(|inner| test(inner, &[])).collect();
        tests.into_iter().collect::<Option<Vec<_>>>().map(joined)
    };
    if fields.has("And") {
        return several("And", Test::All);
    }
    if fields.has("Or") {
        return several("Or", Test::Any);
    }
    if fields.has("Not") {
        fields.only("rule", &[of_rule, &["Not"]].concat());
        return test(&fields.needed_within("Not")?, &[]).map(|inner| Test::Not(Box::new(inner)));
    }
    let all = Operator::all();
    let found: Vec<_> = all.iter().filter(|(name, _)| fields.has(name)).collect();
    let [(name, operator)] = found.as_slice() else {
        let names = all.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        fields.complain("Variable", format!("expected exactly one comparison; there are: And, Or, Not, {names}"));
        return None;
    };
    fields.only("rule", &[of_rule, &["Variable", name.as_str()]].concat());
    fields.needed_text("Variable");
    let (variable, check) = (fields.read("Variable", Path::read), check(fields, name, *operator));
    Some(Test::Is(variable?, check?))
}

fn check(fields: &Fields<'_>, name: &str, operator: Operator) -> Option<Check> {
    let value = fields.value(name)?;
    let flag = || {
        let flag = value.as_bool();
        if flag.is_none() {
            fields.complain(name, format!("found {}, expected true or false", kind(value)));
        }
        flag
    };
    match operator {
        Operator::Present => flag().map(Check::Present),
        Operator::Null => flag().map(Check::Null),
        Operator::Of(kind) => flag().map(|flag| Check::Of(kind, flag)),
        Operator::Matches => fields.text(name).map(Check::Matches),
        Operator::ComparePath(kind, relation) => Some(Check::Compare(kind, relation, Operand::Path(fields.read(name, Path::read)?))),
        Operator::Compare(kind, relation) => {
            literal(fields, name, kind, value).map(|to| Check::Compare(kind, relation, Operand::Literal(to)))
        }
    }
}

/// A value to compare with, which has the type of the comparison.
fn literal(fields: &Fields<'_>, name: &str, kind: Type, value: &Value) -> Option<Value> {
    if kind.has(value) {
        return Some(value.clone());
    }
    let expected = match kind {
        Type::Boolean => "true or false",
        Type::Number => "a number",
        Type::Text => "text",
        Type::Time => "a time such as `2026-01-31T12:00:00Z`",
    };
    fields.complain(name, format!("found `{value}`, expected {expected}"));
    None
}
