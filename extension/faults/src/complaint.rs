//! What is wrong with a setting, and what to write instead.

use std::fmt;

/// One thing wrong with a setting: where (a dotted key) and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The key it is about, relative to the thing that was checked, such as `latency.time`.
    pub key: String,
    /// A lowercase fragment: what was found, in backticks, and how to fix it.
    pub what: String,
}

impl Complaint {
    /// A complaint about `key`.
    pub fn new(key: impl Into<String>, what: impl Into<String>) -> Self {
        Self { key: key.into(), what: what.into() }
    }

    /// The same complaint, seen from one level further out.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.key = if self.key.is_empty() { outer.to_owned() } else { format!("{outer}.{}", self.key) };
        self
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}
