//! The certificates that devices may connect with, each attached to a thing and a policy, as in the registry of AWS IoT.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};

/// What a certificate allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// To connect with the thing's name as client id, and to use the topics of its own shadow: what AWS's guide recommends, with
    /// `${iot:Connection.Thing.ThingName}` in every resource.
    OwnShadow,
    /// Everything: `iot:*` on `*`.
    Everything,
}

#[derive(Debug)]
struct Registered {
    caller: Caller,
    active: bool,
}

/// A device whose certificate is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    thing: String,
    policy: Policy,
}

/// All certificates, by their ids.
#[derive(Debug, Default)]
pub struct Registry(Mutex<HashMap<String, Registered>>);

impl Registry {
    /// Registers an active certificate (DER) for `thing`; returns its id.
    pub fn register(&self, certificate: &[u8], thing: &str, policy: Policy) -> String {
        let id = id(certificate);
        let caller = Caller { thing: thing.to_owned(), policy };
        self.all().insert(id.clone(), Registered { caller, active: true });
        id
    }

    /// Nobody can connect with this certificate any more. False if it is not registered.
    pub fn deactivate(&self, id: &str) -> bool {
        self.all().get_mut(id).map(|registered| registered.active = false).is_some()
    }

    /// Whose certificate (DER) this is, if it is registered and active.
    pub fn caller(&self, certificate: &[u8]) -> Option<Caller> {
        let all = self.all();
        all.get(&id(certificate)).filter(|registered| registered.active).map(|registered| registered.caller.clone())
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Registered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let registry = Registry::default();
        registry.register(b"narrow", "T", Policy::OwnShadow);
        registry.register(b"wide", "T", Policy::Everything);
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
        let registry = Registry::default();
        let id = registry.register(b"", "T", Policy::OwnShadow);
        assert_eq!(id, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert!(registry.caller(b"").is_some() && registry.caller(b"x").is_none());
        assert!(registry.deactivate(&id) && !registry.deactivate("x"));
        assert_eq!(registry.caller(b""), None);
    }
}
