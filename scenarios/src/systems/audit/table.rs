//! Its table under `[load]` in an experiment.

use faults::Share;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::{Rate, Size};

/// More does not go into one invocation. Source: AWS Lambda, quotas.
pub(super) const LARGEST: u64 = 6 << 20;

/// Audit records.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AuditLoad {
    /// Records a second.
    pub rate: Rate,
    /// No body is larger; `6MiB` unless it is given, `16KiB` at least. The very largest are cut to what goes into one invocation.
    #[serde(default = "largest")]
    pub largest: Size,
    /// The share of requests that send a record again that was sent a moment before; 0.05 unless it is given.
    #[serde(default = "repeats")]
    pub repeats: Share,
    /// The share of records with a date that must be refused; 0.03 unless it is given.
    #[serde(default = "bad_dates")]
    pub bad_dates: Share,
    /// The share of records whose content is plain text and no base64; 0.02 unless it is given.
    #[serde(default = "not_base64")]
    pub not_base64: Share,
    /// The share of records with a wrong key or none; 0.01 unless it is given.
    #[serde(default = "bad_keys")]
    pub bad_keys: Share,
}

const fn largest() -> Size {
    Size(LARGEST)
}

fn repeats() -> Share {
    Share::try_from(0.05).unwrap_or(Share::ALL)
}

fn bad_dates() -> Share {
    Share::try_from(0.03).unwrap_or(Share::ALL)
}

fn not_base64() -> Share {
    Share::try_from(0.02).unwrap_or(Share::ALL)
}

fn bad_keys() -> Share {
    Share::try_from(0.01).unwrap_or(Share::ALL)
}
