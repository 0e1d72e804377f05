//! Reads the table of appointments, as far as a decision needs it. A row without an owner keeps no
//! owner, and the policies then deny access.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use functions::failure::DependencyFailure;
use std::collections::HashMap;

const SERVICE: &str = "dynamodb";

/// One appointment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Appointment {
    pub(super) id: String,
    /// A user of the external pool.
    pub(super) owner: Option<String>,
    /// A user of the internal pool.
    pub(super) veterinarian: Option<String>,
}

pub(super) struct AppointmentsTable {
    client: Client,
    table: String,
}

impl AppointmentsTable {
    pub(super) fn new(config: &SdkConfig, table: String) -> Self {
        Self { client: Client::new(config), table }
    }

    /// All appointments, from all pages.
    pub(super) async fn all(&self) -> Result<Vec<Appointment>, DependencyFailure> {
        let mut pages = self.client.scan().table_name(&self.table).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| DependencyFailure::of(SERVICE, &error))?;
            found.extend(page.items().iter().filter_map(Appointment::read));
        }
        Ok(found)
    }

    /// The appointment with that id, if it exists.
    pub(super) async fn find(&self, id: &str) -> Result<Option<Appointment>, DependencyFailure> {
        let found = self.client.get_item().table_name(&self.table).key("id", AttributeValue::S(id.to_owned())).send().await;
        Ok(found.map_err(|error| DependencyFailure::of(SERVICE, &error))?.item().and_then(Appointment::read))
    }
}

impl Appointment {
    fn read(row: &HashMap<String, AttributeValue>) -> Option<Self> {
        let text = |name: &str| row.get(name).and_then(|value| value.as_s().ok()).cloned();
        Some(Self { id: text("id")?, owner: text("owner"), veterinarian: text("veterinarian") })
    }
}
