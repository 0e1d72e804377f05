//! The environment is short of CPU, memory or disk while the handler runs.

use serde::{Deserialize, Serialize};

use super::{Seen, Settings};
use crate::{Action, Complaint, Roll, time::Time};

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

impl Settings for Pressure {
    fn decide(&self, _: Roll) -> Action {
        Action::Pressure(*self)
    }

    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if self.cpu_threads == 0 && self.memory_mib == 0 && self.tmp_mib == 0 {
            complaints.push(Complaint::new("", "it takes nothing; give one of `cpu-threads`, `memory-mib` and `tmp-mib`"));
        }
        for (key, value, most) in
            [("cpu-threads", self.cpu_threads, 16), ("memory-mib", self.memory_mib, 10_240), ("tmp-mib", self.tmp_mib, 10_240)]
        {
            if value > most {
                complaints.push(Complaint::new(key, format!("`{value}` is more than {most}")));
            }
        }
        if self.time.duration().is_zero() || self.time.duration().as_secs() > 60 {
            complaints.push(Complaint::new("time", format!("`{}` is not more than 0 and at most `60s`", self.time)));
        }
        complaints
    }

    const EXAMPLE: &'static str = r#"resource = { cpu-threads = 2, memory-mib = 64, time = "5s" }"#;

    const SEEN: &'static [Seen] = &[Seen {
        with: "",
        by: [
            "200, later, or what the function makes of a full memory or disk",
            "200, later, or what the function makes of a full memory or disk",
            "200, later, or what the function makes of a full memory or disk",
            "later, or as error",
            "later, or as error",
            "later, or as error",
            "later, or as error",
            "later, or as error",
        ],
    }];
}
