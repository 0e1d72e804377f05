//! A share: a number from 0 to 1.

use serde::{Deserialize, Serialize};

use crate::found::Found;

/// A share from 0 (none) to 1 (all).
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "Found", into = "f64")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "f64", extend("minimum" = 0.0, "maximum" = 1.0)))]
pub struct Share(f64);

impl Share {
    /// Everything.
    pub const ALL: Self = Self(1.0);

    /// Nothing.
    pub const NONE: Self = Self(0.0);

    /// The share as a number from 0 to 1.
    pub const fn value(self) -> f64 {
        self.0
    }

    fn checked(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }
}

impl TryFrom<f64> for Share {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        Self::checked(value).ok_or_else(|| refused(&Found::Number(value)))
    }
}

impl TryFrom<Found> for Share {
    type Error = String;

    fn try_from(found: Found) -> Result<Self, String> {
        if let Found::Number(value) = found { Self::try_from(value) } else { Err(refused(&found)) }
    }
}

/// A percentage, or a number in quotes, is answered with the number that was meant.
fn refused(found: &Found) -> String {
    let percent = |number: f64| number / 100.0;
    let meant = match found {
        Found::Number(number) => (number.fract() == 0.0).then(|| percent(*number)),
        Found::Text(text) => match text.strip_suffix('%') {
            Some(number) => number.trim().parse().ok().map(percent),
            None => text.trim().parse().ok(),
        },
        Found::Truth(_) | Found::List | Found::Table => None,
    };
    let meant = meant.and_then(Share::checked).map_or(0.5, Share::value);
    format!("{found} is not a share; write a number from 0 to 1, such as `{meant}`")
}

impl From<Share> for f64 {
    fn from(share: Share) -> Self {
        share.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_outside_0_to_1_is_refused() {
        for value in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(Share::try_from(value).is_err(), "{value}");
        }
    }

    #[test]
    fn what_is_no_share_says_which_number_was_meant() {
        for (json, meant) in [
            ("40", "0.4"),
            ("100", "1"),
            ("1.5", "0.5"),
            ("-1", "0.5"),
            ("\"50%\"", "0.5"),
            ("\"12.5 %\"", "0.125"),
            ("\"0.3\"", "0.3"),
            ("\"half\"", "0.5"),
            ("true", "0.5"),
            ("[0.1]", "0.5"),
            ("{}", "0.5"),
        ] {
            let error = serde_json::from_str::<Share>(json).unwrap_err().to_string();
            assert!(error.contains(&format!("is not a share; write a number from 0 to 1, such as `{meant}`")), "{json}: {error}");
        }
    }
}
