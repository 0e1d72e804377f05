//! Where a stack that is up can be reached, and with which keys: who may read this may call.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The addresses of a stack that is up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// The process that serves them.
    pub pid: u32,
    /// The HTTP gateway, `host:port`; the thermostats' and the audit's APIs are at `/prod`, the clinic's at `/dev`, the shapes
    /// of the users API at `/users-per-verb`, `/users-one` and `/users-read-write`.
    pub gateway: String,
    /// All cloud services in one, `host:port`: what `AWS_ENDPOINT_URL` names.
    pub services: String,
    /// The Lambda Invoke API, `host:port`.
    pub lambda: String,
    /// The MQTT broker with the shadows, `host:port`.
    pub mqtt: String,
    /// Where mail comes in over SMTP, `host:port`; empty where that system is not up.
    #[serde(default)]
    pub smtp: String,
    /// The cache, `redis://host:port`; empty where no system that is up has one.
    #[serde(default)]
    pub redis: String,
    /// Whether the cache is a server of somebody else: then nothing that it does is seen, and nothing of it is struck.
    #[serde(default)]
    pub redis_is_foreign: bool,
    /// The keys of the APIs that ask for one (`x-api-key`), by the names that the template gives the APIs. They are made anew by each start.
    #[serde(default, rename = "api-keys")]
    pub api_keys: BTreeMap<String, String>,
    /// The user pools.
    pub pools: Vec<Pool>,
    /// The functions that are up.
    pub functions: Vec<String>,
}

/// A user pool and its app clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// `thermostat`, `clinic-internal` or `clinic-external`.
    pub name: String,
    /// Such as `us-east-1_thermostat`.
    pub id: String,
    /// The client that the functions accept.
    pub client_id: String,
    /// Another client of the same pool, whose tokens the functions must not accept.
    pub other_client_id: String,
    /// What stands in `iss`; the keys are at `<issuer>/.well-known/jwks.json`.
    pub issuer: String,
}

impl Addresses {
    /// Those of functions that somebody else deployed: nothing of them is on this machine.
    pub fn elsewhere<'a>(functions: impl Iterator<Item = &'a str>) -> Self {
        Self { pid: std::process::id(), functions: functions.map(str::to_owned).collect(), ..Self::default() }
    }

    /// The pool called `name`.
    pub fn pool(&self, name: &str) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == name)
    }
}
