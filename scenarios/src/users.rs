//! What the users API is asked, and what its answers say of users.

use serde_json::Value;

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Chosen by the client.
    pub id: String,
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

impl User {
    /// As a body holds it; nothing where a field is missing.
    pub fn read(document: &Value) -> Option<Self> {
        let text = |field: &str| document.get(field)?.as_str().map(ToOwned::to_owned);
        Some(Self { id: text("id")?, name: text("name")?, email: text("email")? })
    }

    /// As a body.
    pub fn body(&self) -> String {
        serde_json::json!({"id": self.id, "name": self.name, "email": self.email}).to_string()
    }
}

/// One request about a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsersRequest {
    /// The first page of all users.
    List,
    /// This user.
    Get,
    /// To create the user with these values.
    Create(User),
    /// To replace the user's values by these.
    Update(User),
    /// To delete the user.
    Delete,
}

/// The users that an answer names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsersSaid {
    /// Each with its values.
    pub users: Vec<User>,
    /// Whether there is none beside these: a list without a next page, every entry of which was understood.
    pub all: bool,
}

impl UsersSaid {
    /// What a body says.
    pub fn read(body: &Value) -> Self {
        let Some(list) = body.get("users").and_then(Value::as_array) else {
            return Self { users: User::read(body).into_iter().collect(), all: false };
        };
        let users: Vec<User> = list.iter().filter_map(User::read).collect();
        let all = users.len() == list.len() && body.get("next").is_some_and(Value::is_null);
        Self { users, all }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_names_one_user_or_a_page_of_them() {
        let jane = User { id: "u-1".into(), name: "Jane".into(), email: "j@x.com".into() };
        let document = || serde_json::from_str::<Value>(&jane.body()).unwrap();
        for (body, count, all) in [
            (document(), 1, false),
            (json!({"users": [document()], "next": null}), 1, true),
            (json!({"users": [document()], "next": "u-1"}), 1, false),
            (json!({"users": [document()]}), 1, false),
            (json!({"users": [document(), {"id": "u-2"}], "next": null}), 1, false),
            (json!({"users": [], "next": null}), 0, true),
            (json!({"message": "Not Found"}), 0, false),
            (json!([1]), 0, false),
        ] {
            let said = UsersSaid::read(&body);
            assert_eq!((said.users.len(), said.all), (count, all), "{body}");
            assert!(said.users.iter().all(|user| *user == jane), "{body}");
        }
    }
}
