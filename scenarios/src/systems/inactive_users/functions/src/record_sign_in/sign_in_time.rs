//! When a user signed in. The event does not say it, and the time of the invocation is too late:
//! the call may have been delayed, and a later sign-in may have overtaken it. The trace id says it:
//! Lambda passes on the root that was made for the sign-in, and a root begins with its second. So a
//! trigger that is called again for the same sign-in has the same time. If each call gets a new
//! root, the time is still never later than the call, and the newer sign-in still wins.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An older root belongs to something else: three calls of 5 s are at most 15 s, and as much again
/// is allowed for clocks that disagree.
const OLDEST: Duration = Duration::from_secs(30);

/// The time of the sign-in for which an invocation with that trace header arrived at `arrival`;
/// never later than `arrival`.
///
/// A root has whole seconds. Within its own second the arrival is used, which is more exact.
pub(super) fn sign_in_time(trace: Option<&str>, arrival: SystemTime) -> SystemTime {
    let minted = trace.and_then(minted).map(|second| UNIX_EPOCH + Duration::from_secs(second));
    let age = minted.and_then(|minted| arrival.duration_since(minted).ok());
    match (minted, age) {
        (Some(minted), Some(age)) if (Duration::from_secs(1)..=OLDEST).contains(&age) => minted,
        _ => arrival,
    }
}

/// The second of a root `1-<8 hexadecimal digits: seconds since 1970>-<24 hexadecimal digits>`. Source: AWS X-Ray, trace ids.
fn minted(header: &str) -> Option<u64> {
    let root = header.split(';').find_map(|field| field.trim().strip_prefix("Root="))?;
    let (second, unique) = root.strip_prefix("1-")?.split_once('-')?;
    let is_hex = |text: &str, length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hex(second, 8) && is_hex(unique, 24) { u64::from_str_radix(second, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 0x66f0_0000;

    fn header(second: u64) -> String {
        format!("Root=1-{second:08x}-000000000000000000000001;Parent=53995c3f42cd8ad8;Sampled=1")
    }

    fn at(ms: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(SECOND * 1000 + ms)
    }

    #[test]
    fn a_delayed_sign_in_has_the_time_at_which_it_began() {
        let cases = [
            (SECOND, 0, 0, "in the same moment"),
            (SECOND, 999, 999, "in the same second"),
            (SECOND, 1000, 0, "a second later"),
            (SECOND, 14_700, 0, "at the third call"),
            (SECOND, 31_000, 31_000, "a root of something else"),
            (SECOND + 5, 1000, 1000, "a root from the future"),
        ];
        for (second, arrival, expected, case) in cases {
            assert_eq!(sign_in_time(Some(&header(second)), at(arrival)), at(expected), "{case}");
        }
    }

    #[test]
    fn without_a_root_it_is_the_arrival() {
        for trace in
            [None, Some(""), Some("Root="), Some("Root=1-66f00000"), Some("Root=1-66f0000g-000000000000000000000001"), Some("Parent=1")]
        {
            assert_eq!(sign_in_time(trace, at(5000)), at(5000), "{trace:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn it_is_never_later_than_the_arrival(text in "\\PC{0,60}|Root=1-[0-9a-f]{8}-[0-9a-f]{24}", ms in 0_u64..100_000) {
            proptest::prop_assert!(sign_in_time(Some(&text), at(ms)) <= at(ms));
        }
    }
}
