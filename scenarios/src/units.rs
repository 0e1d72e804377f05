//! Numbers of a load as people write them: `"40/s"`, `"64KiB"`.

use std::str::FromStr;

use faults::Found;
use schemars::JsonSchema;
use serde::Deserialize;

/// Arrivals a second, written `"40/s"`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "Found")]
#[schemars(with = "String")]
pub struct Rate(pub f64);

impl TryFrom<Found> for Rate {
    type Error = String;

    fn try_from(found: Found) -> Result<Self, String> {
        found.read("a rate", "40/s", |number| format!("{number}/s"))
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        a_second(text).filter(|rate| *rate > 0.0).map(Self).ok_or_else(|| not_a_rate(text))
    }
}

/// Arrivals a second at some moment, which may be `"0/s"`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "Found")]
#[schemars(with = "String")]
pub struct Level(pub f64);

impl TryFrom<Found> for Level {
    type Error = String;

    fn try_from(found: Found) -> Result<Self, String> {
        found.read("a rate", "40/s", |number| format!("{number}/s"))
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        a_second(text).map(Self).ok_or_else(|| not_a_rate(text))
    }
}

/// A rate in arrivals a second, 0 or more.
fn a_second(text: &str) -> Option<f64> {
    let (number, unit) = text.split_once('/')?;
    let number: f64 = number.trim().parse().ok()?;
    let rate = match unit.trim() {
        "s" => number,
        "m" => number / 60.0,
        _ => return None,
    };
    (rate.is_finite() && rate >= 0.0).then_some(rate)
}

fn not_a_rate(text: &str) -> String {
    format!("`{text}` is not a rate; write arrivals a second, such as `40/s`, or a minute, such as `90/m`")
}

/// Bytes, written `"64KiB"` or `"40MiB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "Found")]
#[schemars(with = "String")]
pub struct Size(pub u64);

impl TryFrom<Found> for Size {
    type Error = String;

    fn try_from(found: Found) -> Result<Self, String> {
        found.read("a size", "64KiB", |number| format!("{number}KiB"))
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [("KiB", 1_u64 << 10), ("MiB", 1 << 20)];
        let read = |(unit, bytes): (&str, u64)| text.strip_suffix(unit)?.trim().parse::<u64>().ok()?.checked_mul(bytes);
        units.into_iter().find_map(read).map(Self).ok_or_else(|| format!("`{text}` is not a size; write for example `64KiB` or `40MiB`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_as_it_is_written_or_refused() {
        assert!(("40/s".parse::<Rate>().unwrap().0 - 40.0).abs() < 1e-12);
        assert!(("90/m".parse::<Rate>().unwrap().0 - 1.5).abs() < 1e-12);
        for text in ["40", "0/s", "-1/s", "40/h", "NaN/s", "inf/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_is_read_as_it_is_written_or_refused() {
        assert_eq!("64KiB".parse(), Ok(Size(64 << 10)));
        assert_eq!("40 MiB".parse(), Ok(Size(40 << 20)));
        for text in ["64", "64KB", "-1KiB", "99999999999999999MiB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
