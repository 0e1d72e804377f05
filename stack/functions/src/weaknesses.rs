//! The mistakes of the functions' first published forms, each with its name, so that a harness can be shown to find it.
//! A name that is not in a function's own list is refused, never ignored.

use std::collections::BTreeSet;

/// A closed list of names.
pub trait Weakness: Copy + Ord + 'static {
    /// All there are, with the name that `WEAKNESSES` uses.
    const ALL: &'static [(&'static str, Self)];
}

/// A weakness of `thermostat-api`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ThermostatWeakness {
    /// Answers 200 before the shadow is written.
    ShadowWriteNotAwaited,
    /// A failed shadow write is answered with 200.
    ShadowErrorSwallowed,
    /// Reads the token and never checks its signature.
    TokenNotVerified,
    /// A failing decision point is answered with 403.
    OutageReadsAsDenial,
    /// `mode` never reaches the shadow.
    ModeDropped,
}

impl Weakness for ThermostatWeakness {
    const ALL: &'static [(&'static str, Self)] = &[
        ("shadow-write-not-awaited", Self::ShadowWriteNotAwaited),
        ("shadow-error-swallowed", Self::ShadowErrorSwallowed),
        ("token-not-verified", Self::TokenNotVerified),
        ("outage-reads-as-denial", Self::OutageReadsAsDenial),
        ("mode-dropped", Self::ModeDropped),
    ];
}

/// A weakness of `authorizer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuthorizerWeakness {
    /// The answer, which is kept per token, allows one path only.
    PolicyNamesOnePath,
    /// Any failure becomes a Deny, which is then kept.
    ErrorCachedAsDeny,
    /// The users of both pools share one entity type.
    OneNamespaceForBothPools,
    /// `iss`, `aud` and `token_use` are not looked at.
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

/// A weakness of `email-processor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EmailWeakness {
    /// Fails after the mail was sent.
    SuccessRaises,
    /// A mail that SES does not take counts as sent.
    SendFailureAcknowledged,
    /// Fails after the notice was published.
    FallbackRaises,
    /// Two attachments with one name are one object.
    AttachmentKeyCollides,
    /// Remembers nothing: every delivery of an event is worked through anew.
    NotIdempotent,
}

impl Weakness for EmailWeakness {
    const ALL: &'static [(&'static str, Self)] = &[
        ("success-raises", Self::SuccessRaises),
        ("send-failure-acknowledged", Self::SendFailureAcknowledged),
        ("fallback-raises", Self::FallbackRaises),
        ("attachment-key-collides", Self::AttachmentKeyCollides),
        ("not-idempotent", Self::NotIdempotent),
    ];
}

/// A weakness of `record-sign-in`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignInWeakness {
    /// Overwrites whatever is there, also what is newer.
    LateWriteWins,
}

impl Weakness for SignInWeakness {
    const ALL: &'static [(&'static str, Self)] = &[("late-write-wins", Self::LateWriteWins)];
}

/// A weakness of `prune-users`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PruneWeakness {
    /// Looks neither before nor after whether the user has signed in again.
    NoCheckBeforeDisable,
    /// Disables as fast as it can.
    NoRateLimit,
    /// One user who cannot be disabled fails the whole batch, also one who is no more.
    WholeBatchFails,
}

impl Weakness for PruneWeakness {
    const ALL: &'static [(&'static str, Self)] = &[
        ("no-check-before-disable", Self::NoCheckBeforeDisable),
        ("no-rate-limit", Self::NoRateLimit),
        ("whole-batch-fails", Self::WholeBatchFails),
    ];
}

/// A weakness of the four functions of the audit, which share one list: some are two functions' doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditWeakness {
    /// A task whose neighbour failed returns that instead of raising it.
    FailureAsSuccess,
    /// Skips what is not in the alphabet when it decodes.
    LenientBase64,
    /// No row; each request is an execution and an object of its own.
    RepeatsStoredAgain,
    /// Takes the record out of the cache without looking at the flags.
    ClosesAtOnce,
}

impl Weakness for AuditWeakness {
    const ALL: &'static [(&'static str, Self)] = &[
        ("failure-as-success", Self::FailureAsSuccess),
        ("lenient-base64", Self::LenientBase64),
        ("repeats-stored-again", Self::RepeatsStoredAgain),
        ("closes-at-once", Self::ClosesAtOnce),
    ];
}

/// The names that `WEAKNESSES` may not hold.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownWeakness {
    /// What was found and what there is.
    pub message: String,
}

/// The weaknesses that are switched on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weaknesses<W>(BTreeSet<W>);

impl<W: Weakness> Weaknesses<W> {
    /// The hardened form.
    pub fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// Whether `weakness` is switched on.
    pub fn has(&self, weakness: W) -> bool {
        self.0.contains(&weakness)
    }

    /// Reads names with commas between them; empty is none.
    ///
    /// # Errors
    /// When a name is not one of `W`'s.
    pub fn parse(text: &str) -> Result<Self, UnknownWeakness> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(find).collect::<Result<_, _>>().map(Self)
    }
}

fn find<W: Weakness>(name: &str) -> Result<W, UnknownWeakness> {
    W::ALL.iter().find(|(known, _)| *known == name).map(|(_, weakness)| *weakness).ok_or_else(|| {
        let known: Vec<&str> = W::ALL.iter().map(|(known, _)| *known).collect();
        UnknownWeakness { message: format!("`{name}` is not a weakness of this function; there are: {}", known.join(", ")) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_is_hardened_and_several_names_are_taken() {
        assert_eq!(Weaknesses::<ThermostatWeakness>::parse(""), Ok(Weaknesses::none()));
        let both = Weaknesses::parse(" mode-dropped, token-not-verified ,").expect("both are known");
        assert!(both.has(ThermostatWeakness::ModeDropped) && both.has(ThermostatWeakness::TokenNotVerified));
        assert!(!both.has(ThermostatWeakness::OutageReadsAsDenial));
    }

    #[test]
    fn a_name_of_another_function_is_refused() {
        for name in ["device-dies-on-reject", "keys-fetched-once", "Mode-Dropped"] {
            assert!(Weaknesses::<ThermostatWeakness>::parse(name).is_err(), "{name}");
        }
    }
}
