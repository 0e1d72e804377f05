//! JSONPath as Step Functions has it: `$.a.b[0]`, `$['a b']`, `$..price`, `$.items[?(@.n > 3)].id`,
//! and `$$.Execution.Name` into the context object. A reference path names one place, and only a
//! reference path can be written to. Source: developer guide, "Paths".

use std::fmt;

use serde_json::{Map, Value};

use crate::chance::Chance;
use crate::filter::Filter;

/// The places of the context object, by their first two names. Source: developer guide, "Accessing
/// execution data from the Context object".
const CONTEXT: [(&str, &[&str]); 4] = [
    ("Execution", &["Id", "Input", "Name", "RedriveCount", "StartTime"]),
    ("State", &["EnteredTime", "Name", "RetryCount"]),
    ("StateMachine", &["Id", "Name"]),
    ("Map", &["Item"]),
];

/// A path.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    root: Root,
    steps: Vec<Step>,
    /// Whether it ends with `.length()`.
    counts: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Input,
    Context,
    /// `@`, in a filter.
    Item,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    /// A negative one counts from the end.
    Index(i64),
    /// `*`.
    Every,
    /// `..`: the value and everything below it.
    Below,
    Fields(Vec<String>),
    Indexes(Vec<i64>),
    /// `from:to`; the end is not a part of it.
    Slice(Option<i64>, Option<i64>),
    Filter(Box<Filter>),
}

/// The data that paths are resolved in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// `$`.
    pub input: &'a Value,
    /// `$$`.
    pub context: &'a Value,
    /// Where random values come from.
    pub chance: &'a Chance,
}

impl Path {
    /// `$`: everything.
    pub const fn everything() -> Self {
        Self { root: Root::Input, steps: Vec::new(), counts: false }
    }

    /// Parses a path.
    ///
    /// # Errors
    /// If the text is not a path; with what was found.
    pub fn read(text: &str) -> Result<Self, String> {
        let expected = || format!("found `{text}`, expected a path such as `$.a.b[0]`, `$['a b']`, `$..price` or `$$.Execution.Name`");
        let path = match Self::begin(text).ok_or_else(expected)? {
            (path, "") if path.root != Root::Item => path,
            _ => return Err(expected()),
        };
        if path.root == Root::Context {
            path.in_context().map_err(|there_are| format!("found `{text}`, of the context there are: {there_are}"))?;
        }
        Ok(path)
    }

    /// The same for a path that must name one place of the input.
    ///
    /// # Errors
    /// If the text is not a path, leads into the context, or may match several places.
    pub fn read_in_input(text: &str) -> Result<Self, String> {
        let path = Self::read(text)?;
        let is_place = |step: &Step| matches!(step, Step::Field(_) | Step::Index(0..));
        if path.root == Root::Input && !path.counts && path.steps.iter().all(is_place) {
            return Ok(path);
        }
        Err(format!("found `{text}`, expected a path that begins with a single `$` and names one place, such as `$.a.b[0]`"))
    }

    /// The path at the beginning of a text, and the rest.
    pub(crate) fn begin(text: &str) -> Option<(Self, &str)> {
        let (root, mut rest) = match (text.strip_prefix("$$"), text.strip_prefix('$'), text.strip_prefix('@')) {
            (Some(rest), ..) => (Root::Context, rest),
            (None, Some(rest), _) => (Root::Input, rest),
            (None, None, rest) => (Root::Item, rest?),
        };
        let mut path = Self { root, steps: Vec::new(), counts: false };
        loop {
            if let Some(after) = rest.strip_prefix(".length()") {
                path.counts = true;
                return Some((path, after));
            }
            if let Some(after) = rest.strip_prefix("..") {
                path.steps.push(Step::Below);
                let (step, after) = if let Some(after) = after.strip_prefix('[') { bracket(after)? } else { field(after)? };
                path.steps.push(step);
                rest = after;
            } else if let Some(after) = rest.strip_prefix('.') {
                let (step, after) = field(after)?;
                path.steps.push(step);
                rest = after;
            } else if let Some(after) = rest.strip_prefix('[') {
                let (step, after) = bracket(after)?;
                path.steps.push(step);
                rest = after;
            } else {
                return Some((path, rest));
            }
        }
    }

