//! The addresses and keys of a running stack. A process that can read this file can call the stack.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The password of every user on this machine.
pub const PASSWORD: &str = "Brownout-1!";

/// The addresses of a stack that is up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// The process that serves them.
    pub pid: u32,
    /// The HTTP gateway on this machine, `host:port`; empty if the stack is elsewhere.
    pub gateway: String,
    /// The HTTP APIs by their names in the template.
    #[serde(default)]
    pub apis: BTreeMap<String, Api>,
    /// All cloud services at one address on this machine, `host:port`: the value of `AWS_ENDPOINT_URL`; empty if the stack is elsewhere.
    pub services: String,
    /// Where users sign in: `host:port` in the clear, or `https://host`.
    #[serde(default)]
    pub sign_in: String,
    /// The Lambda Invoke API on this machine, `host:port`; empty if the stack is elsewhere.
    pub lambda: String,
    /// The MQTT broker with the shadows: `host:port` in the clear, or `mqtts://host:port`.
    pub mqtt: String,
    /// The folder of the certificates with which devices connect, if they connect over TLS.
    #[serde(default)]
    pub certificates: Option<PathBuf>,
    /// The SMTP address for incoming mail, `host:port`; empty if no running system takes mail.
    #[serde(default)]
    pub smtp: String,
    /// The cache, `redis://host:port`; empty if no running system has one.
    #[serde(default)]
    pub redis: String,
    /// Whether the cache is an external server: then its operations are neither observed nor
    /// faulted.
    #[serde(default)]
    pub redis_is_foreign: bool,
    /// The user pools.
    pub pools: Vec<Pool>,
    /// The password of every user who is there for the load.
    #[serde(default)]
    pub password: String,
    /// The deployed functions.
    pub functions: Vec<String>,
}

/// An HTTP API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Api {
    /// Where to connect: `host:port` in the clear, or `https://host`.
    pub address: String,
    /// The value of the header `Host`.
    pub host: String,
    /// What every path begins with, such as `/prod`; empty at a domain of the API's own.
    pub stage: String,
    /// The key (`x-api-key`) of an API that requires one; empty otherwise.
    #[serde(default)]
    pub key: String,
}

/// A user pool and its app clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// `UserPoolName`.
    pub name: String,
    /// Such as `us-east-1_thermostat`.
    pub id: String,
    /// The client that the functions accept.
    pub client_id: String,
    /// Another client of the same pool, whose tokens the functions must not accept; empty if there is none.
    pub other_client_id: String,
    /// The value of `iss`; the keys are at `<issuer>/.well-known/jwks.json`.
    pub issuer: String,
}

/// The id of the user pool called `name`.
pub fn pool_id(name: &str) -> String {
    format!("us-east-1_{name}")
}

/// The client of a pool that a template declares.
pub const APP: &str = "app";
/// Another client of each pool, whose tokens the functions must not accept.
pub const OTHER: &str = "other";

/// A client of the user pool called `name`; 26 lower-case letters and digits, as Cognito makes them.
pub fn client_id(name: &str, client: &str) -> String {
    format!("{:0<26}", format!("{}{client}", name.replace('-', "")))
}

/// The `sub` of a user: a UUID derived from pool and name only. Every process can compute it, and
/// it differs between pools.
pub fn subject(pool: &str, user: &str) -> String {
    let text = pool.bytes().chain([b'/']).chain(user.bytes());
    let n = text.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("00000000-0000-4000-8000-{:012x}", n & 0xffff_ffff_ffff)
}

impl Addresses {
    /// The addresses for functions deployed elsewhere: no part of them runs on this machine.
    pub fn elsewhere<'a>(functions: impl Iterator<Item = &'a str>) -> Self {
        Self { pid: std::process::id(), functions: functions.map(str::to_owned).collect(), ..Self::default() }
    }

    /// The API called `name` in the template.
    pub fn api(&self, name: &str) -> Option<&Api> {
        self.apis.get(name)
    }

    /// Whether the stack is on this machine, where services tell and do more than AWS's.
    pub const fn is_local(&self) -> bool {
        !self.services.is_empty()
    }

    /// The pool called `name`.
    pub fn pool(&self, name: &str) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_user_has_a_sub_of_their_own() {
        let subs: std::collections::BTreeSet<_> =
            (0..20_000).flat_map(|n| ["members", "staff"].map(|pool| subject(pool, &format!("member-{n:05}")))).collect();
        assert_eq!(subs.len(), 40_000);
        assert_eq!(subject("members", "jane").len(), 36);
    }
}
