//! The places of an event that somebody asks about, as one trie that is known when the plan is read. An event is read once, from front to
//! back and without a tree, and only as far as something that was asked for can still come.

use std::borrow::Cow;

use crate::Facts;
use crate::json::{Reader, Stop, said};

/// Any element of an array, as a segment of a pattern. In a JSON pointer `~` comes before `0` and `1` only.
pub const EACH: &str = "~*";
/// The first element of an array, likewise.
pub const FIRST: &str = "~f";
/// Before a segment whose name may be written in any case.
pub const ANY_CASE: &str = "~i";

/// Places that are asked about. Each is a pattern: a JSON pointer (RFC 6901) in which a segment may be [`EACH`] or [`FIRST`], or begin with [`ANY_CASE`].
#[derive(Debug, Default)]
pub struct Places {
    nodes: Vec<Node>,
    asked: Vec<String>,
    /// Of the places of one group, one that is found is enough.
    groups: Vec<Vec<usize>>,
    /// Whether the names of the event's own members are asked about.
    names: bool,
}

#[derive(Debug, Default)]
struct Node {
    next: Vec<(Step, usize)>,
    /// Its place in `asked`, where it is one.
    asked: Option<usize>,
    /// Whether it stands in several places of one event.
    repeats: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    AnyCase(String),
    Each,
    First,
}

impl Step {
    fn read(segment: &str) -> Self {
        match segment.strip_prefix(ANY_CASE) {
            Some(name) => Self::AnyCase(unescaped(name)),
            None if segment == EACH => Self::Each,
            None if segment == FIRST => Self::First,
            None => Self::Key(unescaped(segment)),
        }
    }

    fn is_name(&self, name: &str) -> bool {
        match self {
            Self::Key(key) => key == name,
            Self::AnyCase(key) => key.eq_ignore_ascii_case(name),
            Self::Each | Self::First => false,
        }
    }

    fn is_number(&self, number: usize) -> bool {
        match self {
            Self::Key(key) => index(key) == Some(number),
            Self::AnyCase(_) => false,
            Self::Each => true,
            Self::First => number == 0,
        }
    }
}

/// RFC 6901, 4: `~1` is `/` and `~0` is `~`, in this order.
pub fn unescaped(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

/// A name as a segment of a pattern.
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The number of an array's element that a segment names.
pub fn index(segment: &str) -> Option<usize> {
    segment.parse().ok().filter(|at: &usize| at.to_string() == segment)
}

impl Places {
    /// The places of these groups: of each group one that is found is enough, and the first pattern that is found counts.
    pub fn of(groups: impl IntoIterator<Item = Vec<String>>) -> Self {
        let mut places = Self { nodes: vec![Node::default()], ..Self::default() };
        for group in groups {
            let group = group.into_iter().map(|pattern| places.ask(pattern)).collect();
            if !places.groups.contains(&group) {
                places.groups.push(group);
            }
        }
        places
    }

    /// The same, with the names of the event's own members.
    pub fn with_names(self) -> Self {
        Self { names: true, ..self }
    }

    /// Whether nothing is asked about: then no event has to be read.
    pub const fn is_empty(&self) -> bool {
        self.asked.is_empty() && !self.names
    }

    fn ask(&mut self, pattern: String) -> usize {
        let mut at = 0;
        for segment in pattern.split('/').skip(1) {
            let step = Step::read(segment);
            let node = self.nodes.get(at);
            let known = node.and_then(|node| node.next.iter().find(|(one, _)| *one == step)).map(|(_, next)| *next);
            at = known.unwrap_or_else(|| self.grow(at, step));
        }
        let asked = self.asked.len();
        let Some(node) = self.nodes.get_mut(at) else { return asked };
        *node.asked.get_or_insert_with(|| {
            self.asked.push(pattern);
            asked
        })
    }

    fn grow(&mut self, at: usize, step: Step) -> usize {
        let new = self.nodes.len();
        let repeats = step == Step::Each || self.nodes.get(at).is_some_and(|node| node.repeats);
        self.nodes.push(Node { repeats, ..Node::default() });
        if let Some(node) = self.nodes.get_mut(at) {
            node.next.push((step, new));
        }
        new
    }

    /// Reads an event, or the beginning of one. `None` where more of it is needed. An event that is no JSON has no facts; of one that is known
    /// well enough before its end, the rest is not looked at.
    pub fn read<'a>(&'a self, event: &'a [u8], is_whole: bool) -> Option<Facts<'a>> {
        let text = match std::str::from_utf8(event) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() && !is_whole => {
                event.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok()).unwrap_or_default()
            }
            Err(_) => return Some(Facts::default()),
        };
        let mut reader = Reader::new(text);
        let mut walk = Walk { places: self, settled: vec![false; self.asked.len()], found: Vec::new(), names: Vec::new() };
        if walk.knows_enough() {
            return Some(walk.facts());
        }
        match walk.value(&mut reader, &[0], true) {
            Err(Stop::Enough) if reader.is_inside() => Some(walk.facts()),
            Err(Stop::Ends | Stop::Enough) | Ok(()) if !is_whole => None,
            Err(Stop::Enough) | Ok(()) if reader.is_at_end() => Some(walk.facts()),
            Ok(()) | Err(_) => Some(Facts::default()),
        }
    }
}

