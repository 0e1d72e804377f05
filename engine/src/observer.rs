//! Shows a run while it goes on, to a terminal, a browser or a test.

use std::sync::Arc;

use crate::snapshot::Snapshot;

/// Watches a run. It must return at once: the run waits for it.
pub trait Observer: Send {
    /// Shows the facts of this moment; called once a second, when a phase begins, and when all is measured.
    fn show(&mut self, snapshot: &Arc<Snapshot>);
    /// Prints a line that stays.
    fn say(&self, text: &str);
    /// The run has ended, however it did, and everything is restored.
    fn end(&mut self);
}
