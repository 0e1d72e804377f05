//! The keys on a page of a listing: pure, over keys in order. Source: Amazon S3 API reference,
//! `ListObjectsV2`.

/// The request's parameters.
pub struct Asked<'a> {
    /// Only keys with this prefix.
    pub prefix: &'a str,
    /// Keys that contain this after the prefix are grouped into one common prefix.
    pub delimiter: Option<&'a str>,
    /// Only keys after this one. If it is a common prefix, only keys after all keys of its group.
    pub after: Option<&'a str>,
    /// The most keys and common prefixes.
    pub most: usize,
}

/// A page.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys.
    pub keys: Vec<String>,
    /// Common prefixes.
    pub prefixes: Vec<String>,
    /// The last key or common prefix of this page, if there are more after it.
    pub next: Option<String>,
}

/// The page of `keys`, which are in order.
pub fn page<'a>(keys: impl Iterator<Item = &'a String>, asked: &Asked<'_>) -> Page {
    let (mut page, mut last) = (Page::default(), None);
    for key in keys {
        let Some(rest) = key.strip_prefix(asked.prefix) else { continue };
        let common = asked.delimiter.and_then(|it| rest.find(it).map(|at| at + it.len())).and_then(|end| rest.get(..end));
        let shown = common.map_or_else(|| key.clone(), |common| format!("{}{common}", asked.prefix));
        if asked.after.is_some_and(|after| shown.as_str() <= after) || last.as_ref() == Some(&shown) {
            continue;
        }
        if page.keys.len() + page.prefixes.len() >= asked.most {
            page.next = last;
            break;
        }
        last = Some(shown.clone());
        if common.is_some() { page.prefixes.push(shown) } else { page.keys.push(shown) }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_keys_and_common_prefixes_and_where_the_next_begins() {
        let keys = ["a/1", "a/2", "b", "c/d/1", "c/d/2", "c/e"].map(str::to_owned);
        for (prefix, delimiter, after, most, keys_shown, prefixes, next) in [
            ("", None, None, 1000, vec!["a/1", "a/2", "b", "c/d/1", "c/d/2", "c/e"], vec![], None),
            ("", None, None, 2, vec!["a/1", "a/2"], vec![], Some("a/2")),
            ("", None, Some("a/2"), 2, vec!["b", "c/d/1"], vec![], Some("c/d/1")),
            ("", Some("/"), None, 2, vec!["b"], vec!["a/"], Some("b")),
            ("", Some("/"), Some("b"), 2, vec![], vec!["c/"], None),
            ("c/", Some("/"), None, 1, vec![], vec!["c/d/"], Some("c/d/")),
            ("c/", Some("/"), Some("c/d/"), 1, vec!["c/e"], vec![], None),
            ("x", None, None, 10, vec![], vec![], None),
            ("", None, None, 0, vec![], vec![], None),
        ] {
            let page = page(keys.iter(), &Asked { prefix, delimiter, after, most });
            let texts = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
            let expected = Page { keys: texts(&keys_shown), prefixes: texts(&prefixes), next: next.map(str::to_owned) };
            assert_eq!(page, expected, "{prefix} {delimiter:?} {after:?} {most}");
        }
    }
}
