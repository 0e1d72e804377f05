//! The log groups on the page, with the events that were written by calls.

use std::collections::VecDeque;
use std::time::{Duration, UNIX_EPOCH};

use super::Logs;
use crate::services::shows::{Part, Rows, Shows, Thing};

impl Shows for Logs {
    fn things(&self) -> Vec<Thing> {
        let groups = self.groups();
        // What a function prints is shown with the function; its group holds what is written by calls.
        let shown = groups.iter().filter(|(name, streams)| !streams.is_empty() || !name.starts_with("/aws/lambda/"));
        shown.map(|(name, streams)| Thing::new("log group", name.clone(), streams.values().map(VecDeque::len).sum())).collect()
    }

    fn rows(&self, group: &str, part: Part) -> Option<Rows> {
        let groups = self.groups();
        let mut events: Vec<_> =
            groups.get(group)?.iter().flat_map(|(stream, events)| events.iter().map(move |event| (stream, event))).collect();
        events.sort_by_key(|(_, event)| std::cmp::Reverse(event.timestamp));
        Some(Rows::of(["At", "Stream", "Message"], events.into_iter(), part, |(stream, event)| {
            let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(event.timestamp).unwrap_or_default());
            [dates::milliseconds(at).into(), stream.as_str().into(), event.message.as_str().into()]
        }))
    }
}
