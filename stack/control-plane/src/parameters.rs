//! SSM's parameters, as far as plans need them: JSON 1.1, told apart by `x-amz-target`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{Answer, ControlPlane};

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its value.
    pub value: String,
    /// Rises with every write.
    pub version: u64,
    /// `Standard` (up to 4 KB) or `Advanced` (up to 8 KB).
    pub tier: String,
    /// The versions with a label, by label.
    pub labels: BTreeMap<String, u64>,
}

impl Parameter {
    fn shown(&self, name: &str) -> Value {
        json!({"Name": name, "Type": "String", "Value": self.value, "Version": self.version, "DataType": "text"})
    }
}

impl ControlPlane {
    /// One call of SSM.
    pub(crate) fn ssm(&mut self, operation: &str, wish: &Value) -> Result<Answer, Answer> {
        if let Some(answered) = self.documents(operation, wish) {
            return answered;
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
        // An advanced parameter cannot become a standard one again.
        let tier = match (wish["Tier"].as_str().unwrap_or("Standard"), before) {
            ("Intelligent-Tiering", _) if value.len() > 4096 => "Advanced",
            ("Advanced", _) => "Advanced",
            (_, Some(before)) if before.tier == "Advanced" => "Advanced",
            _ => "Standard",
        };
        let (limit, long) = if tier == "Advanced" { (8192, "8192") } else { (4096, "4096") };
        if value.is_empty() || value.len() > limit {
            let hint = "To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier.";
            return Err(Answer::refused(
                400,
                "ValidationException",
                format!("Standard tier parameters support a maximum parameter value of {long} characters. {hint}"),
            ));
        }
        let version = before.map_or(0, |before| before.version) + 1;
        let labels = before.map(|before| before.labels.clone()).unwrap_or_default();
        self.parameters.insert(name.to_owned(), Parameter { value, version, tier: tier.to_owned(), labels });
        Ok(Answer::ok(200, json!({"Version": version, "Tier": tier})))
    }
}
