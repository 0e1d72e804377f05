//! Days in UTC, counted from 1 January 1970. Pure. Source: H. Hinnant, "chrono-Compatible Low-Level
//! Date Algorithms", `days_from_civil` and `civil_from_days`.

/// A day of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// The year.
    pub year: i64,
    /// The month, from 1.
    pub month: u32,
    /// The day of the month, from 1.
    pub day: u32,
}

/// The date of a day.
pub fn date(days: i64) -> Date {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Date { year, month: u32::try_from(month).unwrap_or(1), day: u32::try_from(day).unwrap_or(1) }
}

/// The day of a date.
pub fn days(date: Date) -> i64 {
    let year = date.year - i64::from(date.month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = i64::from(date.month);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + i64::from(date.day) - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}

/// The day of the week: 1 is Sunday, 7 is Saturday.
pub fn weekday(days: i64) -> u32 {
    // 1 January 1970 was a Thursday.
    u32::try_from((days + 4).rem_euclid(7)).unwrap_or_default() + 1
}

/// How many days the month of a date has.
pub fn length_of_month(date: Date) -> u32 {
    let first = days(Date { day: 1, ..date });
    let (year, month) = if date.month == 12 { (date.year + 1, 1) } else { (date.year, date.month + 1) };
    u32::try_from(days(Date { year, month, day: 1 }) - first).unwrap_or(31)
}

/// Seconds since 1970 of `2026-11-29T12:00:00`; `None` if it is no such time.
pub fn seconds_of(text: &str) -> Option<u64> {
    let (day, time) = text.split_once('T')?;
    let number = |text: &str, digits: usize| {
        (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse::<u32>().ok()).flatten()
    };
    let mut parts = day.split('-');
    let date = Date { year: number(parts.next()?, 4)?.into(), month: number(parts.next()?, 2)?, day: number(parts.next()?, 2)? };
    let mut times = time.split(':');
    let (hour, minute, second) = (number(times.next()?, 2)?, number(times.next()?, 2)?, number(times.next()?, 2)?);
    let is_one =
        parts.next().is_none() && times.next().is_none() && (1..=12).contains(&date.month) && hour < 24 && minute < 60 && second < 60;
    let is_day = is_one && (1..=length_of_month(date)).contains(&date.day);
    is_day.then(|| u64::try_from(days(date)).ok().map(|days| days * 86_400 + u64::from(hour * 3600 + minute * 60 + second))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_the_same_calendar() {
        for (day, year, month, of_month, of_week) in
            [(0, 1970, 1, 1, 5), (19_782, 2024, 2, 29, 5), (20_786, 2026, 11, 29, 1), (84_005, 2199, 12, 31, 3), (-1, 1969, 12, 31, 4)]
        {
            let expected = Date { year, month, day: of_month };
            assert_eq!((date(day), days(expected), weekday(day)), (expected, day, of_week));
        }
        for (year, month, length) in [(2024, 2, 29), (2026, 2, 28), (2100, 2, 28), (2026, 12, 31), (2026, 11, 30)] {
            assert_eq!(length_of_month(Date { year, month, day: 9 }), length, "{year}-{month}");
        }
    }

    #[test]
    fn a_time_is_read_or_refused() {
        for (text, seconds) in [
            ("1970-01-02T00:00:01", Some(86_401)),
            ("2026-11-29T12:00:00", Some(1_795_953_600)),
            ("2026-02-29T12:00:00", None),
            ("2026-11-29T24:00:00", None),
            ("2026-11-29", None),
            ("2026-11-29T12:00", None),
            ("2026-11-29T12:00:00Z", None),
        ] {
            assert_eq!(seconds_of(text), seconds, "{text}");
        }
    }
}
