//! What a rule looks for at a place: the place is one of the template, the key is one of the table,
//! and every text can be filled in.

use std::collections::BTreeSet;
use std::ops::Range;

use run_folder::Place;
use scenarios::conservation::{Times, Wanted};
use scenarios::journeys::{Json, SENT, Text};
use toml::Spanned;

use super::super::file::rule::{EffectEntry, KeyEntry, TimesEntry};
use super::super::own_stack::OwnStack;
use super::{Check, list};
use crate::nearest::there_are;

/// The kinds of places, as they are written.
const KINDS: [&str; 7] = ["table", "bucket", "queue", "topic", "function", "machine", "email-to"];

/// The values that a rule's texts can have.
pub(super) struct Known {
    /// Columns, and what was kept.
    pub names: BTreeSet<String>,
    /// The JSON body that is sent.
    pub sent: Option<Json>,
    /// All names, for suggestions.
    pub examples: Vec<String>,
    /// Whether there is a request.
    pub has_request: bool,
}

impl EffectEntry {
    /// The kind of its place, and its name.
    pub(super) fn named(&self) -> Option<(&'static str, &Spanned<String>)> {
        self.all_named().into_iter().next()
    }

    fn all_named(&self) -> Vec<(&'static str, &Spanned<String>)> {
        let all = [&self.table, &self.bucket, &self.queue, &self.topic, &self.function, &self.machine, &self.email_to];
        KINDS.into_iter().zip(all).filter_map(|(kind, name)| Some((kind, name.as_ref()?))).collect()
    }
}

impl Check<'_> {
    /// What a rule looks for; `is_tied` if it must be tied to the request.
    pub(super) fn wanted(&mut self, spanned: &Spanned<EffectEntry>, own: &OwnStack, known: &Known, is_tied: bool) -> Option<Wanted> {
        let entry = spanned.get_ref();
        let all = entry.all_named();
        let [(kind, name)] = all.as_slice() else {
            self.complain(spanned.span(), format!("say where: one of {}", list(KINDS)));
            return None;
        };
        let (kind, name) = (*kind, *name);
        let mut key = Vec::new();
        let place = if kind == "email-to" {
            if !own.sends_mail {
                self.complain(name.span(), "the template has no `AWS::SES::EmailIdentity`, so no mail is sent");
            }
            key.push(("to".to_owned(), self.rule_text(name.span(), name.get_ref(), known)?));
            Place::Mail
        } else {
            self.named_place(kind, name, own)?
        };
        key.extend(self.key(spanned, &place, own, known)?);
        let about = match &entry.about {
            Some(about) => Some(self.about(about, &place, known)?),
            None => None,
        };
        let mut equals = Vec::new();
        for (name, value) in &entry.equals {
            self.comparable(&place, name, value.span());
            equals.push((name.clone(), self.rule_json(value.span(), value.get_ref(), known)?));
        }
        let wanted = Wanted { place, key, about, equals, times: times(entry) };
        if is_tied && wanted.names().next().is_none() {
            let tie = if wanted.place.keeps() { "`key = \"{{order}}\"`" } else { "`about = \"{{order}}\"`" };
            self.complain(spanned.span(), format!("nothing ties this to the request; name one of its values, such as {tie}"));
            return None;
        }
        Some(wanted)
    }

    /// The resource of the template with this logical id, which must be of this kind.
    pub(super) fn named_place(&mut self, kind: &'static str, name: &Spanned<String>, own: &OwnStack) -> Option<Place> {
        let id = name.get_ref();
        match own.places.get(id) {
            Some(place) if kind_of(place) == kind => Some(place.clone()),
            Some(place) => {
                self.complain(name.span(), format!("`{id}` is a {0}, not a {kind}; write `{0} = \"{id}\"`", kind_of(place)));
                None
            }
            None => {
                let of_kind = own.places.iter().filter(|(_, place)| kind_of(place) == kind).map(|(id, _)| id.as_str());
                let there = there_are(id, of_kind, "`brownout check` of the template lists them");
                self.complain(name.span(), format!("the template has no {kind} `{id}` that is served here; {there}"));
                None
            }
        }
    }

    fn key(&mut self, spanned: &Spanned<EffectEntry>, place: &Place, own: &OwnStack, known: &Known) -> Option<Vec<(String, Text)>> {
        let Some(key) = &spanned.get_ref().key else { return Some(Vec::new()) };
        let attributes = match place {
            Place::Table(name) => own.keys.get(name).cloned().unwrap_or_default(),
            Place::Bucket(_) => vec!["key".to_owned()],
            _ => {
                self.complain(key.span(), format!("a {} has no `key`; `about` is a text that occurs in it", place.thing()));
                return None;
            }
        };
        let given: Vec<(String, String)> = match key.get_ref() {
            KeyEntry::One(text) => attributes.first().map(|name| (name.clone(), text.clone())).into_iter().collect(),
            KeyEntry::Each(each) => each.iter().map(|(name, text)| (name.clone(), text.clone())).collect(),
        };
        for (name, _) in given.iter().filter(|(name, _)| !attributes.contains(name)) {
            let there = there_are(name, attributes.iter().map(String::as_str), "the template names them");
            self.complain(key.span(), format!("`{name}` is not an attribute of the key; {there}"));
        }
        // The partition first, by which rows are found.
        let in_order = attributes.iter().filter_map(|name| given.iter().find(|(given, _)| given == name));
        in_order.map(|(name, text)| Some((name.clone(), self.rule_text(key.span(), text, known)?))).collect()
    }

    fn about(&mut self, about: &Spanned<String>, place: &Place, known: &Known) -> Option<Text> {
        if place.keeps() {
            self.complain(
                about.span(),
                format!("a {} is known by its `key`, and its fields by `equals`; `about` is for messages", place.thing()),
            );
            return None;
        }
        self.rule_text(about.span(), about.get_ref(), known)
    }

    /// Whether things of a place have a field that can be compared.
    fn comparable(&mut self, place: &Place, field: &str, span: Range<usize>) {
        let fields: &[&str] = match place {
            Place::Table(_) => return,
            Place::Machine(_) => &["status", "error"],
            Place::Mail => &["from", "subject"],
            Place::Bucket(_) => &["key"],
            Place::Queue(_) | Place::Topic(_) | Place::Function(_) => &[],
        };
        if !fields.contains(&field) {
            let there = if fields.is_empty() {
                "`about` is a text that occurs in it".to_owned()
            } else {
                there_are(field, fields.iter().copied(), "the documentation names them")
            };
            self.complain(span, format!("a {} has no field `{field}` to compare; {there}", place.thing()));
        }
    }

    fn rule_json(&mut self, span: Range<usize>, value: &toml::Value, known: &Known) -> Option<Json> {
        Some(match value {
            toml::Value::String(text) => Json::Text(self.rule_text(span, text, known)?),
            toml::Value::Integer(number) => Json::Plain((*number).into()),
            toml::Value::Float(number) => Json::Plain((*number).into()),
            toml::Value::Boolean(is) => Json::Plain((*is).into()),
            toml::Value::Datetime(moment) => Json::Plain(moment.to_string().into()),
            toml::Value::Array(all) => {
                Json::List(all.iter().map(|value| self.rule_json(span.clone(), value, known)).collect::<Option<_>>()?)
            }
            toml::Value::Table(fields) => {
                let fields = fields.iter().map(|(key, value)| Some((key.clone(), self.rule_json(span.clone(), value, known)?)));
                Json::Fields(fields.collect::<Option<_>>()?)
            }
        })
    }

    /// A text of a rule: nothing in it is made up, and each value is known.
    fn rule_text(&mut self, span: Range<usize>, text: &str, known: &Known) -> Option<Text> {
        let read = match Text::read(text, |_| Some(String::new())) {
            Ok(read) => read,
            Err(error) => {
                self.complain(span, error.to_string());
                return None;
            }
        };
        if !read.is_fixed() || text.split("{{").skip(1).any(|inside| inside.trim_start().starts_with("env ")) {
            let what = "a rule compares with what is known: a column, what was `keep`t, or `{{sent /field}}` of the body that was sent";
            self.complain(span, format!("`{text}` is made anew each time; {what}"));
            return None;
        }
        let is_known = |name: &str| match name.strip_prefix(SENT) {
            Some(pointer) => known.sent.as_ref().is_some_and(|sent| sent.has(pointer)),
            None => known.names.contains(name),
        };
        let Some(unknown) = read.names().find(|name| !is_known(name)).map(str::to_owned) else { return Some(read) };
        let why = if known.has_request {
            format!(
                "has no value when the answer comes; {}",
                there_are(&unknown, known.examples.iter().map(String::as_str), "`keep` names more")
            )
        } else {
            "belongs to a request; add `when`".to_owned()
        };
        self.complain(span, format!("`{{{{{unknown}}}}}` {why}"));
        None
    }
}

