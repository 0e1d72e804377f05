//! How numbers are written for people. Never in a machine-readable field.

/// Microseconds as `850 us`, `12.3 ms` or `1.20 s`.
pub fn time(us: f64) -> String {
    if us < 1_000.0 {
        format!("{us:.0} us")
    } else if us < 100_000.0 {
        format!("{:.1} ms", us / 1_000.0)
    } else if us < 1_000_000.0 {
        format!("{:.0} ms", us / 1_000.0)
    } else {
        format!("{:.2} s", us / 1_000_000.0)
    }
}

/// A share as a percentage.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let whole = percent.fract().abs() < 1e-9 || percent >= 9.95;
    if whole { format!("{percent:.0} %") } else { format!("{percent:.2} %") }
}

/// A whole number in groups of three.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A span of seconds.
pub fn seconds(s: f64) -> String {
    if s < 120.0 { format!("{} s", (s * 10.0).round() / 10.0) } else { format!("{:.0} min", (s / 60.0).ceil()) }
}

/// A moment in UTC, such as `2026-01-31 23:59:59 UTC`.
pub fn utc(unix_ms: u64) -> String {
    let (days, rest) = (unix_ms / 86_400_000, unix_ms / 1000 % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Year, month and day of a day since 1970. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
const fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + (month <= 2) as u64, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_moment_reads_as_a_date() {
        for (ms, text) in
            [(0, "1970-01-01 00:00:00 UTC"), (951_782_400_000, "2000-02-29 00:00:00 UTC"), (1_767_225_599_999, "2025-12-31 23:59:59 UTC")]
        {
            assert_eq!(super::utc(ms), text);
        }
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!([850.0, 12_340.0, 300_000.0, 1_200_000.0].map(super::time), ["850 us", "12.3 ms", "300 ms", "1.20 s"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(super::count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, 0.01, 0.012, 0.5].map(super::percent), ["0 %", "1 %", "1.20 %", "50 %"]);
    }
}
