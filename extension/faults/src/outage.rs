//! What can happen to the calls that a function makes.

use serde::{Deserialize, Serialize};

use crate::time::Time;

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