fn kind_of(place: &Place) -> &'static str {
    match place {
        Place::Table(_) => "table",
        Place::Bucket(_) => "bucket",
        Place::Queue(_) => "queue",
        Place::Topic(_) => "topic",
        Place::Function(_) => "function",
        Place::Machine(_) => "machine",
        Place::Mail => "email-to",
    }
}

fn times(entry: &EffectEntry) -> Times {
    entry.times.as_ref().map_or(Times::There, |times| match times.get_ref() {
        TimesEntry::Exactly(count) => Times::Exactly(*count),
        TimesEntry::AtLeast(count) => Times::AtLeast(*count),
        TimesEntry::AtMost(count) => Times::AtMost(*count),
    })
}

/// What is wanted, in words: for example ``a row of `Orders` with `id` = `{{order}}`, exactly once``.
pub(super) fn describe(entry: &EffectEntry, wanted: &Wanted) -> String {
    let thing = wanted.place.thing();
    let article = if thing.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    let mut out = match entry.named() {
        Some(("email-to", to)) => format!("{article} {thing} to `{}`", to.get_ref()),
        Some((_, name)) => format!("{article} {thing} of `{}`", name.get_ref()),
        None => thing.to_owned(),
    };
    let key = wanted.key.iter().filter(|_| wanted.place != Place::Mail).map(|(name, text)| format!("`{name}` = `{text}`"));
    let equals = entry.equals.iter().map(|(name, value)| format!("`{name}` = `{}`", value.get_ref().to_string().trim_matches('"')));
    let fields: Vec<_> = key.chain(equals).collect();
    if !fields.is_empty() {
        out.push_str(&format!(" with {}", fields.join(" and ")));
    }
    if let Some(about) = &wanted.about {
        out.push_str(&format!(" about `{about}`"));
    }
    match wanted.times {
        Times::There | Times::Exactly(0) => {}
        Times::Exactly(1) => out.push_str(", exactly once"),
        Times::Exactly(count) => out.push_str(&format!(", exactly {count} times")),
        Times::AtLeast(count) => out.push_str(&format!(", at least {count} times")),
        Times::AtMost(count) => out.push_str(&format!(", at most {count} times")),
    }
    out
}
