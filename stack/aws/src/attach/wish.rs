//! What an attach should do, and what was found around the function.

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

/// What an attach should do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The run.
    pub run: Run,
    /// When it is attached, in seconds since 1970.
    pub at: u64,
    /// When the run expires, likewise: from then on `recover` undoes it.
    pub until: u64,
    /// The layer.
    pub layer: Layer,
    /// Where the extension reads its plan: the value of `BROWNOUT_PLAN`, such as `ssm:<name>`.
    pub plan: String,
    /// Other `BROWNOUT_*` variables, such as `BROWNOUT_OUTBOUND`.
    pub settings: BTreeMap<String, String>,
    /// The alias, if a version published with the layer gets a share of its calls.
    pub alias: Option<String>,
}

/// What was found around a function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The architectures that the layer names, empty if it names none; `None` if the layer does not exist
    /// or may not be read.
    pub architectures: Option<Vec<String>>,
    /// Whether code signing refuses unsigned layers.
    pub enforced: bool,
    /// Whether the function's reserved concurrency is 0: nothing runs.
    pub switched_off: bool,
}
