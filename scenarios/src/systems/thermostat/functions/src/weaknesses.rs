//! Known bugs of the functions' first published versions, each with a name, so that a test can show
//! that the harness finds it.

use functions::weaknesses::Weakness;

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
