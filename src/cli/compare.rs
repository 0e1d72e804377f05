//! What `brownout compare` can be asked for.

use std::path::PathBuf;

use reports::Phase;

/// `brownout compare`
#[derive(Debug, clap::Args)]
pub struct Compare {
    /// Two runs, the earlier one first: their folders, or their result.json or latency.hlog. With `--append`, one run is enough
    #[arg(value_name = "RUN", num_args = 0..=2)]
    pub runs: Vec<PathBuf>,
    /// How much a quantile may grow before it is a regression
    #[arg(long, value_name = "PERCENT", default_value = "+5%", value_parser = percent)]
    pub bound: f64,
    /// How many per cent of all requests may fail more than before
    #[arg(long, value_name = "PERCENT", default_value = "+1%", value_parser = percent)]
    pub errors: f64,
    /// The quantiles that are compared
    #[arg(long, value_name = "QUANTILES", value_delimiter = ',', default_value = "p50,p90,p99", value_parser = reports::tables::NAMES)]
    pub at: Vec<String>,
    /// The only phase that is compared; load alone is recorded as a baseline [default: every phase]
    #[arg(long, value_enum)]
    pub phase: Option<OnePhase>,
    /// Add the last run to a history [default: brownout-history.ndjson]
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "brownout-history.ndjson")]
    pub append: Option<PathBuf>,
    /// Print the trend of a history
    #[arg(long, value_name = "FILE", conflicts_with_all = ["runs", "append"])]
    pub history: Option<PathBuf>,
    /// Print the comparison as JSON on standard output and nothing else
    #[arg(long)]
    pub json: bool,
}

/// A phase that is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OnePhase {
    /// Without faults
    Baseline,
    /// With faults
    Fault,
    /// After the faults
    Recovery,
}

impl OnePhase {
    /// In reports.
    pub const fn phase(self) -> Phase {
        match self {
            Self::Baseline => Phase::Baseline,
            Self::Fault => Phase::Fault,
            Self::Recovery => Phase::Recovery,
        }
    }
}

/// `+5%` as 0.05.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_start_matches('+').strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let wrong = || format!("`{text}` is not a growth; write for example `+5%`");
    number.filter(|percent| (0.0..=1_000.0).contains(percent)).map(|percent| percent / 100.0).ok_or_else(wrong)
}
