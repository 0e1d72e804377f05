//! One thing that a seed creates.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing, with all that is needed to recognise and delete it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Item {
    /// A group of users.
    Group {
        /// The pool's id.
        pool: String,
        /// The name.
        name: String,
    },
    /// A user who can sign in. Its id is its `sub`.
    User {
        /// The pool's id.
        pool: String,
        /// The name.
        name: String,
        /// The groups.
        groups: Vec<String>,
    },
    /// A row.
    Row {
        /// The table's name in the account.
        table: String,
        /// The attributes of its key.
        key: Value,
        /// The whole row, the mark included.
        row: Value,
    },
    /// A policy template. Its id is the service's.
    PolicyTemplate {
        /// The policy store's id.
        store: String,
        /// Its name in the seed.
        name: String,
        /// The text.
        statement: String,
    },
    /// A static policy. Its id is the service's.
    Policy {
        /// The policy store's id.
        store: String,
        /// Its name in the seed.
        name: String,
        /// The text.
        statement: String,
    },
    /// A policy made from a template. Its id is the service's.
    Link {
        /// The policy store's id.
        store: String,
        /// Its name in the seed.
        name: String,
        /// The template's id.
        template: String,
        /// What fills `?principal`: entity type and id.
        principal: (String, String),
        /// What fills `?resource`: entity type and id.
        resource: (String, String),
    },
    /// The policy of AWS IoT that all certificates of the seed have.
    IotPolicy {
        /// The name.
        name: String,
    },
    /// A thing. Its id is its `thingId`.
    Thing {
        /// The name.
        name: String,
    },
    /// The classic shadow of a thing.
    Shadow {
        /// The thing.
        thing: String,
    },
    /// The certificate of a thing. Its id is the service's.
    Certificate {
        /// The thing.
        thing: String,
        /// The policy of AWS IoT.
        policy: String,
        /// The point of the public key in hexadecimal digits: no other certificate has it.
        public_key: String,
        /// The request for it, in PEM.
        request: String,
    },
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group { pool, name } => write!(f, "group `{name}` of user pool `{pool}`"),
            Self::User { pool, name, .. } => write!(f, "user `{name}` of user pool `{pool}`"),
            Self::Row { table, key, .. } => write!(f, "row {key} of table `{table}`"),
            Self::PolicyTemplate { store, name, .. } => write!(f, "policy template `{name}` of policy store `{store}`"),
            Self::Policy { store, name, .. } | Self::Link { store, name, .. } => write!(f, "policy `{name}` of policy store `{store}`"),
            Self::IotPolicy { name } => write!(f, "AWS IoT policy `{name}`"),
            Self::Thing { name } => write!(f, "thing `{name}`"),
            Self::Shadow { thing } => write!(f, "shadow of thing `{thing}`"),
            Self::Certificate { thing, .. } => write!(f, "certificate of thing `{thing}`"),
        }
    }
}

/// What becomes of a thing that is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// It is deleted.
    Deleted,
    /// It was not there any more, or never was.
    Gone,
    /// Somebody changed it; it is not deleted.
    Changed(String),
}

/// The mark of a seed, where a service can carry a text.
pub(crate) fn mark(id: &str) -> String {
    format!("brownout seed {id}")
}

/// The attribute of rows, of things and of what shadows report that holds the seed's id. The functions of all systems read
/// attributes by their names, and ignore others.
pub(crate) const ATTRIBUTE: &str = "brownout";

/// The standard attribute of users that holds the mark; every pool has it.
pub(crate) const PROFILE: &str = "profile";
