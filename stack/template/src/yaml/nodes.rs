//! Puts the parser's events together to a document.

use std::borrow::Cow;
use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Value};

use super::scalars::{is_ambiguous, plain};
use super::tags::{Meaning, long_form, meaning};
use super::{Document, Spot, TextError};
use crate::notices::{Notice, Position};

/// The deepest nesting, aliases included. CloudFormation names no number; templates that the CDK
/// writes have less than 40.
const DEEPEST: usize = 100;

/// The most values and bytes of text, aliases included: a few aliases of aliases would otherwise be
/// billions.
const MOST_VALUES: usize = 400_000;
const MOST_BYTES: usize = 8_000_000;

/// A finished value.
#[derive(Debug, Clone, Default)]
struct Node {
    value: Value,
    spot: Spot,
    /// The depth, values and bytes in it.
    depth: usize,
    values: usize,
    bytes: usize,
}

/// A list or map that is not finished.
struct Open {
    kind: Kind,
    node: Node,
    meaning: Meaning,
    anchor: usize,
}

enum Kind {
    List(Vec<Value>),
    Map { fields: Map<String, Value>, key: Option<(String, Position)>, merged: Vec<Node> },
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    root: Option<Node>,
    notices: Vec<Notice>,
    values: usize,
    bytes: usize,
}

fn error(what: impl Into<String>, at: Position) -> TextError {
    TextError { what: what.into(), position: Some(at) }
}

fn position(span: Span) -> Position {
    Position { line: span.start.line(), column: span.start.col() + 1 }
}

/// Why reading ended.
enum Ended {
    Wrong(TextError),
    /// At a `-` that is a text, by its number in characters.
    AtDash(usize, TextError),
}

impl From<TextError> for Ended {
    fn from(wrong: TextError) -> Self {
        Self::Wrong(wrong)
    }
}

/// The most texts `-` without quotes in a document.
const MOST_DASHES: usize = 200;

/// YAML 1.2, which the parser reads, does not take `-` for a text in `!Join [-, [a, b]]`. The readers of
/// YAML 1.1 do, and templates use it, so it is read as if it had quotes.
pub(super) fn read(text: &str) -> Result<Document, TextError> {
    let mut text = Cow::Borrowed(text);
    for _ in 0..MOST_DASHES {
        match Builder::read(&text) {
            Ok(document) => return Ok(document),
            Err(Ended::Wrong(wrong)) => return Err(wrong),
            Err(Ended::AtDash(number, wrong)) => {
                let (at, _) = text.char_indices().nth(number).filter(|(_, c)| *c == '-').ok_or(wrong)?;
                text.to_mut().replace_range(at..=at, "'-'");
            }
        }
    }
    Err(TextError { what: format!("found more than {MOST_DASHES} texts `-`, write them in quotes"), position: None })
}

