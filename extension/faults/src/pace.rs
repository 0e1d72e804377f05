//! How the bytes of an answer can go on.

use serde::{Deserialize, Serialize};

use crate::injected_error::InjectedError;
use crate::time::Time;

/// How the bytes of the answer go to the platform. It is meant for streamed answers; a buffered one is uploaded in the same way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pace {
    /// Wait before the first byte of the answer; at most 15m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<Time>,
    /// The answer goes on at so many bytes a second; 1 to 1073741824.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
    /// After so many bytes of the answer the connection is closed, or the stream ended with `error` where that is set; 0 and more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_after: Option<u64>,
    /// The trailers `Lambda-Runtime-Function-Error-Type` and `-Error-Body` end a streamed answer, after all of it or after `cut-after`.
    /// An answer that is not streamed has no trailers: it passes as the other settings say, and the ledger has the fault as not carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<InjectedError>,
}
