//! Known bugs of the functions' first published versions, each with a name, so that a test can show
//! that the harness finds it.

use functions::weaknesses::Weakness;

/// A weakness of `authorizer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuthorizerWeakness {
    /// The answer, which is cached per token, allows one path only.
    PolicyNamesOnePath,
    /// Any failure becomes a Deny, which is then cached.
    ErrorCachedAsDeny,
    /// The users of both pools share one entity type.
    OneNamespaceForBothPools,
    /// `iss`, `aud` and `token_use` are not checked.
    ClaimsNotChecked,
    /// The signing keys are read at start and never again.
    KeysFetchedOnce,
}

impl Weakness for AuthorizerWeakness {
    const ALL: &'static [(&'static str, Self)] = &[
        ("policy-names-one-path", Self::PolicyNamesOnePath),
        ("error-cached-as-deny", Self::ErrorCachedAsDeny),
        ("one-namespace-for-both-pools", Self::OneNamespaceForBothPools),
        ("claims-not-checked", Self::ClaimsNotChecked),
        ("keys-fetched-once", Self::KeysFetchedOnce),
    ];
}
