//! Which answers of a request are right: by status, and by what stands at places of the body.

use std::collections::BTreeMap;

use load::chance::Chance;
use serde_json::Value;

use super::Json;

/// What a request expects.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// The statuses that are right.
    pub statuses: Vec<u16>,
    /// What stands at a JSON pointer of the body; texts may have values to fill in.
    pub json: Vec<(String, Json)>,
}

impl Expected {
    /// The first place where a body is not as expected, in a phrase; the body is not shown, for it
    /// may hold what must not be kept.
    pub fn missed(&self, body: &[u8], values: &BTreeMap<String, String>) -> Option<String> {
        if self.json.is_empty() {
            return None;
        }
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return Some("the body is not JSON".to_owned()) };
        self.json.iter().find_map(|(place, expected)| {
            let expected = expected.filled(values, &mut Chance::new(&[]));
            let found = body.pointer(place);
            let is_right = found.is_some_and(|found| *found == expected);
            let what = if found.is_some() { "is another value" } else { "is missing" };
            (!is_right).then(|| format!("`{place}` {what}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Text;
    use super::*;

    #[test]
    fn a_body_is_compared_at_the_places_that_matter() {
        let values = [("id".to_owned(), "o-1".to_owned())].into();
        let text = |text: &str| Json::Text(Text::read(text, |_| None).unwrap());
        let json =
            vec![("/state".to_owned(), text("PLACED")), ("/id".to_owned(), text("{{id}}")), ("/n".to_owned(), Json::Plain(json!(2)))];
        let expected = Expected { statuses: vec![200], json };
        for (body, missed) in [
            (r#"{"state":"PLACED","id":"o-1","n":2,"more":1}"#, None),
            (r#"{"state":"NEW","id":"o-1","n":2}"#, Some("`/state` is another value")),
            (r#"{"state":"PLACED","id":"o-2","n":2}"#, Some("`/id` is another value")),
            (r#"{"state":"PLACED","id":"o-1"}"#, Some("`/n` is missing")),
            ("oops", Some("the body is not JSON")),
        ] {
            assert_eq!(expected.missed(body.as_bytes(), &values).as_deref(), missed, "{body}");
        }
        assert_eq!(Expected { statuses: vec![200], json: Vec::new() }.missed(b"oops", &values), None);
    }
}
