//! What `brownout init` can be asked for.

use std::path::PathBuf;

use super::options::TemplateOptions;

/// `brownout init`
#[derive(Debug, clap::Args)]
pub struct Init {
    /// SAM or CloudFormation template, or the folder that has it [default: this folder]
    pub path: Option<PathBuf>,
    /// Parameters of the template
    #[command(flatten)]
    pub options: TemplateOptions,
    /// Replace an experiment that is there already
    #[arg(long, conflicts_with = "print")]
    pub force: bool,
    /// Print the experiment on standard output instead of writing it
    #[arg(long)]
    pub print: bool,
}
