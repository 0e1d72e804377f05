//! What can be taken away from an environment.

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// A process of the extension takes what is asked from when the event is handed over until the handler answers, for `time` at most.
/// What it takes is given back when it ends, and it ends with the extension, whatever happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pressure {
    /// Threads that burn CPU; 0 to 16.
    #[serde(default)]
    pub cpu_threads: u32,
    /// Memory in MiB; 0 to 10240. Never more than what the environment has left, 16 MiB kept free.
    #[serde(default)]
    pub memory_mib: u32,
    /// Disk below `/tmp` in MiB; 0 to 10240. Never more than what is free, 16 MiB kept free.
    #[serde(default)]
    pub tmp_mib: u32,
    /// For how long at most; more than 0, at most 60s.
    #[serde(default = "time")]
    pub time: Time,
}

fn time() -> Time {
    Time::from(std::time::Duration::from_secs(10))
}
