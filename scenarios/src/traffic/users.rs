//! What the sign-ins of a journey's users gave, for all of its arrivals.

use std::collections::BTreeMap;

use tokio::sync::Mutex;

use crate::journeys::Journey;

/// What a sign-in gave, such as a token. It has no place in events or reports.
pub(super) type Given = BTreeMap<String, String>;

/// The users of a journey: each row of its data, or one for all arrivals. The arrival that signs a user in holds its lock, so that others wait instead of
/// doing the same.
pub(super) struct Users(Vec<Mutex<Option<Given>>>);

impl Users {
    /// No user has signed in yet.
    pub(super) fn of(journey: &Journey) -> Self {
        let each_row = journey.around.sign_in.as_ref().is_some_and(|sign_in| sign_in.each_row);
        let users = if each_row { journey.rows.len().max(1) } else { 1 };
        Self((0..users).map(|_| Mutex::default()).collect())
    }

    /// The user who is this row of the data.
    pub(super) fn at(&self, row: usize) -> Option<&Mutex<Option<Given>>> {
        self.0.get(row).or(self.0.first())
    }
}
