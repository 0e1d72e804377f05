//! An experiment on functions that exist in AWS, and its exports for AWS's own tools and for CI.
//! Nothing here makes a network call.

#[cfg(test)]
extern crate self as exports;

pub mod alarms;
mod arn;
mod cost;
mod document;
mod experiment;
mod fis;
mod formats;
mod game_day;
mod github_actions;
mod iam;
mod kubernetes_job;
mod load_workers;
mod mark;
mod policies;
pub mod prices;
mod sam;
mod seed_policy;
pub mod shell;
mod terraform;
mod text;
mod written;

#[cfg(test)]
#[path = "../tests/support/example.rs"]
mod example;

pub use arn::Arn;
pub use cost::{Cost, Usage};
pub use document::{LONGEST_DOCUMENT, LONGEST_LEAD, document};
pub use experiment::{Experiment, Function, LONGEST, LONGEST_GRACE, LONGEST_PARAMETER, MOST_ALARMS, MOST_FUNCTIONS, MOST_LAYERS};
pub use fis::{
    LONGEST_ACTION_PARAMETER, LONGEST_TEMPLATE, cloudformation, create_document, experiment_template, fis, run_document, run_template,
    version_name,
};
pub use formats::{FORMATS, Format, Write};
pub use game_day::{GameDay, fis_game_day, game_day_template};
pub use github_actions::github_actions;
pub use iam::iam_policy;
pub use kubernetes_job::{Brought, LONGEST_SECRET, kubernetes};
pub use load_workers::{LEAD_S, LoadJob, batch, batch_submission, slurm, slurm_array};
pub use mark::{Mark, RUN_TAG};
pub use policies::ACTIONS;
pub use sam::sam;
pub use seed_policy::{SEED_ACTIONS, SeedScope, seed_policy};
pub use terraform::terraform;
pub use written::{File, Refused};
