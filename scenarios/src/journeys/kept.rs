//! What later requests of a journey use of an answer.

use serde_json::Value;

/// A place in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// A JSON pointer (RFC 6901) into the body, such as `/id`; the empty one is the whole body.
    Json(String),
}

impl Keep {
    /// Reads a place.
    ///
    /// # Errors
    /// Says how a place is written.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.starts_with('/') {
            Ok(Self::Json(text.to_owned()))
        } else {
            Err(format!("`{text}` is not a place in an answer; write a JSON pointer such as `/id` or `/items/0/id`"))
        }
    }

    /// The value, as text; `None` if the answer has none there.
    pub fn of(&self, body: &Value) -> Option<String> {
        let Self::Json(pointer) = self;
        match body.pointer(pointer)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_taken_from_its_place() {
        let body = json!({"id": "o-1", "lines": [{"amount": 2}], "none": null, "a/b": true});
        for (place, value) in
            [("/id", Some("o-1")), ("/lines/0/amount", Some("2")), ("/a~1b", Some("true")), ("/none", None), ("/nowhere", None)]
        {
            assert_eq!(Keep::read(place).unwrap().of(&body).as_deref(), value, "{place}");
        }
        assert!(Keep::read("id").unwrap_err().contains("/id"));
    }
}
