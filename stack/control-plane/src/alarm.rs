//! One alarm of CloudWatch.

/// One alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state: &'static str,
    /// Whether its rule is about other alarms.
    pub is_composite: bool,
}
