//! Patterns with stars, matched in pattern x text steps at most, whatever the two are.

/// What a single star stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wild {
    /// Any text without a `/`; two stars are any text at all.
    Segment,
    /// Any text at all.
    Text,
}

/// Whether the whole of `text` is what `pattern` says.
pub fn matches(pattern: &str, text: &str, wild: Wild) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    // `reached[n]`: the pattern so far can have taken the first n bytes.
    let mut reached = vec![false; text.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    let mut rest = pattern;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'*' {
            let any = wild == Wild::Text || rest.first() == Some(&b'*');
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

/// After a star: from each place that was reached all later ones are, up to a `/` unless it stands for `any` text.
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

/// After a byte: from each place that was reached the next one is, where that byte stands between.
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
    }

    #[test]
    fn many_stars_take_no_longer_than_pattern_times_text() {
        let pattern = "*a".repeat(200) + "b";
        assert!(!matches(&pattern, &"a".repeat(20_000), Wild::Text));
    }
}
