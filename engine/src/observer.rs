//! What is shown of a run while it goes on, to the terminal or a test.

use std::collections::VecDeque;
use std::time::Duration;

/// Somebody or something that watches a run.
pub trait Observer: Send {
    /// Shows a moment; it comes ten times a second.
    fn show(&mut self, moment: &Moment);
    /// Says something that stays.
    fn say(&self, text: &str);
    /// The run is over.
    fn end(&self);
}

/// A moment of the run.
#[derive(Debug, Clone)]
pub struct Moment {
    /// Such as `baseline`.
    pub phase: &'static str,
    /// Seconds into the run.
    pub at: Duration,
    /// Arrivals a second that are intended.
    pub intended: f64,
    /// Requests a second that were sent lately.
    pub achieved: f64,
    /// Failed so far.
    pub failed: u64,
    /// Struck so far.
    pub struck: u64,
}

/// The rate of something that is counted, over the last looks at it.
#[derive(Debug, Default)]
pub struct Pace(VecDeque<(Duration, u64)>);

impl Pace {
    /// Takes a count and gives the rate a second over the last 20 looks.
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
