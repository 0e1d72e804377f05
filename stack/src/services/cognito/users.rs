//! The users of one pool: their attributes, whether they may sign in, and whether tokens issued
//! earlier are still valid. It signs nothing and makes no calls.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use run_folder::addresses::PASSWORD;

/// One user.
#[derive(Debug, Clone)]
pub struct User {
    /// `sub`.
    pub sub: String,
    /// The attributes besides `sub`.
    pub attributes: BTreeMap<String, String>,
    /// The groups.
    pub groups: Vec<String>,
    /// The password, if the user has one. It is stored in plain text, because this machine's pools
    /// hold no real secrets.
    pub password: Option<String>,
    /// Whether the password is permanent (`CONFIRMED`) or must be changed
    /// (`FORCE_CHANGE_PASSWORD`).
    pub confirmed: bool,
    /// Whether the user may sign in.
    pub enabled: bool,
    /// Refresh tokens of another era are revoked.
    pub era: u64,
    created: f64,
    modified: f64,
}

impl User {
    /// A user who may sign in with [`PASSWORD`].
    pub fn confirmed(sub: String, email: String, groups: Vec<String>) -> Self {
        Self { password: Some(PASSWORD.to_owned()), confirmed: true, groups, ..Self::invited(sub, [("email".to_owned(), email)].into()) }
    }

    /// A user whom an administrator created and who has no password yet.
    pub fn invited(sub: String, attributes: BTreeMap<String, String>) -> Self {
        let now = seconds();
        Self {
            sub,
            attributes,
            groups: Vec::new(),
            password: None,
            confirmed: false,
            enabled: true,
            era: era(),
            created: now,
            modified: now,
        }
    }

    /// `UserStatus`.
    pub fn status(&self) -> &'static str {
        if self.confirmed { "CONFIRMED" } else { "FORCE_CHANGE_PASSWORD" }
    }

    /// Revokes all refresh tokens issued before.
    pub fn revoke(&mut self) {
        self.era = era();
    }

    /// The user as the administrator's operations show it; they differ in the attributes' field
    /// name.
    pub fn shown(&self, name: &str, attributes: &str) -> Value {
        let of = |(name, value): (&str, &str)| json!({"Name": name, "Value": value});
        let all = self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        json!({
            "Username": name,
            attributes: std::iter::once(("sub", self.sub.as_str())).chain(all).map(of).collect::<Vec<_>>(),
            "UserCreateDate": self.created,
            "UserLastModifiedDate": self.modified,
            "Enabled": self.enabled,
            "UserStatus": self.status(),
        })
    }
}

/// The users of a pool by name.
pub struct Users(RwLock<BTreeMap<String, User>>);

impl Users {
    /// A pool with these users.
    pub fn new(users: BTreeMap<String, User>) -> Self {
        Self(RwLock::new(users))
    }

    /// A user's present state.
    pub fn find(&self, name: &str) -> Option<User> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Adds a user; false if the name is taken.
    pub fn add(&self, name: &str, user: User) -> bool {
        let mut users = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let fresh = !users.contains_key(name);
        if fresh {
            users.insert(name.to_owned(), user);
        }
        fresh
    }

    /// Changes a user; false if it does not exist.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut User)) -> bool {
        let mut users = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Some(user) = users.get_mut(name) else { return false };
        change(user);
        user.modified = seconds();
        true
    }

    /// Changes every user.
    pub fn change_all(&self, change: impl Fn(&mut User)) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).values_mut().for_each(change);
    }

    /// Removes a user; false if it does not exist.
    pub fn remove(&self, name: &str) -> bool {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(name).is_some()
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// At most `most` users by name, those after `after`.
    pub fn after(&self, after: &str, most: usize) -> Vec<(String, User)> {
        let users = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let from = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        users.range::<str, _>(from).take(most).map(|(name, user)| (name.clone(), user.clone())).collect()
    }
}

/// Never the same twice, not even for a user who was deleted and created again.
fn era() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

fn seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