/// One event being read.
struct Walk<'a> {
    places: &'a Places,
    /// Which of the places that are asked about cannot come any more.
    settled: Vec<bool>,
    found: Vec<(&'a str, Cow<'a, str>)>,
    names: Vec<Cow<'a, str>>,
}

impl<'a> Walk<'a> {
    fn facts(self) -> Facts<'a> {
        Facts::found(self.found, self.names)
    }

    /// Reads the value that these nodes stand for.
    fn value(&mut self, reader: &mut Reader<'a>, nodes: &[usize], is_root: bool) -> Result<(), Stop> {
        let places = self.places;
        let below = |at: &usize| places.nodes.get(*at).is_some_and(|node| !node.next.is_empty());
        let is_asked_within = nodes.iter().any(below) || (is_root && places.names);
        let place = reader.value(|reader| match reader.peek()? {
            b'{' if is_asked_within => reader.object(|reader, name| {
                let name = said(reader.text(name));
                let next = name.as_deref().map(|name| places.next(nodes, |step| step.is_name(name))).unwrap_or_default();
                if is_root && places.names {
                    self.names.push(name.unwrap_or_default());
                }
                self.inner(reader, &next)
            }),
            b'[' if is_asked_within => reader.array(|reader, number| {
                let next = places.next(nodes, |step| step.is_number(number));
                self.inner(reader, &next)
            }),
            _ => reader.skip().map(drop),
        })?;
        for at in nodes {
            self.found(*at, reader.text(place.clone()));
        }
        if self.knows_enough() { Err(Stop::Enough) } else { Ok(()) }
    }

    fn inner(&mut self, reader: &mut Reader<'a>, nodes: &[usize]) -> Result<(), Stop> {
        if nodes.is_empty() { reader.skip().map(drop) } else { self.value(reader, nodes, false) }
    }

    fn found(&mut self, at: usize, value: &'a str) {
        let Some(node) = self.places.nodes.get(at) else { return };
        if let Some(pattern) = node.asked.and_then(|asked| self.places.asked.get(asked)) {
            self.found.push((pattern, Cow::Borrowed(value)));
        }
        if !node.repeats {
            self.settle(node);
        }
    }

    /// Nothing of this node or below it comes any more.
    fn settle(&mut self, node: &Node) {
        if let Some(settled) = node.asked.and_then(|asked| self.settled.get_mut(asked)) {
            *settled = true;
        }
        for below in node.next.iter().filter_map(|(_, next)| self.places.nodes.get(*next)) {
            self.settle(below);
        }
    }

    /// Whether nothing that is asked for can come any more. Names come up to the end.
    fn knows_enough(&self) -> bool {
        let is_found = |asked: &usize| {
            let pattern = self.places.asked.get(*asked);
            self.found.iter().any(|(found, _)| pattern.is_some_and(|pattern| pattern == found)) && self.is_settled(*asked)
        };
        let is_done = |group: &Vec<usize>| group.iter().any(is_found) || group.iter().all(|asked| self.is_settled(*asked));
        !self.places.names && self.places.groups.iter().all(is_done)
    }

    fn is_settled(&self, asked: usize) -> bool {
        self.settled.get(asked).copied().unwrap_or(true)
    }
}