    fn in_context(&self) -> Result<(), String> {
        let name = |at: usize| if let Some(Step::Field(name)) = self.steps.get(at) { Some(name.as_str()) } else { None };
        let known = match (name(0), self.steps.len()) {
            (None, 0) => true,
            (Some(first), 1) => CONTEXT.iter().any(|(known, _)| *known == first),
            (Some(first), _) => name(1).is_some_and(|second| CONTEXT.iter().any(|(known, all)| *known == first && all.contains(&second))),
            (None, _) => false,
        };
        let all = CONTEXT.iter().flat_map(|(first, all)| all.iter().map(move |second| format!("$$.{first}.{second}")));
        if known { Ok(()) } else { Err(all.collect::<Vec<_>>().join(", ")) }
    }

    /// Whether it names everything.
    pub(crate) fn is_everything(&self) -> bool {
        self.root == Root::Input && self.steps.is_empty() && !self.counts
    }

    /// The value at this path; `None` if it does not exist. A path that may match several places
    /// gives a list of what it matches, also an empty one.
    pub(crate) fn find(&self, scope: &Scope<'_>) -> Option<Value> {
        self.of(scope.input, scope.context, scope.input)
    }

    /// The same with the item that a filter looks at.
    pub(crate) fn of(&self, input: &Value, context: &Value, item: &Value) -> Option<Value> {
        let start = match self.root {
            Root::Input => input,
            Root::Context => context,
            Root::Item => item,
        };
        let (mut found, mut several) = (vec![start], false);
        for step in &self.steps {
            several = several || !matches!(step, Step::Field(_) | Step::Index(_));
            let next: Vec<&Value> = found.iter().copied().flat_map(|value| step.of(value, (input, context))).collect();
            if next.is_empty() && !several {
                return None;
            }
            found = next;
        }
        let value = if several { found.into_iter().cloned().collect() } else { found.first().copied().cloned()? };
        if self.counts { length(&value) } else { Some(value) }
    }

    /// Puts a value at this path, creating missing objects on the way; `None` if another value
    /// blocks the way.
    pub(crate) fn put(&self, into: &mut Value, new: Value) -> Option<()> {
        let mut place = into;
        for step in &self.steps {
            place = match step {
                Step::Field(name) => place.as_object_mut()?.entry(name.clone()).or_insert_with(|| Value::Object(Map::new())),
                Step::Index(index) => place.as_array_mut()?.get_mut(usize::try_from(*index).ok()?)?,
                _ => return None,
            };
        }
        *place = new;
        Some(())
    }
}

impl Step {
    /// What it leads to from a value.
    fn of<'a>(&self, value: &'a Value, (input, context): (&Value, &Value)) -> Vec<&'a Value> {
        match self {
            Self::Field(name) => value.get(name).into_iter().collect(),
            Self::Index(index) => at(value, *index).into_iter().collect(),
            Self::Every => children(value),
            Self::Below => below(value),
            Self::Fields(names) => names.iter().filter_map(|name| value.get(name)).collect(),
            Self::Indexes(all) => all.iter().filter_map(|index| at(value, *index)).collect(),
            Self::Slice(from, to) => slice(value, *from, *to),
            Self::Filter(filter) => children(value).into_iter().filter(|item| filter.takes(input, context, item)).collect(),
        }
    }
}

fn at(value: &Value, index: i64) -> Option<&Value> {
    let list = value.as_array()?;
    list.get(counted(index, list.len())?)
}

