//! What can be asked of the command.

mod compare;
mod explore;
mod init;
pub mod layer;
mod load;
mod options;
mod up;
mod values;
mod watch;
mod workers;

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};
use exports::{FORMATS, Format};
use faults::time::Time;
use scenarios::systems::System;

pub use compare::{Compare, OnePhase};
pub use explore::Explore;
pub use init::Init;
pub use layer::{Layer, LayerBuild, LayerPublish};
pub use load::{Load, ToUrl};
pub use options::TemplateOptions;
pub use up::Up;
use values::{seed, utf8};
pub use watch::Watch;
pub use workers::{Crew, Starter, Workers};

/// Chaos and load testing for serverless stacks on AWS Lambda, with a verdict you can trust.
#[derive(Debug, Parser)]
#[command(name = "brownout", version, max_term_width = 110, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The exit codes, in the words of `--help`; the README's table is compared with this by a test.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    held          every aim and invariant held, and the faults were proven to have struck
  1    internal      an internal error
  2    could-not-run not understood, or not carried out
  3    broken        an aim or an invariant is broken
  4    not-shown     nothing struck, too few samples, a saturated generator, books that do not balance
  5    stopped       a stop condition fired
  6    not-restored  something is still attached or running
  129  hung-up       SIGHUP (the terminal is gone), after everything was restored
  130  interrupted   Ctrl-C, after everything was restored
  143  terminated    SIGTERM, after everything was restored";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run an experiment: start the stack, send load, inject faults, judge, write a report, stop the stack
    Run(Box<Run>),
    /// Send load alone, to the addresses in a file or to one URL, judge what came back and write a report; no stack, no faults
    Load(Box<Load>),
    /// Hurt every place of a journey in every way, then in pairs, and hand over a matrix and an experiment for each finding
    Explore(Explore),
    /// Check an experiment file as `run` does, or a SAM or CloudFormation template as `up` does, before anything starts
    Check(Check),
    /// Show what `run --target aws` would change and call; read-only
    Plan {
        /// Name of an experiment that comes with brownout, or path of a file
        #[arg(value_parser = utf8())]
        experiment: String,
        /// The stack, if the file names none
        #[command(flatten)]
        on: OnStack,
        /// Show it for `run --via fis`: the calls of FIS and of its document too
        #[arg(long, value_enum)]
        via: Option<Via>,
    },
    /// Check this machine, and the account of an experiment on AWS, for what a run needs; every failed check says how to fix it
    Doctor {
        /// Path of an experiment
        #[arg(value_parser = utf8())]
        experiment: Option<String>,
        /// The stack, if the file names none
        #[command(flatten)]
        on: OnStack,
    },
    /// Restore functions on AWS that a killed run left changed
    Recover(Recover),
    /// Create the users, rows, policies and things that an experiment's load needs in a deployed stack
    Seed(Seed),
    /// Delete exactly what `seed` created
    Unseed(Unseed),
    /// Export an experiment with `[aws]` for AWS's own tools, as a workflow for CI, or a load for the engine of its workers
    Export(Export),
    /// Propose an experiment for your own template: journeys, rules, a first fault
    Init(Init),
    /// Start the local stack, print its addresses, run until Ctrl-C
    Up(Up),
    /// Write the report of a finished run again, or judge what all workers of a load measured
    Report {
        /// The folder of the run, or of all workers
        run: PathBuf,
    },
    /// Compare two finished runs: no regression, a regression, or too little to tell; keep a history of runs
    Compare(Compare),
    /// Build and publish the Lambda layer that puts the extension into a function
    Layer {
        /// What to do with the layer
        #[command(subcommand)]
        command: Layer,
    },
    /// List the names that an experiment, or the command line, can use
    List {
        /// What to list
        #[arg(value_enum)]
        names: Names,
    },
    /// Print the JSON Schema of experiment files
    Schema,
    /// Print every fault with its settings and what the caller sees
    Faults {
        /// Only this kind of fault
        kind: Option<String>,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// End every process of a stack once standard input ends
    #[command(hide = true)]
    Guard {
        /// The stack's mark
        marker: String,
    },
}

/// Where an experiment runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Target {
    /// The stack on this machine
    Local,
    /// Functions deployed on AWS
    Aws,
}

/// Names that can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Names {
    /// The experiments that come with brownout
    Experiments,
    /// The weaknesses of the sample systems
    Weaknesses,
    /// The functions of the sample systems, and what invokes each
    Functions,
    /// The endpoints of the sample systems
    Endpoints,
    /// The services that a fault can strike, and their operations
    Services,
}

/// What starts and ends the faults of deployed functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Via {
    /// An AWS FIS experiment, which starts brownout's SSM Automation document
    Fis,
}

/// `brownout check`
#[derive(Debug, clap::Args)]
pub struct Check {
    /// Names of experiments that come with brownout, paths of experiments, of templates, or of folders with a template
    #[arg(required = true, value_parser = utf8())]
    pub files: Vec<String>,
    /// Say what can run and be checked there, too; for experiments
    #[arg(long, value_enum, default_value = "local")]
    pub target: Target,
    /// What a template is read with
    #[command(flatten)]
    pub template: TemplateOptions,
    /// Refuse what is not served here; for templates
    #[arg(long)]
    pub strict: bool,
    /// Print JSON on standard output and nothing else; for one template
    #[arg(long)]
    pub json: bool,
}

