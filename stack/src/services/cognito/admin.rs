//! The administrator's operations on users: create, get, disable, enable, delete, list. Each call
//! names one pool.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::pool::UserPool;
use super::users::User;
use super::{Cognito, Refusal};
use crate::Seen;
use crate::services::wire::Call;

/// The most users on a page of `ListUsers`. Source: Amazon Cognito, ListUsers.
const PAGE: usize = 60;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    user_pool_id: String,
    username: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    #[serde(flatten)]
    named: Named,
    #[serde(default)]
    user_attributes: Vec<Attribute>,
    temporary_password: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NewPassword {
    #[serde(flatten)]
    named: Named,
    password: String,
    #[serde(default)]
    permanent: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    user_pool_id: String,
    limit: Option<usize>,
    pagination_token: Option<String>,
    filter: Option<String>,
    attributes_to_get: Option<Vec<String>>,
}

impl Cognito {
    /// Carries out an administrator's operation at `now`; `None` if it is not one.
    pub(super) fn administer(&self, call: &Call, now: Instant) -> Option<Result<Value, Refusal>> {
        Some(match call.operation.as_str() {
            "AdminCreateUser" => read(call).and_then(|asked| self.create(asked)),
            "AdminSetUserPassword" => read(call).and_then(|asked| self.set_password(&asked)),
            "AdminGetUser" => read(call).and_then(|asked| self.look(&asked)),
            "AdminDisableUser" => self.within_quota(call, now).and_then(|()| read(call)).and_then(|asked| self.set_enabled(asked, false)),
            "AdminEnableUser" => read(call).and_then(|asked| self.set_enabled(asked, true)),
            "AdminDeleteUser" => read(call).and_then(|asked| self.delete(&asked)),
            "CreateGroup" => read(call).and_then(|asked| self.create_group(asked)),
            "GetGroup" => read(call).and_then(|asked| self.look_at_group(&asked)),
            "DeleteGroup" => read(call).and_then(|asked| self.delete_group(&asked)),
            "AdminAddUserToGroup" => read(call).and_then(|asked| self.add_to_group(&asked)),
            "ListUsers" => read(call).and_then(|asked| self.list(&asked)),
            _ => return None,
        })
    }

    /// Every call counts, even one that then finds no user.
    fn within_quota(&self, call: &Call, now: Instant) -> Result<(), Refusal> {
        if self.disables.admits(now) {
            return Ok(());
        }
        self.sightings.tell(Seen::QuotaExceeded { operation: call.operation.clone() });
        Err(Refusal::new("TooManyRequestsException", "Too many requests"))
    }

    pub(super) fn pool_of(&self, id: &str) -> Result<&Arc<UserPool>, Refusal> {
        let found = self.pools.iter().find(|pool| pool.address.id == id);
        found.ok_or_else(|| Refusal::new("ResourceNotFoundException", format!("User pool {id} does not exist.")))
    }

    fn create(&self, asked: Created) -> Result<Value, Refusal> {
        let (pool, name) = (self.pool_of(&asked.named.user_pool_id)?, asked.named.username);
        if name.is_empty() || name.len() > 128 || name.chars().any(char::is_whitespace) {
            return Err(Refusal::new("InvalidParameterException", "a user's name has 1 to 128 characters and no spaces"));
        }
        let attributes: BTreeMap<_, _> = asked.user_attributes.into_iter().map(|attribute| (attribute.name, attribute.value)).collect();
        if attributes.contains_key("sub") {
            return Err(Refusal::new("InvalidParameterException", "Cannot modify the non-mutable attribute sub"));
        }
        asked.temporary_password.as_deref().map_or(Ok(()), checked_password)?;
        let mut user = User::invited(pool.subject(&name), attributes);
        user.password = asked.temporary_password;
        let shown = user.shown(&name, "Attributes");
        if !pool.users.add(&name, user) {
            return Err(Refusal::new("UsernameExistsException", "User account already exists"));
        }
        Ok(json!({"User": shown}))
    }