/// A position from the beginning; a negative one counts from the end.
fn counted(index: i64, length: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

/// The value and everything below it, from above.
fn below(value: &Value) -> Vec<&Value> {
    let (mut all, mut open) = (Vec::new(), vec![value]);
    while let Some(value) = open.pop() {
        all.push(value);
        open.extend(children(value).into_iter().rev());
    }
    all
}

fn slice(value: &Value, from: Option<i64>, to: Option<i64>) -> Vec<&Value> {
    let Value::Array(list) = value else { return Vec::new() };
    let bound = |index: i64| counted(index, list.len()).unwrap_or(0).min(list.len());
    list.get(from.map_or(0, bound)..to.map_or(list.len(), bound)).unwrap_or_default().iter().collect()
}

fn length(value: &Value) -> Option<Value> {
    match value {
        Value::Array(list) => Some(list.len().into()),
        Value::Object(fields) => Some(fields.len().into()),
        Value::String(text) => Some(text.chars().count().into()),
        _ => None,
    }
}

/// A name or `*` after a dot, and the rest.
fn field(rest: &str) -> Option<(Step, &str)> {
    if let Some(after) = rest.strip_prefix('*') {
        return Some((Step::Every, after));
    }
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"*?@'\",:()&|!=<>~.[\\]$".contains(c);
    let end = rest.find(|c: char| !is_plain(c)).unwrap_or(rest.len());
    let (name, after) = rest.split_at_checked(end)?;
    (!name.is_empty()).then(|| (Step::Field(name.to_owned()), after))
}

/// What is in brackets, and the rest.
fn bracket(rest: &str) -> Option<(Step, &str)> {
    let rest = rest.trim_start();
    if let Some(after) = rest.strip_prefix('*') {
        return Some((Step::Every, after.trim_start().strip_prefix(']')?));
    }
    if let Some(filter) = rest.strip_prefix("?(") {
        let (filter, after) = Filter::begin(filter)?;
        return Some((Step::Filter(Box::new(filter)), after.trim_start().strip_prefix(')')?.strip_prefix(']')?));
    }
    if rest.starts_with(['\'', '"']) { names(rest) } else { numbers(rest) }
}

fn names(mut rest: &str) -> Option<(Step, &str)> {
    let mut names = Vec::new();
    loop {
        let (name, after) = quoted(rest)?;
        names.push(name);
        let after = after.trim_start();
        match (after.strip_prefix(']'), after.strip_prefix(',')) {
            (Some(after), _) => return Some((if names.len() == 1 { Step::Field(names.pop()?) } else { Step::Fields(names) }, after)),
            (None, more) => rest = more?.trim_start(),
        }
    }
}

/// A text in single or double quotes, and the rest.
pub(crate) fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut name = String::new();
    let mut rest = text.strip_prefix(quote)?.chars();
    loop {
        match rest.next()? {
            '\\' => name.push(rest.next()?),
            c if c == quote => return Some((name, rest.as_str())),
            c => name.push(c),
        }
    }
}

fn numbers(rest: &str) -> Option<(Step, &str)> {
    let (inside, after) = rest.split_once(']')?;
    let number = |text: &str| {
        let text = text.trim();
        let is_number = text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|_| is_number)
    };
    if let Some((from, to)) = inside.split_once(':') {
        let bound = |text: &str| if text.trim().is_empty() { Some(None) } else { number(text).map(Some) };
        return Some((Step::Slice(bound(from)?, bound(to)?), after));
    }
    let mut all = inside.split(',').map(number).collect::<Option<Vec<_>>>()?;
    Some((if all.len() == 1 { Step::Index(all.pop()?) } else { Step::Indexes(all) }, after))
}

