//! The input that a state works on and the output that it passes on: `InputPath`, `Parameters`,
//! `ResultSelector`, `ResultPath`, `OutputPath`, and the size limit of each.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::definition::{ResultPlace, Selection, Shaping};
use crate::error_equals::{DATA_LIMIT_EXCEEDED, RESULT_PATH_MATCH_FAILURE};
use crate::failure::Failure;
use crate::history::Text;
use crate::path::Scope;
use crate::payload::LARGEST_PAYLOAD;

/// JSON as text, if it is within the size limit. Source: developer guide, "Error names",
/// `States.DataLimitExceeded`.
pub(super) fn text_of(value: &Value, what: &str, state: &str) -> Result<Text, Failure> {
    let text = value.to_string();
    if text.len() <= LARGEST_PAYLOAD {
        return Ok(Arc::from(text));
    }
    let cause = format!("The state '{state}' has reached the maximum number of bytes service limit: its {what} has {} bytes.", text.len());
    Err(Failure::new(DATA_LIMIT_EXCEEDED, cause))
}

pub(super) fn selected(selection: &Selection, state: &str, scope: &Scope<'_>) -> Result<Value, Failure> {
    match selection {
        Selection::Nothing => Ok(Value::Object(Map::new())),
        Selection::Path(path) => {
            let found = path.find(scope);
            found.ok_or_else(|| Failure::runtime(state, &format!("Invalid path '{path}': No results for path: {path}")))
        }
    }
}

/// Puts a result into a state's input. Source: developer guide, "Specifying state output using ResultPath".
pub(super) fn placed(place: &ResultPlace, state: &str, input: &Value, result: Value) -> Result<Value, Failure> {
    let ResultPlace::At(path) = place else { return Ok(input.clone()) };
    if path.is_everything() {
        return Ok(result);
    }
    let mut output = input.clone();
    let why = || format!("Unable to apply ResultPath {path} of the state '{state}' to its input");
    path.put(&mut output, result).map(|()| output).ok_or_else(|| Failure::new(RESULT_PATH_MATCH_FAILURE, why()))
}

impl Shaping {
    /// The input that the state works on.
    pub(super) fn effective_input(&self, state: &str, scope: &Scope<'_>) -> Result<Value, Failure> {
        let input = selected(&self.input, state, scope)?;
        let Some(parameters) = &self.parameters else { return Ok(input) };
        parameters.fill(&Scope { input: &input, ..*scope }).map_err(|failure| failure.of_state(state))
    }

    /// The output that the state passes on.
    pub(super) fn output(&self, state: &str, scope: &Scope<'_>, result: Value) -> Result<Value, Failure> {
        let result = match &self.selector {
            Some(selector) => selector.fill(&Scope { input: &result, ..*scope }).map_err(|failure| failure.of_state(state))?,
            None => result,
        };
        let output = placed(&self.result, state, scope.input, result)?;
        selected(&self.output, state, &Scope { input: &output, ..*scope })
    }
}
