//! Follows requests through the platform, for an exploration: counts the deliveries of each request to
//! each function, writes the number into the trace that the function gets, and reports when an
//! invocation begins and ends. It changes nothing else.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use faults::{identity, trace_root};

use crate::{Seen, Sightings};

/// What is known of the requests of one stack.
#[derive(Debug)]
pub(crate) struct Follow {
    sightings: Sightings,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Deliveries by root and function.
    deliveries: HashMap<(String, String), u32>,
    /// The roots of the invocations under way, by their ids.
    under_way: HashMap<String, String>,
}

impl Follow {
    /// Reports to `sightings`.
    pub(crate) fn new(sightings: Sightings) -> Self {
        Self { sightings, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing panics while it holds the lock; even then the counts would be consistent.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An event is handed to an environment; returns its trace with the number of the delivery.
    pub(crate) fn delivered(&self, function: &str, id: &str, trace: String) -> String {
        let Some(root) = trace_root(&trace) else { return trace };
        let delivery = {
            let mut known = self.known();
            known.under_way.insert(id.to_owned(), root.to_owned());
            let count = known.deliveries.entry((root.to_owned(), function.to_owned())).or_default();
            *count = count.saturating_add(1);
            *count
        };
        self.sightings.follow(Some(root), || Seen::Invoked { function: function.to_owned(), id: id.to_owned(), delivery });
        // A function hands its own trace on to what it calls.
        let is_older = |field: &&str| field.trim().strip_prefix(identity::DELIVERY).is_some_and(|rest| rest.starts_with('='));
        let mut fields: Vec<&str> = trace.split(';').filter(|field| !is_older(field)).collect();
        let number = format!("{}={delivery}", identity::DELIVERY);
        fields.push(&number);
        fields.join(";")
    }

    /// An invocation ended.
    pub(crate) fn returned(&self, function: &str, id: &str, failed: bool) {
        let root = self.known().under_way.remove(id);
        self.sightings.follow(root.as_deref(), || Seen::Returned { function: function.to_owned(), id: id.to_owned(), failed });
    }

    /// An event was accepted for an asynchronous invocation.
    pub(crate) fn accepted(&self, function: &str, id: &str, trace: &str) {
        self.sightings.follow(trace_root(trace), || Seen::Accepted { function: function.to_owned(), id: id.to_owned() });
    }

    /// An accepted event is done or given up.
    pub(crate) fn settled(&self, function: &str, id: &str, trace: &str) {
        self.sightings.follow(trace_root(trace), || Seen::Settled { function: function.to_owned(), id: id.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_are_counted_by_request_and_function_and_their_ends_have_the_root() {
        let (sightings, mut seen) = Sightings::channel();
        let follow = Follow::new(sightings.following(true));
        let number = |function: &str, id: &str, root: &str| {
            identity::delivery(&follow.delivered(function, id, format!("Root={root};Parent=53995c3f42cd8ad8;Sampled=0")))
        };
        let counts = [("f", "1", "1-a-b"), ("f", "2", "1-a-b"), ("g", "3", "1-a-b"), ("f", "4", "1-c-d")];
        assert_eq!(counts.map(|(function, id, root)| number(function, id, root)), [1, 2, 1, 1]);
        assert_eq!(follow.delivered("f", "5", "no root".into()), "no root");
        assert_eq!(follow.delivered("h", "6", "Root=1-e-f;Delivery=7;Sampled=0".into()), "Root=1-e-f;Sampled=0;Delivery=1");
        follow.returned("f", "2", true);
        follow.returned("f", "unknown", false);
        let roots: Vec<_> = std::iter::from_fn(|| seen.try_recv().ok()).map(|told| told.root).collect();
        let known = |root: &str| Some(root.to_owned());
        assert_eq!(roots, [known("1-a-b"), known("1-a-b"), known("1-a-b"), known("1-c-d"), known("1-e-f"), known("1-a-b"), None]);
    }
}
