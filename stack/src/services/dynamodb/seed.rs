//! The tables and rows that the systems start with, made of the world.

use serde_json::{Value, json};

use crate::blueprint::Table;
use crate::world::{clinic, thermostat};

/// The calls that fill the tables of the systems that are up, and make those of a blueprint that are none of these.
pub fn calls(homes: Option<u32>, with_clinic: bool, declared: &[Table]) -> Vec<(&'static str, Value)> {
    let mut calls = Vec::new();
    if let Some(homes) = homes {
        calls.push(("CreateTable", table(thermostat::TABLE, "deviceId")));
        for home in thermostat::homes(homes) {
            for device in home.devices() {
                let item = json!({
                    "deviceId": {"S": device.id},
                    "primaryOwner": {"S": device.primary_owner},
                    "additionalUsers": {"SS": device.additional_users},
                });
                calls.push(("PutItem", json!({"TableName": thermostat::TABLE, "Item": item})));
            }
        }
    }
    if with_clinic {
        calls.push(("CreateTable", table(clinic::TABLE, "id")));
        for (n, appointment) in clinic::APPOINTMENTS.iter().enumerate() {
            let item = json!({
                "id": {"S": appointment.id},
                "owner": {"S": appointment.owner},
                "veterinarian": {"S": appointment.veterinarian},
                "name": {"S": appointment.owner},
                "pet": {"S": format!("Pet {}", n + 1)},
                "phone": {"S": format!("555-010{n}")},
                "visitHistory": {"L": [{"S": "2024-03-01 check-up"}, {"S": "2024-09-12 vaccination"}]},
            });
            calls.push(("PutItem", json!({"TableName": clinic::TABLE, "Item": item})));
        }
    }
    for declared in declared {
        if !calls.iter().any(|(operation, body)| *operation == "CreateTable" && body.get("TableName") == Some(&json!(declared.name))) {
            calls.push(("CreateTable", table(&declared.name, &declared.key)));
        }
        if let Some(attribute) = &declared.expires_by {
            let specification = json!({"AttributeName": attribute, "Enabled": true});
            calls.push(("UpdateTimeToLive", json!({"TableName": declared.name, "TimeToLiveSpecification": specification})));
        }
    }
    calls
}

fn table(name: &str, key: &str) -> Value {
    json!({
        "TableName": name,
        "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    })
}
