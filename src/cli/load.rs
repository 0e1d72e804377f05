//! What `brownout load` can be asked for.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use engine::bounds::{AtMostTime, Errors};
use engine::file::Method;
use faults::time::Time;
use scenarios::units::Rate;

use super::watch::Watch;
use super::workers::Workers;

/// `brownout load`
#[derive(Debug, clap::Args)]
pub struct Load {
    /// Path of a file with `[[load.requests]]` or `[[journey]]`, or one URL
    #[arg(value_name = "FILE|URL")]
    pub target: String,
    /// Folder for the report, or of all workers [default: brownout-runs/<time>-<name>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace the files of an earlier run in that folder
    #[arg(long)]
    pub force: bool,
    /// What arrivals and made-up values depend on; replaces the seed of the file
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Who follows it
    #[command(flatten)]
    pub watch: Watch,
    /// Print result.json on standard output and nothing else
    #[arg(long)]
    pub json: bool,
    // Last: their headings would be those of what follows.
    /// What is sent to one URL
    #[command(flatten)]
    pub to_url: ToUrl,
    /// Who sends it
    #[command(flatten)]
    pub workers: Workers,
}

/// What is sent to one URL; a file says all of it itself.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "For a URL")]
pub struct ToUrl {
    /// Requests a second, such as 500/s, sent when they are due however slow the answers are
    #[arg(long, value_name = "RATE", value_parser = written::<Rate>)]
    pub rate: Option<String>,
    /// How long is measured, after the warm-up [default: 30s]
    #[arg(long = "for", value_name = "TIME")]
    pub length: Option<Time>,
    /// How long requests are sent before the measurement [default: 3s]
    #[arg(long, value_name = "TIME")]
    pub warm_up: Option<Time>,
    /// HTTP method [default: GET]
    #[arg(long, short = 'X', value_name = "METHOD", ignore_case = true, value_parser = method())]
    pub method: Option<Method>,
    /// Header, such as 'accept: application/json'; may be repeated. It is in no report
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
    /// Body, or @FILE
    #[arg(long, short = 'd', value_name = "TEXT|@FILE")]
    pub body: Option<String>,
    /// Status that is right; may be repeated [default: every 2xx]
    #[arg(long = "status", value_name = "STATUS", value_parser = clap::value_parser!(u16).range(100..500))]
    pub statuses: Vec<u16>,
    /// Certificates in PEM that are trusted in place of those of this machine
    #[arg(long, value_name = "FILE")]
    pub ca: Option<String>,
    /// Certificate in PEM that is shown to the server
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<String>,
    /// Private key of that certificate
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<String>,
    /// The only version of HTTP to speak over TLS, 1.1 or 2 [default: 2 where the server can]
    #[arg(long, value_name = "VERSION", value_parser = ["1.1", "2"])]
    pub http: Option<String>,
    /// How arrivals are spread [default: constant]
    #[arg(long)]
    pub arrivals: Option<Arrivals>,
    /// Bound on the median, such as '<= 50ms'
    #[arg(long, value_name = "BOUND", value_parser = written::<AtMostTime>)]
    pub p50: Option<String>,
    /// Bound on the 90th percentile
    #[arg(long, value_name = "BOUND", value_parser = written::<AtMostTime>)]
    pub p90: Option<String>,
    /// Bound on the 99th percentile
    #[arg(long, value_name = "BOUND", value_parser = written::<AtMostTime>)]
    pub p99: Option<String>,
    /// Bound on the share of errors, such as '<= 1%', or 'any' [default: <= 2%, more for few requests]
    #[arg(long, value_name = "BOUND", value_parser = written::<Errors>)]
    pub errors: Option<String>,
}

/// How arrivals are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Arrivals {
    /// Evenly
    Constant,
    /// As a Poisson process from the seed
    Poisson,
}

impl Arrivals {
    /// As a file writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
        }
    }
}

/// The methods of a file, in any case.
fn method() -> impl TypedValueParser<Value = Method> {
    let named = |name: String| Method::ALL.into_iter().find(|method| method.name().eq_ignore_ascii_case(&name));
    PossibleValuesParser::new(Method::ALL.map(Method::name)).try_map(move |name| named(name).ok_or("not a method"))
}

/// A text that `T` reads, as it was written: a file gets it.
fn written<T: std::str::FromStr<Err = String>>(text: &str) -> Result<String, String> {
    text.parse::<T>().map(|_| text.to_owned())
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write `name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
