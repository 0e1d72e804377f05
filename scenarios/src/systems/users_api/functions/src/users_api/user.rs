//! One user, in a request and in an answer. An invalid field is named and never guessed.

use serde_json::{Map, Value, json};
use thiserror::Error;

/// The most characters of an id.
const LONGEST_ID: usize = 64;

/// Most characters in a name or an address.
const LONGEST_TEXT: usize = 256;

const FIELDS: [&str; 3] = ["id", "name", "email"];

/// What is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{field}` {what}")]
pub(super) struct NotUnderstood {
    field: String,
    what: &'static str,
}

impl NotUnderstood {
    fn new(field: &str, what: &'static str) -> Self {
        // A field's name is text from the caller, so it is returned to the caller only.
        Self { field: field.chars().take(LONGEST_ID).collect(), what }
    }
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) email: String,
}

impl User {
    /// Reads a body. If the path names the user, the body need not name it, and must not name
    /// another one.
    pub(super) fn read(body: Option<Value>, of_path: Option<&str>) -> Result<Self, NotUnderstood> {
        let Some(Value::Object(body)) = body else { return Err(NotUnderstood::new("body", "is not a JSON object")) };
        if let Some(other) = body.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            return Err(NotUnderstood::new(other, "is not one of a user's fields, which are `id`, `name` and `email`"));
        }
        let id = match (body.get("id"), of_path) {
            (None, Some(id)) => id,
            (Some(Value::String(named)), Some(id)) if named == id => id,
            (Some(_), Some(_)) => return Err(NotUnderstood::new("id", "is not the one in the path")),
            (named, None) => id(named.and_then(Value::as_str).unwrap_or_default(), "id")?,
        };
        let email = text(&body, "email")?;
        if !email.split_once('@').is_some_and(|(mailbox, host)| !mailbox.is_empty() && !host.is_empty() && !host.contains('@')) {
            return Err(NotUnderstood::new("email", "is not an address such as `jane@example.com`"));
        }
        Ok(Self { id: id.to_owned(), name: text(&body, "name")?.to_owned(), email: email.to_owned() })
    }

    /// The user in an answer.
    pub(super) fn document(&self) -> Value {
        json!({"id": self.id, "name": self.name, "email": self.email})
    }
}

/// A valid id, or what is wrong with `field`.
pub(super) fn id<'a>(text: &'a str, field: &str) -> Result<&'a str, NotUnderstood> {
    let fits = (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if fits { Ok(text) } else { Err(NotUnderstood::new(field, "is not 1 to 64 of `A-Z`, `a-z`, `0-9` and `-`")) }
}

fn text<'a>(body: &'a Map<String, Value>, field: &'static str) -> Result<&'a str, NotUnderstood> {
    let text = body.get(field).and_then(Value::as_str).unwrap_or_default();
    let fits = (1..=LONGEST_TEXT).contains(&text.chars().count());
    if fits { Ok(text) } else { Err(NotUnderstood::new(field, "is not a text of 1 to 256 characters")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_read_or_the_field_that_is_wrong_is_named() {
        let jane = |id: Value, name: Value, email: Value| json!({"id": id, "name": name, "email": email});
        let long = "a".repeat(65);
        for (body, of_path, wrong) in [
            (jane(json!("u-1"), json!("Jane"), json!("jane@x.com")), None, None),
            (jane(json!("u-1"), json!("Jane"), json!("jane@x.com")), Some("u-1"), None),
            (json!({"name": "Jane", "email": "jane@x.com"}), Some("u-1"), None),
            (json!({"name": "Jane", "email": "jane@x.com"}), None, Some("id")),
            (jane(json!("u-2"), json!("Jane"), json!("jane@x.com")), Some("u-1"), Some("id")),
            (jane(json!(1), json!("Jane"), json!("jane@x.com")), None, Some("id")),
            (jane(json!(1), json!("Jane"), json!("jane@x.com")), Some("1"), Some("id")),
            (jane(json!("u_1"), json!("Jane"), json!("jane@x.com")), None, Some("id")),
            (jane(json!("u#1"), json!("Jane"), json!("jane@x.com")), None, Some("id")),
            (jane(json!(long), json!("Jane"), json!("jane@x.com")), None, Some("id")),
            (jane(json!("u-1"), json!(""), json!("jane@x.com")), None, Some("name")),
            (jane(json!("u-1"), json!("a".repeat(257)), json!("jane@x.com")), None, Some("name")),
            (jane(json!("u-1"), json!("Jane"), json!("jane")), None, Some("email")),
            (jane(json!("u-1"), json!("Jane"), json!("a@b@c")), None, Some("email")),
            (jane(json!("u-1"), json!("Jane"), json!(null)), None, Some("email")),
            (json!({"id": "u-1", "name": "Jane", "email": "jane@x.com", "admin": true}), None, Some("admin")),
            (json!(["u-1"]), None, Some("body")),
        ] {
            let read = User::read(Some(body.clone()), of_path);
            assert_eq!(read.as_ref().err().map(|wrong| wrong.field.as_str()), wrong, "{body}");
            if let Ok(user) = read {
                assert_eq!(user.document(), json!({"id": "u-1", "name": "Jane", "email": "jane@x.com"}), "{body}");
            }
        }
        assert_eq!(User::read(None, None).map_err(|wrong| wrong.field), Err("body".to_owned()));
    }
}
