//! What was found while reading a definition.

use faults::Complaint;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What Step Functions would refuse too.
    pub wrong: Vec<Complaint>,
    /// What is not served here.
    pub not_served: Vec<Complaint>,
}
