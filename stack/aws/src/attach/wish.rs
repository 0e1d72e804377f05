//! What an attach shall do, and what was found around the function.

use std::collections::BTreeMap;

use crate::marker::Run;

/// The layer's version: an ARN that ends in `:layer:<name>:<number>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    arn: String,
    stem: usize,
    number: i64,
}

impl TryFrom<String> for Layer {
    type Error = String;

    fn try_from(arn: String) -> Result<Self, String> {
        let parts: Vec<&str> = arn.split(':').collect();
        let number = match parts.as_slice() {
            ["arn", _, "lambda", _, _, "layer", name, number] if !name.is_empty() => number.parse().ok().filter(|number: &i64| *number > 0),
            _ => None,
        };
        match (number, arn.rfind(':')) {
            (Some(number), Some(stem)) => Ok(Self { arn, stem, number }),
            _ => Err(format!("`{arn}` is not a layer's version; it is `arn:aws:lambda:<region>:<account>:layer:<name>:<number>`")),
        }
    }
}

impl Layer {
    /// The whole ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The ARN without the version.
    pub fn stem(&self) -> &str {
        self.arn.get(..self.stem).unwrap_or(&self.arn)
    }

    /// The version.
    pub fn number(&self) -> i64 {
        self.number
    }
}

/// What an attach shall do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Whose it is.
    pub run: Run,
    /// When it is attached, in seconds since 1970.
    pub at: u64,
    /// When the run is over at the latest, likewise: from then on `recover` takes it back.
    pub until: u64,
    /// The layer.
    pub layer: Layer,
    /// Where the extension reads its plan: what `BROWNOUT_PLAN` holds, such as `ssm:<name>`.
    pub plan: String,
    /// Other `BROWNOUT_*` variables, such as `BROWNOUT_OUTBOUND`.
    pub settings: BTreeMap<String, String>,
    /// The alias that a version published with this is given a share of.
    pub alias: Option<String>,
}

/// What was found around a function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The architectures that the layer says it is for, none meaning any; `None` where there is no such layer, or it may not be seen.
    pub architectures: Option<Vec<String>>,
    /// Whether unsigned layers are refused.
    pub enforced: bool,
    /// Whether the function's reserved concurrency is 0: nothing runs.
    pub switched_off: bool,
}
