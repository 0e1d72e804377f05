//! Payload templates (`Parameters`, `ResultSelector`): JSON in which the value of a field whose
//! name ends with `.$` comes from a path or a function.

use faults::Complaint;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::intrinsic::Source;
use crate::path::Scope;

/// The most bytes of an input, an output or a result, as JSON. Source: Step Functions, service quotas.
pub const LARGEST_PAYLOAD: usize = 262_144;

/// A payload template.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// A literal value.
    Literal(Value),
    /// A value from elsewhere.
    Taken(Source),
    /// An object that may contain values from elsewhere.
    Object(Vec<(String, Payload)>),
    /// A list whose objects may contain values from elsewhere.
    List(Vec<Payload>),
}

impl Payload {
    /// Parses a template; `at` is its path in the definition.
    pub(crate) fn read(value: &Value, at: &str, complaints: &mut Vec<Complaint>) -> Self {
        match value {
            Value::Object(fields) => Self::Object(fields.iter().filter_map(|(key, value)| field(key, value, at, complaints)).collect()),
            Value::Array(list) => {
                Self::List(list.iter().enumerate().map(|(index, one)| Self::read(one, &format!("{at}[{index}]"), complaints)).collect())
            }
            other => Self::Literal(other.clone()),
        }
    }

    /// The filled template.
    ///
    /// # Errors
    /// If a path has no value or a function cannot take its arguments; with Step Functions' error
    /// and message.
    pub(crate) fn fill(&self, scope: &Scope<'_>) -> Result<Value, Failure> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Taken(source) => source.take(scope)?,
            Self::Object(fields) => {
                let filled = fields.iter().map(|(key, payload)| Ok((key.clone(), payload.fill(scope)?)));
                Value::Object(filled.collect::<Result<Map<_, _>, Failure>>()?)
            }
            Self::List(list) => Value::Array(list.iter().map(|payload| payload.fill(scope)).collect::<Result<_, _>>()?),
        })
    }

    /// The literal value of a field; `None` if the field is missing or its value comes from a path.
    pub fn literal(&self, key: &str) -> Option<&Value> {
        let Self::Object(fields) = self else { return None };
        fields.iter().find_map(|(name, payload)| if let (true, Self::Literal(value)) = (name == key, payload) { Some(value) } else { None })
    }

    /// The names of its fields.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let fields = if let Self::Object(fields) = self { fields.as_slice() } else { &[] };
        fields.iter().map(|(key, _)| key.as_str())
    }
}

fn field(key: &str, value: &Value, at: &str, complaints: &mut Vec<Complaint>) -> Option<(String, Payload)> {
    let Some(name) = key.strip_suffix(".$") else {
        return Some((key.to_owned(), Payload::read(value, &format!("{at}.{key}"), complaints)));
    };
    let source = match value {
        Value::String(text) => Source::read(text),
        other => Err(format!("found `{other}`, expected the text of a path or a function, as the name ends with `.$`")),
    };
    match source {
        Ok(source) => Some((name.to_owned(), Payload::Taken(source))),
        Err(what) => {
            complaints.push(Complaint::new(format!("{at}.{key}"), what));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(template: &Value) -> (Payload, Vec<String>) {
        let mut complaints = Vec::new();
        let payload = Payload::read(template, "Parameters", &mut complaints);
        (payload, complaints.iter().map(Complaint::to_string).collect())
    }

    #[test]
    fn fields_that_end_with_a_dollar_are_filled_and_the_rest_stays() {
        let template = json!({
            "a": 1, "b.$": "$.x", "c": {"d.$": "$$.Execution.Name", "e": [{"f.$": "$.y[1]"}, "$.y"]}, "g.$": "States.Format('{}!', $.x)", "$": 2,
        });
        let (payload, complaints) = read(&template);
        assert_eq!(complaints, Vec::<String>::new());
        let (input, context) = (json!({"x": "v", "y": [1, 2]}), json!({"Execution": {"Name": "n"}}));
        let chance = crate::chance::Chance::of("e");
        let filled = payload.fill(&Scope { input: &input, context: &context, chance: &chance }).unwrap();
        assert_eq!(filled, json!({"a": 1, "b": "v", "c": {"d": "n", "e": [{"f": 2}, "$.y"]}, "g": "v!", "$": 2}));
        assert_eq!((payload.literal("a"), payload.literal("b"), payload.keys().count()), (Some(&json!(1)), None, 5));
        let nothing = json!({});
        let failure = payload.fill(&Scope { input: &nothing, context: &context, chance: &chance }).unwrap_err();
        assert!(failure.cause.contains("$['x']"), "{failure:?}");
    }

    #[test]
    fn every_error_names_its_place() {
        let (_, complaints) = read(&json!({"a.$": 1, "b": [{"c.$": "x"}], "d": {"e.$": "States.Nothing()"}}));
        assert_eq!(complaints.len(), 3);
        for (complaint, place) in complaints.iter().zip(["Parameters.a.$: ", "Parameters.b[0].c.$: ", "Parameters.d.e.$: "]) {
            assert!(complaint.starts_with(place), "{complaint}");
        }
    }
}