impl fmt::Display for Path {
    /// As in Step Functions' messages: every name in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.root {
            Root::Input => "$",
            Root::Context => "$$",
            Root::Item => "@",
        })?;
        self.steps.iter().try_for_each(|step| match step {
            Step::Field(name) => write!(f, "['{name}']"),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Every => f.write_str("[*]"),
            Step::Below => f.write_str(".."),
            Step::Fields(names) => write!(f, "['{}']", names.join("','")),
            Step::Indexes(all) => write!(f, "[{}]", all.iter().map(i64::to_string).collect::<Vec<_>>().join(",")),
            Step::Slice(from, to) => {
                let bound = |bound: &Option<i64>| bound.map(|bound| bound.to_string()).unwrap_or_default();
                write!(f, "[{}:{}]", bound(from), bound(to))
            }
            Step::Filter(_) => f.write_str("[?]"),
        })?;
        f.write_str(if self.counts { ".length()" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(text: &str, input: &Value) -> Option<Value> {
        let (context, chance) = (json!({"Execution": {"Input": {"x": 7}}, "Map": {"Item": {"Value": {"id": 3}}}}), Chance::of("e"));
        Path::read(text).unwrap().find(&Scope { input, context: &context, chance: &chance })
    }

    #[test]
    fn a_path_finds_its_one_place() {
        let input = json!({"a": {"b": [10, {"c d": 1, "it's": 2}]}, "": 3});
        for (text, value) in [
            ("$", Some(input.clone())),
            ("$.a.b[0]", Some(json!(10))),
            ("$['a'][\"b\"][1]['c d']", Some(json!(1))),
            ("$.a.b[1]['it\\'s']", Some(json!(2))),
            ("$['']", Some(json!(3))),
            ("$.a.b[-2]", Some(json!(10))),
            ("$.a.b.length()", Some(json!(2))),
            ("$$.Execution.Input.x", Some(json!(7))),
            ("$$.Map.Item.Value.id", Some(json!(3))),
            ("$.a.b[2]", None),
            ("$.a.b[-3]", None),
            ("$.a.c", None),
            ("$.a[0]", None),
            ("$.a.b.c", None),
            ("$.gone[*].id", None),
            ("$.gone.length()", None),
        ] {
            assert_eq!(found(text, &input), value, "{text}");
        }
    }

    #[test]
    fn a_path_that_may_match_several_places_gives_a_list() {
        let input = json!({"shop": {"books": [{"n": 1, "t": "a"}, {"n": 5, "t": "b"}, {"n": 9}], "bike": {"n": 20}}});
        for (text, value) in [
            ("$.shop.books[*].n", json!([1, 5, 9])),
            ("$.shop.books.*.t", json!(["a", "b"])),
            ("$..n", json!([1, 5, 9, 20])),
            ("$..books[0]", json!([{"n": 1, "t": "a"}])),
            ("$.shop.books[0,2].n", json!([1, 9])),
            ("$.shop.books[1:].n", json!([5, 9])),
            ("$.shop.books[:-1].n", json!([1, 5])),
            ("$.shop.books[-2:].n", json!([5, 9])),
            ("$.shop.books[0]['t','n']", json!(["a", 1])),
            ("$.shop.books[?(@.n > 4)].n", json!([5, 9])),
            ("$.shop.books[?(@.n >= 5 && @.t)].t", json!(["b"])),
            ("$.shop.books[?(!(@.t == 'a') || @.n == 1)].n", json!([1, 5, 9])),
            ("$.shop.books[?(@.n == $.shop.books[1].n)].t", json!(["b"])),
            ("$.shop.books[?(@.n in [1, 9])].n", json!([1, 9])),
            ("$.shop.books[?(@.n == 100)]", json!([])),
            ("$.shop.books[*].length()", json!(3)),
            ("$..gone", json!([])),
        ] {
            assert_eq!(found(text, &input), Some(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in [
            "",
            "a",
            "$a",
            "$.",
            "$..",
            "$[+1]",
            "$[0",
            "$['a'",
            "$['a\\",
            "$.a,b",
            "$.a b",
            "$.a]",
            "$[99999999999999999999]",
            "$$.Nothing",
            "$$.Execution.RoleArn",
            "$$[0]",
            "$$$",
            "$.a'",
            "@.a",
            "$[?(@.a]",
            "$[?(@.a ~ 1)]",
            "$[?()]",
            "$.length().a",
            "$[1:2:3]",
        ] {
            assert!(Path::read(text).is_err(), "{text}");
        }
        assert!(Path::read("$$.State.Name").is_ok() && Path::read("$$").is_ok() && Path::read("$$.Execution").is_ok());
        for text in ["$$.State.Name", "$.*", "$[*]", "$[-1]", "$..a", "$[0:1]", "$[?(@.a)]", "$[0,1]", "$.a.length()"] {
            assert!(Path::read(text).is_ok() && Path::read_in_input(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_put_at_a_place_leaves_the_rest() {
        for (path, input, output) in [
            ("$", json!({"a": 1}), Some(json!("new"))),
            ("$.b", json!({"a": 1}), Some(json!({"a": 1, "b": "new"}))),
            ("$.b.c", json!({}), Some(json!({"b": {"c": "new"}}))),
            ("$.a[1]", json!({"a": [1, 2]}), Some(json!({"a": [1, "new"]}))),
            ("$.a[2]", json!({"a": [1, 2]}), None),
            ("$.a.b", json!({"a": 1}), None),
            ("$.a", json!([]), None),
        ] {
            let mut value = input.clone();
            let put = Path::read(path).unwrap().put(&mut value, json!("new"));
            assert_eq!(put.map(|()| value), output, "{path} in {input}");
        }
    }
}
