//! The function's calls to a host fail or are slow.

use serde::{Deserialize, Serialize};

use super::{Seen, Settings};
use crate::{Action, Complaint, Roll, time::Time};

/// What happens to the calls of a struck invocation to one host, on their way through the extension.
/// They come there through `HTTPS_PROXY` and `HTTP_PROXY`, which the function's HTTP client must use, or through an
/// `AWS_ENDPOINT_URL...` variable with `http://`. A call that takes another way is not affected, and the ledger shows a fault that was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outage {
    /// The host's name without its port; `*` means any text. For an endpoint variable, the host in its value.
    pub host: String,
    /// What goes wrong.
    pub trouble: Trouble,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Trouble {
    /// No connection can be made; one that is open is closed.
    Refused,
    /// The connection is reset (TCP RST).
    Reset,
    /// The call gets no answer and is not ended.
    Blackholed,
    /// What the function sends is held back for this time, once for each exchange; more than 0, at most 15m.
    Slow(Time),
    /// Bytes a second, both ways together; 1 to 1073741824.
    Throttled(u64),
}

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
