//! When a book goes through all that it knows: after events, but not after each.

use std::time::Duration;

use crate::Event;

use super::Quiet;

/// The time of the latest event, and of the last sweep. Events may come in any order.
#[derive(Debug, Default)]
pub(crate) struct Sweeps {
    now: Duration,
    last: Duration,
}

impl Sweeps {
    /// Takes in the time of an event.
    pub(crate) fn see(&mut self, event: &Event) {
        self.now = self.now.max(event.at());
    }

    /// The time of a sweep, if the last one is at least `every` ago; it then counts as done.
    pub(crate) fn due(&mut self, every: Duration) -> Option<Duration> {
        if self.now < self.last + every {
            return None;
        }
        self.last = self.now;
        Some(self.now)
    }

    /// The time of the sweep at the end of the run.
    pub(crate) fn end(&self, quiet: &Quiet) -> Duration {
        quiet.at.max(self.now)
    }
}
