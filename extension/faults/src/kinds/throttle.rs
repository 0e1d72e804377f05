//! Several invocations in a row are refused, as they are while a function is throttled.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::complaint::Complaint;
use crate::effect::Effect;
use crate::injected_error;
use crate::roll::Roll;
use crate::settings::{Seen, Settings};
use crate::share::Share;

/// Each burst begins with an invocation that the roll strikes; the ones after it in the same environment are refused with it.
/// From inside Lambda no real throttle can be made: the caller sees a failed invocation, and Lambda's `Throttles` metric stays 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Burst {
    /// Invocations refused in a row, the first one included; 1 to 1000.
    #[serde(default = "burst")]
    pub burst: u32,
    /// Lambda's `errorType`.
    #[serde(default = "error_type", rename = "type")]
    pub error_type: String,
    /// Lambda's `errorMessage`, at most 1024 bytes.
    #[serde(default = "message")]
    pub message: String,
}

const fn burst() -> u32 {
    10
}

fn error_type() -> String {
    "TooManyRequestsException".to_owned()
}

fn message() -> String {
    "Rate exceeded, injected by brownout".to_owned()
}

impl Burst {
    /// The share of invocations that begin a burst, so that `share` of them is struck in the long run:
    /// with bursts of n, begun with p by each invocation outside of one, n p / (1 + (n - 1) p) are struck.
    pub fn beginning(&self, share: Share) -> Share {
        let (n, s) = (f64::from(self.burst), share.value());
        Share::try_from(s / (n - s * (n - 1.0))).unwrap_or(share)
    }
}

impl Settings for Burst {
    fn decide(&self, _: Roll) -> Action {
        Action::Refuse { error_type: self.error_type.clone(), message: self.message.clone() }
    }

    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = injected_error::complaints(&self.error_type, &self.message);
        if !(1..=1000).contains(&self.burst) {
            complaints.push(Complaint::new("burst", format!("`{}` is outside 1 to 1000", self.burst)));
        }
        complaints
    }

    fn effect(&self, _: Duration) -> Effect {
        Effect::FAILS
    }

    const ENDS_THE_INVOCATION: bool = true;

    const EXAMPLE: &'static str = r#"throttle = { burst = 20 }"#;

    const SEEN: &'static [Seen] = &[Seen { with: "", by: super::error::FAILED }];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_struck_in_the_long_run() {
        for (n, share, beginning) in [(1, 0.5, 0.5), (10, 1.0, 1.0), (10, 0.0, 0.0), (10, 0.5, 0.5 / 5.5)] {
            let burst = Burst { burst: n, error_type: error_type(), message: message() };
            let found = burst.beginning(Share::try_from(share).unwrap()).value();
            assert!((found - beginning).abs() < 1e-12, "{n} {share}: {found}");
        }
    }
}
