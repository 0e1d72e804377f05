//! `appointments`: returns one appointment by its id. The authorizer has already decided whether
//! the caller may see it.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use functions::failure::DependencyFailure;
use functions::http_event::{HttpEvent, answer, message, unavailable};
use functions::settings::{Reader, SettingsError};
use serde_json::{Value, json};
use std::collections::HashMap;

/// The function's environment variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `TABLE_NAME`: the appointments.
    pub table: String,
}

impl Settings {
    /// Reads the variables with `lookup`.
    ///
    /// # Errors
    /// If a variable is missing; the error names it.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(lookup);
        let settings = Self { table: reader.required("TABLE_NAME") };
        reader.finish(settings)
    }
}

/// The function with its client.
pub struct Appointments {
    client: Client,
    table: String,
}

impl Appointments {
    /// Builds the function from `settings`, with a client from `config`.
    pub fn new(settings: Settings, config: &SdkConfig) -> Self {
        Self { client: Client::new(config), table: settings.table }
    }

    /// Answers one event of the gateway.
    pub async fn answer(&self, event: Value) -> Value {
        let event = HttpEvent::new(event);
        let Some(id) = appointment_id(&event) else { return message(404, "Not Found") };
        let key = AttributeValue::S(id.to_owned());
        match self.client.get_item().table_name(&self.table).key("id", key).send().await {
            Ok(found) => match found.item() {
                Some(row) => answer(200, &json!({"appointment": document(id, row)})),
                None => message(404, "Not Found"),
            },
            Err(error) => {
                eprintln!("appointments: {}", DependencyFailure::of("dynamodb", &error));
                unavailable()
            }
        }
    }
}

/// The id in `GET /appointment/<id>`.
fn appointment_id(event: &HttpEvent) -> Option<&str> {
    let path = event.path_parameter("api").unwrap_or_else(|| event.path());
    let (segment, id) = path.trim_start_matches('/').split_once('/')?;
    (event.route().0 == "GET" && segment == "appointment" && !id.is_empty() && !id.contains('/')).then_some(id)
}

fn document(id: &str, row: &HashMap<String, AttributeValue>) -> Value {
    let text = |name: &str| row.get(name).and_then(|value| value.as_s().ok()).map_or(Value::Null, |text| Value::from(text.as_str()));
    let visits = match row.get("visitHistory") {
        Some(AttributeValue::L(visits)) => visits.iter().filter_map(|visit| visit.as_s().ok()).cloned().collect(),
        Some(AttributeValue::Ss(visits)) => visits.clone(),
        Some(AttributeValue::S(visit)) => vec![visit.clone()],
        _ => Vec::new(),
    };
    json!({
        "id": id,
        "name": text("name"),
        "Pet": text("pet"),
        "Phone Number": text("phone"),
        "Visit History": visits,
        "Assigned Veterinarian": text("veterinarian"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_second_and_last_segment() {
        let id = |event: Value| appointment_id(&HttpEvent::new(event)).map(str::to_owned);
        assert_eq!(id(json!({"httpMethod":"GET","pathParameters":{"api":"appointment/PI-T123"}})), Some("PI-T123".to_owned()));
        assert_eq!(id(json!({"httpMethod":"GET","path":"/appointment/PI-T123","pathParameters":null})), Some("PI-T123".to_owned()));
        for path in ["/appointment", "/appointment/", "/appointment/a/b", "/other/PI-T123", ""] {
            assert_eq!(id(json!({"httpMethod":"GET","path":path})), None, "{path}");
        }
        assert_eq!(id(json!({"httpMethod":"POST","path":"/appointment/PI-T123"})), None);
    }

    #[test]
    fn a_missing_attribute_is_null() {
        let row = HashMap::from([
            ("pet".to_owned(), AttributeValue::S("Rex".to_owned())),
            ("visitHistory".to_owned(), AttributeValue::L(vec![AttributeValue::S("May".to_owned())])),
        ]);
        let expected =
            json!({"id":"PI-T1","name":null,"Pet":"Rex","Phone Number":null,"Visit History":["May"],"Assigned Veterinarian":null});
        assert_eq!(document("PI-T1", &row), expected);
    }
}
