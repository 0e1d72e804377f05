//! Who an invocation is, in a form that the generator and the extension both know.

use serde::{Deserialize, Serialize};

/// What a roll hangs on, as [`By`] says; without a trace and without a message it is the request id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity<'a>(pub &'a str);

/// Which of an invocation's names a fault's roll hangs on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum By {
    /// The root of its trace: what one request of the load causes is struck together.
    #[default]
    Trace,
    /// The id of the event's first record, for a function that a queue, a stream, a topic or a bucket invokes: whatever is delivered again is
    /// struck again. An event without such an id is known by its trace.
    Message,
}

impl By {
    /// Whether it is what a plan says that does not say it.
    pub const fn is_default(&self) -> bool {
        matches!(self, Self::Trace)
    }
}

/// The root of an X-Ray trace header (`Root=1-5759e988-bd862e3fe1be46a994272793;Parent=...;Sampled=1`), without `Root=`.
/// Source: AWS X-Ray developer guide, "Tracing header"; Lambda sends it as `Lambda-Runtime-Trace-Id`.
pub fn trace_root(header: &str) -> Option<&str> {
    header.split(';').find_map(|part| part.trim().strip_prefix("Root=")).filter(|root| !root.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_found_wherever_it_stands() {
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
