//! The formats an experiment can be exported to: one list, which also gives the command its values
//! and their help.

use crate::experiment::Experiment;
use crate::fis::fis;
use crate::game_day::{GameDay, fis_game_day};
use crate::github_actions::github_actions;
use crate::iam::iam_policy;
use crate::kubernetes_job::kubernetes;
use crate::load_workers::{LoadJob, batch, slurm};
use crate::sam::sam;
use crate::terraform::terraform;
use crate::written::{File, Refused};

/// One format.
#[derive(Debug)]
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it contains.
    pub about: &'static str,
    /// The function that writes it.
    pub write: Write,
}

/// The input of a format.
#[derive(Debug, Clone, Copy)]
pub enum Write {
    /// One experiment on deployed functions.
    Experiment(fn(&Experiment) -> Result<Vec<File>, Refused>),
    /// Several experiments on deployed functions, in order.
    GameDay(fn(&GameDay) -> Result<Vec<File>, Refused>),
    /// The names of experiments on local stacks.
    Names(fn(&[String]) -> Vec<File>),
    /// Load alone, and how many workers share it.
    Load(fn(&LoadJob) -> Vec<File>),
}

/// All formats.
pub static FORMATS: [Format; 9] = [
    Format {
        name: "fis",
        about: "FIS experiment template with the SSM document that it starts, roles, log and stop conditions",
        write: Write::Experiment(fis),
    },
    Format {
        name: "fis-game-day",
        about: "One FIS experiment template for several experiments, in order, with waits between; each has its stack from `fis`",
        write: Write::GameDay(fis_game_day),
    },
    Format {
        name: "iam-policy",
        about: "Least privilege for `run --target aws` and `recover`, and for the functions",
        write: Write::Experiment(iam_policy),
    },
    Format { name: "sam", about: "The layer, attached and idle, for a SAM template", write: Write::Experiment(sam) },
    Format { name: "terraform", about: "The same for Terraform", write: Write::Experiment(terraform) },
    Format {
        name: "github-actions",
        about: "A workflow that runs experiments on this machine and keeps their reports",
        write: Write::Names(github_actions),
    },
    Format { name: "slurm", about: "The workers of a load as an array of Slurm", write: Write::Load(slurm) },
    Format { name: "batch", about: "The same as an array job of AWS Batch, a CloudFormation template", write: Write::Load(batch) },
    Format { name: "kubernetes", about: "The same as an Indexed Job of Kubernetes", write: Write::Load(kubernetes) },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_a_line_for_each_format() {
        let page = include_str!("../../../../docs/exports.md");
        let rows = page.lines().skip_while(|line| !line.starts_with("| Export")).skip(2).take_while(|line| line.starts_with('|'));
        let named = rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2).collect::<Vec<_>>());
        assert_eq!(named.collect::<Vec<_>>(), FORMATS.each_ref().map(|format| format.name));
    }
}
