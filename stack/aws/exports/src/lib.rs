//! An experiment on functions that exist in AWS, and what is written out from it for AWS's own tools and for CI. Nothing here calls anybody.

#[cfg(test)]
extern crate self as exports;

pub mod alarms;
mod arn;
mod document;
mod experiment;
mod fis;
mod github_actions;
mod iam;
mod policies;
mod sam;
mod terraform;
mod text;

#[cfg(test)]
#[path = "../tests/support/example.rs"]
mod example;

use faults::Complaint;

pub use arn::Arn;
pub use document::{LONGEST_DOCUMENT, LONGEST_LEAD, document};
pub use experiment::{Experiment, Function, LONGEST, LONGEST_PARAMETER, MOST_ALARMS, MOST_FUNCTIONS, MOST_LAYERS};
pub use fis::{
    FINGERPRINT, LONGEST_ACTION_PARAMETER, LONGEST_TEMPLATE, cloudformation, create_document, experiment_template, fis, run_template,
    version_name,
};
pub use github_actions::github_actions;
pub use iam::iam_policy;
pub use policies::ACTIONS;
pub use sam::sam;
pub use terraform::terraform;

/// Where the layer's wrapper lies, for `AWS_LAMBDA_EXEC_WRAPPER`.
const WRAPPER: &str = "/opt/brownout/wrapper";

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name, without a folder.
    pub name: &'static str,
    /// What is in it.
    pub text: String,
}

impl File {
    const fn new(name: &'static str, text: String) -> Self {
        Self { name, text }
    }
}

/// Why an experiment is not written out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the experiment cannot be written for AWS: {}", said(.complaints))]
pub struct Refused {
    /// Everything wrong with it.
    pub complaints: Vec<Complaint>,
}

fn said(complaints: &[Complaint]) -> String {
    complaints.iter().map(Complaint::to_string).collect::<Vec<_>>().join("; ")
}

fn checked(experiment: &Experiment) -> Result<(), Refused> {
    let complaints = experiment.complaints();
    if complaints.is_empty() { Ok(()) } else { Err(Refused { complaints }) }
}
