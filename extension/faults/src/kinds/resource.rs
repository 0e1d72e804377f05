//! The environment is short of CPU, memory or disk while the handler runs.

use std::time::Duration;

use crate::action::Action;
use crate::complaint::Complaint;
use crate::effect::{Effect, Ending, Longer};
use crate::roll::Roll;
use crate::settings::{Seen, Settings};

pub use crate::pressure::Pressure;

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

    fn effect(&self, _: Duration) -> Effect {
        Effect::of(Ending::Depends, if self.cpu_threads > 0 { Longer::SOME } else { Longer::Nothing })
    }

    const ENDS_THE_INVOCATION: bool = false;
    const ONLY_TAKES_TIME: bool = true;

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
