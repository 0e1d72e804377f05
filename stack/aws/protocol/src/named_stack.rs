//! A CloudFormation stack by its name: what it consists of, and the data that a load needs in it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use exports::{Arn, Function, SeedScope};
use run_folder::{Addresses, deployment};
use serde::{Deserialize, Serialize};

/// A stack that is looked up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    /// Its name or ARN.
    pub stack: String,
    /// Its Region, if it is not the one that the SDK finds.
    pub region: Option<String>,
    /// The layer version that is attached, by its ARN; if there is none, the newest version of the account's layer `brownout`.
    pub layer: Option<String>,
    /// The functions that faults name: each is a function's name or its logical id.
    pub functions: Vec<String>,
}

/// What a stack consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolved {
    /// Its name.
    pub stack: String,
    /// Its Region.
    pub region: String,
    /// Its account.
    pub account: String,
    /// The layer version that is attached.
    pub layer: Arn,
    /// The functions that were asked for, in that order.
    pub functions: Vec<Function>,
    /// Its APIs with their keys, user pools, the endpoints of Cognito and of AWS IoT. What it has not is empty.
    pub addresses: Addresses,
    /// All resources, those of nested stacks too: the physical id by the logical one.
    pub resources: BTreeMap<String, String>,
}

/// The data that a load needs in a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// The stack.
    pub stack: Resolved,
    /// Rows, users and policies. Tables and user pools have their names of the template, policy stores their logical ids.
    pub data: deployment::Seed,
    /// Things that connect to AWS IoT, each with a certificate of its own.
    pub things: Vec<String>,
    /// The folder that records what was created, with the password of the users and the certificates of the things.
    pub folder: PathBuf,
}

impl Resolved {
    /// The physical id of a logical one; a name that is physical itself stays.
    pub fn resource(&self, name: &str) -> Option<&str> {
        let resources = &self.resources;
        resources.get(name).or_else(|| resources.values().find(|physical| *physical == name)).map(String::as_str)
    }

    /// The id of a user pool, by its name.
    pub fn pool(&self, name: &str) -> Option<&str> {
        self.addresses.pool(name).map(|pool| pool.id.as_str()).or_else(|| self.resource(name))
    }
}

impl Seed {
    /// What the seed touches. What the stack has not is left out: the seed refuses it.
    pub fn scope(&self) -> SeedScope {
        let names = |all: Vec<Option<&str>>| all.into_iter().flatten().map(str::to_owned).collect();
        let Seed { stack, data, .. } = self;
        SeedScope {
            home: Arn { region: stack.region.clone(), account: stack.account.clone(), ..stack.layer.clone() },
            tables: names(data.rows.keys().map(|name| stack.resource(name)).collect()),
            pools: names(data.users.keys().map(|name| stack.pool(name)).collect()),
            stores: names(data.policies.keys().map(|name| stack.resource(name)).collect()),
            things: self.things.clone(),
        }
    }
}

/// What is deleted again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unseed {
    /// The folder that records what was created.
    pub folder: PathBuf,
}
