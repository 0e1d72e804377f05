//! Reads the time of day as people write it. Anything else is an error, never a guess.

/// Minutes since midnight of a time such as `3:30 PM`, `12:00 AM` or `15:30`; `None` for any other
/// text.
pub fn minutes(text: &str) -> Option<i64> {
    let text = text.trim();
    let (clock, half) = match text.char_indices().rev().find(|(_, c)| c.is_ascii_digit()) {
        Some((last, _)) => text.split_at_checked(last + 1)?,
        None => return None,
    };
    let (hours, minutes) = clock.split_once(':')?;
    let (hours, minutes) = (number(hours, 1)?, number(minutes, 2)?);
    let hours = match half.trim().to_ascii_uppercase().as_str() {
        "" if hours < 24 => hours,
        "AM" if (1..=12).contains(&hours) => hours % 12,
        "PM" if (1..=12).contains(&hours) => hours % 12 + 12,
        _ => return None,
    };
    (minutes < 60).then_some(hours * 60 + minutes)
}

fn number(digits: &str, at_least: usize) -> Option<i64> {
    let fits = (at_least..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_minutes_since_midnight() {
        let cases = [
            ("3:30 PM", 930),
            ("03:30 pm", 930),
            ("3:30PM", 930),
            ("12:00 AM", 0),
            ("12:59 AM", 59),
            ("12:00 PM", 720),
            ("11:59 PM", 1439),
            ("2:00 PM", 840),
            ("15:30", 930),
            ("0:05", 5),
        ];
        for (text, expected) in cases {
            assert_eq!(minutes(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "PM",
            "3 PM",
            "13:00 PM",
            "0:30 AM",
            "24:00",
            "3:60 PM",
            "3:5 PM",
            "-1:30",
            "+3:30 PM",
            "3:30 XM",
            "3:30:00 PM",
            "noon",
            "３:30",
            "é",
        ] {
            assert_eq!(minutes(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_minute_of_a_day_or_nothing(text in "\\PC{0,12}|[0-9: APMapm]{0,9}") {
            proptest::prop_assert!(minutes(&text).is_none_or(|minute| (0..1440).contains(&minute)), "{}", text);
        }
    }
}
