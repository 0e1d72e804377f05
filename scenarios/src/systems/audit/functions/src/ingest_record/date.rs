//! Whether a text is a moment of RFC 3339 in UTC, of a day that the calendar has. Pure.

/// No clock has longer fractions of a second than this.
const LONGEST: usize = 40;

/// Such as `2026-01-31T12:00:00Z` or `2026-01-31T12:00:00.000001Z`.
pub(super) fn is_utc(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some((moment, rest)) = bytes.split_at_checked(19) else { return false };
    let Some(fraction) = rest.strip_suffix(b"Z") else { return false };
    let fraction_is_one = match fraction.split_first() {
        None => true,
        Some((point, digits)) => *point == b'.' && !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
    };
    text.len() <= LONGEST && fraction_is_one && is_moment(moment)
}

fn is_moment(moment: &[u8]) -> bool {
    let shaped = moment.iter().zip(b"0000-00-00T00:00:00").all(|(found, shape)| match shape {
        b'0' => found.is_ascii_digit(),
        other => found == other,
    });
    let number = |from: usize, to: usize| {
        let digits = moment.get(from..to).unwrap_or_default();
        digits.iter().fold(0_u32, |number, digit| number * 10 + u32::from(digit.wrapping_sub(b'0')))
    };
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
    // Seconds are put in at the end of a day of UTC.
    let most = if (hour, minute) == (23, 59) { 60 } else { 59 };
    shaped && (1..=days(year, month)).contains(&day) && hour <= 23 && minute <= 59 && second <= most
}

/// The days of a month; none where there is no such month.
const fn days(year: u32, month: u32) -> u32 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_moments_that_the_calendar_has_are_moments() {
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
        fn any_text_is_a_moment_or_none(text in ".{0,50}") {
            let _ = is_utc(&text);
        }
    }
}
