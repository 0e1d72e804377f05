//! The function's calls to a host fail or are slow.

use std::time::Duration;

use crate::action::Action;
use crate::complaint::Complaint;
use crate::effect::{ANSWER, Effect, Ending, GATEWAY, Longer};
use crate::roll::Roll;
use crate::settings::{Seen, Settings};

pub use crate::outage::{Outage, Trouble};

impl Settings for Outage {
    fn decide(&self, _: Roll) -> Action {
        Action::Disturb(self.clone())
    }

    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        let plain = self.host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_*:[]".contains(&b));
        if self.host.is_empty() || self.host.len() > 253 || !plain {
            let what = format!("`{}` is not a host; write a name such as `dynamodb.*.amazonaws.com`, without scheme and port", self.host);
            complaints.push(Complaint::new("host", what));
        }
        match self.trouble {
            Trouble::Slow(time) if time.duration().is_zero() || time.duration() > super::latency::LONGEST => {
                complaints.push(Complaint::new("trouble.slow", format!("`{time}` is not more than 0 and at most `15m`")));
            }
            Trouble::Throttled(rate) if !(1..=1 << 30).contains(&rate) => {
                complaints.push(Complaint::new("trouble.throttled", format!("`{rate}` is outside 1 to 1073741824")));
            }
            Trouble::Refused | Trouble::Reset | Trouble::Blackholed | Trouble::Slow(_) | Trouble::Throttled(_) => {}
        }
        complaints
    }

    fn effect(&self, _: Duration) -> Effect {
        match self.trouble {
            Trouble::Refused | Trouble::Reset => Effect::of(Ending::Depends, Longer::Nothing),
            Trouble::Blackholed | Trouble::Slow(_) | Trouble::Throttled(_) => Effect::of(Ending::Depends, Longer::SOME),
        }
    }

    fn mean_wait_s(&self) -> f64 {
        match self.trouble {
            Trouble::Slow(time) => time.duration().as_secs_f64(),
            Trouble::Throttled(rate) => ANSWER / rate as f64,
            Trouble::Blackholed => GATEWAY.as_secs_f64(),
            Trouble::Refused | Trouble::Reset => 0.0,
        }
    }

    const ENDS_THE_INVOCATION: bool = false;

    const EXAMPLE: &'static str = r#"dependency = { host = "*.amazonaws.com", trouble = { slow = "800ms" } }"#;

    const SEEN: &'static [Seen] = &[Seen {
        with: "",
        by: [
            "what the function makes of a failed or slow call",
            "what the function makes of a failed or slow call",
            "what the function makes of a failed or slow call",
            "what the function makes of a failed or slow call",
            "what the function makes of a failed or slow call",
            "what the function makes of a failed or slow call",
            "what the function makes of a failed or slow call",
            "what the function makes of a failed or slow call",
        ],
    }];
}
