//! Filters in paths: `?(@.n > 3 && @.kind == 'a')`. A comparison of values of different types does
//! not hold. Regular expressions are not understood.

use std::cmp::Ordering;

use serde_json::Value;

use crate::path::{Path, quoted};

/// What an item must fulfil.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    /// The path exists.
    Exists(Path),
    Compare(Operand, Operator, Operand),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Path(Path),
    Literal(Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

/// Longer ones first, so that `<=` is not read as `<`.
const OPERATORS: [(&str, Operator); 8] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("nin ", Operator::NotIn),
    ("in ", Operator::In),
];

impl Filter {
    /// The filter at the beginning of a text, and the rest.
    pub(crate) fn begin(text: &str) -> Option<(Self, &str)> {
        several(text, "||", |text| several(text, "&&", one, Self::All), Self::Any)
    }

    /// Whether an item fulfils it.
    pub(crate) fn takes(&self, input: &Value, context: &Value, item: &Value) -> bool {
        match self {
            Self::All(all) => all.iter().all(|filter| filter.takes(input, context, item)),
            Self::Any(all) => all.iter().any(|filter| filter.takes(input, context, item)),
            Self::Not(filter) => !filter.takes(input, context, item),
            Self::Exists(path) => path.of(input, context, item).is_some(),
            Self::Compare(left, operator, right) => {
                let value = |operand: &Operand| match operand {
                    Operand::Path(path) => path.of(input, context, item),
                    Operand::Literal(value) => Some(value.clone()),
                };
                operator.holds(value(left).as_ref(), value(right).as_ref())
            }
        }
    }
}

impl Operator {
    fn holds(self, left: Option<&Value>, right: Option<&Value>) -> bool {
        let order = || order(left?, right?);
        let is_in = || right.and_then(Value::as_array).is_some_and(|list| list.iter().any(|one| left.is_some_and(|left| same(left, one))));
        match self {
            Self::Equal => left.zip(right).is_some_and(|(left, right)| same(left, right)),
            Self::NotEqual => !left.zip(right).is_some_and(|(left, right)| same(left, right)),
            Self::Less => order() == Some(Ordering::Less),
            Self::Greater => order() == Some(Ordering::Greater),
            Self::LessOrEqual => order().is_some_and(Ordering::is_le),
            Self::GreaterOrEqual => order().is_some_and(Ordering::is_ge),
            Self::In => is_in(),
            Self::NotIn => !is_in(),
        }
    }
}

/// Whether two values are equal; 1 and 1.0 are.
fn same(left: &Value, right: &Value) -> bool {
    order(left, right).map_or_else(|| left == right, Ordering::is_eq)
}

/// The order of two numbers or of two texts.
pub(crate) fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
        },
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// One or more parts with an operator between them.
fn several<'a>(
    text: &'a str,
    between: &str,
    part: impl Fn(&'a str) -> Option<(Filter, &'a str)>,
    joined: impl Fn(Vec<Filter>) -> Filter,
) -> Option<(Filter, &'a str)> {
    let (first, mut rest) = part(text)?;
    let mut parts = vec![first];
    while let Some(after) = rest.trim_start().strip_prefix(between) {
        let (next, after) = part(after)?;
        parts.push(next);
        rest = after;
    }
    Some((if parts.len() == 1 { parts.pop()? } else { joined(parts) }, rest))
}

fn one(text: &str) -> Option<(Filter, &str)> {
    let text = text.trim_start();
    if let Some(negated) = text.strip_prefix('!') {
        let (filter, rest) = one(negated)?;
        return Some((Filter::Not(Box::new(filter)), rest));
    }
    if let Some(inside) = text.strip_prefix('(') {
        let (filter, rest) = Filter::begin(inside)?;
        return Some((filter, rest.trim_start().strip_prefix(')')?));
    }
    let (left, rest) = operand(text)?;
    let after = rest.trim_start();
    let operator = OPERATORS.into_iter().find_map(|(word, operator)| Some((operator, after.strip_prefix(word)?)));
    match (operator, left) {
        (Some((operator, after)), left) => {
            let (right, rest) = operand(after)?;
            Some((Filter::Compare(left, operator, right), rest))
        }
        (None, Operand::Path(path)) => Some((Filter::Exists(path), rest)),
        (None, Operand::Literal(_)) => None,
    }
}

fn operand(text: &str) -> Option<(Operand, &str)> {
    let text = text.trim_start();
    if text.starts_with(['@', '$']) {
        return Path::begin(text).map(|(path, rest)| (Operand::Path(path), rest));
    }
    literal(text).map(|(value, rest)| (Operand::Literal(value), rest))
}

fn literal(text: &str) -> Option<(Value, &str)> {
    let text = text.trim_start();
    if text.starts_with(['\'', '"']) {
        return quoted(text).map(|(text, rest)| (Value::String(text), rest));
    }
    if let Some(mut rest) = text.strip_prefix('[') {
        let mut list = Vec::new();
        loop {
            if let Some(rest) = rest.trim_start().strip_prefix(']') {
                return Some((Value::Array(list), rest));
            }
            let (value, after) = literal(rest)?;
            list.push(value);
            let after = after.trim_start();
            rest = after.strip_prefix(',').or_else(|| after.starts_with(']').then_some(after))?;
        }
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end)?;
    let value = serde_json::from_str(word).ok().filter(|value: &Value| !value.is_object() && !value.is_array());
    Some((value?, rest))
}
