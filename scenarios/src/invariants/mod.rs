//! What must always hold, one file a rule. Pure: they are told what happened and say what was wrong with it.

use std::time::Duration;

use crate::Event;

/// Why an exchange, or its absence, broke a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Breach {
    /// When.
    pub at: Duration,
    /// The trace root, where a single exchange is to blame.
    pub root: Option<String>,
    /// What was asked.
    pub asked: String,
    /// What came back, or was found.
    pub answered: String,
    /// What should have been, and why.
    pub expected: String,
    /// A command that repeats it; `$GATEWAY` and `$TOKEN` stand for the address and a token.
    pub repeat: String,
}

/// A rule that must always hold.
pub trait Invariant: Send {
    /// Such as `A-1`.
    fn id(&self) -> &'static str;
    /// The rule in a sentence.
    fn rule(&self) -> &'static str;
    /// Looks at one event; the second value is how many checks that was.
    fn see(&mut self, event: &Event) -> (Vec<Breach>, u64);
    /// Looks back once everything has settled.
    fn settled(&mut self, quiet: &Quiet) -> (Vec<Breach>, u64);
}

/// The state of the world once everything has settled, and when the faults were calmed.
#[derive(Debug, Clone, Default)]
pub struct Quiet {
    /// When it was looked at.
    pub at: Duration,
    /// When the faults were calmed, where they were struck.
    pub calmed: Option<Duration>,
    /// Every thing's shadow: desired, reported, version.
    pub shadows: Vec<(String, crate::exchange::ThermostatState, crate::exchange::ThermostatState, i64)>,
}
