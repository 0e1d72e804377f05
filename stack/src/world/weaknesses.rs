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
    /// The function that processes mail.
    EmailProcessor,
    /// The queue of new mail, by its redrive policy and its retention.
    MailQueue,
    /// The function that records sign-ins.
    RecordSignIn,
    /// The function that disables users.
    PruneUsers,
    /// The four functions of the audit, which share one list.
    Audit,
    /// The audit's state machine, by what it retries and catches.
    RecordMachine,
}

/// Every weakness by name.
pub const ALL: [(&str, Bearer); 28] = [
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
    ("success-raises", Bearer::EmailProcessor),
    ("send-failure-acknowledged", Bearer::EmailProcessor),
    ("fallback-raises", Bearer::EmailProcessor),
    ("no-retry", Bearer::MailQueue),
    ("short-retention", Bearer::MailQueue),
    ("attachment-key-collides", Bearer::EmailProcessor),
    ("not-idempotent", Bearer::EmailProcessor),
    ("no-check-before-disable", Bearer::PruneUsers),
    ("no-rate-limit", Bearer::PruneUsers),
    ("whole-batch-fails", Bearer::PruneUsers),
    ("late-write-wins", Bearer::RecordSignIn),
    ("failure-as-success", Bearer::Audit),
    ("lenient-base64", Bearer::Audit),
    ("repeats-stored-again", Bearer::Audit),
    ("closes-at-once", Bearer::Audit),
    ("lost-on-timeout", Bearer::RecordMachine),
    ("throttling-not-retried", Bearer::RecordMachine),
];

/// Who has the weakness of this name; `None` where there is none.
pub fn bearer(name: &str) -> Option<Bearer> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, bearer)| *bearer)
}
