//! Bounds as people write them: `"<= 1s"`, `"<= 1%"`, `"30x"`, `"> 50% for 5s"`.

use std::str::FromStr;
use std::time::Duration;

use faults::{Found, Share, time::Time};
use schemars::JsonSchema;
use serde::Deserialize;

/// An upper limit on a time, written `"<= 1s"`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "Found")]
#[schemars(with = "String")]
pub struct AtMostTime(pub Time);

impl TryFrom<Found> for AtMostTime {
    type Error = String;

    fn try_from(found: Found) -> Result<Self, String> {
        found.read("a bound", "<= 1s", |seconds| format!("<= {seconds}s"))
    }
}

impl FromStr for AtMostTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        after_at_most(text, "<= 1s")?.parse().map(Self)
    }
}

/// What is asked of errors: an upper limit on their share, written `"<= 1%"`, or `"any"`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "Found")]
#[schemars(with = "String")]
pub enum Errors {
    /// At most this share.
    AtMost(Share),
    /// They are let go.
    Any,
}

impl TryFrom<Found> for Errors {
    type Error = String;

    fn try_from(found: Found) -> Result<Self, String> {
        found.read("a bound", "<= 1%", |number| format!("<= {}%", percent_of(number)))
    }
}

impl FromStr for Errors {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "any" {
            return Ok(Self::Any);
        }
        percent(
            text.strip_prefix("<=")
                .map(str::trim)
                .ok_or_else(|| format!("`{text}` is not a bound; write for example `<= 1%`, or `any`"))?,
        )
        .map(Self::AtMost)
    }
}

/// An upper limit on a ratio, written `"<= 1.5x"`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "Found")]
#[schemars(with = "String")]
pub struct AtMostRatio(pub f64);

impl TryFrom<Found> for AtMostRatio {
    type Error = String;

    fn try_from(found: Found) -> Result<Self, String> {
        found.read("a ratio", "<= 1.5x", |number| format!("<= {number}x"))
    }
}

impl FromStr for AtMostRatio {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = after_at_most(text, "<= 1.5x")?;
        let ratio = number.strip_suffix('x').and_then(|n| n.trim().parse::<f64>().ok()).filter(|r| r.is_finite() && *r > 0.0);
        ratio.map(Self).ok_or_else(|| format!("`{text}` is not a ratio; write for example `<= 1.5x`"))
    }
}

/// How many times faster, written `"30x"`; 1 to 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "Found")]
#[schemars(with = "String")]
pub struct Factor(pub u32);

impl Factor {
    /// The speed of AWS.
    pub const ONE: Self = Self(1);
}

impl FromStr for Factor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let factor = text.strip_suffix('x').and_then(|number| number.parse().ok()).filter(|factor| (1..=1_000_000).contains(factor));
        factor.map(Self).ok_or_else(|| format!("`{text}` is not a factor from `1x` to `1000000x`; write for example `30x`"))
    }
}

impl TryFrom<Found> for Factor {
    type Error = String;

    fn try_from(found: Found) -> Result<Self, String> {
        found.read("a factor", "30x", |number| format!("{number}x"))
    }
}

impl std::fmt::Display for Factor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x", self.0)
    }
}

/// A share of failed requests that must not be exceeded for a while, written `"> 50% for 5s"`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "Found")]
#[schemars(with = "String")]
pub struct MoreThanFor {
    /// The share.
    pub share: Share,
    /// For how long it has to be exceeded.
    pub span: Duration,
}

impl TryFrom<Found> for MoreThanFor {
    type Error = String;

    fn try_from(found: Found) -> Result<Self, String> {
        found.read("a stop condition", "> 50% for 5s", |number| format!("> {}% for 5s", percent_of(number)))
    }
}

impl FromStr for MoreThanFor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a stop condition; write for example `> 50% for 5s`");
        let (share, span) = text.strip_prefix('>').and_then(|rest| rest.split_once(" for ")).ok_or_else(wrong)?;
        let span: Time = span.trim().parse()?;
        if span.duration() < Duration::from_secs(1) {
            return Err(format!("`{text}` looks at less than `1s`"));
        }
        Ok(Self { share: percent(share.trim())?, span: span.duration() })
    }
}

/// A bare number below 1 is a share, any other a percentage.
fn percent_of(number: f64) -> f64 {
    let percent = if number < 1.0 { number * 100.0 } else { number };
    // 0.07 x 100 is not quite 7.
    (percent * 1e6).round() / 1e6
}

fn after_at_most<'a>(text: &'a str, example: &str) -> Result<&'a str, String> {
    text.strip_prefix("<=").map(str::trim).ok_or_else(|| format!("`{text}` is not a bound; write for example `{example}`"))
}

fn percent(text: &str) -> Result<Share, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let number = number.ok_or_else(|| format!("`{text}` is not a percentage; write for example `1%`"))?;
    Share::try_from(number / 100.0).map_err(|_| format!("`{text}` is outside 0 % to 100 %"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_read_as_they_are_written() {
        assert_eq!("<= 1s".parse::<AtMostTime>().unwrap().0.duration(), Duration::from_secs(1));
        assert_eq!("<= 1%".parse::<Errors>(), Ok(Errors::AtMost(Share::try_from(0.01).unwrap())));
        assert_eq!("any".parse::<Errors>(), Ok(Errors::Any));
        assert!(("<= 1.5x".parse::<AtMostRatio>().unwrap().0 - 1.5).abs() < 1e-12);
        let stop = "> 50% for 5s".parse::<MoreThanFor>().unwrap();
        assert_eq!((stop.share.value(), stop.span), (0.5, Duration::from_secs(5)));
    }

    #[test]
    fn what_is_no_bound_says_what_would_be() {
        for text in ["1s", "< 1s", "<= ", "<= 1", ""] {
            assert!(text.parse::<AtMostTime>().is_err(), "{text}");
        }
        for text in ["<= 101%", "<= -1%", "1%", "<= 1"] {
            assert!(text.parse::<Errors>().is_err(), "{text}");
        }
        for text in ["50% for 5s", "> 50%", "> 50% for 5", "> 50% for 10ms"] {
            assert!(text.parse::<MoreThanFor>().is_err(), "{text}");
        }
    }
}
