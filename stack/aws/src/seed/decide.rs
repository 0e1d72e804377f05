//! What a seed creates in a stack: names become those of the account. It only reads.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{Resolved, Seed};
use run_folder::deployment::PolicyStore;
use serde_json::{Value, json};

use super::error::SeedError;
use super::item::{ATTRIBUTE, Item};
use super::services::Services;
use super::things::{is_thing, policy_name};

/// Everything that a seed creates, in this order. Policies are compared with what their store contains first.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub(super) groups: Vec<Item>,
    pub(super) users: Vec<Item>,
    pub(super) rows: Vec<Item>,
    /// By the policy store's id.
    pub(super) policies: BTreeMap<String, PolicyStore>,
    pub(super) iot_policy: Option<Item>,
    /// The things that the stack does not have.
    pub(super) things: Vec<Item>,
    /// The shadows of all things.
    pub(super) shadows: Vec<Item>,
    /// The things that get a certificate.
    pub(super) certificates: Vec<String>,
}

/// The names of the account for names of the template.
struct Names<'a> {
    stack: &'a Resolved,
    lacking: Vec<String>,
}

impl<'a> Names<'a> {
    fn found(&mut self, kind: &str, name: &str, found: Option<&'a str>) -> Option<&'a str> {
        if found.is_none() {
            let stack = &self.stack.stack;
            self.lacking
                .push(format!("stack `{stack}` has no {kind} `{name}`; deploy the template of every system that the experiment loads"));
        }
        found
    }

    fn table(&mut self, name: &str) -> Option<&'a str> {
        self.found("table", name, self.stack.resource(name))
    }

    fn pool(&mut self, name: &str) -> Option<&'a str> {
        self.found("user pool", name, self.stack.pool(name))
    }

    fn store(&mut self, name: &str) -> Option<&'a str> {
        self.found("policy store", name, self.stack.resource(name))
    }
}

impl Wanted {
    /// What `task` creates with the mark `id`.
    ///
    /// # Errors
    /// If the stack lacks something, or cannot be read.
    pub async fn of(services: &Services, task: &Seed, id: &str) -> Result<Self, SeedError> {
        let mut names = Names { stack: &task.stack, lacking: Vec::new() };
        let mut wanted = Self::default();
        wanted.take_things(&mut names, task, id);
        for (name, store) in &task.data.policies {
            wanted.policies.extend(names.store(name).map(|store_id| (store_id.to_owned(), store.clone())));
        }
        let pools: Vec<_> = task.data.users.iter().filter_map(|(name, users)| Some((names.pool(name)?, users))).collect();
        let tables: Vec<_> = task.data.rows.iter().filter_map(|(name, rows)| Some((names.table(name)?, rows))).collect();
        if !names.lacking.is_empty() {
            return Err(SeedError::Lacking(names.lacking));
        }
        for (pool, users) in pools {
            let groups: BTreeSet<&String> = users.iter().flat_map(|user| &user.groups).collect();
            for name in groups {
                if !services.has_group(pool, name).await.map_err(SeedError::Read)? {
                    wanted.groups.push(Item::Group { pool: pool.to_owned(), name: name.clone() });
                }
            }
            let item = |user: &run_folder::deployment::User| Item::User {
                pool: pool.to_owned(),
                name: user.name.clone(),
                groups: user.groups.clone(),
            };
            wanted.users.extend(users.iter().map(item));
        }
        for (table, rows) in tables.into_iter().filter(|(_, rows)| !rows.is_empty()) {
            let key = services.key_of(table).await.map_err(SeedError::Read)?;
            wanted.rows.extend(rows.iter().map(|row| marked(table, &key, row, id)));
        }
        Ok(wanted)
    }

    fn take_things(&mut self, names: &mut Names<'_>, task: &Seed, id: &str) {
        let is_there = |name: &String| task.stack.resources.values().any(|physical| physical == name);
        for name in &task.things {
            if !is_thing(name) {
                names.lacking.push(format!("`{name}` is not a thing's name; it is 1 to 128 of A-Z a-z 0-9 : _ -"));
            } else if !is_there(name) {
                self.things.push(Item::Thing { name: name.clone() });
            }
        }
        self.shadows = task.things.iter().map(|thing| Item::Shadow { thing: thing.clone() }).collect();
        self.certificates.clone_from(&task.things);
        self.iot_policy = (!task.things.is_empty()).then(|| Item::IotPolicy { name: policy_name(id) });
    }
}

/// A row with the seed's mark.
fn marked(table: &str, key: &[String], row: &Value, id: &str) -> Item {
    let key = key.iter().map(|name| (name.clone(), row[name].clone())).collect();
    let mut row = row.clone();
    if let Value::Object(attributes) = &mut row {
        attributes.insert(ATTRIBUTE.to_owned(), json!({"S": id}));
    }
    Item::Row { table: table.to_owned(), key, row }
}
