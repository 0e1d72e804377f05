//! What can be wrong with a cloud.

use std::time::Duration;

use crate::child::Behaviour;

/// The usual delay of a line in CloudWatch Logs.
const LATE: Duration = Duration::from_millis(400);

/// What is wrong with a cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Nothing.
    None,
    /// Only the first of every `of` lines of the ledger reaches the logs.
    LinesLost { of: usize },
    /// A line reaches the logs this late.
    LinesLate(Duration),
    /// Every line comes twice.
    LinesDoubled,
    /// No line reaches the logs.
    Silent,
    /// Only the first page of the logs can be read.
    PagesFail,
    /// The function has its own log group, in JSON.
    LogInJson,
    /// Every second environment finds no plan.
    HalfBlind,
    /// There are so few environments that struck invocations make others wait.
    Crowded { environments: u32 },
    /// The function itself behaves like this.
    Function(Behaviour),
}

impl Lie {
    /// When the `n`th line of the ledger reaches the logs.
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
