//! Where a value is read from: a path, or a function such as `States.Format`. Source: developer
//! guide, "Intrinsic functions".

use serde_json::Value;

use crate::error_equals::{INTRINSIC_FAILURE, RUNTIME};
use crate::failure::Failure;
use crate::functions::Function;
use crate::path::{Path, Scope};

/// The deepest nesting of intrinsic functions. Source: developer guide, "Intrinsic functions".
const DEEPEST: usize = 10;

/// Where a value is read from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A literal value.
    Literal(Value),
    /// A place in the input or in the context.
    Path(Path),
    /// `States.Format`: the text before the first `{}`, and each argument with the text after it.
    Format(String, Vec<(Source, String)>),
    /// Another function with its arguments.
    Call(Function, Vec<Source>),
}

impl Source {
    /// Parses a path or a function.
    ///
    /// # Errors
    /// If it is neither; with what was found.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.starts_with('$') {
            return Path::read(text).map(Self::Path);
        }
        if !text.starts_with("States.") {
            return Err(format!("found `{text}`, expected a path such as `$.a`, or a function such as `States.Format('{{}}', $.a)`"));
        }
        let mut reader = Reader { text, rest: text };
        let source = reader.call(0)?;
        if reader.rest.trim().is_empty() { Ok(source) } else { Err(reader.unexpected()) }
    }

    /// The value.
    ///
    /// # Errors
    /// If a path has no value, or a function cannot take its arguments; with Step Functions' error
    /// and message.
    pub(crate) fn take(&self, scope: &Scope<'_>) -> Result<Value, Failure> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Path(path) => {
                path.find(scope).ok_or_else(|| Failure::new(RUNTIME, format!("The JSONPath '{path}' could not be found in the input.")))
            }
            Self::Format(before, arguments) => {
                let mut out = before.clone();
                for (argument, after) in arguments {
                    match argument.take(scope)? {
                        Value::String(text) => out.push_str(&text),
                        value @ (Value::Null | Value::Bool(_) | Value::Number(_)) => out.push_str(&value.to_string()),
                        Value::Array(_) | Value::Object(_) => {
                            let why = "`States.Format` takes texts, numbers, booleans and null, and was given a list or an object";
                            return Err(Failure::new(INTRINSIC_FAILURE, why));
                        }
                    }
                    out.push_str(after);
                }
                Ok(Value::String(out))
            }
            Self::Call(function, arguments) => {
                let arguments = arguments.iter().map(|argument| argument.take(scope)).collect::<Result<Vec<_>, _>>()?;
                let called = function.call(&arguments, scope.chance);
                called.map_err(|why| Failure::new(INTRINSIC_FAILURE, format!("`{}` {why}", function.name())))
            }
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn unexpected(&self) -> String {
        let rest: String = self.rest.chars().take(20).collect();
        format!("found `{}`, which is not understood from `{rest}` on", self.text)
    }

    /// Consumes this text, and spaces before it.
    fn takes(&mut self, what: &str) -> bool {
        let after = self.rest.trim_start().strip_prefix(what);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn call(&mut self, depth: usize) -> Result<Source, String> {
        if depth > DEEPEST {
            return Err(format!("found functions within functions, deeper than {DEEPEST}"));
        }
        let end = self.rest.find('(').ok_or_else(|| self.unexpected())?;
        let (name, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest.strip_prefix('(').unwrap_or(rest);
        let mut arguments = Vec::new();
        while !self.takes(")") {
            if !arguments.is_empty() && !self.takes(",") {
                return Err(self.unexpected());
            }
            arguments.push(self.argument(depth)?);
        }
        made(name.trim(), arguments)
    }

    fn argument(&mut self, depth: usize) -> Result<Source, String> {
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('\'') {
            return self.quoted().map(|text| Source::Literal(Value::String(text)));
        }
        if self.rest.starts_with("States.") {
            return self.call(depth + 1);
        }
        let word = self.word();
        if word.starts_with('$') {
            return Path::read(word).map(Source::Path);
        }
        match serde_json::from_str(word) {
            Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => Ok(Source::Literal(value)),
            _ => Err(format!(
                "found the argument `{word}` in `{}`, expected a path, a text in single quotes, a number, true, false or null",
                self.text
            )),
        }
    }

    /// Up to the comma or the parenthesis outside all brackets.
    fn word(&mut self) -> &'a str {
        let (mut inside, mut quote) = (false, None);
        let ends = |c: char| {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (None, '\'' | '"') if inside => quote = Some(c),
                (None, '[') => inside = true,
                (None, ']') => inside = false,
                (None, ',' | ')') => return !inside,
                _ => {}
            }
            false
        };
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        word.trim()
    }

    /// A text in single quotes. Escapes of braces and of the backslash stay for `States.Format`; the
    /// others are resolved.
    fn quoted(&mut self) -> Result<String, String> {
        let mut text = String::new();
        let mut rest = self.rest.chars();
        rest.next();
        while let Some(c) = rest.next() {
            match c {
                '\'' => {
                    self.rest = rest.as_str();
                    return Ok(text);
                }
                '\\' => match rest.next() {
                    Some(c @ ('{' | '}')) => text.extend(['\\', c]),
                    Some('\\') => text.push_str("\\\\"),
                    Some(c) => text.push(c),
                    None => break,
                },
                c => text.push(c),
            }
        }
        Err(format!("found `{}`, whose single quote is not closed", self.text))
    }
}

