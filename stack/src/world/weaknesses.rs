//! The weaknesses of the systems' published forms, each with whom it is switched on in.

/// Who has a weakness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearer {
    /// The thermostats' function.
    ThermostatApi,
    /// The thermostats' devices, which are the harness's own and no function.
    Device,
    /// The clinic's authorizer.
    Authorizer,
}

/// Every weakness by name.
pub const ALL: [(&str, Bearer); 11] = [
    ("shadow-write-not-awaited", Bearer::ThermostatApi),
    ("shadow-error-swallowed", Bearer::ThermostatApi),
    ("token-not-verified", Bearer::ThermostatApi),
    ("outage-reads-as-denial", Bearer::ThermostatApi),
    ("mode-dropped", Bearer::ThermostatApi),
    ("device-dies-on-reject", Bearer::Device),
    ("policy-names-one-path", Bearer::Authorizer),
    ("error-cached-as-deny", Bearer::Authorizer),
    ("one-namespace-for-both-pools", Bearer::Authorizer),
    ("claims-not-checked", Bearer::Authorizer),
    ("keys-fetched-once", Bearer::Authorizer),
];

/// Who has the weakness of this name; `None` where there is none.
pub fn bearer(name: &str) -> Option<Bearer> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, bearer)| *bearer)
}
