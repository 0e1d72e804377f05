//! Reference paths: `$.a.b[0]`, `$['a b']`, and `$$.Execution.Name` into the context object. A path
//! names one place; syntax that could match several (`*`, `..`, filters, slices) is refused.

use std::fmt;

use serde_json::{Map, Value};

/// The supported places of the context object, by their first two names. Source: developer guide,
/// "Accessing execution data from the Context object".
const CONTEXT: [(&str, &[&str]); 3] =
    [("Execution", &["Id", "Input", "Name", "StartTime"]), ("State", &["Name", "RetryCount"]), ("StateMachine", &["Id", "Name"])];

/// A reference path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    root: Root,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Input,
    Context,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
}

/// The data that paths are resolved in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// `$`.
    pub input: &'a Value,
    /// `$$`.
    pub context: &'a Value,
}

impl Path {
    /// `$`: everything.
    pub const fn everything() -> Self {
        Self { root: Root::Input, steps: Vec::new() }
    }

    /// Parses a path.
    ///
    /// # Errors
    /// If the text is not a path; with what was found.
    pub fn read(text: &str) -> Result<Self, String> {
        let path = Self::steps_of(text).ok_or_else(|| {
            format!(
                "found `{text}`, expected a reference path such as `$.a.b[0]` or `$['a b']`, or `$$.Execution.Name`; it names one place"
            )
        })?;
        if path.root == Root::Context {
            path.in_context().map_err(|there_are| format!("found `{text}`, of the context there are: {there_are}"))?;
        }
        Ok(path)
    }

    /// The same for a path that must lead into the input.
    ///
    /// # Errors
    /// If the text is not a path, or the path leads into the context.
    pub fn read_in_input(text: &str) -> Result<Self, String> {
        let path = Self::read(text)?;
        if path.root == Root::Input { Ok(path) } else { Err(format!("found `{text}`, expected a path that begins with a single `$`")) }
    }

    fn steps_of(text: &str) -> Option<Self> {
        let rest = text.strip_prefix('$')?;
        let (root, mut rest) = rest.strip_prefix('$').map_or((Root::Input, rest), |rest| (Root::Context, rest));
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = if let Some(rest) = rest.strip_prefix('.') { field(rest)? } else { bracket(rest.strip_prefix('[')?)? };
            steps.push(step);
            rest = after;
        }
        Some(Self { root, steps })
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
        self.root == Root::Input && self.steps.is_empty()
    }

    /// The value at this path; `None` if it does not exist.
    pub(crate) fn find<'a>(&self, scope: &Scope<'a>) -> Option<&'a Value> {
        let start = match self.root {
            Root::Input => scope.input,
            Root::Context => scope.context,
        };
        self.steps.iter().try_fold(start, |value, step| match step {
            Step::Field(name) => value.as_object()?.get(name),
            Step::Index(index) => value.as_array()?.get(*index),
        })
    }

    /// Puts a value at this path, creating missing objects on the way; `None` if another value
    /// blocks the way.
    pub(crate) fn put(&self, into: &mut Value, new: Value) -> Option<()> {
        let mut place = into;
        for step in &self.steps {
            place = match step {
                Step::Field(name) => place.as_object_mut()?.entry(name.clone()).or_insert_with(|| Value::Object(Map::new())),
                Step::Index(index) => place.as_array_mut()?.get_mut(*index)?,
            };
        }
        *place = new;
        Some(())
    }
}

/// A name after a dot, and the rest.
fn field(rest: &str) -> Option<(Step, &str)> {
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let (name, after) = rest.split_at_checked(end)?;
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"*?@'\",:()&\\]$".contains(c);
    (!name.is_empty() && name.chars().all(is_plain)).then(|| (Step::Field(name.to_owned()), after))
}

/// A number or a quoted name in brackets, and the rest.
fn bracket(rest: &str) -> Option<(Step, &str)> {
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let Some(quote) = quote else {
        let (number, after) = rest.split_once(']')?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        return Some((Step::Index(number.parse().ok().filter(|_| is_number)?), after));
    };
    let mut name = String::new();
    let mut rest = rest.strip_prefix(quote)?.chars();
    loop {
        match rest.next()? {
            '\\' => name.push(rest.next()?),
            c if c == quote => return Some((Step::Field(name), rest.as_str().strip_prefix(']')?)),
            c => name.push(c),
        }
    }
}

impl fmt::Display for Path {
    /// As in Step Functions' messages: every name in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.root == Root::Input { "$" } else { "$$" })?;
        self.steps.iter().try_for_each(|step| match step {
            Step::Field(name) => write!(f, "['{name}']"),
            Step::Index(index) => write!(f, "[{index}]"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_finds_its_one_place() {
        let input = json!({"a": {"b": [10, {"c d": 1, "it's": 2}]}, "": 3});
        let context = json!({"Execution": {"Input": {"x": 7}}});
        let scope = Scope { input: &input, context: &context };
        for (text, found) in [
            ("$", Some(input.clone())),
            ("$.a.b[0]", Some(json!(10))),
            ("$['a'][\"b\"][1]['c d']", Some(json!(1))),
            ("$.a.b[1]['it\\'s']", Some(json!(2))),
            ("$['']", Some(json!(3))),
            ("$$.Execution.Input.x", Some(json!(7))),
            ("$.a.b[2]", None),
            ("$.a.c", None),
            ("$.a[0]", None),
            ("$.a.b.c", None),
        ] {
            assert_eq!(Path::read(text).unwrap().find(&scope), found.as_ref(), "{text}");
        }
    }

    #[test]
    fn an_invalid_reference_path_is_refused() {
        for text in [
            "",
            "a",
            "$a",
            "$.",
            "$..a",
            "$.*",
            "$[*]",
            "$[-1]",
            "$[+1]",
            "$[0",
            "$['a'",
            "$['a\\",
            "$[0:1]",
            "$[?(@.a)]",
            "$.a,b",
            "$.a b",
            "$.a]",
            "$[99999999999999999999]",
            "$$.Nothing",
            "$$.Execution.RoleArn",
            "$$[0]",
            "$$$",
            "$.a'",
        ] {
            assert!(Path::read(text).is_err(), "{text}");
        }
        assert!(Path::read("$$.State.Name").is_ok() && Path::read("$$").is_ok() && Path::read("$$.Execution").is_ok());
        assert!(Path::read_in_input("$$.State.Name").is_err());
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