fn made(name: &str, arguments: Vec<Source>) -> Result<Source, String> {
    if name == "States.Format" {
        return format(arguments);
    }
    let function = Function::read(name)?;
    let (least, most) = function.arguments();
    if !(least..=most).contains(&arguments.len()) {
        let expected = if least == most { least.to_string() } else { format!("{least} to {most}") };
        return Err(format!("found `{name}` with {} arguments, expected {expected}", arguments.len()));
    }
    Ok(Source::Call(function, arguments.into_iter().map(plain).collect()))
}

/// A text in which `{}` has no meaning: its escapes are resolved.
fn plain(source: Source) -> Source {
    match source {
        Source::Literal(Value::String(text)) => Source::Literal(Value::String(pieces(&text).concat())),
        other => other,
    }
}

fn format(arguments: Vec<Source>) -> Result<Source, String> {
    let mut arguments = arguments.into_iter();
    let Some(Source::Literal(Value::String(template))) = arguments.next() else {
        return Err("found `States.Format` without a text in single quotes as its first argument".to_owned());
    };
    let mut texts = split(&template).into_iter();
    let before = texts.next().unwrap_or_default();
    if texts.len() != arguments.len() {
        return Err(format!(
            "found `States.Format` with {} places in `{template}` and {} arguments for them",
            texts.len(),
            arguments.len()
        ));
    }
    Ok(Source::Format(before, arguments.map(plain).zip(texts).collect()))
}

/// The characters of a text, each escape as a plain character, and `{}` as one piece.
fn pieces(text: &str) -> Vec<String> {
    let (mut pieces, mut rest) = (Vec::new(), text.chars().peekable());
    while let Some(c) = rest.next() {
        pieces.push(match c {
            '\\' => rest.next().unwrap_or('\\').to_string(),
            '{' if rest.peek() == Some(&'}') => {
                rest.next();
                "{}".to_owned()
            }
            c => c.to_string(),
        });
    }
    pieces
}

/// The text around each `{}`.
fn split(template: &str) -> Vec<String> {
    let pieces = pieces(template);
    pieces.split(|piece| piece == "{}").map(<[String]>::concat).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn take(text: &str) -> Result<Value, Failure> {
        let input = json!({"a": "A", "n": 1.5, "o": {"x": [1]}, "t": "{\"y\":2}", "b,c)": "z"});
        let (context, chance) = (json!({"Execution": {"Name": "e"}}), crate::chance::Chance::of("e"));
        let source = Source::read(text).map_err(|why| Failure::new("unread", why))?;
        source.take(&Scope { input: &input, context: &context, chance: &chance })
    }

    #[test]
    fn functions_work_as_in_the_guide() {
        for (text, value) in [
            ("$.a", json!("A")),
            ("States.Format('Hello, {} of {}!', $.a, $$.Execution.Name)", json!("Hello, A of e!")),
            ("States.Format('{}{}{}{}', 1, true, null, $.n)", json!("1truenull1.5")),
            ("States.Format('it\\'s \\{\\} {} \\\\', 'x')", json!("it's {} x \\")),
            ("States.Format('plain')", json!("plain")),
            ("States.Format('{}', $['b,c)'])", json!("z")),
            ("States.JsonToString($.o)", json!("{\"x\":[1]}")),
            ("States.StringToJson($.t)", json!({"y": 2})),
            ("States.JsonToString( States.StringToJson( $.t ) )", json!("{\"y\":2}")),
            ("States.JsonToString('\\{')", json!("\"{\"")),
            ("States.Array(1, 'two', $.o, States.Array())", json!([1, "two", {"x": [1]}, []])),
            ("States.ArrayLength($..x)", json!(1)),
        ] {
            assert_eq!(take(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn an_unknown_function_is_refused() {
        let deep = format!("{}$.a{}", "States.JsonToString(".repeat(12), ")".repeat(12));
        for text in [
            "",
            "a",
            "States.",
            "States.Format",
            "States.Format(",
            "States.Format('{}')",
            "States.Format('{}', $.a, $.n)",
            "States.Format($.a)",
            "States.Format('x",
            "States.Format('x' 'y')",
            "States.Format('{}', x)",
            "States.Format('{}', $..)",
            "States.JsonToString()",
            "States.JsonToString($.a, $.n)",
            "States.UUID(1)",
            "States.Uuid()",
            "States.Hash($.a)",
            "States.JsonToString($.a) x",
            "States.JsonToString({})",
            &deep,
        ] {
            assert!(Source::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn invalid_arguments_are_an_error_and_not_a_text() {
        for (text, error) in [
            ("$.nothing", RUNTIME),
            ("States.JsonToString($.nothing)", RUNTIME),
            ("States.Format('{}', $.o)", INTRINSIC_FAILURE),
            ("States.StringToJson($.n)", INTRINSIC_FAILURE),
            ("States.StringToJson($.a)", INTRINSIC_FAILURE),
        ] {
            assert_eq!(&*take(text).unwrap_err().error, error, "{text}");
        }
    }
}
