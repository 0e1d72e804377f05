//! The places of an event that faults need, as one trie that is built when the plan is read. An
//! event is read once, from front to back and without building a tree, and only as far as a needed
//! place can still come.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::facts::Facts;
use crate::json::{DEEPEST, Reader, Stop, said};

/// Any element of an array, as a segment of a pattern. In a JSON pointer `~` comes before `0` and `1` only.
pub const EACH: &str = "~*";
/// The first element of an array, likewise.
pub const FIRST: &str = "~f";
/// Before a segment whose name may be written in any case.
pub const ANY_CASE: &str = "~i";

/// The places that faults need. Each is a pattern: a JSON pointer (RFC 6901) in which a segment may
/// be [`EACH`] or [`FIRST`], or begin with [`ANY_CASE`].
#[derive(Debug, Default)]
pub struct Places {
    nodes: Vec<Node>,
    asked: Vec<String>,
    /// The places of each group: one of a group is enough.
    groups: Vec<Vec<usize>>,
    /// The groups of each place.
    groups_of: Vec<Vec<usize>>,
    /// Whether the names of the event's top-level members are needed.
    names: bool,
}

#[derive(Debug, Default)]
struct Node {
    names: BTreeMap<String, usize>,
    /// The names that match in any case, in lower case.
    any_case: BTreeMap<String, usize>,
    /// The names that are also indices of elements.
    numbers: BTreeMap<usize, usize>,
    each: Option<usize>,
    first: Option<usize>,
    /// Its index in `asked`, if it is a needed place.
    asked: Option<usize>,
    /// Whether it can match several places of one event.
    repeats: bool,
}

impl Node {
    /// The node that a segment leads to: `new` if there is no such node yet.
    fn step(&mut self, segment: &str, new: usize) -> usize {
        if let Some(name) = segment.strip_prefix(ANY_CASE) {
            return *self.any_case.entry(unescaped(name).to_ascii_lowercase()).or_insert(new);
        }
        match segment {
            EACH => *self.each.get_or_insert(new),
            FIRST => *self.first.get_or_insert(new),
            _ => {
                let name = unescaped(segment);
                let number = index(&name);
                let next = *self.names.entry(name).or_insert(new);
                self.numbers.extend(number.map(|number| (number, next)));
                next
            }
        }
    }

    fn of_name(&self, name: &str) -> impl Iterator<Item = usize> {
        let any_case = if self.any_case.is_empty() { None } else { self.any_case.get(&name.to_ascii_lowercase()) };
        self.names.get(name).into_iter().chain(any_case).copied()
    }

    fn of_number(&self, number: usize) -> impl Iterator<Item = usize> {
        let first = self.first.filter(|_| number == 0);
        self.numbers.get(&number).copied().into_iter().chain(first).chain(self.each)
    }

    fn below(&self) -> impl Iterator<Item = usize> {
        self.names.values().chain(self.any_case.values()).copied().chain(self.each).chain(self.first)
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

/// The index of an array's element that a segment names.
pub fn index(segment: &str) -> Option<usize> {
    segment.parse().ok().filter(|at: &usize| at.to_string() == segment)
}

impl Places {
    /// The places of these groups: one of each group is enough, and the first pattern that is found
    /// counts.
    pub fn of(groups: impl IntoIterator<Item = Vec<String>>) -> Self {
        let mut places = Self { nodes: vec![Node::default()], ..Self::default() };
        for group in groups {
            let group: Vec<_> = group.into_iter().map(|pattern| places.ask(pattern)).collect();
            for asked in &group {
                places.groups_of.get_mut(*asked).into_iter().for_each(|groups| groups.push(places.groups.len()));
            }
            places.groups.push(group);
        }
        places
    }

    /// The same, with the names of the event's top-level members.
    pub fn with_names(self) -> Self {
        Self { names: true, ..self }
    }

    /// Whether no place is needed: then no event has to be read.
    pub const fn is_empty(&self) -> bool {
        self.asked.is_empty() && !self.names
    }

    fn ask(&mut self, pattern: String) -> usize {
        let mut at = 0;
        // Deeper values are never read.
        for segment in pattern.split('/').skip(1).take(DEEPEST + 1) {
            let new = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else { break };
            let repeats = node.repeats || segment == EACH;
            at = node.step(segment, new);
            if at == new {
                self.nodes.push(Node { repeats, ..Node::default() });
            }
        }
        let asked = self.asked.len();
        let Some(node) = self.nodes.get_mut(at) else { return asked };
        *node.asked.get_or_insert_with(|| {
            self.asked.push(pattern);
            self.groups_of.push(Vec::new());
            asked
        })
    }

    /// Reads an event, or the beginning of one. `None` if more of it is needed. An event that is
    /// not JSON has no facts. Reading stops as soon as all needed places are known.
    pub fn read<'a>(&'a self, event: &'a [u8], is_whole: bool) -> Option<Facts<'a>> {
        let text = match std::str::from_utf8(event) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() && !is_whole => {
                event.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok()).unwrap_or_default()
            }
            Err(_) => return Some(Facts::default()),
        };
        let mut reader = Reader::new(text);
        let mut walk = Walk::new(self);
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
    /// What is known about each needed place.
    known: Vec<Known>,
    /// How many places of each group can still come; 0 once one was found.
    open: Vec<usize>,
    /// How many groups have such places.
    groups: usize,
    found: Vec<(&'a str, Cow<'a, str>)>,
    names: Vec<Cow<'a, str>>,
}

#[derive(Clone, Copy, Default)]
struct Known {
    is_found: bool,
    /// The place cannot come any more.
    is_settled: bool,
}

impl<'a> Walk<'a> {
    fn new(places: &'a Places) -> Self {
        let open: Vec<_> = places.groups.iter().map(Vec::len).collect();
        let groups = open.iter().filter(|open| **open > 0).count();
        Self { places, known: vec![Known::default(); places.asked.len()], open, groups, found: Vec::new(), names: Vec::new() }
    }