/// `brownout run`
#[derive(Debug, clap::Args)]
pub struct Run {
    /// Name of an experiment that comes with brownout, or path of a file
    #[arg(value_parser = utf8())]
    pub experiment: String,
    /// Folder for the report [default: brownout-runs/<time>-<name>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace the files of an earlier run in that folder
    #[arg(long)]
    pub force: bool,
    /// Where the experiment runs; one with `[aws]` needs `aws`
    #[arg(long, value_enum, default_value = "local")]
    pub target: Target,
    /// Let AWS FIS start and end the faults; implies `--target aws`; the stack from `export fis` must be deployed
    #[arg(long, value_enum)]
    pub via: Option<Via>,
    /// The stack on AWS
    #[command(flatten)]
    pub on: OnStack,
    /// Folder of the data in the stack, as `seed` printed it [default: brownout-seeds/<stack>]
    #[arg(long, value_name = "DIR")]
    pub seed_folder: Option<PathBuf>,
    /// Allow functions whose name or tag says production
    #[arg(long)]
    pub yes: bool,
    /// Replace the seed of the file
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = seed)]
    pub seed: Option<u64>,
    /// Switch on a weakness of a sample system, in addition to those in the file
    #[arg(long = "weakness", value_name = "NAME")]
    pub weaknesses: Vec<String>,
    /// Real Redis server as the cache of the audit system, such as redis://127.0.0.1:6379; it is neither observed nor faulted
    #[arg(long, env = "BROWNOUT_REDIS", hide_env_values = true, value_name = "URL", value_parser = cache_address)]
    pub redis: Option<String>,
    /// Who follows it
    #[command(flatten)]
    pub watch: Watch,
    /// Print result.json on standard output and nothing else
    #[arg(long)]
    pub json: bool,
}

/// A stack on AWS.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct OnStack {
    /// CloudFormation stack that the experiment's systems are deployed in [default: `stack` of `[aws]`]
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// AWS Region of the stack [default: what the AWS SDK finds]
    #[arg(long, value_name = "REGION", requires = "stack")]
    pub region: Option<String>,
}

fn system() -> impl TypedValueParser<Value = System> {
    let names = PossibleValuesParser::new(System::ALL.map(|system| PossibleValue::new(system.name()).help(system.about())));
    names.try_map(|name| System::called(&name).ok_or("no system has this name"))
}

fn format() -> impl TypedValueParser<Value = &'static Format> {
    let names = PossibleValuesParser::new(FORMATS.each_ref().map(|format| PossibleValue::new(format.name).help(format.about)));
    names.try_map(|name| FORMATS.iter().find(|format| format.name == name).ok_or("no export has this name"))
}

fn cache_address(text: &str) -> Result<String, String> {
    let is_one = ["redis://", "rediss://"].iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    // What was found is not said: a password may be in it.
    if is_one { Ok(text.to_owned()) } else { Err("write an address such as `redis://127.0.0.1:6379`".to_owned()) }
}

/// `brownout recover`
#[derive(Debug, clap::Args)]
pub struct Recover {
    /// Only list what would be restored
    #[arg(long)]
    pub list: bool,
    /// Recover this run even if it is still active; by default only expired runs
    #[arg(long, value_name = "RUN", conflicts_with = "all")]
    pub run: Option<String>,
    /// Recover every run, including those that may still be active
    #[arg(long)]
    pub all: bool,
    /// Journal of the run, for functions whose own record was deleted
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// AWS Region [default: what the AWS SDK finds]
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
}

/// `brownout seed`
#[derive(Debug, clap::Args)]
pub struct Seed {
    /// Name of an experiment that comes with brownout, or path of a file
    #[arg(value_parser = utf8())]
    pub experiment: String,
    /// The stack on AWS
    #[command(flatten)]
    pub on: OnStack,
    /// Folder for the journal, the users' password and the devices' keys [default: brownout-seeds/<stack>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Only print the IAM policy that `seed` and `unseed` need for this
    #[arg(long)]
    pub policy: bool,
}

/// `brownout unseed`
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Unseed {
    /// The folder that `seed` printed
    pub folder: Option<PathBuf>,
    /// The stack by its name or ARN, if `seed` wrote to its default folder
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
}

/// `brownout export`
#[derive(Debug, clap::Args)]
pub struct Export {
    /// What to write
    #[arg(value_parser = format())]
    pub form: &'static Format,
    /// Paths of experiments; more than one only for `fis-game-day`, in their order, and `github-actions`
    #[arg(required = true, value_parser = utf8())]
    pub experiments: Vec<String>,
    /// Time between two experiments of a game day, in whole minutes [default: 5m]
    #[arg(long, value_name = "TIME")]
    pub wait: Option<Time>,
    /// How many workers share a load, 2 to 1000; for `slurm`, `batch` and `kubernetes`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=1000))]
    pub workers: Option<u64>,
    /// Name of a game day [default: game-day]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Folder for the files [default: brownout-export/<form>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
