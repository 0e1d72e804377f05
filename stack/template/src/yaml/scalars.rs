//! What an unquoted text means to CloudFormation.

use serde_json::Value;

/// The words that are no text. CloudFormation reads YAML 1.1, where `yes` and `off` are booleans too.
/// `y` and `n` stay text. Sources: CloudFormation User Guide, template formats; the AWS CLI quotes
/// these words for this reason (aws/aws-cli pull request 5257; for `y` and `n` issue 7805).
fn word(text: &str) -> Option<Value> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Value::Bool(false),
        _ => return None,
    })
}

/// The value of an unquoted text. A number that would print differently from how it is written
/// (`012345678901`, `+15551234567`, `1_000`, `1e3`) is text, and so is a date: CloudFormation has no
/// timestamps.
pub(super) fn plain(text: &str) -> Value {
    word(text).or_else(|| whole(text)).or_else(|| decimal(text)).unwrap_or_else(|| Value::String(text.to_owned()))
}

fn whole(text: &str) -> Option<Value> {
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then(|| Value::from(number))
}

fn decimal(text: &str) -> Option<Value> {
    let number: f64 = text.parse().ok()?;
    (text.contains('.') && number.to_string() == text).then(|| Value::from(number))
}

/// Whether YAML 1.1 takes an unquoted text for a number in base 8 or 60. CloudFormation was seen to
/// deploy such a number instead of the digits. Source: aws-cloudformation/cloudformation-coverage-roadmap
/// issue 745 and aws-cloudformation/cfn-language-discussion issue 31.
pub(super) fn is_ambiguous(text: &str) -> bool {
    let digits = |text: &str, last: u8| !text.is_empty() && text.bytes().all(|byte| (b'0'..=last).contains(&byte));
    let unsigned = text.trim_start_matches(['+', '-']);
    let octal = unsigned.strip_prefix('0').is_some_and(|rest| digits(rest, b'7'));
    let mut parts = unsigned.split(':');
    let first = parts.next().is_some_and(|part| digits(part, b'9') && !part.starts_with('0'));
    let rest: Vec<_> = parts.collect();
    let sixtieth = |part: &&str| digits(part, b'9') && part.parse::<u8>().is_ok_and(|number| number < 60) && part.len() <= 2;
    octal || (first && !rest.is_empty() && rest.iter().all(sixtieth))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_unquoted_text_is_what_cloudformation_takes_it_for() {
        for (text, value) in [
            ("1", json!(1)),
            ("-5", json!(-5)),
            ("1.5", json!(1.5)),
            ("true", json!(true)),
            ("Yes", json!(true)),
            ("on", json!(true)),
            ("NO", json!(false)),
            ("OFF", json!(false)),
            ("~", json!(null)),
            ("", json!(null)),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
        let texts = [
            "012345678901",
            "+15551234567",
            "00420",
            "1_000",
            "1e3",
            "1.50",
            "1.2.3",
            "2012-10-17",
            "0x1F",
            "y",
            "N",
            "yEs",
            ".5",
            "1.",
            "99999999999999999999",
            ".inf",
            ".nan",
            "NaN",
            "-",
            "12:30",
            "-0",
        ];
        for text in texts {
            assert_eq!(plain(text), json!(text));
        }
    }

    #[test]
    fn digits_that_yaml_1_1_takes_for_another_base_are_told() {
        for (text, ambiguous) in [
            ("012345670123", true),
            ("00420", true),
            ("12:30", true),
            ("1:59:59", true),
            ("012345678901", false),
            ("0", false),
            ("80:80", false),
            ("420", false),
            ("+15551234567", false),
            ("a:1", false),
            ("1:", false),
        ] {
            assert_eq!(is_ambiguous(text), ambiguous, "{text}");
        }
    }
}