impl Builder {
    fn read(text: &str) -> Result<Document, Ended> {
        let mut builder = Self::default();
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|why| {
                let at = Position { line: why.marker().line(), column: why.marker().col() + 1 };
                let wrong = error(format!("this is neither YAML nor JSON: {}", why.info()), at);
                let is_dash = why.info().starts_with("plain scalar cannot start with '-'");
                if is_dash { Ended::AtDash(why.marker().index(), wrong) } else { Ended::Wrong(wrong) }
            })?;
            builder.event(event, position(span))?;
        }
        let nothing = TextError { what: "found nothing, expected a template".to_owned(), position: None };
        let Node { value, spot, .. } = builder.root.ok_or(nothing)?;
        Ok(Document { value, spots: spot, notices: builder.notices })
    }

    fn event(&mut self, event: Event<'_>, at: Position) -> Result<(), TextError> {
        match event {
            Event::SequenceStart(anchor, tag) => self.begin(Kind::List(Vec::new()), anchor, tag, at),
            Event::MappingStart(anchor, tag) => {
                self.begin(Kind::Map { fields: Map::new(), key: None, merged: Vec::new() }, anchor, tag, at)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag, at),
            Event::Alias(anchor) => {
                let mut node = self.anchors.get(&anchor).cloned().ok_or_else(|| error("found an alias of itself", at))?;
                node.spot.at = at;
                let what = "CloudFormation takes no aliases; `sam` and `aws cloudformation package` write them out";
                self.notices.push(Notice { position: Some(at), ..Notice::new(self.place(), what) });
                self.add(node, at)
            }
            Event::DocumentStart(_) if self.root.is_some() => Err(error("found a second document, a template is one", at)),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => Ok(()),
        }
    }

    fn begin(&mut self, kind: Kind, anchor: usize, tag: Option<Cow<'_, Tag>>, at: Position) -> Result<(), TextError> {
        if self.open.len() >= DEEPEST {
            return Err(error(format!("found more than {DEEPEST} levels"), at));
        }
        let meaning = tag.map_or(Ok(Meaning::Nothing), |tag| meaning(&tag)).map_err(|why| error(why, at))?;
        if meaning == Meaning::Text {
            return Err(error("found `!!str` at a list or a map", at));
        }
        self.open.push(Open { kind, node: Node { spot: Spot::new(at), ..Node::default() }, meaning, anchor });
        Ok(())
    }

    fn end(&mut self) -> Result<(), TextError> {
        let Some(Open { kind, mut node, meaning, anchor }) = self.open.pop() else { return Ok(()) };
        let at = node.spot.at;
        node.value = match kind {
            Kind::List(list) => Value::Array(list),
            Kind::Map { fields, merged, .. } => {
                let mut all = fields;
                for node_merged in merged {
                    merge(&mut all, &mut node, node_merged, at)?;
                }
                Value::Object(all)
            }
        };
        self.finish(node, meaning, anchor, at)
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, tag: Option<Cow<'_, Tag>>, at: Position) -> Result<(), TextError> {
        let meaning = tag.map_or(Ok(Meaning::Nothing), |tag| meaning(&tag)).map_err(|why| error(why, at))?;
        // A key is text, however it looks.
        if let Some(Open { kind: Kind::Map { key: key @ None, .. }, .. }) = self.open.last_mut() {
            *key = Some((text.to_owned(), at));
            if anchor > 0 {
                let node = Node { value: Value::String(text.to_owned()), spot: Spot::new(at), bytes: text.len(), ..Node::default() };
                self.anchors.insert(anchor, node);
            }
            return if matches!(meaning, Meaning::Function(_)) { Err(error("found a tag at a key", at)) } else { Ok(()) };
        }
        let is_plain = style == ScalarStyle::Plain && meaning == Meaning::Nothing;
        if is_plain && is_ambiguous(text) {
            let what = format!("CloudFormation may take `{text}` for a number in base 8 or 60, here it is text; write it in quotes");
            self.notices.push(Notice { position: Some(at), ..Notice::new(self.place(), what) });
        }
        let value = if is_plain { plain(text) } else { Value::String(text.to_owned()) };
        let node = Node { value, spot: Spot::new(at), bytes: text.len(), ..Node::default() };
        self.finish(node, meaning, anchor, at)
    }

    fn finish(&mut self, mut node: Node, meaning: Meaning, anchor: usize, at: Position) -> Result<(), TextError> {
        if let Meaning::Function(function) = meaning {
            let inner = std::mem::replace(&mut node.spot, Spot::new(at));
            node.spot.below.insert(function.clone(), inner);
            node.value = long_form(&function, node.value);
            node.depth += 1;
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.add(node, at)
    }

    /// Adds a finished value to what it is in.
    fn add(&mut self, node: Node, at: Position) -> Result<(), TextError> {
        self.values += node.values + 1;
        self.bytes += node.bytes;
        if self.values > MOST_VALUES || self.bytes > MOST_BYTES {
            return Err(error("found too many values, aliases included", at));
        }
        if self.open.len() + node.depth > DEEPEST {
            return Err(error(format!("found more than {DEEPEST} levels"), at));
        }
        let place = self.place();
        let Some(Open { kind, node: outer, .. }) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        outer.depth = outer.depth.max(node.depth + 1);
        outer.values += node.values + 1;
        outer.bytes += node.bytes;
        match kind {
            Kind::List(list) => {
                outer.spot.below.insert(format!("[{}]", list.len()), node.spot);
                list.push(node.value);
            }
            Kind::Map { fields, key, merged } => match key.take() {
                None => return Err(error("found a key that is not text", at)),
                Some((name, _)) if name == "<<" => merged.push(node),
                Some((name, at)) => {
                    if fields.insert(name.clone(), node.value).is_some() {
                        let what = format!("found the key `{name}` twice; the last one counts, as at AWS");
                        self.notices.push(Notice { position: Some(at), ..Notice::new(place, what) });
                    }
                    outer.bytes += name.len();
                    outer.spot.below.insert(name, Spot { at, below: node.spot.below });
                }
            },
        }
        Ok(())
    }

    /// Where the next value comes, as complaints name places.
    fn place(&self) -> String {
        let mut place = String::new();
        for (depth, open) in self.open.iter().enumerate() {
            match &open.kind {
                Kind::List(list) => place.push_str(&format!("[{}]", list.len())),
                Kind::Map { key: Some((key, _)), .. } if !is_left_out(depth, key) => {
                    if !place.is_empty() {
                        place.push('.');
                    }
                    place.push_str(key);
                }
                Kind::Map { .. } => {}
            }
        }
        if place.is_empty() { "template".to_owned() } else { place }
    }
}

/// `Resources.Orders.Properties.Name` is `Orders.Name` in complaints.
fn is_left_out(depth: usize, key: &str) -> bool {
    (depth == 0 && key == "Resources") || (depth == 2 && key == "Properties")
}

/// The key `<<`: fields of other maps, which the map's own fields cover.
fn merge(fields: &mut Map<String, Value>, into: &mut Node, from: Node, at: Position) -> Result<(), TextError> {
    let maps = match from.value {
        Value::Object(map) => vec![map],
        Value::Array(list) => list
            .into_iter()
            .map(|one| if let Value::Object(map) = one { Some(map) } else { None })
            .collect::<Option<_>>()
            .unwrap_or_default(),
        _ => Vec::new(),
    };
    if maps.is_empty() {
        return Err(error("expected a map at `<<`", at));
    }
    for (key, value) in maps.into_iter().flatten() {
        if !fields.contains_key(&key) {
            let spot = from.spot.below.get(&key).cloned().unwrap_or_else(|| Spot::new(from.spot.at));
            into.spot.below.insert(key.clone(), spot);
            fields.insert(key, value);
        }
    }
    Ok(())
}
