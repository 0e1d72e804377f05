//! Shows a run while it goes on, to a terminal or a test.

use std::collections::VecDeque;
use std::time::Duration;

/// Watches a run.
pub trait Observer: Send {
    /// Shows a moment; called ten times a second.
    fn show(&mut self, moment: &Moment);
    /// Prints a line that stays.
    fn say(&self, text: &str);
    /// The run has ended.
    fn end(&self);
}

/// A moment of the run.
#[derive(Debug, Clone)]
pub struct Moment {
    /// Such as `baseline`.
    pub phase: &'static str,
    /// Seconds into the run.
    pub at: Duration,
    /// The intended arrivals a second.
    pub intended: f64,
    /// The requests a second that were sent recently.
    pub achieved: f64,
    /// Requests that failed so far.
    pub failed: u64,
    /// Requests that were struck so far.
    pub struck: u64,
}

/// The rate of a counter, over its last readings.
#[derive(Debug, Default)]
pub struct Pace(VecDeque<(Duration, u64)>);

impl Pace {
    /// Takes a count and returns the rate a second over the last 20 readings.
    pub fn at(&mut self, offset: Duration, count: u64) -> f64 {
        self.0.push_back((offset, count));
        while self.0.len() > 20 {
            self.0.pop_front();
        }
        match (self.0.front(), self.0.back()) {
            (Some((from, a)), Some((to, b))) if to > from => b.saturating_sub(*a) as f64 / (*to - *from).as_secs_f64(),
            _ => 0.0,
        }
    }
}
