//! What a fault does to an invocation, as the platform sees it.

use std::time::Duration;

/// API Gateway's timeout, after which it answers 504.
pub const GATEWAY: Duration = Duration::from_secs(29);

/// The assumed size of an answer in bytes, for faults that limit its rate: more than most have.
pub(crate) const ANSWER: f64 = 16_384.0;

/// How a struck invocation ends, and what takes longer than without the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// How it ends.
    pub ending: Ending,
    /// What takes longer.
    pub longer: Longer,
}

/// How a struck invocation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As without the fault.
    Success,
    /// With a function error or a timeout.
    FunctionError,
    /// A success for Lambda that contains this HTTP status.
    Status(u16),
    /// A success for Lambda that the caller cannot read.
    Unreadable,
    /// It depends on the function.
    Depends,
}

/// What takes longer than without the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Longer {
    /// Nothing.
    Nothing,
    /// The environment's start.
    Start,
    /// The invocation, by at least this time.
    Invocation(Duration),
}

impl Longer {
    /// The invocation, by an unknown time.
    pub const SOME: Self = Self::Invocation(Duration::ZERO);
}

impl Effect {
    /// An invocation that passes untouched.
    pub const NONE: Self = Self::of(Ending::Success, Longer::Nothing);
    /// It fails at once.
    pub const FAILS: Self = Self::of(Ending::FunctionError, Longer::Nothing);

    /// An effect with this ending and delay.
    pub const fn of(ending: Ending, longer: Longer) -> Self {
        Self { ending, longer }
    }

    /// It is held until the function's timeout.
    pub const fn times_out(timeout: Duration) -> Self {
        Self::of(Ending::FunctionError, Longer::Invocation(timeout))
    }
}
