//! Events, and requests for one, whose runtime disconnected. They belong to the next `next`; none
//! may be lost.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::connection::Connection;
use crate::event::Event;
use crate::lock::lock;

/// What waits for the next `next`, in order of delivery.
#[derive(Debug, Default)]
pub(crate) struct Parked(Mutex<VecDeque<ParkedNext>>);

/// A `next` that the runtime abandoned.
#[derive(Debug)]
pub(crate) enum ParkedNext {
    /// The platform has not answered yet.
    Asked(Connection),
    /// The platform has answered, and nothing of the answer was passed on.
    Answered(Event),
}

impl Parked {
    /// Keeps an event. It goes before requests, whose events may come hours later.
    pub(crate) fn event(&self, event: Event) {
        lock(&self.0).push_front(ParkedNext::Answered(event));
    }

    /// Keeps a connection on which the platform still owes an event.
    pub(crate) fn request(&self, platform: Connection) {
        lock(&self.0).push_back(ParkedNext::Asked(platform));
    }

    /// Takes the first one out.
    pub(crate) fn take(&self) -> Option<ParkedNext> {
        lock(&self.0).pop_front()
    }
}