    fn facts(self) -> Facts<'a> {
        Facts::found(self.found, self.names)
    }

    /// Reads the value at these nodes.
    fn value(&mut self, reader: &mut Reader<'a>, nodes: &[usize], is_root: bool) -> Result<(), Stop> {
        let places = self.places;
        let below = |at: &usize| places.nodes.get(*at).is_some_and(|node| node.below().next().is_some());
        let is_asked_within = nodes.iter().any(below) || (is_root && places.names);
        let place = reader.value(|reader| match reader.peek()? {
            b'{' if is_asked_within => reader.object(|reader, name| {
                let name = said(reader.text(name));
                let next = name.as_deref().map(|name| places.all(nodes).flat_map(|node| node.of_name(name)).collect::<Vec<_>>());
                if is_root && places.names {
                    self.names.push(name.unwrap_or_default());
                }
                self.inner(reader, &next.unwrap_or_default())
            }),
            b'[' if is_asked_within => reader.array(|reader, number| {
                let next: Vec<_> = places.all(nodes).flat_map(|node| node.of_number(number)).collect();
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
        if let Some(asked) = node.asked {
            self.found.extend(self.places.asked.get(asked).map(|pattern| (pattern.as_str(), Cow::Borrowed(value))));
            self.known.get_mut(asked).into_iter().for_each(|known| known.is_found = true);
        }
        if !node.repeats {
            self.settle(node);
        }
    }

    /// Marks that nothing at this node or below it can come any more.
    fn settle(&mut self, node: &Node) {
        if let Some(asked) = node.asked {
            self.settle_place(asked);
        }
        for below in node.below().filter_map(|next| self.places.nodes.get(next)) {
            self.settle(below);
        }
    }

    fn settle_place(&mut self, asked: usize) {
        let Some(known) = self.known.get_mut(asked) else { return };
        if std::mem::replace(&mut known.is_settled, true) {
            return;
        }
        for group in self.places.groups_of.get(asked).into_iter().flatten() {
            let Some(open) = self.open.get_mut(*group).filter(|open| **open > 0) else { continue };
            *open = if known.is_found { 0 } else { *open - 1 };
            self.groups -= usize::from(*open == 0);
        }
    }

    /// Whether no needed place can come any more. Names can come until the end.
    const fn knows_enough(&self) -> bool {
        !self.places.names && self.groups == 0
    }
}

impl Places {
    fn all(&self, nodes: &[usize]) -> impl Iterator<Item = &Node> {
        nodes.iter().filter_map(|at| self.nodes.get(*at))
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
    fn a_place_is_found_anywhere_in_the_event() {
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

    /// How many bytes of an event are needed until all is known.
    fn needed(groups: &[&[&str]], event: &str) -> usize {
        let places = places(groups);
        (0..=event.len()).find(|end| places.read(&event.as_bytes()[..*end], *end == event.len()).is_some()).unwrap()
    }

    #[test]
    fn no_more_is_read_than_needed() {
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
            // The byte after a number shows that it has ended.
            let more = usize::from(end.ends_with('1'));
            assert!((end.len()..=end.len() + more).contains(&needed(groups, event)), "{groups:?}: {}", needed(groups, event));
        }
        let names = places(&[]).with_names();
        assert!(names.read(br#"{"a":1,"b":2"#, false).is_none());
    }

    #[test]
    fn no_event_is_delayed_by_the_number_of_places() {
        // Checking all of them again for each one found would take minutes.
        let groups: Vec<_> = (0..20_000).map(|n| vec![format!("/a{n}"), format!("/b/{n}"), format!("/~iC{n}")]).collect();
        let members: Vec<_> = (0..20_000).map(|n| format!(r#""A{n}":0,"a{n}":1,"c{n}":2"#)).collect();
        let event = format!(r#"{{{},"b":[{}0]}}"#, members.join(","), "0,".repeat(20_000));
        let places = Places::of(groups);
        let facts = places.read(event.as_bytes(), true).unwrap();
        assert_eq!((facts.raw("/a19999").next(), facts.raw("/~iC7").next(), facts.raw("/b/7").next()), (Some("1"), Some("2"), None));
    }

    #[test]
    fn an_event_that_is_not_json_has_no_facts() {
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
        fn it_finds_what_a_tree_parser_finds(event in json(), segments in prop::collection::vec("[ab~/]{0,2}|[0-3]", 0..4)) {
            let pointer: String = segments.iter().map(|segment| format!("/{}", escaped(segment))).collect();
            let raw = found(&[&[&pointer]], &event.to_string()).pop().map(|(_, raw)| raw);
            prop_assert_eq!(raw, event.pointer(&pointer).map(Value::to_string));
        }

        #[test]
        fn the_beginning_of_an_event_gives_the_same_facts_as_the_whole(event in json(), end in 0_usize..200) {
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
