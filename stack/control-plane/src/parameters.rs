//! SSM's parameters, as far as plans need them: JSON 1.1, with the operation in `x-amz-target`.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::parameter::Parameter;
use crate::state::ControlPlane;

/// The limits of a standard and an advanced parameter, in bytes.
const MOST: [(&str, usize); 2] = [("Standard", 4096), ("Advanced", 8192)];

impl ControlPlane {
    /// One call of SSM.
    pub(crate) fn ssm(&mut self, operation: &str, wish: &Value) -> Result<Answer, Answer> {
        if let Some(answered) = self.documents(operation, wish) {
            return answered;
        }
        if self.throttled.contains(operation) {
            return Err(Answer::refused(400, "ThrottlingException", "Rate exceeded"));
        }
        let name = wish["Name"].as_str().unwrap_or_default();
        let missing = || Answer::refused(400, "ParameterNotFound", "");
        match operation {
            "PutParameter" => self.put_parameter(name, wish),
            "GetParameter" => {
                let found = self.parameters.get(name).ok_or_else(missing)?;
                Ok(Answer::ok(200, json!({"Parameter": found.shown(name)})))
            }
            "GetParameters" => {
                let asked: Vec<_> = wish["Names"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                let (found, missing): (Vec<_>, Vec<_>) = asked.into_iter().partition(|name| self.parameters.contains_key(*name));
                let found: Vec<_> = found.iter().filter_map(|name| Some(self.parameters.get(*name)?.shown(name))).collect();
                Ok(Answer::ok(200, json!({"Parameters": found, "InvalidParameters": missing})))
            }
            "DeleteParameter" => {
                self.parameters.remove(name).ok_or_else(missing)?;
                Ok(Answer::ok(200, json!({})))
            }
            "LabelParameterVersion" => {
                let found = self.parameters.get_mut(name).ok_or_else(missing)?;
                let version = wish["ParameterVersion"].as_u64().unwrap_or(found.version);
                for label in wish["Labels"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                    found.labels.insert(label.to_owned(), version);
                }
                Ok(Answer::ok(200, json!({"InvalidLabels": [], "ParameterVersion": version})))
            }
            _ => Err(Answer::refused(400, "UnknownOperationException", format!("`{operation}` is not served here"))),
        }
    }

    /// Writes a parameter, or deletes it, as another user would.
    pub fn set_parameter(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => drop(self.put_parameter(name, &json!({"Value": value, "Overwrite": true}))),
            None => drop(self.parameters.remove(name)),
        }
    }

    fn put_parameter(&mut self, name: &str, wish: &Value) -> Result<Answer, Answer> {
        let value = wish["Value"].as_str().unwrap_or_default().to_owned();
        let before = self.parameters.get(name);
        if before.is_some() && wish["Overwrite"] != true {
            return Err(Answer::refused(
                400,
                "ParameterAlreadyExists",
                "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
            ));
        }
        let tier = tier(wish["Tier"].as_str(), value.len(), before.map(|before| before.tier.as_str()))?;
        let most = MOST.iter().find(|(name, _)| *name == tier).map_or(0, |(_, most)| *most);
        if value.is_empty() || value.len() > most {
            let hint = "To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier.";
            return Err(invalid(format!("{tier} tier parameters support a maximum parameter value of {most} characters. {hint}")));
        }
        let version = before.map_or(0, |before| before.version) + 1;
        let labels = before.map(|before| before.labels.clone()).unwrap_or_default();
        let parameter = Parameter { value, version, tier: tier.to_owned(), labels, modified_ms: self.clock_ms };
        self.parameters.insert(name.to_owned(), parameter);
        Ok(Answer::ok(200, json!({"Version": version, "Tier": tier})))
    }
}

/// An advanced parameter never becomes a standard one again. Source: Systems Manager User Guide, "Managing parameter tiers".
fn tier(asked: Option<&str>, bytes: usize, before: Option<&str>) -> Result<&'static str, Answer> {
    let was_advanced = before == Some("Advanced");
    match asked {
        Some("Standard") if was_advanced => Err(invalid(
            "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the \
             standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.",
        )),
        Some("Standard") => Ok("Standard"),
        Some("Advanced") => Ok("Advanced"),
        Some("Intelligent-Tiering") => Ok(if was_advanced || bytes > 4096 { "Advanced" } else { "Standard" }),
        None => Ok(if was_advanced { "Advanced" } else { "Standard" }),
        Some(other) => Err(invalid(format!("Value '{other}' at 'tier' failed to satisfy constraint"))),
    }
}

fn invalid(message: impl Into<String>) -> Answer {
    Answer::refused(400, "ValidationException", message)
}