    fn set_password(&self, asked: &NewPassword) -> Result<Value, Refusal> {
        checked_password(&asked.password)?;
        let pool = self.pool_of(&asked.named.user_pool_id)?;
        let changed = pool.users.change(&asked.named.username, |user| {
            user.password = Some(asked.password.clone());
            user.confirmed = asked.permanent;
        });
        if changed { Ok(json!({})) } else { Err(Refusal::nobody()) }
    }

    fn look(&self, asked: &Named) -> Result<Value, Refusal> {
        let user = self.pool_of(&asked.user_pool_id)?.users.find(&asked.username).ok_or_else(Refusal::nobody)?;
        Ok(user.shown(&asked.username, "UserAttributes"))
    }

    fn set_enabled(&self, asked: Named, enabled: bool) -> Result<Value, Refusal> {
        let pool = self.pool_of(&asked.user_pool_id)?;
        let changed = pool.users.change(&asked.username, |user| {
            user.enabled = enabled;
            if !enabled {
                user.revoke();
            }
        });
        if !changed {
            return Err(Refusal::nobody());
        }
        let (pool, user) = (asked.user_pool_id, asked.username);
        self.sightings.tell(if enabled { Seen::UserEnabled { pool, user } } else { Seen::UserDisabled { pool, user } });
        Ok(json!({}))
    }

    fn delete(&self, asked: &Named) -> Result<Value, Refusal> {
        if self.pool_of(&asked.user_pool_id)?.users.remove(&asked.username) { Ok(json!({})) } else { Err(Refusal::nobody()) }
    }

    fn list(&self, asked: &Listed) -> Result<Value, Refusal> {
        let invalid = |what: &str| Refusal::new("InvalidParameterException", what);
        if asked.filter.as_ref().is_some_and(|filter| !filter.is_empty()) || asked.attributes_to_get.is_some() {
            return Err(invalid("this machine lists all users with all attributes: `Filter` and `AttributesToGet` are not served"));
        }
        let limit = asked.limit.unwrap_or(PAGE);
        if !(1..=PAGE).contains(&limit) {
            return Err(invalid("`Limit` is a number from 1 to 60"));
        }
        let after = asked.pagination_token.as_deref().map(|token| String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok());
        let after = after.map_or(Some(String::new()), |read| read).ok_or_else(|| invalid("Invalid pagination token"))?;
        let users = self.pool_of(&asked.user_pool_id)?.users.after(&after, limit + 1);
        let page: Vec<_> = users.iter().take(limit).map(|(name, user)| user.shown(name, "Attributes")).collect();
        let more = (users.len() > limit).then(|| users.get(limit - 1)).flatten();
        Ok(match more {
            Some((last, _)) => json!({"Users": page, "PaginationToken": URL_SAFE_NO_PAD.encode(last)}),
            None => json!({"Users": page}),
        })
    }
}

fn read<T: DeserializeOwned>(call: &Call) -> Result<T, Refusal> {
    serde_json::from_slice(&call.body).map_err(|error| Refusal::new("SerializationException", error.to_string()))
}

/// The default policy of a pool. Source: Amazon Cognito, password policies.
fn checked_password(password: &str) -> Result<(), Refusal> {
    let has = |kind: fn(char) -> bool| password.chars().any(kind);
    let symbol = |letter: char| !letter.is_alphanumeric();
    let strong = [has(|c| c.is_ascii_lowercase()), has(|c| c.is_ascii_uppercase()), has(|c| c.is_ascii_digit()), has(symbol)];
    if password.chars().count() >= 8 && strong.into_iter().all(|it| it) {
        return Ok(());
    }
    Err(Refusal::new(
        "InvalidPasswordException",
        "Password does not conform to policy: 8 characters, of them small, capital, a digit and a symbol",
    ))
}
