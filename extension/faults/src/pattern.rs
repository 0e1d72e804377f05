//! Patterns with stars. Matching is always fast: a text is read once, and a path takes at most
//! pattern x path steps, both short.

/// What a single star means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wild {
    /// Any text without a `/`; two stars mean any text.
    Segment,
    /// Any text.
    Text,
}

/// The longest pattern for a path, in bytes.
pub const LONGEST_PATTERN: usize = 1_024;
/// The longest path that a pattern with a star matches, in bytes. It is more than API Gateway's
/// limit for path and headers (10,240), and an event with 6 MB of something else in that place is
/// not delayed.
pub const LONGEST_PATH: usize = 16 << 10;

/// Whether `pattern` matches the whole of `text`.
pub fn matches(pattern: &str, text: &str, wild: Wild) -> bool {
    let Some((prefix, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(prefix) else { return false };
    match wild {
        Wild::Text => ends_as(rest, text),
        Wild::Segment => {
            let behind = || goes_on_as(pattern.as_bytes().get(prefix.len()..).unwrap_or_default(), text.as_bytes());
            // Most patterns end with their only star.
            text.len() <= LONGEST_PATH && if rest.is_empty() { !text.contains('/') } else { behind() }
        }
    }
}

/// Whether the end of `text` matches `pattern`, after a star for any text. Each piece matches at
/// its first occurrence.
fn ends_as(pattern: &str, text: &str) -> bool {
    let Some((pieces, suffix)) = pattern.rsplit_once('*') else { return text.ends_with(pattern) };
    let Some(text) = text.strip_suffix(suffix) else { return false };
    let behind = pieces.split('*').try_fold(text, |text, piece| text.find(piece).and_then(|at| text.get(at + piece.len()..)));
    behind.is_some()
}

fn goes_on_as(pattern: &[u8], text: &[u8]) -> bool {
    // `reached[n]`: the pattern so far can match the first n bytes.
    let mut reached = vec![false; text.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    let mut rest = pattern;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'*' {
            let any = rest.first() == Some(&b'*');
            while let Some((b'*', after)) = rest.split_first() {
                rest = after;
            }
            spread(&mut reached, text, any);
        } else {
            step(&mut reached, text, *first);
        }
    }
    reached.last().copied().unwrap_or(false)
}

/// After a star, each position after a reached one is reached too, up to a `/` unless it means
/// `any` text.
fn spread(reached: &mut [bool], text: &[u8], any: bool) {
    let mut open = false;
    for (at, place) in reached.iter_mut().enumerate() {
        let behind_slash = at.checked_sub(1).and_then(|before| text.get(before)) == Some(&b'/');
        if behind_slash && !any {
            open = false;
        }
        open |= *place;
        *place = open;
    }
}

/// After a byte, the position after each reached one is reached if that byte is between them.
fn step(reached: &mut [bool], text: &[u8], wanted: u8) {
    let mut before = false;
    for (at, place) in reached.iter_mut().enumerate() {
        let is_wanted = at.checked_sub(1).and_then(|before| text.get(before)) == Some(&wanted);
        let next = before && is_wanted;
        before = std::mem::replace(place, next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_matches_by_segment() {
        for (pattern, path, wanted) in [
            ("/appointment/*", "/appointment/PI-T123", true),
            ("/appointment/*", "/appointment/PI-T123/notes", false),
            ("/appointment/**", "/appointment/PI-T123/notes", true),
            ("/appointment/*", "/appointment/", true),
            ("/items", "/items", true),
            ("/items", "/items/", false),
            ("/*/1", "/a/1", true),
            ("/*/1", "/a/2", false),
            ("/*/*", "/a/b", true),
            ("/*/*", "/a", false),
            ("**", "", true),
            ("*", "/", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, path, Wild::Segment), wanted, "{pattern} {path}");
        }
    }

    #[test]
    fn a_text_matches_across_slashes() {
        assert!(matches("arn:*:mail", "arn:a/b:mail", Wild::Text));
        assert!(!matches("arn:*:mail", "arn:a/b:mails", Wild::Text));
        for (pattern, text, wanted) in [
            ("*", "", true),
            ("**", "a/b", true),
            ("a*a", "a", false),
            ("a*b*b", "ab", false),
            ("a*b*b", "abb", true),
            ("*ab*ab*", "aabab", true),
            ("*ab*ab*", "aab", false),
            ("ab", "abc", false),
        ] {
            assert_eq!(matches(pattern, text, Wild::Text), wanted, "{pattern} {text}");
        }
    }

    #[test]
    fn no_event_is_delayed_by_its_pattern() {
        // A backtracking matcher would take years for these.
        let path = "a".repeat(LONGEST_PATH);
        for (pattern, wanted) in [("**a".repeat(300), true), ("**a".repeat(300) + "b", false), ("*a".repeat(300) + "b", false)] {
            assert_eq!(matches(&pattern, &path, Wild::Segment), wanted);
            assert_eq!(matches(&pattern, &"a".repeat(6 << 20), Wild::Text), wanted);
        }
        assert!(!matches("**", &format!("{path}a"), Wild::Segment));
    }
}
