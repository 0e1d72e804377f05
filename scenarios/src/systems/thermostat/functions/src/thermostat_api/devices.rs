//! The table of devices and their users. A row that cannot be read is a failure of the table, never
//! a device without an owner.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use functions::failure::DependencyFailure;
use std::collections::HashMap;

const SERVICE: &str = "dynamodb";

type Row = HashMap<String, AttributeValue>;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) id: String,
    pub(super) primary_owner: String,
    additional_users: Vec<String>,
}

pub(super) struct Devices {
    client: Client,
    table: String,
}

impl Devices {
    pub(super) fn new(config: &SdkConfig, table: String) -> Self {
        Self { client: Client::new(config), table }
    }

    /// The device with that name, if it exists.
    pub(super) async fn find(&self, id: &str) -> Result<Option<Device>, DependencyFailure> {
        let key = AttributeValue::S(id.to_owned());
        let found = self.client.get_item().table_name(&self.table).key("deviceId", key).send().await;
        let found = found.map_err(|error| DependencyFailure::of(SERVICE, &error))?;
        found.item().map(Device::read).transpose()
    }

    /// The devices that `user` owns or is added to, by name.
    pub(super) async fn of(&self, user: &str) -> Result<Vec<Device>, DependencyFailure> {
        let mut pages = self.client.scan().table_name(&self.table).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| DependencyFailure::of(SERVICE, &error))?;
            for row in page.items() {
                found.extend(Some(Device::read(row)?).filter(|device| device.is_for(user)));
            }
        }
        found.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }
}

impl Device {
    fn read(row: &Row) -> Result<Self, DependencyFailure> {
        let text = |name: &str| row.get(name).and_then(|value| value.as_s().ok()).cloned();
        let strange = |name: &str| DependencyFailure::new(SERVICE, format!("a row without `{name}`"));
        Ok(Self {
            id: text("deviceId").ok_or_else(|| strange("deviceId"))?,
            primary_owner: text("primaryOwner").ok_or_else(|| strange("primaryOwner"))?,
            // A set is never empty in DynamoDB: an empty set is a missing attribute.
            additional_users: row.get("additionalUsers").and_then(|users| users.as_ss().ok()).cloned().unwrap_or_default(),
        })
    }

    fn is_for(&self, user: &str) -> bool {
        self.primary_owner == user || self.additional_users.iter().any(|added| added == user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_for_its_owner_and_the_users_added_to_it() {
        let row = Row::from([
            ("deviceId".to_owned(), AttributeValue::S("Thermostat1".to_owned())),
            ("primaryOwner".to_owned(), AttributeValue::S("john_doe".to_owned())),
            ("additionalUsers".to_owned(), AttributeValue::Ss(vec!["jane_doe".to_owned()])),
        ]);
        let device = Device::read(&row).expect("a whole row");
        assert!(device.is_for("john_doe") && device.is_for("jane_doe"));
        assert!(!device.is_for("john") && !device.is_for(""));
    }

    #[test]
    fn a_row_without_an_owner_is_a_failure() {
        let row = Row::from([("deviceId".to_owned(), AttributeValue::S("Thermostat1".to_owned()))]);
        assert!(Device::read(&row).is_err());
    }
}
