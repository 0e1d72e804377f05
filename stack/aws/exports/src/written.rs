//! Exported files, and the error if they cannot be written.

use faults::Complaint;

use crate::experiment::Experiment;

/// The path of the layer's wrapper, for `AWS_LAMBDA_EXEC_WRAPPER`.
pub(crate) const WRAPPER: &str = "/opt/brownout/wrapper";

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name, without a folder.
    pub name: &'static str,
    /// Its content.
    pub text: String,
}

impl File {
    pub(crate) const fn new(name: &'static str, text: String) -> Self {
        Self { name, text }
    }
}

/// Why an experiment cannot be exported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the experiment cannot be written for AWS: {}", said(.complaints))]
pub struct Refused {
    /// Everything that is wrong with it.
    pub complaints: Vec<Complaint>,
}

fn said(complaints: &[Complaint]) -> String {
    complaints.iter().map(Complaint::to_string).collect::<Vec<_>>().join("; ")
}

pub(crate) fn checked(experiment: &Experiment) -> Result<(), Refused> {
    refused_unless_empty(experiment.complaints())
}

pub(crate) fn refused_unless_empty(complaints: Vec<Complaint>) -> Result<(), Refused> {
    if complaints.is_empty() { Ok(()) } else { Err(Refused { complaints }) }
}
