//! What a source of plans is, and what a look at one gives. A source may block, but it must never decide what is in force.

use std::time::Duration;

/// How often a source on this machine is looked at; those that cost more say so themselves.
pub const INTERVAL: Duration = Duration::from_millis(150);

/// What a look at a source gave.
#[derive(Debug)]
pub enum Look {
    /// Nothing has changed since the last look.
    Same,
    /// Nothing is heard yet: the next look goes on.
    Waiting,
    /// It is not known whether there is a plan; why, without any value. The plan in force stays until its lease is over.
    Unanswered(String),
    /// There is no plan; why, without any value.
    Missing(String),
    /// A plan.
    Found {
        /// Its text.
        plan: Vec<u8>,
        /// How long ago the source took it, where it tells that.
        age: Option<Duration>,
    },
}

/// Something that holds a plan. It may block: it is only asked on the thread of the sources.
pub trait Source: Send {
    /// Looks whether there is something new.
    fn look(&mut self) -> Look;

    /// What was seen before counts no more: the next look tells all anew.
    fn forget(&mut self);

    /// How long until the next look.
    fn pause(&self) -> Duration {
        INTERVAL
    }
}