impl Places {
    fn next(&self, nodes: &[usize], is_step: impl Fn(&Step) -> bool) -> Vec<usize> {
        let steps = nodes.iter().filter_map(|at| self.nodes.get(*at)).flat_map(|node| &node.next);
        steps.filter(|(step, _)| is_step(step)).map(|(_, next)| *next).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn places(groups: &[&[&str]]) -> Places {
        Places::of(groups.iter().map(|group| group.iter().map(|pattern| (*pattern).to_owned()).collect()))
    }

    fn found(groups: &[&[&str]], event: &str) -> Vec<(String, String)> {
        let places = places(groups);
        let facts = places.read(event.as_bytes(), true).unwrap();
        places
            .asked
            .iter()
            .flat_map(|pattern| facts.raw(pattern).map(|raw| (pattern.clone(), raw.to_owned())).collect::<Vec<_>>())
            .collect()
    }

    #[test]
    fn a_place_is_found_wherever_it_stands() {
        let event = r#"{"a":{"b/c":[10,{"X-Kind":"\"k\""}]},"n": 12345678901234567890123 ,"":{"~":null},"r":[{"e":1},{},{"e":"2"}]}"#;
        for (pattern, raw) in [
            ("/a/b~1c/0", vec!["10"]),
            ("/a/b~1c/1/~ix-kind", vec![r#""\"k\"""#]),
            ("/a/b~1c/00", vec![]),
            ("/a/b~1c/2", vec![]),
            ("/a/b~1c", vec![r#"[10,{"X-Kind":"\"k\""}]"#]),
            ("/n", vec!["12345678901234567890123"]),
            ("//~0", vec!["null"]),
            ("/r/~*/e", vec!["1", "\"2\""]),
            ("/r/~f/e", vec!["1"]),
            ("/a/~f", vec![]),
            ("/r/1", vec!["{}"]),
            ("/r/1/e", vec![]),
            ("", vec![event]),
        ] {
            let wanted: Vec<_> = raw.into_iter().map(|raw| (pattern.to_owned(), raw.to_owned())).collect();
            assert_eq!(found(&[&[pattern]], event), wanted, "{pattern}");
        }
    }

    /// How much of an event has to be there until all is known.
    fn needed(groups: &[&[&str]], event: &str) -> usize {
        let places = places(groups);
        (0..=event.len()).find(|end| places.read(&event.as_bytes()[..*end], *end == event.len()).is_some()).unwrap()
    }

    #[test]
    fn no_more_is_read_than_can_still_tell_something() {
        let event = r#"{"path":"/a","n":{"m":[1,2]},"pad":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#;
        for (groups, end) in [
            (&[&["/path"][..]][..], r#"{"path":"/a""#),
            (&[&["/path", "/rawPath"], &["/path"]], r#"{"path":"/a""#),
            (&[&["/n/m/0"]], r#"{"path":"/a","n":{"m":[1"#),
            (&[&["/n/o"]], r#"{"path":"/a","n":{"m":[1,2]}"#),
            (&[&["/n/m/~*"]], r#"{"path":"/a","n":{"m":[1,2]"#),
            (&[&["/rawPath"]], event),
            (&[], ""),
        ] {
            // The byte behind a number tells that it has ended.
            let more = usize::from(end.ends_with('1'));
            assert!((end.len()..=end.len() + more).contains(&needed(groups, event)), "{groups:?}: {}", needed(groups, event));
        }
        let names = places(&[]).with_names();
        assert!(names.read(br#"{"a":1,"b":2"#, false).is_none());
    }

    #[test]
    fn an_event_that_is_no_json_has_no_facts() {
        for event in [
            &b"not json"[..],
            b"{\"a\":1",
            b"{\"a\":1,}",
            b"{\"a\":1} x",
            b"\xff",
            b"{\"x\":\"\xff\",\"a\":1}",
            b"",
            b"\xef\xbb\xbf{\"a\":1}",
        ] {
            let places = places(&[&["/a"], &["/b"]]);
            assert_eq!(places.read(event, true), Some(Facts::default()), "{event:?}");
        }
        assert_eq!(places(&[&["/a"]]).read("{\"ü".as_bytes().get(..3).unwrap(), false), None, "half a letter");
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf =
            prop_oneof![any::<bool>().prop_map(Value::from), any::<i64>().prop_map(Value::from), "[a-c\"\\\\ü]{0,3}".prop_map(Value::from)];
        leaf.prop_recursive(4, 30, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ab~/]{0,2}", inner, 0..4).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_finds_what_a_tree_would_tell(event in json(), segments in prop::collection::vec("[ab~/]{0,2}|[0-3]", 0..4)) {
            let pointer: String = segments.iter().map(|segment| format!("/{}", escaped(segment))).collect();
            let raw = found(&[&[&pointer]], &event.to_string()).pop().map(|(_, raw)| raw);
            prop_assert_eq!(raw, event.pointer(&pointer).map(Value::to_string));
        }

        #[test]
        fn a_beginning_never_tells_anything_else_than_the_whole(event in json(), end in 0_usize..200) {
            let event = event.to_string();
            let places = places(&[&["/a", "/b"], &["/a/~*/b"], &["/0/a"]]);
            let whole = places.read(event.as_bytes(), true).unwrap();
            if let Some(part) = places.read(&event.as_bytes()[..end.min(event.len())], false) {
                for pattern in &places.asked {
                    prop_assert_eq!(part.raw(pattern).next(), whole.raw(pattern).next());
                }
            }
        }
    }
}
