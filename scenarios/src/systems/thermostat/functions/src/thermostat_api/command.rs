//! The body of a control request, parsed once into a command. A field of the wrong type is refused,
//! a missing field stays missing.

use crate::time_of_day;
use serde_json::{Map, Value};
use thiserror::Error;

/// A parsed command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) action: Action,
    /// The temperature in the body.
    pub(super) temperature: Option<i64>,
    /// Minutes since midnight, of `globalTime`.
    pub(super) time: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Get,
    Set(Wish),
}

/// What a Set contains besides a temperature.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Wish {
    power: Option<bool>,
    mode: Option<String>,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum CommandError {
    #[error("the body is not a JSON object")]
    NotAnObject,
    #[error("`action` must be `SetTemperature` or `GetTemperature`")]
    Action,
    #[error("`{field}` must be {kind}")]
    Field { field: &'static str, kind: &'static str },
}

impl Command {
    pub(super) fn read(body: &Value) -> Result<Self, CommandError> {
        let body = body.as_object().ok_or(CommandError::NotAnObject)?;
        let action = match body.get("action").and_then(Value::as_str) {
            Some("GetTemperature") => Action::Get,
            Some("SetTemperature") => Action::Set(Wish {
                power: field(body, "power", "true or false", Value::as_bool)?,
                mode: field(body, "mode", "text", |mode| mode.as_str().map(str::to_owned))?,
            }),
            _ => return Err(CommandError::Action),
        };
        Ok(Self {
            action,
            temperature: field(body, "temperature", "a whole number", Value::as_i64)?,
            time: field(body, "globalTime", "a time such as `3:30 PM`", |time| time_of_day::minutes(time.as_str()?))?,
        })
    }

    /// The action's name in the policies.
    pub(super) const fn action_id(&self) -> &'static str {
        match self.action {
            Action::Get => "GetTemperature",
            Action::Set(_) => "SetTemperature",
        }
    }

    /// The shadow's `desired` state for a Set.
    pub(super) fn desired(&self, with_mode: bool) -> Value {
        let Action::Set(wish) = &self.action else { return Value::Object(Map::new()) };
        let temperature = self.temperature.map(|temperature| ("temperature".to_owned(), Value::from(temperature)));
        let power = wish.power.map(|power| ("power".to_owned(), Value::from(power)));
        let mode = wish.mode.as_deref().filter(|_| with_mode).map(|mode| ("mode".to_owned(), Value::from(mode)));
        Value::Object([temperature, power, mode].into_iter().flatten().collect())
    }
}

fn field<T>(
    body: &Map<String, Value>,
    field: &'static str,
    kind: &'static str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Option<T>, CommandError> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => read(value).map(Some).ok_or(CommandError::Field { field, kind }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_set_with_all_fields_is_understood() {
        let body =
            json!({"action":"SetTemperature","globalTemperature":78,"globalTime":"3:30 PM","temperature":75,"power":true,"mode":"Auto"});
        let command = Command::read(&body).expect("the contract's own example");
        assert_eq!((command.temperature, command.time, command.action_id()), (Some(75), Some(930), "SetTemperature"));
        assert_eq!(command.desired(true), json!({"temperature": 75, "power": true, "mode": "Auto"}));
        assert_eq!(command.desired(false), json!({"temperature": 75, "power": true}), "the weakness drops the mode alone");
    }

    #[test]
    fn a_field_missing_from_the_body_stays_missing() {
        for body in [json!({"action":"GetTemperature"}), json!({"action":"GetTemperature","temperature":null,"globalTime":null})] {
            assert_eq!(Command::read(&body), Ok(Command { action: Action::Get, temperature: None, time: None }), "{body}");
        }
        assert_eq!(Command::read(&json!({"action":"SetTemperature"})).map(|command| command.desired(true)), Ok(json!({})));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let bodies = [
            json!(null),
            json!([]),
            json!({}),
            json!({"action": 5}),
            json!({"action": "settemperature"}),
            json!({"action": "Open"}),
            json!({"action": "SetTemperature", "temperature": 75.5}),
            json!({"action": "SetTemperature", "temperature": 75.0}),
            json!({"action": "SetTemperature", "temperature": "75"}),
            json!({"action": "GetTemperature", "temperature": u64::MAX}),
            json!({"action": "SetTemperature", "power": "on"}),
            json!({"action": "SetTemperature", "mode": 1}),
            json!({"action": "GetTemperature", "globalTime": "25:00"}),
            json!({"action": "GetTemperature", "globalTime": 930}),
        ];
        for body in bodies {
            assert!(Command::read(&body).is_err(), "{body}");
        }
    }
}
