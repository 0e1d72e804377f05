//! The classes of what a template declares, besides what is served: a notice for what is not
//! served here, a refusal for what AWS would refuse too. A fourth class, accepted and without
//! effect, must not exist.

use std::fmt;

use faults::Complaint;

/// A place in the text of a template; both numbers count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Something of a template that is not served here: the stack starts without it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Notice {
    /// Where it is declared, such as `Orders.SSESpecification` or `Fleet`.
    pub place: String,
    /// A lowercase fragment: what is not served.
    pub what: String,
    /// The logical ids of the functions that may miss it.
    pub functions: Vec<String>,
    /// The same place in the text.
    pub position: Option<Position>,
}

impl Notice {
    /// A notice whose functions and position are found later.
    pub fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into(), functions: Vec::new(), position: None }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, what, functions, .. } = self;
        write!(f, "{place}: {what}")?;
        if functions.is_empty() { Ok(()) } else { write!(f, "; may be missed by {}", functions.join(", ")) }
    }
}

/// Something that contradicts itself or AWS's rules, with its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong, and with what.
    pub complaint: Complaint,
    /// Where it is in the text.
    pub position: Option<Position>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Position { line, column }) = self.position {
            write!(f, "line {line}, column {column}: ")?;
        }
        self.complaint.fmt(f)
    }
}
