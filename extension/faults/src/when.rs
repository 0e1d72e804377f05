//! Which invocations a fault is about.

use serde::{Deserialize, Serialize};

use crate::Complaint;

/// A filter on the event. What is left out matches everything; an event that lacks what is asked for does not match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct When {
    /// The HTTP method, in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path of the request: `*` stands for any text within one segment, `**` for any text at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// The longest pattern for a path, in bytes.
pub const LONGEST_PATTERN: usize = 1_024;
/// The longest path that any pattern means, in bytes: more than API Gateway takes with all the headers (10,240), so that an event of
/// 6 MB with something else under that name does not wait for its filter.
pub const LONGEST_PATH: usize = 16 << 10;

/// What is known of an event for [`When`] to match on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The HTTP method, where the event is an HTTP request.
    pub method: Option<String>,
    /// The path without the stage, where the event is an HTTP request.
    pub path: Option<String>,
}

/// The few keys of an event that matter here (REST proxy and request authorizer; HTTP API 2.0 beside them).
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "httpMethod")]
    method: Option<String>,
    path: Option<String>,
    #[serde(rename = "rawPath")]
    raw_path: Option<String>,
    #[serde(rename = "requestContext")]
    context: Option<Context>,
}

#[derive(Deserialize)]
struct Context {
    http: Option<Http>,
}

#[derive(Deserialize)]
struct Http {
    method: Option<String>,
}

impl Facts {
    /// Reads what is there; an event that is no JSON object, or no HTTP request, has no facts.
    pub fn read(event: &[u8]) -> Self {
        let Ok(event) = serde_json::from_slice::<Event>(event) else { return Self::default() };
        let v2 = event.context.and_then(|context| context.http).and_then(|http| http.method);
        Self { method: event.method.or(v2), path: event.path.or(event.raw_path) }
    }
}

impl When {
    /// Whether the event has to be read to decide.
    pub const fn needs_event(&self) -> bool {
        self.method.is_some() || self.path.is_some()
    }

    /// Whether an event with these facts is meant.
    pub fn matches(&self, facts: &Facts) -> bool {
        let method = self.method.as_deref().is_none_or(|wanted| facts.method.as_deref().is_some_and(|m| m.eq_ignore_ascii_case(wanted)));
        let path = self
            .path
            .as_deref()
            .is_none_or(|pattern| facts.path.as_deref().is_some_and(|p| path_matches(pattern.as_bytes(), p.as_bytes())));
        method && path
    }

    /// Everything wrong with the filter.
    pub fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if let Some(method) = &self.method
            && (method.is_empty() || !method.bytes().all(|b| b.is_ascii_alphabetic()))
        {
            complaints.push(Complaint::new("method", format!("`{method}` is not an HTTP method; write one such as `GET`")));
        }
        if let Some(path) = &self.path
            && !path.starts_with('/')
            && !path.starts_with('*')
        {
            complaints.push(Complaint::new("path", format!("`{path}` does not begin with `/`")));
        }
        if let Some(path) = &self.path
            && path.len() > LONGEST_PATTERN
        {
            complaints.push(Complaint::new("path", format!("it has {} bytes; {LONGEST_PATTERN} is the most", path.len())));
        }
        complaints
    }
}

/// Whether the whole of `path` is meant. It takes at most pattern x path steps: all places that the pattern read so far
/// can have come to are followed at once, and none is gone to twice.
fn path_matches(pattern: &[u8], path: &[u8]) -> bool {
    if path.len() > LONGEST_PATH {
        return false;
    }
    let mut places = vec![0];
    let mut rest = pattern;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'*' {
            places.retain_mut(|place| {
                let here = path.get(*place) == Some(first);
                *place += 1;
                here
            });
        } else if let Some(tail) = rest.strip_prefix(b"*") {
            rest = tail;
            places = places.first().map_or_else(Vec::new, |first| (*first..=path.len()).collect());
        } else {
            places = within_segments(&places, path);
        }
        if places.is_empty() {
            return false;
        }
    }
    places.last() == Some(&path.len())
}

/// The places from `places` (rising) on to the end of the segment each is in.
fn within_segments(places: &[usize], path: &[u8]) -> Vec<usize> {
    let mut reached: Vec<usize> = Vec::new();
    for place in places {
        if reached.last().is_none_or(|last| last < place) {
            let ends = path.get(*place..).unwrap_or_default().iter().position(|byte| *byte == b'/');
            reached.extend(*place..=ends.map_or(path.len(), |ends| place + ends));
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_matches_by_segment() {
        for (pattern, path, matches) in [
            ("/appointment/*", "/appointment/PI-T123", true),
            ("/appointment/*", "/appointment/PI-T123/notes", false),
            ("/appointment/**", "/appointment/PI-T123/notes", true),
            ("/items", "/items", true),
            ("/items", "/items/", false),
            ("/*/1", "/a/1", true),
            ("/*/1", "/a/2", false),
            ("**", "", true),
            ("*", "/", false),
            ("/*/*", "/a/b", true),
            ("/a*c/**/z", "/abc/x/y/z", true),
            ("/a*c/**/z", "/ab/c/x/z", false),
            ("/**/b*/c", "/a/b1/b2/c", true),
            ("/***", "/a/b", true),
        ] {
            assert_eq!(path_matches(pattern.as_bytes(), path.as_bytes()), matches, "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_is_answered_soon() {
        // One that goes back to each star in turn takes years for these.
        for (stars, matches) in
            [("**a".repeat(300), true), (format!("{}b", "**a".repeat(300)), false), (format!("{}b", "*a".repeat(300)), false)]
        {
            let path = "a".repeat(LONGEST_PATH);
            assert_eq!(path_matches(stars.as_bytes(), path.as_bytes()), matches);
        }
        assert!(!path_matches(b"**", &vec![b'a'; LONGEST_PATH + 1]));
        let when = When { path: Some(format!("/{}", "*".repeat(LONGEST_PATTERN))), ..When::default() };
        assert_eq!(when.complaints().len(), 1);
    }

    #[test]
    fn an_event_without_the_fact_does_not_match() {
        let when = When { method: Some("get".into()), path: None };
        assert!(when.matches(&Facts::read(br#"{"httpMethod":"GET"}"#)));
        assert!(!when.matches(&Facts::read(br#"{"Records":[]}"#)));
        assert!(!when.matches(&Facts::read(b"not json")));
        assert!(When::default().matches(&Facts::default()));
    }
}
