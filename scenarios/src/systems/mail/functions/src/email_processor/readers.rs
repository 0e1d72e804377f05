//! The list of readers between two markers, and the text without it. Addresses outside the list get
//! no mail, and the list is never shown.

use super::mail::MailError;
use std::collections::BTreeSet;

/// The longest address. Source: RFC 5321, 4.5.3.1.3, less the angle brackets.
const LONGEST_ADDRESS: usize = 254;

/// The longest part before the `@`. Source: RFC 5321, 4.5.3.1.1.
const LONGEST_LOCAL_PART: usize = 64;

/// The text between the first marker and the next one.
pub(super) fn listed<'a>(text: &'a str, marker: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(marker)?;
    Some(after.split_once(marker)?.0)
}

/// `text` without the lines from each marker to the next one, and without the line of a marker that
/// has no partner.
pub(super) fn unmarked(text: &str, marker: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(marker) {
        kept.push_str(before.rfind('\n').and_then(|end| before.get(..=end)).unwrap_or_default());
        let behind = after.split_once(marker).map_or(after, |(_, behind)| behind);
        rest = behind.split_once('\n').map_or("", |(_, next_lines)| next_lines);
    }
    kept.push_str(rest);
    kept
}

/// The addresses of a list, each once, in their order. Brackets around the list or around an
/// address are not part of it.
///
/// # Errors
/// If an entry of the list is not an address: then no mail is sent at all.
pub(super) fn addresses(list: &str) -> Result<Vec<String>, MailError> {
    let bare = |entry: &str| entry.trim_matches(|c: char| c.is_whitespace() || "[](){}<>".contains(c)).to_owned();
    let mut known = BTreeSet::new();
    let entries = list.split(',').map(bare).filter(|entry| !entry.is_empty());
    let readers: Vec<String> = entries.filter(|entry| known.insert(entry.to_ascii_lowercase())).collect();
    match readers.iter().position(|reader| !is_address(reader)) {
        Some(n) => Err(MailError::Reader { number: n + 1 }),
        None => Ok(readers),
    }
}

/// Whether SES accepts it: a dot-atom, an `@` and a domain of at least two labels, all in ASCII.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_atom = |atom: &str| !atom.is_empty() && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b));
    let is_label = |label: &str| {
        let inner = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        inner && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= LONGEST_ADDRESS
        && local.len() <= LONGEST_LOCAL_PART
        && local.split('.').all(is_atom)
        && domain.contains('.')
        && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: &str = ":Email_Rxers_Code:";

    fn read(text: &str) -> Option<Result<Vec<String>, MailError>> {
        listed(text, MARKER).map(addresses)
    }

    #[test]
    fn a_list_is_the_text_between_two_markers() {
        let cases: [(&str, &[&str]); 9] = [
            ("Line2:M:a@x.com,b@y.com:M:", &["a@x.com", "b@y.com"]),
            ("Hello\r\nLine2:M: a@x.com , b@y.com :M: bye\r\n", &["a@x.com", "b@y.com"]),
            (":M:[a@x.com,b@y.com]:M:", &["a@x.com", "b@y.com"]),
            (":M:[ <a@x.com> , (b@y.com) ]:M:", &["a@x.com", "b@y.com"]),
            (":M:a@x.com,\r\n  b@y.com,\r\n:M:", &["a@x.com", "b@y.com"]),
            (":M:a@x.com,b@y.com,A@X.com:M:", &["a@x.com", "b@y.com"]),
            (":M:a@x.com:M: and :M:b@y.com:M:", &["a@x.com"]),
            (":M:o'neill+tag@sub.x-y.example:M:", &["o'neill+tag@sub.x-y.example"]),
            (":M: , :M:", &[]),
        ];
        for (text, expected) in cases {
            let expected = expected.iter().map(|&reader| reader.to_owned()).collect();
            assert_eq!(read(&text.replace(":M:", MARKER)), Some(Ok(expected)), "{text}");
        }
    }

    #[test]
    fn without_two_markers_there_is_no_list() {
        for text in ["", "a@x.com", "Line2:M:a@x.com", "Line2:m:a@x.com:m:"] {
            assert_eq!(read(&text.replace(":M:", MARKER)), None, "{text}");
        }
    }

    #[test]
    fn an_invalid_address_makes_the_list_invalid() {
        for bad in [
            "nobody",
            "a@",
            "@x.com",
            "a@x",
            "a b@x.com",
            "a@x..com",
            "a@-x.com",
            "a@@x.com",
            ".a@x.com",
            "é@x.com",
            "a@x.com;b@y.com",
            "a@x.com\r\nc@z.com",
        ] {
            assert_eq!(addresses(&format!("a@x.com,{bad}")), Err(MailError::Reader { number: 2 }), "{bad}");
        }
        assert!(addresses(&format!("{}@x.com", "a".repeat(65))).is_err());
    }

    #[test]
    fn the_marked_lines_are_left_out_and_no_other() {
        let cases = [
            ("one\nLine2:M:a@x.com:M:\nthree\n", "one\nthree\n"),
            ("one\r\nLine2:M:a@x.com:M: more\r\nthree", "one\r\nthree"),
            ("Line2:M:a@x.com,\nb@y.com:M:\nthree", "three"),
            (":M:a@x.com:M:", ""),
            ("one\n:M:a@x.com:M:\ntwo\n> :M:b@y.com:M:\nthree", "one\ntwo\nthree"),
            ("one\nLine2:M:a@x.com\nthree", "one\nthree"),
            ("one\n:M:a@x.com:M: :M:b@x.com\nthree", "one\nthree"),
            ("nothing is marked", "nothing is marked"),
        ];
        for (text, expected) in cases {
            assert_eq!(unmarked(&text.replace(":M:", MARKER), MARKER), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_marker_is_left_and_only_addresses_are_read(text in "(\\PC|\\n|:M:|a@x\\.com|,){0,60}") {
            let text = text.replace(":M:", MARKER);
            proptest::prop_assert!(!unmarked(&text, MARKER).contains(MARKER));
            if let Some(Ok(readers)) = read(&text) {
                proptest::prop_assert!(readers.iter().all(|reader| is_address(reader)));
            }
        }
    }
}
