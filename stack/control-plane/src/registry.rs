//! AWS IoT's registry: things, certificates and policies.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The registry.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Iot {
    /// The things by name.
    pub things: BTreeMap<String, Thing>,
    /// The certificates by id.
    pub certificates: BTreeMap<String, Certificate>,
    /// What the classic shadows report, by the thing's name.
    pub shadows: BTreeMap<String, Value>,
    /// The policies by name, each with its document.
    pub policies: BTreeMap<String, String>,
}

/// A thing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thing {
    /// `thingId`.
    pub id: String,
    /// The attributes.
    pub attributes: BTreeMap<String, String>,
    /// The ids of the certificates that are attached to it.
    pub certificates: BTreeSet<String>,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// It, in PEM. It is not signed, but has the key of its request.
    pub pem: String,
    /// Whether devices may connect with it.
    pub active: bool,
    /// The policies that are attached to it.
    pub policies: BTreeSet<String>,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
}
