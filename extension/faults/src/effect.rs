//! What a fault does to an invocation, as the platform sees it.

use std::time::Duration;

/// API Gateway waits no longer for an answer, and answers 504 then.
pub const GATEWAY: Duration = Duration::from_secs(29);

/// Bytes of an answer, for faults that let it through at so many a second: more than most have.
pub(crate) const ANSWER: f64 = 16_384.0;

/// How a struck invocation ends, and what takes longer than it would.
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
    /// As it would.
    Success,
    /// With an error of the function, or beyond its timeout.
    FunctionError,
    /// A success to Lambda, with this HTTP status within it.
    Status(u16),
    /// A success to Lambda, and nothing that the caller can read.
    Unreadable,
    /// What the function makes of it.
    Depends,
}

/// What takes longer than it would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Longer {
    /// Nothing.
    Nothing,
    /// The environment's start.
    Start,
    /// The invocation, by at least so much.
    Invocation(Duration),
}

impl Longer {
    /// Some time that nobody knows.
    pub const SOME: Self = Self::Invocation(Duration::ZERO);
}

impl Effect {
    /// An invocation that passes untouched.
    pub const NONE: Self = Self::of(Ending::Success, Longer::Nothing);
    /// It fails at once.
    pub const FAILS: Self = Self::of(Ending::FunctionError, Longer::Nothing);

    /// Both.
    pub const fn of(ending: Ending, longer: Longer) -> Self {
        Self { ending, longer }
    }

    /// It is held until the function's timeout is over.
    pub const fn times_out(timeout: Duration) -> Self {
        Self::of(Ending::FunctionError, Longer::Invocation(timeout))
    }
}
