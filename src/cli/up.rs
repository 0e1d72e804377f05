//! What `brownout up` can be asked for.

use std::path::PathBuf;

use engine::bounds::Factor;
use faults::time::Time;
use scenarios::systems::System;

use super::{TemplateOptions, cache_address, system};

/// `brownout up`
#[derive(Debug, clap::Args)]
pub struct Up {
    /// Sample systems to start [default: the template of this folder, else thermostat,clinic]
    #[arg(long, visible_alias = "system", value_delimiter = ',', value_parser = system())]
    pub systems: Vec<System>,
    /// Your own SAM or CloudFormation template, or the folder that has it
    #[arg(long, value_name = "PATH", conflicts_with = "systems")]
    pub template: Option<PathBuf>,
    /// Parameters of the template
    #[command(flatten)]
    pub options: TemplateOptions,
    /// A layer of another account that the template names: a folder or a .zip
    #[arg(long = "layer", value_name = "ARN=PATH", value_parser = pair)]
    pub layers: Vec<(String, String)>,
    /// A service that runs somewhere else, in place of brownout's: on this machine, or at a private address
    #[arg(long = "service", value_name = "NAME=URL", value_parser = pair, conflicts_with = "systems")]
    pub services: Vec<(String, String)>,
    /// The same at any address
    #[arg(long = "public-service", value_name = "NAME=URL", value_parser = pair, conflicts_with = "systems")]
    pub public_services: Vec<(String, String)>,
    /// Homes with thermostats, 1 to 1000
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub homes: u32,
    /// Members of the pool of inactive users, 1 to 20000
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub members: u32,
    /// Simultaneous sign-ins to be ready for: environments that are started beforehand, at most 64
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(..=64))]
    pub sign_ins_at_once: u32,
    /// Speed-up of queues against AWS: visibility, retention, alarms
    #[arg(long, value_name = "TIMES", default_value = "1x")]
    pub queue_time: Factor,
    /// Speed-up of the expiry of rows against AWS
    #[arg(long, value_name = "TIMES", default_value = "1x")]
    pub expiry_time: Factor,
    /// Switch on a weakness of a sample system
    #[arg(long = "weakness", value_name = "NAME")]
    pub weaknesses: Vec<String>,
    /// Real Redis server as the cache of the audit system, such as redis://127.0.0.1:6379; it is neither observed nor faulted
    #[arg(long, env = "BROWNOUT_REDIS", hide_env_values = true, value_name = "URL", value_parser = cache_address)]
    pub redis: Option<String>,
    /// How long the gateway keeps an authorizer's answer
    #[arg(long, value_name = "TIME", default_value = "300s")]
    pub authorizer_cache: Time,
    /// Folder for plan, ledger and logs [default: brownout-runs/<time>-up]
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Replace the files of an earlier run in that folder
    #[arg(long)]
    pub force: bool,
    /// Started by a harness: `stop` on standard input takes the stack down; when standard input ends, the stack waits this long and goes
    #[arg(long, hide = true, value_name = "TIME")]
    pub harness: Option<Time>,
    /// Leave out the rows and users that exist before the first request, as a stack on AWS is without `seed`; devices need certificates
    #[arg(long, hide = true)]
    pub unseeded: bool,
    /// The stack's mark
    #[arg(long, hide = true)]
    pub marker: Option<String>,
}

/// A name and its value.
fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| "write NAME=VALUE".to_owned())
}
