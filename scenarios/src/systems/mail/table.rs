//! Its table under `[load]` in an experiment.

use faults::Share;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::{Rate, Size};

/// SES takes no larger mail. Source: Amazon SES, service quotas.
pub(super) const LARGEST: u64 = 40 << 20;

/// Mail; it always comes as a Poisson process.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MailLoad {
    /// Mails a second.
    pub rate: Rate,
    /// So many more at once in the middle of the fault phase; none unless it is given.
    #[serde(default)]
    pub burst: u32,
    /// No mail is larger; `40MiB` unless it is given, `16KiB` at least.
    #[serde(default = "largest")]
    pub largest: Size,
    /// The share of mails that cannot be processed; 0.02 unless it is given.
    #[serde(default = "malformed")]
    pub malformed: Share,
    /// The share of mails without a list of readers; 0.1 unless it is given.
    #[serde(default = "without_list")]
    pub without_list: Share,
}

const fn largest() -> Size {
    Size(LARGEST)
}

fn malformed() -> Share {
    Share::try_from(0.02).unwrap_or(Share::ALL)
}

fn without_list() -> Share {
    Share::try_from(0.1).unwrap_or(Share::ALL)
}
