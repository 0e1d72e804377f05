//! How `brownout load` is shared by several processes.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// On several machines, or in several processes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "On several machines")]
pub struct Workers {
    /// Start N workers, wait for them, and judge what they measured together: `local:N` on this machine, `slurm:N` as an array of
    /// Slurm that is submitted here, in a folder that all its machines share, `kubernetes:N` as pods where `kubectl` leads, `batch:N` as an
    /// array job of AWS Batch
    #[arg(long, value_name = "WHERE:N", value_parser = crew, conflicts_with_all = ["worker", "index", "of", "live", "otlp"])]
    pub workers: Option<Crew>,
    /// The container image with this version of brownout, for `--workers kubernetes:N`
    #[arg(long, env = "BROWNOUT_IMAGE", value_name = "IMAGE")]
    pub image: Option<String>,
    /// The queue of AWS Batch, for `--workers batch:N`
    #[arg(long, value_name = "NAME")]
    pub job_queue: Option<String>,
    /// The job definition of AWS Batch, for `--workers batch:N`
    #[arg(long, value_name = "NAME")]
    pub job_definition: Option<String>,
    /// The folder, here, that the containers of AWS Batch see as `/load`
    #[arg(long, value_name = "DIR", default_value = "/load")]
    pub shared: PathBuf,
    /// Be one of several workers, which one and of how many is known from the variables of the engine that started it:
    /// Kubernetes, AWS Batch, Slurm, GNU parallel
    #[arg(long)]
    pub worker: bool,
    /// Which worker it is, from 0 [default: what the engine says]
    #[arg(long, value_name = "I")]
    pub index: Option<u64>,
    /// Of how many [default: what the engine says]
    #[arg(long, value_name = "N")]
    pub of: Option<u64>,
    /// When the first request is due, the same for all workers: RFC 3339, or seconds since 1970 [default: at once]
    #[arg(long, env = "BROWNOUT_START_AT", value_name = "TIME", value_parser = moment)]
    pub start_at: Option<SystemTime>,
    /// End with the process that started it
    #[arg(long, hide = true)]
    pub end_with_parent: bool,
    /// Print what a report needs, at the end
    #[arg(long, hide = true)]
    pub send_folder: bool,
}

/// Who starts workers, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crew {
    /// Who.
    pub starter: Starter,
    /// How many.
    pub count: u64,
}

/// Who starts workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starter {
    /// This process.
    Local,
    /// Slurm.
    Slurm,
    /// Kubernetes.
    Kubernetes,
    /// AWS Batch.
    Batch,
}

impl Starter {
    const ALL: [Self; 4] = [Self::Local, Self::Slurm, Self::Kubernetes, Self::Batch];

    const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Slurm => "slurm",
            Self::Kubernetes => "kubernetes",
            Self::Batch => "batch",
        }
    }

    /// How many it can be asked for: of Slurm the most tasks of an array as it is installed, of Batch as Batch has it (2 at least, too); of
    /// Kubernetes as many as are followed at once.
    fn counts(self) -> RangeInclusive<u64> {
        match self {
            Self::Local => 1..=64,
            Self::Slurm => 2..=1_000,
            Self::Kubernetes => 2..=64,
            Self::Batch => 2..=10_000,
        }
    }
}

fn crew(text: &str) -> Result<Crew, String> {
    let read = |starter: Starter| {
        let count = text.strip_prefix(starter.name())?.strip_prefix(':')?.parse().ok()?;
        starter.counts().contains(&count).then_some(Crew { starter, count })
    };
    Starter::ALL.into_iter().find_map(read).ok_or_else(|| {
        let forms =
            Starter::ALL.map(|known| format!("`{}:N` with N from {} to {}", known.name(), known.counts().start(), known.counts().end()));
        format!("write {}; for others there is `brownout export`", forms.join(", or "))
    })
}

fn moment(text: &str) -> Result<SystemTime, String> {
    let seconds = || text.parse::<u32>().ok().map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds.into()));
    let wrong = || "write a time such as `2026-01-31T12:00:00Z`, or whole seconds since 1970".to_owned();
    seconds().or_else(|| dates::read(text)).ok_or_else(wrong)
}
