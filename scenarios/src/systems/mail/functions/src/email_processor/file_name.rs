//! The names under which attachments are stored. Whatever name the sender gave, it stays within its
//! mail's own folder.

/// In bytes; a key has at most 1024, including the message id and the number.
const LONGEST: usize = 160;

/// The longest extension that is kept when a name is cut.
const LONGEST_ENDING: usize = 16;

/// A name for the attachment that its sender called `given`.
pub(super) fn file_name(given: Option<&str>, is_mail: bool) -> String {
    let bare = given.and_then(|name| name.rsplit(['/', '\\']).next()).unwrap_or_default();
    let safe: String = bare.trim().chars().map(|c| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    let name = match safe.trim_start_matches('.') {
        "" if is_mail => "message",
        "" => "attachment",
        name => name,
    };
    let name = cut(name);
    if is_mail && !name.to_ascii_lowercase().ends_with(".eml") { format!("{name}.eml") } else { name }
}

/// The key of the `n`th attachment, counted from 1. Without the number two attachments with one name are one object.
pub(super) fn key(message_id: &str, n: usize, name: &str, numbered: bool) -> String {
    if numbered { format!("{message_id}/{n}-{name}") } else { format!("{message_id}/{name}") }
}

fn cut(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let (stem, ending) = name.rsplit_once('.').filter(|(_, ending)| ending.len() <= LONGEST_ENDING).unwrap_or((name, ""));
    let stem = stem.get(..stem.floor_char_boundary(LONGEST - LONGEST_ENDING)).unwrap_or_default();
    if ending.is_empty() { stem.to_owned() } else { format!("{stem}.{ending}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_safe() {
        let long = format!("{}.csv", "é".repeat(400));
        let cases = [
            (Some("report.pdf"), false, "report.pdf"),
            (Some("my report (1).pdf"), false, "my_report__1_.pdf"),
            (Some("../../etc/passwd"), false, "passwd"),
            (Some("C:\\temp\\a.txt"), false, "a.txt"),
            (Some(".."), false, "attachment"),
            (Some(".hidden"), false, "hidden"),
            (Some("Übersicht-1.csv"), false, "Übersicht-1.csv"),
            (Some("a\r\nb:Email_Rxers_Code:"), false, "a__b_Email_Rxers_Code_"),
            (Some(""), false, "attachment"),
            (None, false, "attachment"),
            (None, true, "message.eml"),
            (Some("forwarded"), true, "forwarded.eml"),
            (Some("Forwarded.EML"), true, "Forwarded.EML"),
        ];
        for (given, is_mail, expected) in cases {
            assert_eq!(file_name(given, is_mail), expected, "{given:?}");
        }
        let cut = file_name(Some(&long), false);
        assert!(cut.len() <= LONGEST && cut.ends_with("é.csv"), "{cut}");
    }

    #[test]
    fn the_number_distinguishes_two_of_the_same_name() {
        assert_eq!(key("abc", 2, "a.txt", true), "abc/2-a.txt");
        assert_eq!(key("abc", 2, "a.txt", false), "abc/a.txt");
    }

    proptest::proptest! {
        #[test]
        fn any_name_becomes_a_safe_one(given in "\\PC{0,300}|[./\\\\ \\n]{0,20}", is_mail: bool) {
            let name = file_name(Some(&given), is_mail);
            proptest::prop_assert!(!name.is_empty() && name.len() <= LONGEST + 4 && !name.starts_with('.'), "{}", name);
            proptest::prop_assert!(!name.contains(['/', '\\', ':', ' ']) && !name.chars().any(char::is_control), "{}", name);
        }
    }
}
