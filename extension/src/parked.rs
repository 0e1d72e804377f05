//! Events, and requests for one, whose runtime went away. They belong to the next `next`; none may be lost.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::connection::Connection;
use crate::event::Event;
use crate::lock::lock;

/// What waits for the next `next`, in the order in which it is given out.
#[derive(Debug, Default)]
pub(crate) struct Parked(Mutex<VecDeque<ParkedNext>>);

/// A `next` that the runtime gave up.
#[derive(Debug)]
pub(crate) enum ParkedNext {
    /// The platform has not answered yet.
    Asked(Connection),
    /// The platform has answered, and nothing of the answer was handed on.
    Answered(Event),
}

impl Parked {
    /// Keeps an event. An event that is here goes before one that may come hours later.
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
