//! The arguments of `brownout explore`.

use std::path::PathBuf;

use engine::explore::{Budget, Only, Pairs};

use super::values::{seed, utf8};

/// `brownout explore`
#[derive(Debug, clap::Args)]
pub struct Explore {
    /// Path of an experiment with `[stack] template` and journeys, or with `systems`; or the name of one that comes with brownout. Its faults and aims are not used
    #[arg(value_parser = utf8())]
    pub experiment: String,
    /// How far: a time after which no run begins, such as 5m, or a number of cases, such as 500; pairs of faults come after all single ones
    #[arg(long, value_name = "TIME|CASES", default_value = "5m", value_parser = budget)]
    pub budget: Budget,
    /// How many pairs of faults, once all single ones were tried: a number, or none [default: what is left of the budget]
    #[arg(long, value_name = "N|none", value_parser = pairs)]
    pub pairs: Option<Pairs>,
    /// Replace the seed of the file
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = seed)]
    pub seed: Option<u64>,
    /// Only these places: function:NAME, service:NAME, service:NAME:OPERATION, endpoint:NAME, or place: and one of the matrix or of a finding
    #[arg(long, value_name = "PLACES", value_parser = only)]
    pub only: Option<Only>,
    /// Folder for the report and the experiments [default: brownout-runs/<time>-<name>-explore]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace the files of an earlier run in that folder
    #[arg(long)]
    pub force: bool,
    /// Go on in the folder of an exploration that its budget or Ctrl-C ended: same file, same seed; what is decided is not tried again
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "force"])]
    pub resume: Option<PathBuf>,
    /// File of known findings, each an `[[accept]]` with rule, place, reason and date: they do not fail
    #[arg(long, value_name = "FILE")]
    pub accept: Option<PathBuf>,
    /// Switch on a weakness of a sample system, in addition to those in the file
    #[arg(long = "weakness", value_name = "NAME")]
    pub weaknesses: Vec<String>,
    /// Print explore.json on standard output and nothing else
    #[arg(long)]
    pub json: bool,
}

fn budget(text: &str) -> Result<Budget, String> {
    text.parse()
}

fn pairs(text: &str) -> Result<Pairs, String> {
    text.parse()
}

fn only(text: &str) -> Result<Only, String> {
    text.parse()
}
