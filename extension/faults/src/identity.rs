//! The identity of an invocation, in a form that the generator and the extension both know.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::trigger::Trigger;

/// What a roll depends on, chosen by [`By`]; without a trace and a message it is the request id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity<'a>(pub &'a str);

impl<'a> Identity<'a> {
    /// The name of the n-th call, counted from 1, that a fault applies to among the calls with this
    /// root: the root itself for the first one, so that a request with one call is struck the same
    /// whether calls are counted or not.
    pub fn of_call(self, call: u32) -> Cow<'a, str> {
        if call > 1 { format!("{}#{call}", self.0).into() } else { self.0.into() }
    }

    /// The part that a roll depends on. Of a trace root `1-<8 hex digits>-<24 hex digits>` it is
    /// the last 24 digits: the first 8 are the time of its creation, and a request must be struck
    /// the same on any day. The number of a call after it (`#2`) is included. Anything else is used
    /// whole. Source: AWS X-Ray, trace ids.
    #[must_use]
    pub fn lasting(self) -> Self {
        let is_hex = |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let parts = self.0.strip_prefix("1-").and_then(|rest| rest.split_once('-'));
        let own_id = |own: &str| is_hex(own.split_once('#').map_or(own, |(id, _)| id), 24);
        Self(parts.filter(|(time, own)| is_hex(time, 8) && own_id(own)).map_or(self.0, |(_, own)| own))
    }
}

/// Which of an invocation's names a fault's roll depends on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum By {
    /// The root of its trace: what one request of the load causes is struck together.
    #[default]
    Trace,
    /// The id of the event's first record, for a function that a queue, a stream, a topic or a bucket invokes: a message that is delivered again is
    /// struck again. An event without such an id is known by its trace.
    Message,
    /// The root of its trace and the number of the call among those with this root that the fault applies to: a call that is tried again is
    /// rolled again. For a `service` only: a service sees all calls of a request, an environment does not.
    Call,
}

impl From<Trigger> for By {
    /// A message or record that a queue or a stream delivers again is struck again.
    fn from(trigger: Trigger) -> Self {
        if matches!(trigger, Trigger::Queue | Trigger::TableStream) { Self::Message } else { Self::Trace }
    }
}

impl By {
    /// What identifies a roll about a function that these invoke: a message, if only queues and
    /// streams do.
    pub fn of(triggers: &[Trigger]) -> Self {
        let batches = |trigger: &Trigger| Self::from(*trigger) == Self::Message;
        if !triggers.is_empty() && triggers.iter().all(batches) { Self::Message } else { Self::Trace }
    }

    /// Whether a plan can omit it.
    pub const fn is_default(&self) -> bool {
        matches!(self, Self::Trace)
    }
}

/// The root of an X-Ray trace header (`Root=1-5759e988-bd862e3fe1be46a994272793;Parent=...;Sampled=1`), without `Root=`.
/// Source: AWS X-Ray developer guide, "Tracing header"; Lambda sends it as `Lambda-Runtime-Trace-Id`.
pub fn trace_root(header: &str) -> Option<&str> {
    header.split(';').find_map(|part| part.trim().strip_prefix("Root=")).filter(|root| !root.is_empty())
}

/// The field of a trace header that counts the deliveries of a request to a function; only a stack
/// that follows requests writes it.
pub const DELIVERY: &str = "Delivery";

/// Which delivery of its request an invocation is, from 1, as its trace header says; 0 if it does
/// not.
pub fn delivery(header: &str) -> u32 {
    let fields = header.split(';').filter_map(|field| field.trim().split_once('='));
    fields.filter(|(name, _)| *name == DELIVERY).find_map(|(_, number)| number.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_which_delivery_it_is() {
        for (header, number) in [("Root=1-a-b;Parent=c;Delivery=2", 2), ("Root=1-a-b", 0), ("Delivery=x", 0), ("Delivery=-1", 0), ("", 0)] {
            assert_eq!(delivery(header), number, "{header}");
        }
    }

    #[test]
    fn the_first_call_has_the_name_of_its_root_and_each_later_one_its_own_name() {
        for (call, name) in [(1, "1-a-b"), (2, "1-a-b#2"), (11, "1-a-b#11")] {
            assert_eq!(Identity("1-a-b").of_call(call), name);
        }
    }

    #[test]
    fn the_root_is_found_at_any_place_in_the_header() {
        for (header, root) in [
            ("Root=1-5759e988-bd862e3fe1be46a994272793", Some("1-5759e988-bd862e3fe1be46a994272793")),
            ("Parent=53995c3f42cd8ad8; Root=1-a-b;Sampled=1", Some("1-a-b")),
            ("Parent=53995c3f42cd8ad8", None),
            ("Root=", None),
            ("", None),
        ] {
            assert_eq!(trace_root(header), root, "{header}");
        }
    }
}
