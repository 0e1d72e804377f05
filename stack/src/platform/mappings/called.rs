//! The function that a mapping calls, and how many records fit into one event. It knows neither
//! queues nor streams.

use std::sync::Arc;

use bytes::Bytes;

use crate::invoke::Invoke;
use crate::platform::invocation::{InvokeError, Invoked, LARGEST_EVENT};
use crate::platform::names;

/// The part of an event around its records.
const AROUND: usize = r#"{"Records":[]}"#.len();

/// A function, and the interface that invokes it.
#[derive(Clone)]
pub(super) struct Called {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The region of the function and of its sources.
    pub region: String,
    /// The interface for invoking it.
    pub door: Arc<dyn Invoke>,
    /// Whether it is invoked under the trace of what caused its records, for an exploration; at AWS
    /// each batch has a trace of its own.
    pub follows: bool,
}

/// The result of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// It ran, whether or not it failed.
    Ran(Invoked),
    /// It did not run, and may be retried.
    Throttled,
    /// It will not run any more, because the platform is stopping.
    Stopped,
}

impl Called {
    /// Invokes the function with these records, each as JSON, under a new trace; if it follows
    /// requests, under that of `cause`, a trace header.
    pub(super) async fn call<'a>(&self, records: impl Iterator<Item = &'a str>, cause: Option<String>) -> Call {
        let trace = cause.filter(|_| self.follows);
        match self.door.invoke(&self.name, Bytes::from(event(records)), trace.as_deref()).await {
            Ok(invoked) => Call::Ran(invoked),
            Err(InvokeError::Throttled) => Call::Throttled,
            // A single record that is too large for any event: treated as a record that the
            // function refuses.
            Err(InvokeError::TooLarge) => Call::Ran(Invoked { request_id: names::uuid(), payload: Bytes::new(), failed: true }),
            Err(InvokeError::Unknown(_) | InvokeError::Stopped) => Call::Stopped,
        }
    }
}

/// The event of these records, each as JSON.
pub(super) fn event<'a>(records: impl Iterator<Item = &'a str>) -> String {
    format!(r#"{{"Records":[{}]}}"#, records.collect::<Vec<_>>().join(","))
}

/// The room that is left in one event.
#[derive(Debug)]
pub(super) struct Room {
    records: usize,
    size: usize,
}

impl Room {
    /// Of an event of at most `records`.
    pub(super) fn of(records: usize) -> Self {
        Self { records, size: LARGEST_EVENT - AROUND }
    }

    /// Takes a record if there is room for it. The first one is always taken: no other event has
    /// more room.
    pub(super) fn take(&mut self, record: &str) -> bool {
        let size = record.len() + 1;
        let first = self.size == LARGEST_EVENT - AROUND;
        let fits = first || (self.records > 0 && size <= self.size);
        if fits {
            self.records = self.records.saturating_sub(1);
            self.size = self.size.saturating_sub(size);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::super::stand_ins::{Door, called, said};
    use super::*;

    #[tokio::test]
    async fn each_invocation_has_a_trace_of_its_own_unless_requests_are_followed() {
        let (door, cause) = (Door::new(|_| said("null")), || Some("Root=1-a-b".to_owned()));
        for follows in [false, true] {
            let function = Called { follows, ..called(&door) };
            function.call(["{}"].into_iter(), cause()).await;
            function.call(["{}"].into_iter(), None).await;
        }
        assert_eq!(door.traces(), [None, None, cause(), None]);
    }

    #[test]
    fn an_event_stays_within_lambdas_limit() {
        let (small, large, too_large) = ("x".repeat(100), "x".repeat(LARGEST_EVENT / 2), "x".repeat(LARGEST_EVENT));
        let cases: [(&[&str], usize, usize); 6] = [
            (&[&small, &small, &small], 2, 2),
            (&[&small, &small], 10, 2),
            (&[&small, &large, &large], 10, 2),
            (&[&large, &large], 10, 1),
            (&[&too_large, &small], 10, 1),
            (&[], 10, 0),
        ];
        for (number, (records, most, fit)) in cases.into_iter().enumerate() {
            let mut room = Room::of(most);
            assert_eq!(records.iter().take_while(|record| room.take(record)).count(), fit, "case {number}");
        }
    }
}
