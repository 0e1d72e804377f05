//! What can be wrong with a cloud.

use std::time::Duration;

use crate::child::Behaviour;

/// How late CloudWatch Logs are with a line.
const LATE: Duration = Duration::from_millis(400);

/// What is wrong with a cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Nothing.
    None,
    /// Only the first of every so many lines of the ledger comes into the logs.
    LinesLost { of: usize },
    /// A line comes into the logs so late.
    LinesLate(Duration),
    /// Every line comes twice.
    LinesDoubled,
    /// No line comes.
    Silent,
    /// Only the first page of the logs can be read.
    PagesFail,
    /// The function has a log group of its own, in JSON.
    LogInJson,
    /// Every second environment finds no plan.
    HalfBlind,
    /// There are so few environments that struck invocations keep others waiting.
    Crowded { environments: u32 },
    /// The function's own.
    Function(Behaviour),
}

impl Lie {
    /// When the `n`th line of the ledger comes into the logs.
    pub fn arrivals(self, n: usize) -> Vec<Duration> {
        match self {
            Self::LinesLost { of } if !n.is_multiple_of(of) => Vec::new(),
            Self::LinesLate(late) => vec![late],
            Self::LinesDoubled => vec![LATE, LATE],
            Self::Silent => Vec::new(),
            _ => vec![LATE],
        }
    }
}
