//! The classic shadow of each thing that connects. Devices and functions write to it during the load, and what they write leaves the mark in
//! place; so `unseed` knows which shadows are the seed's, whatever the load made of them.

use serde_json::{Value, json};

use super::error::SeedError;
use super::item::{ATTRIBUTE, Item, Undone};
use super::services::{Services, if_there};
use super::things::encoded;
use crate::call::CallError;
use crate::signed::{Call, text};

/// Who a shadow belongs to.
enum Owner {
    /// There is no shadow.
    Missing,
    Seed,
    Other,
}

impl Services {
    async fn shadow(&self, name: &'static str, thing: &str, method: &'static str, body: Value) -> Result<Value, CallError> {
        let path = format!("/things/{}/shadow", encoded(thing));
        self.shadows.call(&Call { name, of: thing, method, path: &path, headers: Vec::new(), body }).await
    }

    async fn owner_of_shadow(&self, thing: &str, id: &str) -> Result<Owner, CallError> {
        let Some(shadow) = if_there(self.shadow("GetThingShadow", thing, "GET", Value::Null).await)? else { return Ok(Owner::Missing) };
        let mark = shadow.pointer("/state/reported").and_then(|reported| text(reported, ATTRIBUTE));
        Ok(if mark == Some(id) { Owner::Seed } else { Owner::Other })
    }

    /// Creates a shadow that says nothing but the mark.
    pub(super) async fn create_shadow(&self, item: &Item, thing: &str, id: &str) -> Result<(), SeedError> {
        let created = self.patience.insist(|| async {
            let owner = self.owner_of_shadow(thing, id).await?;
            if matches!(owner, Owner::Missing) {
                let body = json!({"state": {"reported": {ATTRIBUTE: id}}});
                self.shadow("UpdateThingShadow", thing, "POST", body).await?;
            }
            Ok(owner)
        });
        match created.await.map_err(|cause| SeedError::call(item, cause))? {
            Owner::Other => Err(SeedError::Taken(item.to_string())),
            Owner::Missing | Owner::Seed => Ok(()),
        }
    }

    /// Deletes a shadow with the mark, whatever else it says. One without it is not the seed's.
    pub(super) async fn delete_shadow(&self, thing: &str, id: &str, created: bool) -> Result<Undone, CallError> {
        let deleted = self.patience.insist(|| async {
            Ok(match self.owner_of_shadow(thing, id).await? {
                Owner::Seed if if_there(self.shadow("DeleteThingShadow", thing, "DELETE", Value::Null).await)?.is_some() => Undone::Deleted,
                Owner::Other if created => Undone::Changed(format!("somebody removed `{ATTRIBUTE}` from what it reports")),
                Owner::Seed | Owner::Other | Owner::Missing => Undone::Gone,
            })
        });
        deleted.await
    }
}
