//! The tests of a Choice: what a rule asks of the input. Source: developer guide, "Choice workflow
//! state".

use std::cmp::Ordering;
use std::time::SystemTime;

use serde_json::Value;

use crate::error_equals::RUNTIME;
use crate::failure::Failure;
use crate::filter::order;
use crate::path::{Path, Scope};

/// What must hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// `And`.
    All(Vec<Test>),
    /// `Or`.
    Any(Vec<Test>),
    /// `Not`.
    Not(Box<Test>),
    /// `Variable`, and what it must be.
    Is(Path, Check),
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// `IsPresent`: there, or not there.
    Present(bool),
    /// `IsNull`: null, or not.
    Null(bool),
    /// `IsString` and so on: of the type, or not.
    Of(Type, bool),
    /// `StringMatches`: `*` is any text, `\*` a star.
    Matches(String),
    /// `NumericLessThan` and so on. A value of another type does not fulfil it.
    Compare(Type, Relation, Operand),
}

/// A type of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `Boolean`.
    Boolean,
    /// `Numeric`.
    Number,
    /// `String`.
    Text,
    /// `Timestamp`: a text in RFC 3339 with a capital T, and a capital Z if it is in UTC.
    Time,
}

/// How a value compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `Equals`.
    Equal,
    /// `LessThan`.
    Less,
    /// `GreaterThan`.
    Greater,
    /// `LessThanEquals`.
    LessOrEqual,
    /// `GreaterThanEquals`.
    GreaterOrEqual,
}

/// What a value is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A value of the definition.
    Literal(Value),
    /// Where the input has it (`...Path`).
    Path(Path),
}

/// An operator, without what it compares with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Present,
    Null,
    Of(Type),
    Matches,
    Compare(Type, Relation),
    /// The same with a path.
    ComparePath(Type, Relation),
}

const TYPES: [(&str, Type); 4] = [("Boolean", Type::Boolean), ("Numeric", Type::Number), ("String", Type::Text), ("Timestamp", Type::Time)];

const RELATIONS: [(&str, Relation); 5] = [
    ("Equals", Relation::Equal),
    ("LessThan", Relation::Less),
    ("GreaterThan", Relation::Greater),
    ("LessThanEquals", Relation::LessOrEqual),
    ("GreaterThanEquals", Relation::GreaterOrEqual),
];

impl Operator {
    /// Every operator with its name.
    pub(crate) fn all() -> Vec<(String, Self)> {
        let mut all =
            vec![("IsPresent".to_owned(), Self::Present), ("IsNull".to_owned(), Self::Null), ("StringMatches".to_owned(), Self::Matches)];
        for (type_name, kind) in TYPES {
            all.push((format!("Is{type_name}"), Self::Of(kind)));
            let fits = |relation: Relation| kind != Type::Boolean || relation == Relation::Equal;
            for (relation_name, relation) in RELATIONS.into_iter().filter(|(_, relation)| fits(*relation)) {
                all.push((format!("{type_name}{relation_name}"), Self::Compare(kind, relation)));
                all.push((format!("{type_name}{relation_name}Path"), Self::ComparePath(kind, relation)));
            }
        }
        all
    }
}

impl Type {
    /// Whether a value is of the type.
    pub(crate) fn has(self, value: &Value) -> bool {
        match self {
            Self::Boolean => value.is_boolean(),
            Self::Number => value.is_number(),
            Self::Text => value.is_string(),
            Self::Time => time(value).is_some(),
        }
    }

    /// The order of two values of the type; `None` if one is of another.
    fn order(self, left: &Value, right: &Value) -> Option<Ordering> {
        match self {
            Self::Boolean => Some(left.as_bool()?.cmp(&right.as_bool()?)),
            Self::Time => Some(time(left)?.cmp(&time(right)?)),
            Self::Number | Self::Text if self.has(left) && self.has(right) => order(left, right),
            Self::Number | Self::Text => None,
        }
    }
}

fn time(value: &Value) -> Option<SystemTime> {
    dates::read(value.as_str()?)
}

