//! Formats numbers for people. Never use it in a machine-readable field.

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

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_read_well() {
        assert_eq!([850.0, 12_340.0, 300_000.0, 1_200_000.0].map(super::time), ["850 us", "12.3 ms", "300 ms", "1.20 s"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(super::count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, 0.01, 0.012, 0.5].map(super::percent), ["0 %", "1 %", "1.20 %", "50 %"]);
    }
}
