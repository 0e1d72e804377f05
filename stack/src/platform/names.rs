//! Makes the names that Lambda and the gateway make: request ids, trace ids, log streams, times. It reads the clock and nothing else.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use crate::account::{ACCOUNT, REGION};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// 64 bits that do not repeat: std seeds the keys from the system once a thread and changes them with every call. Not for secrets.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A UUID of version 4.
pub(crate) fn uuid() -> String {
    let (a, b) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        0x8000 | ((b >> 48) & 0x3fff),
        b & 0xffff_ffff_ffff
    )
}

/// The time since 1970.
pub(crate) fn now() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A trace header with a root of its own.
pub(crate) fn trace() -> String {
    let root = format!("Root=1-{:08x}-{:016x}{:08x}", now().as_secs(), random(), random() >> 32);
    with_parent(&root)
}

/// The caller's trace header where it has a root, with a parent as Lambda's always have one; else a new one.
pub(crate) fn trace_of(caller: Option<&str>) -> String {
    match caller.filter(|header| faults::trace_root(header).is_some()) {
        Some(header) if header.contains("Parent=") => header.to_owned(),
        Some(header) => with_parent(header),
        None => trace(),
    }
}

fn with_parent(header: &str) -> String {
    let sampled = if header.contains("Sampled=") { "" } else { ";Sampled=1" };
    format!("{header};Parent={:016x}{sampled}", random())
}

/// A day and a time of day, UTC.
#[derive(Debug, PartialEq, Eq)]
struct Civil {
    year: i64,
    month: usize,
    day: i64,
    second_of_day: i64,
}

impl Civil {
    /// From seconds since 1970. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    fn of(seconds: u64) -> Self {
        let seconds = i64::try_from(seconds).unwrap_or(0);
        let days = seconds.div_euclid(86_400) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: usize::try_from(month).unwrap_or(1),
            day: day_of_year - (153 * shifted + 2) / 5 + 1,
            second_of_day: seconds.rem_euclid(86_400),
        }
    }
}

/// Such as `09/Apr/2015:12:34:56 +0000`, as the gateway prints times.
pub(crate) fn request_time(seconds: u64) -> String {
    let at = Civil::of(seconds);
    let month = MONTHS.get(at.month.wrapping_sub(1)).copied().unwrap_or("Jan");
    let (hour, minute, second) = (at.second_of_day / 3600, at.second_of_day / 60 % 60, at.second_of_day % 60);
    format!("{:02}/{month}/{:04}:{hour:02}:{minute:02}:{second:02} +0000", at.day, at.year)
}

/// Such as `2019-11-14T00:13:19Z`, of a time since 1970.
pub(crate) fn iso(time: std::time::Duration) -> String {
    format!("{}Z", iso_seconds(time))
}

/// Such as `2019-11-14T00:13:49.717Z`.
pub(crate) fn iso_with_ms(time: std::time::Duration) -> String {
    format!("{}.{:03}Z", iso_seconds(time), time.subsec_millis())
}

fn iso_seconds(time: std::time::Duration) -> String {
    let at = Civil::of(time.as_secs());
    let (hour, minute, second) = (at.second_of_day / 3600, at.second_of_day / 60 % 60, at.second_of_day % 60);
    format!("{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}", at.year, at.month, at.day)
}

/// Such as `2026/11/23/[$LATEST]0123456789abcdef0123456789abcdef`.
pub(crate) fn log_stream() -> String {
    let at = Civil::of(now().as_secs());
    format!("{:04}/{:02}/{:02}/[$LATEST]{:016x}{:016x}", at.year, at.month, at.day, random(), random())
}

/// A function's name from a name, a partial ARN or an ARN, with or without a qualifier.
pub(crate) fn function_name(text: &str) -> &str {
    let name = text.split_once(":function:").map_or(text, |(_, name)| name);
    let name = name.strip_prefix("function:").unwrap_or(name);
    name.split(':').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_as_the_gateway_does() {
        assert_eq!(request_time(1_428_582_896), "09/Apr/2015:12:34:56 +0000");
        assert_eq!(request_time(951_827_696), "29/Feb/2000:12:34:56 +0000");
        assert_eq!(request_time(0), "01/Jan/1970:00:00:00 +0000");
    }

    #[test]
    fn times_are_printed_as_events_have_them() {
        let at = std::time::Duration::from_millis(1_573_690_429_017);
        assert_eq!((iso(at), iso_with_ms(at)), ("2019-11-14T00:13:49Z".to_owned(), "2019-11-14T00:13:49.017Z".to_owned()));
    }

    #[test]
    fn ids_have_their_form_and_do_not_repeat() {
        let ids: std::collections::HashSet<String> = (0..1000).map(|_| uuid()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == 36 && id.as_bytes()[14] == b'4'), "{ids:?}");
    }

    #[test]
    fn the_callers_root_is_kept() {
        let root = "1-5759e988-bd862e3fe1be46a994272793";
        for header in [format!("Root={root}"), format!("Root={root};Parent=53995c3f42cd8ad8;Sampled=0")] {
            let kept = trace_of(Some(&header));
            assert!(kept.starts_with(&header) && kept.contains("Parent=") && kept.contains("Sampled="), "{kept}");
        }
        for header in [None, Some(""), Some("Self=1")] {
            let made = trace_of(header);
            assert_eq!(faults::trace_root(&made).map(str::len), Some(35), "{made}");
        }
    }

    #[test]
    fn a_function_is_found_by_name_and_by_arn() {
        for text in ["f", "function:f", "arn:aws:lambda:us-east-1:123456789012:function:f", "123456789012:function:f:$LATEST", "f:1"] {
            assert_eq!(function_name(text), "f", "{text}");
        }
    }
}