impl Relation {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::Greater => order.is_gt(),
            Self::LessOrEqual => order.is_le(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl Test {
    /// Whether it holds.
    ///
    /// # Errors
    /// If a path has no value, except for `IsPresent`.
    pub(crate) fn holds(&self, scope: &Scope<'_>) -> Result<bool, Failure> {
        match self {
            Self::All(tests) => tests.iter().try_fold(true, |holds, test| Ok(holds && test.holds(scope)?)),
            Self::Any(tests) => tests.iter().try_fold(false, |holds, test| Ok(holds || test.holds(scope)?)),
            Self::Not(test) => test.holds(scope).map(|holds| !holds),
            Self::Is(path, Check::Present(expected)) => Ok(path.find(scope).is_some() == *expected),
            Self::Is(path, check) => check.holds(&found(path, scope)?, scope),
        }
    }
}

fn found(path: &Path, scope: &Scope<'_>) -> Result<Value, Failure> {
    let why = || format!("Invalid path '{path}': The choice state's condition path references an invalid value.");
    path.find(scope).ok_or_else(|| Failure::new(RUNTIME, why()))
}

impl Check {
    fn holds(&self, value: &Value, scope: &Scope<'_>) -> Result<bool, Failure> {
        Ok(match self {
            Self::Present(expected) => *expected,
            Self::Null(expected) => value.is_null() == *expected,
            Self::Of(kind, expected) => kind.has(value) == *expected,
            Self::Matches(pattern) => value.as_str().is_some_and(|text| matches(pattern, text)),
            Self::Compare(kind, relation, to) => {
                let to = match to {
                    Operand::Literal(literal) => literal.clone(),
                    Operand::Path(path) => found(path, scope)?,
                };
                kind.order(value, &to).is_some_and(|order| relation.holds(order))
            }
        })
    }
}

/// Whether a text matches a pattern in which `*` is any text.
fn matches(pattern: &str, text: &str) -> bool {
    // The literal texts between the stars.
    let (mut parts, mut letters) = (vec![String::new()], pattern.chars());
    while let Some(letter) = letters.next() {
        match (letter, parts.last_mut()) {
            ('*', _) => parts.push(String::new()),
            ('\\', Some(part)) => part.push(letters.next().unwrap_or('\\')),
            (letter, Some(part)) => part.push(letter),
            (_, None) => {}
        }
    }
    let Some((last, first)) = parts.split_last() else { return false };
    let Some((first, middle)) = first.split_first() else { return last == text };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
    for part in middle {
        let Some((_, after)) = rest.split_once(part.as_str()) else { return false };
        rest = after;
    }
    rest.ends_with(last.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chance::Chance;

    #[test]
    fn there_are_as_many_operators_as_in_the_guide() {
        // 5 relations of 3 types and one of booleans, each also with a path; 6 that ask for a type; one for a pattern.
        assert_eq!(Operator::all().len(), 2 * (5 * 3 + 1) + 6 + 1);
    }

    #[test]
    fn each_comparison_holds_only_for_its_type() {
        let input =
            json!({"n": 5, "f": 5.0, "t": "m", "b": true, "at": "2026-01-31T12:00:00Z", "later": "2026-01-31T13:30:00+01:00", "no": null});
        let (context, chance) = (json!({}), Chance::of("e"));
        let scope = Scope { input: &input, context: &context, chance: &chance };
        let is = |path: &str, check: Check| Test::Is(Path::read(path).unwrap(), check).holds(&scope).unwrap();
        let compare = |path: &str, kind, relation, to: Value| is(path, Check::Compare(kind, relation, Operand::Literal(to)));
        for (path, kind, relation, to, holds) in [
            ("$.n", Type::Number, Relation::Equal, json!(5.0), true),
            ("$.n", Type::Number, Relation::LessOrEqual, json!(5), true),
            ("$.n", Type::Number, Relation::Less, json!(5), false),
            ("$.n", Type::Number, Relation::Greater, json!(4.5), true),
            ("$.t", Type::Number, Relation::Equal, json!(5), false),
            ("$.t", Type::Text, Relation::Greater, json!("a"), true),
            ("$.t", Type::Text, Relation::GreaterOrEqual, json!("n"), false),
            ("$.n", Type::Text, Relation::Equal, json!("5"), false),
            ("$.b", Type::Boolean, Relation::Equal, json!(true), true),
            ("$.t", Type::Boolean, Relation::Equal, json!(true), false),
            ("$.at", Type::Time, Relation::Less, json!("2026-01-31T12:00:00.5Z"), true),
            ("$.later", Type::Time, Relation::Greater, json!("2026-01-31T12:00:00Z"), true),
            ("$.t", Type::Time, Relation::Less, json!("2026-01-31T12:00:00Z"), false),
        ] {
            assert_eq!(compare(path, kind, relation, to.clone()), holds, "{path} {relation:?} {to}");
        }
        assert!(is("$.n", Check::Compare(Type::Number, Relation::Equal, Operand::Path(Path::read("$.f").unwrap()))));
        for (path, check, holds) in [
            ("$.gone", Check::Present(false), true),
            ("$.no", Check::Present(true), true),
            ("$.no", Check::Null(true), true),
            ("$.n", Check::Null(false), true),
            ("$.at", Check::Of(Type::Time, true), true),
            ("$.t", Check::Of(Type::Time, true), false),
            ("$.n", Check::Of(Type::Text, false), true),
            ("$.t", Check::Matches("*".into()), true),
            ("$.n", Check::Matches("*".into()), false),
        ] {
            assert_eq!(is(path, check.clone()), holds, "{path} {check:?}");
        }
    }

    #[test]
    fn a_missing_value_is_an_error_unless_another_test_decides_first() {
        let (input, context, chance) = (json!({}), json!({}), Chance::of("e"));
        let scope = Scope { input: &input, context: &context, chance: &chance };
        let gone = || Path::read("$.gone").unwrap();
        let null = || Test::Is(gone(), Check::Null(true));
        assert_eq!(&*null().holds(&scope).unwrap_err().error, RUNTIME);
        assert_eq!(Test::All(vec![Test::Is(gone(), Check::Present(true)), null()]).holds(&scope), Ok(false));
        assert_eq!(Test::Any(vec![Test::Is(gone(), Check::Present(false)), null()]).holds(&scope), Ok(true));
        assert_eq!(Test::Not(Box::new(Test::Is(gone(), Check::Present(true)))).holds(&scope), Ok(true));
    }

    #[test]
    fn a_star_is_any_text_and_an_escaped_one_a_star() {
        for (pattern, text, expected) in [
            ("log-*.txt", "log-1.txt", true),
            ("log-*.txt", "log-.txt", true),
            ("log-*.txt", "log-1.txt.gz", false),
            ("*a*b", "xaayb", true),
            ("*a*b", "xbya", false),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("a\\\\*", "a\\x", true),
            ("plain", "plain", true),
            ("plain", "plains", false),
            ("ab*ba", "aba", false),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
