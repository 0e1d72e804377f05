//! Where each key of a document is in its text.

use std::collections::BTreeMap;

use crate::notices::Position;

/// A place in a document, and the places below it: keys as they are, items of lists as `[0]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Where it begins.
    pub at: Position,
    /// What is below it.
    pub below: BTreeMap<String, Spot>,
}

impl Default for Spot {
    fn default() -> Self {
        Self::new(Position { line: 1, column: 1 })
    }
}

impl Spot {
    /// A place with nothing below it.
    pub fn new(at: Position) -> Self {
        Self { at, below: BTreeMap::new() }
    }

    /// The position of the place in a complaint or notice, such as `Orders.KeySchema[0].KeyType`,
    /// `Parameters.Stage` or `Conditions.IsProd`; of the nearest place above it if it is not in the
    /// text. `Properties` is left out in such a place.
    pub fn find(&self, place: &str) -> Option<Position> {
        if let (found, rest) = self.walk(place)
            && rest.len() < place.len()
        {
            return Some(found.at);
        }
        let resources = self.below.get("Resources")?;
        let (name, rest) = place.split_once('.').unwrap_or((place, ""));
        // A resource that the transform made is named after the one that it was made from.
        let resource = resources.below.get(name).or_else(|| {
            let sources = resources.below.iter().filter(|(source, _)| name.starts_with(source.as_str()));
            sources.max_by_key(|(source, _)| source.len()).map(|(_, spot)| spot)
        })?;
        let properties = resource.below.get("Properties").map(|properties| properties.walk(rest));
        match properties {
            Some((found, left)) if left.len() < rest.len() => Some(found.at),
            _ => Some(resource.walk(rest).0.at),
        }
    }

    /// The deepest place along a path, and what is left of the path. Keys may contain dots.
    fn walk<'a>(&self, path: &'a str) -> (&Self, &'a str) {
        let path = path.strip_prefix('.').unwrap_or(path);
        // The longest key first: `a.b` before `a`.
        let ends = path.char_indices().skip(1).filter(|(_, c)| ['.', '['].contains(c)).map(|(at, _)| at).chain([path.len()]);
        let mut parts: Vec<_> = ends.filter_map(|end| path.split_at_checked(end)).collect();
        parts.reverse();
        match parts.into_iter().find_map(|(key, rest)| Some((self.below.get(key)?, rest))) {
            Some((spot, rest)) => spot.walk(rest),
            None => (self, path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_and_else_the_nearest_above_it() {
        let text = "Parameters:\n  Stage:\n    Type: String\nResources:\n  Fn:\n    Type: T\n    Properties:\n      Env:\n        a.b: 1\n      List:\n        - x: 1\n        - y: 2\n";
        let spots = crate::yaml::read(text).unwrap().spots;
        for (place, line, column) in [
            ("Parameters.Stage", 2, 3),
            ("Parameters.Stage.Default", 2, 3),
            ("Fn", 5, 3),
            ("Fn.Type", 6, 5),
            ("Fn.Env.a.b", 9, 9),
            ("Fn.Env.other", 8, 7),
            ("Fn.List[1].y", 12, 11),
            ("Fn.List[7].y", 10, 7),
            ("FnApiPermission.Action", 5, 3),
        ] {
            assert_eq!(spots.find(place), Some(Position { line, column }), "{place}");
        }
        assert_eq!(spots.find("Other"), None);
    }
}
