//! The calls about groups of users: create, look at, delete, and put users into them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Cognito, Refusal};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    user_pool_id: String,
    group_name: String,
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Member {
    user_pool_id: String,
    group_name: String,
    username: String,
}

fn missing() -> Refusal {
    Refusal::new("ResourceNotFoundException", "Group not found.")
}

impl Cognito {
    pub(super) fn create_group(&self, asked: Named) -> Result<Value, Refusal> {
        let name = &asked.group_name;
        if name.is_empty() || name.len() > 128 || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Refusal::new("InvalidParameterException", "a group's name has 1 to 128 characters and no spaces"));
        }
        if !self.pool_of(&asked.user_pool_id)?.groups.add(name, asked.description.clone()) {
            return Err(Refusal::new("GroupExistsException", "A group with the name already exists."));
        }
        Ok(shown(&asked, asked.description.as_deref()))
    }

    pub(super) fn look_at_group(&self, asked: &Named) -> Result<Value, Refusal> {
        let description = self.pool_of(&asked.user_pool_id)?.groups.find(&asked.group_name).ok_or_else(missing)?;
        Ok(shown(asked, description.as_deref()))
    }

    /// Its users stay, without it.
    pub(super) fn delete_group(&self, asked: &Named) -> Result<Value, Refusal> {
        let pool = self.pool_of(&asked.user_pool_id)?;
        if !pool.groups.remove(&asked.group_name) {
            return Err(missing());
        }
        pool.users.change_all(|user| user.groups.retain(|group| *group != asked.group_name));
        Ok(json!({}))
    }

    pub(super) fn add_to_group(&self, asked: &Member) -> Result<Value, Refusal> {
        let pool = self.pool_of(&asked.user_pool_id)?;
        pool.groups.find(&asked.group_name).ok_or_else(missing)?;
        let changed = pool.users.change(&asked.username, |user| {
            if !user.groups.contains(&asked.group_name) {
                user.groups.push(asked.group_name.clone());
            }
        });
        if changed { Ok(json!({})) } else { Err(Refusal::nobody()) }
    }
}

fn shown(asked: &Named, description: Option<&str>) -> Value {
    json!({"Group": {"GroupName": asked.group_name, "UserPoolId": asked.user_pool_id, "Description": description}})
}
