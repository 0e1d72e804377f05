//! Durations as people write them: `"300ms"`, `"15s"`, `"2m"`, `"1h"`, `"250us"`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::found::Found;

/// A span of time written as text with a unit; at most 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Found", into = "String")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "String"))]
pub struct Time(Duration);

/// The units that may follow the number, with their length in microseconds, longest name first.
const UNITS: [(&str, u64); 5] = [("us", 1), ("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000)];

const LONGEST: Duration = Duration::from_secs(24 * 3600);

impl Time {
    /// The span as the standard library's type.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl From<Duration> for Time {
    fn from(span: Duration) -> Self {
        Self(span.min(LONGEST))
    }
}

impl TryFrom<Found> for Time {
    type Error = String;

    fn try_from(found: Found) -> Result<Self, String> {
        found.read("a time", "40s", |seconds| format!("{seconds}s"))
    }
}

impl std::str::FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a time; write a number and a unit, such as `300ms`, `15s` or `2m`");
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, unit) = text.split_at(digits);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let (_, microseconds) = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(wrong)?;
        // Rounded to the microsecond, the finest unit that can be written, so that it reads back as
        // itself.
        let seconds = (number * (*microseconds as f64)).round() / 1e6;
        let span = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
        if span > LONGEST {
            return Err(format!("`{text}` is longer than `24h`"));
        }
        Ok(Self(span))
    }
}

impl From<Time> for String {
    fn from(time: Time) -> Self {
        time.to_string()
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let microseconds = u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX);
        let fits = |unit: &&(&str, u64)| microseconds >= unit.1 && microseconds.is_multiple_of(unit.1);
        match UNITS.iter().rev().find(fits) {
            Some((name, length)) => write!(f, "{}{name}", microseconds / length),
            None => f.write_str("0s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_and_writes_the_same() {
        for (text, microseconds, back) in [
            ("300ms", 300_000, "300ms"),
            ("1.5s", 1_500_000, "1500ms"),
            ("2m", 120_000_000, "2m"),
            ("60s", 60_000_000, "1m"),
            ("250us", 250, "250us"),
            ("0s", 0, "0s"),
            ("0.4us", 0, "0s"),
            ("0.3000016s", 300_002, "300002us"),
        ] {
            let time: Time = text.parse().unwrap();
            assert_eq!(time.duration(), Duration::from_micros(microseconds), "{text}");
            assert_eq!(time.to_string(), back, "{text}");
        }
    }

    #[test]
    fn an_invalid_time_is_refused() {
        for text in ["", "300", "ms", "-1s", "1 parsec", "1e9h", "25h", "..s"] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_text_says_what_to_write() {
        for (json, says) in [
            ("40", "`40` is not a time; write `\"40s\"`"),
            ("0.3", "`0.3` is not a time; write `\"0.3s\"`"),
            ("-1", "`-1` is not a time; write for example `\"40s\"`"),
            ("99999999", "`99999999` is not a time; write for example `\"40s\"`"),
            ("true", "`true` is not a time; write for example `\"40s\"`"),
            ("[40]", "a list is not a time; write for example `\"40s\"`"),
            ("{\"s\": 40}", "a table is not a time; write for example `\"40s\"`"),
        ] {
            let error = serde_json::from_str::<Time>(json).unwrap_err().to_string();
            assert!(error.starts_with(says), "{json}: {error}");
        }
    }
}
