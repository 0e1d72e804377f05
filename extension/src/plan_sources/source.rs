//! The interface of plan sources, and the result of a look. A source may block, but it must never
//! decide what is in force.

use std::time::Duration;

/// How often a source on this machine is polled; more expensive sources set their own interval.
pub const INTERVAL: Duration = Duration::from_millis(150);

/// The result of a look at a source.
#[derive(Debug)]
pub enum Look {
    /// Nothing has changed since the last look.
    Same,
    /// No result yet: the next look continues.
    Waiting,
    /// It is not known whether there is a plan; why, without any value. The plan in force stays
    /// until its lease ends.
    Unanswered(String),
    /// There is no plan; why, without any value.
    Missing(String),
    /// A plan.
    Found {
        /// Its text.
        plan: Vec<u8>,
        /// How long ago the source stored it, if reported.
        age: Option<Duration>,
    },
}

/// A source of a plan. It may block: it is only called on the thread of the sources.
pub trait Source: Send {
    /// Checks whether there is something new.
    fn look(&mut self) -> Look;

    /// Drops what was seen before: the next look reports everything again.
    fn forget(&mut self);

    /// How long until the next look.
    fn pause(&self) -> Duration {
        INTERVAL
    }
}
