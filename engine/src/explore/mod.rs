//! Explores a stack: learns from fault-free traffic where its journeys can be hurt, hurts each place
//! once in each way, then pairs of faults, judges, and hands over a matrix and the findings. One case is
//! one request with its faults, found by the root of its trace, so that many cases share a run and leave
//! each other alone.

mod accepted;
mod cases;
mod experiment;
mod exploring;
mod findings;
#[cfg(test)]
mod fixtures;
mod ground;
mod handed_over;
mod judge;
mod matrix;
mod observed;
mod pairs;
mod path;
mod place;
mod roots;
mod saved;
mod tree;
mod wave;
mod ways;

use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use reports::explored::{Exploration, Finding};
use template::TemplateError;

pub use accepted::AcceptFile;
pub use pairs::Pairs;
pub use place::Only;
pub use saved::{SAVED, Saved};
pub use wave::Stage;

use crate::plan::Plan;
use crate::run::RunError;
use crate::{Asked, chain};

/// What is explored, and how far.
#[derive(Debug)]
pub struct Explore {
    /// The checked file, whose faults and aims are not used.
    pub plan: Plan,
    /// The folder that its paths begin at.
    pub folder: PathBuf,
    /// How far.
    pub budget: Budget,
    /// How many pairs of faults are tried after all single ones.
    pub pairs: Pairs,
    /// Which places are tried.
    pub only: Only,
    /// Findings that are known.
    pub accepted: AcceptFile,
    /// What an earlier exploration has decided.
    pub resumed: Option<Saved>,
    /// The command that repeats it, without `--only`.
    pub command: String,
}

/// How far an exploration goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// No run begins after this time.
    Time(Duration),
    /// This many cases at most.
    Cases(usize),
}

impl std::str::FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a budget; write a time such as `5m`, or a number of cases such as `500`");
        let budget = match text.parse::<usize>() {
            Ok(cases) => Self::Cases(cases),
            Err(_) => Self::Time(text.parse::<faults::time::Time>().map_err(|_| wrong())?.duration()),
        };
        match budget {
            Self::Cases(0) | Self::Time(Duration::ZERO) => Err(format!("`{text}` tries nothing; give more")),
            budget => Ok(budget),
        }
    }
}

/// What an exploration runs on, and who is told of it.
pub trait Stages: Send {
    /// Makes a fresh stack ready for a run, from 1.
    ///
    /// # Errors
    /// If its folder or its programs cannot be used.
    fn stage(&mut self, plan: &Plan, number: usize) -> Result<Stage, Box<dyn std::error::Error>>;
    /// The signal that came between two runs, if any.
    fn asked(&mut self) -> Option<Asked>;
    /// Tells how far it is.
    fn say(&self, text: &str);
    /// Tells of a finding as it comes.
    fn found(&self, finding: &Finding);
}

/// What an exploration hands over.
#[derive(Debug)]
pub struct Explored {
    /// What it found.
    pub exploration: Exploration,
    /// The experiments that repeat the findings: the file below the folder, and its text.
    pub experiments: Vec<(String, String)>,
    /// What is decided, so that another exploration can go on from here.
    pub saved: Saved,
    /// The signal that ended it.
    pub asked: Option<Asked>,
    /// What it left running, with the command that ends it.
    pub left: Option<String>,
}

/// Why nothing could be explored.
#[derive(Debug, thiserror::Error)]
pub enum ExploreError {
    /// There is no stack on this machine to explore.
    #[error("{0}")]
    NoStack(&'static str),
    /// `--only` names what is not there.
    #[error("{0}")]
    Only(String),
    /// The templates.
    #[error("the templates cannot be read")]
    Template(#[from] TemplateError),
    /// The first run.
    #[error("the fault-free traffic could not be run")]
    Run(#[from] RunError),
    /// The folder or the programs of a run.
    #[error("a run could not be prepared: {}", chain(.0.as_ref()))]
    Stage(Box<dyn std::error::Error>),
}

/// Explores until all is tried, the budget is used up, or a signal comes.
///
/// # Errors
/// If the fault-free traffic could not be run; nothing was hurt then.
pub fn explore<'a>(asked: &'a Explore, stages: &'a mut dyn Stages) -> Pin<Box<dyn Future<Output = Result<Explored, ExploreError>> + 'a>> {
    // Boxed, so that it is compiled with this crate and not anew in each program that awaits it.
    Box::pin(exploring::explore(asked, stages))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_time_or_a_number_of_cases() {
        for (text, budget) in
            [("5m", Budget::Time(Duration::from_secs(300))), ("500", Budget::Cases(500)), ("90s", Budget::Time(Duration::from_secs(90)))]
        {
            assert_eq!(text.parse(), Ok(budget), "{text}");
        }
        for text in ["", "0", "0s", "many", "-1", "5 minutes"] {
            assert!(text.parse::<Budget>().unwrap_err().contains(&format!("`{text}`")), "{text}");
        }
    }
}
