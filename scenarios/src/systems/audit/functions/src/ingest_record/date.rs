//! Whether a text is an RFC 3339 time in UTC on a day that exists. Pure.

use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};

/// The longest text accepted; it leaves room for more fractional digits than any clock has.
const LONGEST: usize = 40;

/// Such as `2026-01-31T12:00:00Z` or `2026-01-31T12:00:00.000001Z`.
pub(super) fn is_utc(text: &str) -> bool {
    text.len() <= LONGEST && text.as_bytes().get(10) == Some(&b'T') && DateTime::from_str(text, DateTimeFormat::DateTime).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_that_exist_are_accepted() {
        for (text, is_one) in [
            ("2026-01-31T12:00:00Z", true),
            ("2026-01-31T23:59:60Z", true),
            ("2024-02-29T00:00:00.5Z", true),
            ("2000-02-29T00:00:00.000000001Z", true),
            ("0000-12-31T00:00:00Z", true),
            ("2026-02-29T00:00:00Z", false),
            ("1900-02-29T00:00:00Z", false),
            ("2026-04-31T00:00:00Z", false),
            ("2026-13-01T00:00:00Z", false),
            ("2026-00-01T00:00:00Z", false),
            ("2026-01-00T00:00:00Z", false),
            ("2026-01-31T24:00:00Z", false),
            ("2026-01-31T12:60:00Z", false),
            ("2026-01-31T12:00:60Z", false),
            ("2026-01-31T12:00:00", false),
            ("2026-01-31T12:00:00.Z", false),
            ("2026-01-31T12:00:00+00:00", false),
            ("2026-01-31 12:00:00Z", false),
            ("2026-01-31t12:00:00z", false),
            ("26-01-31T12:00:00Z", false),
            (" 2026-01-31T12:00:00Z", false),
            ("2026-01-3éT12:00:00Z", false),
            ("+026-01-31T12:00:00Z", false),
            ("2026-01-31T12:00:00.00000000000000000000000Z", false),
            ("", false),
            ("Z", false),
        ] {
            assert_eq!(is_utc(text), is_one, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_time_or_not(text in ".{0,50}") {
            let _ = is_utc(&text);
        }
    }
}
