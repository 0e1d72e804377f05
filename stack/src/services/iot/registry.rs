//! The certificates that devices may connect with, each attached to a thing and a policy, as in the registry of AWS IoT.

use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// What a certificate allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// To connect with the thing's name as client id, and to use the topics of its own shadow: what AWS's guide recommends, with
    /// `${iot:Connection.Thing.ThingName}` in every resource.
    OwnShadow,
    /// Everything: `iot:*` on `*`.
    Everything,
}

/// A device whose certificate is registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    thing: String,
    policy: Policy,
}

/// All active certificates, a file each by its id, so that another process, such as an account's control plane, can register more.
#[derive(Debug, Clone)]
pub struct Registry(PathBuf);

impl Registry {
    /// The registry within this folder.
    pub fn within(folder: &Path) -> Self {
        Self(folder.join("registered"))
    }

    /// Registers an active certificate (DER) for `thing`; returns its id.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn register(&self, certificate: &[u8], thing: &str, policy: Policy) -> io::Result<String> {
        let id = id(certificate);
        let caller = Caller { thing: thing.to_owned(), policy };
        std::fs::create_dir_all(&self.0)?;
        // Renamed into its place, so that a connection never finds half a file.
        let draft = self.0.join(format!("{id}.new"));
        std::fs::write(&draft, serde_json::to_vec(&caller)?)?;
        std::fs::rename(draft, self.0.join(&id))?;
        Ok(id)
    }

    /// Nobody can connect with the certificate of this id any more.
    ///
    /// # Errors
    /// If it is not registered.
    pub fn deactivate(&self, id: &str) -> io::Result<()> {
        std::fs::remove_file(self.0.join(id))
    }

    /// Whose certificate (DER) this is, if it is registered and active.
    pub fn caller(&self, certificate: &[u8]) -> Option<Caller> {
        serde_json::from_slice(&std::fs::read(self.0.join(id(certificate))).ok()?).ok()
    }
}

impl Caller {
    /// Whether it may connect with this client id.
    pub fn may_connect(&self, client_id: &str) -> bool {
        self.policy == Policy::Everything || client_id == self.thing
    }

    /// Whether it may publish to this topic, or subscribe to this filter.
    pub fn may_use(&self, topic: &str) -> bool {
        let own = topic.strip_prefix("$aws/things/").and_then(|rest| rest.strip_prefix(self.thing.as_str()));
        self.policy == Policy::Everything || own.is_some_and(|rest| rest.starts_with("/shadow/"))
    }
}

/// Source: AWS IoT API reference, `certificateId`: the SHA-256 of the certificate in DER.
fn id(certificate: &[u8]) -> String {
    digest(&SHA256, certificate).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_may_what_its_policy_says() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::within(folder.path());
        registry.register(b"narrow", "T", Policy::OwnShadow).unwrap();
        registry.register(b"wide", "T", Policy::Everything).unwrap();
        let narrow = registry.caller(b"narrow").unwrap();
        let wide = registry.caller(b"wide").unwrap();
        for (client_id, may) in [("T", true), ("T2", false), ("", false)] {
            assert_eq!((narrow.may_connect(client_id), wide.may_connect(client_id)), (may, true), "{client_id}");
        }
        for (topic, may) in [
            ("$aws/things/T/shadow/update", true),
            ("$aws/things/T/shadow/#", true),
            ("$aws/things/T2/shadow/update", false),
            ("$aws/things/+/shadow/update/accepted", false),
            ("$aws/things/T", false),
            ("home/T", false),
            ("#", false),
        ] {
            assert_eq!((narrow.may_use(topic), wide.may_use(topic)), (may, true), "{topic}");
        }
    }

    #[test]
    fn only_a_registered_and_active_certificate_belongs_to_a_thing() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::within(folder.path());
        let id = registry.register(b"", "T", Policy::OwnShadow).unwrap();
        assert_eq!(id, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert!(registry.caller(b"").is_some() && registry.caller(b"x").is_none());
        assert!(registry.deactivate(&id).is_ok() && registry.deactivate("x").is_err());
        assert_eq!(registry.caller(b""), None);
    }
}
