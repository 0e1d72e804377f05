//! Journeys and single requests: every value that a text needs is known before it, every path and
//! body can be sent.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use load::{Endpoint, Timeline};
use scenarios::journeys::{Around, Body, Expected, Journey, Json, Keep, Retry, Step, Text, To, ToldOf};
use serde_json::Value;
use toml::Spanned;

use super::super::file::journey::{JourneyEntry, RequestEntry, first_byte, settled};
use super::super::file::{self, File};
use super::super::own_stack::OwnStack;
use super::around::Shared;
use super::shape::Arriving;
use super::{Check, kept, list};
use crate::nearest::there_are;

/// The longest time in which a request is repeated.
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// How long after an answer a request is repeated, unless the file says.
const RETRY_EVERY: Duration = Duration::from_millis(200);

type Rows = Vec<BTreeMap<String, String>>;

impl Check<'_> {
    /// Everything that the file's own requests send.
    pub(super) fn journeys(&mut self, file: &File, own: Option<&OwnStack>, timeline: Timeline) -> Vec<Journey> {
        let single: Vec<_> = file.load.requests.iter().filter_map(|load| self.request(load, own, timeline)).collect();
        let mut names = BTreeSet::new();
        for entry in &file.journey {
            let name = &entry.get_ref().name;
            if !names.insert(name.get_ref()) {
                self.complain(name.span(), format!("two journeys are called `{}`", name.get_ref()));
            }
        }
        let shared = self.shared(file);
        let journeys = file.journey.iter().filter_map(|entry| self.journey(entry, own, shared, timeline));
        let journeys: Vec<_> = journeys.collect();
        single.into_iter().chain(journeys).collect()
    }

    /// One request again and again: a journey of one step.
    fn request(&mut self, spanned: &Spanned<file::RequestLoad>, own: Option<&OwnStack>, timeline: Timeline) -> Option<Journey> {
        let load = spanned.get_ref();
        let arriving = self.arriving(spanned.span(), load.rate, &load.stages, timeline);
        let of = load.of.get_ref();
        let parts = of.split_once(' ').filter(|(word, rest)| !word.is_empty() && !rest.trim().is_empty());
        if parts.is_none() {
            self.complain(
                load.of.span(),
                format!("`{of}` is not a name; write a word and the request, such as `orders GET /orders/{{id}}`"),
            );
        }
        self.statuses(spanned.span(), &load.statuses, "statuses");
        let mut headers: Vec<_> = load.headers.iter().filter_map(|(name, value)| self.header(spanned.span(), name, value)).collect();
        let more = self.beside.headers;
        headers.extend(more.iter().filter_map(|(name, value)| self.literal_header(spanned.span(), name, value)));
        let url = load.url.get_ref();
        let (to, path) = match own.filter(|_| url.starts_with('/')) {
            Some(own) => (self.api(load.api.as_ref(), load.url.span(), own)?, url.clone()),
            None => {
                let endpoint = self.endpoint_at(&load.url)?;
                let path = endpoint.path.clone();
                (To::Elsewhere(endpoint), path)
            }
        };
        let step = Step {
            of: kept(of),
            method: load.method.name(),
            path: Text::literal(path),
            headers: headers.into_iter().map(|(name, value)| (name, Text::literal(value))).collect(),
            body: if load.body.is_empty() { Body::Empty } else { Body::Text(Text::literal(load.body.clone())) },
            expected: Expected { statuses: load.statuses.clone(), json: Vec::new() },
            keep: Vec::new(),
            retry: None,
            pause: Duration::ZERO,
            told: ToldOf::default(),
            first_byte: None,
        };
        let name = parts.map_or("requests", |(word, _)| kept(word));
        let Arriving { rate, times } = arriving?;
        Some(Journey { name, rate, times, to, rows: Arc::default(), steps: vec![step], around: Around::default() })
    }

    fn journey(
        &mut self,
        spanned: &Spanned<JourneyEntry>,
        own: Option<&OwnStack>,
        shared: Option<Shared>,
        timeline: Timeline,
    ) -> Option<Journey> {
        let entry = spanned.get_ref();
        let name = entry.name.get_ref();
        self.word(&entry.name);
        let rows = entry.data.as_ref().map(|data| self.rows(data)).unwrap_or_default();
        let mut known: BTreeSet<String> = rows.iter().flat_map(BTreeMap::keys).cloned().collect();
        let to = match (&entry.url, own) {
            (Some(url), _) => self.origin_at(url),
            (None, Some(own)) => self.api(entry.api.as_ref(), entry.name.span(), own),
            (None, None) => {
                self.missing(spanned.span(), "a journey needs `[stack] template` or a `url`");
                None
            }
        };
        let base = if let Some(To::Elsewhere(endpoint)) = &to { endpoint.path.trim_end_matches('/') } else { "" };
        let around = self.around(entry, base, &mut known);
        let (Arriving { rate, times }, steps) = match &entry.replay {
            Some(log) => self.replay(spanned, log, base, timeline)?,
            None => {
                self.needs_a_log(spanned);
                if entry.request.is_empty() {
                    self.missing(spanned.span(), &format!("`{name}` has no request; add `[[journey.request]]`"));
                }
                let arriving = self.arriving_of(spanned, shared, timeline);
                let steps = entry.request.iter().filter_map(|request| self.step(name, base, request, &mut known)).collect();
                (arriving?, steps)
            }
        };
        Some(Journey { name: kept(name), rate, times, to: to?, rows: Arc::new(rows), steps, around })
    }

    /// What only a log needs has no effect without one.
    fn needs_a_log(&mut self, spanned: &Spanned<JourneyEntry>) {
        let entry = spanned.get_ref();
        let keys = [("speed", entry.speed.is_some()), ("methods", !entry.methods.is_empty()), ("headers", !entry.headers.is_empty())];
        for (key, _) in keys.into_iter().filter(|(_, is_there)| *is_there) {
            let where_else = if key == "headers" { "; a request has `headers` of its own" } else { "" };
            self.complain(spanned.span(), format!("`{key}` goes with `replay`, and this journey has none{where_else}"));
        }
    }

    /// `base` comes before its path.
    pub(super) fn step(
        &mut self,
        journey: &str,
        base: &str,
        spanned: &Spanned<RequestEntry>,
        known: &mut BTreeSet<String>,
    ) -> Option<Step> {
        let (entry, span) = (spanned.get_ref(), spanned.span());
        self.word(&entry.name);
        let of = format!("{journey} {}", entry.name.get_ref());
        let methods = entry.methods();
        let [(method, path)] = methods.as_slice() else {
            let what = "a request has one method with its path, such as `post = \"/orders\"`";
            self.missing(span, &format!("{what}; this one has {}", methods.len()));
            return None;
        };
        if !path.starts_with('/') {
            self.complain(span.clone(), format!("the path `{path}` does not begin with `/`"));
        }
        let path = self.text(&span, &format!("{base}{path}"), known)?;
        let mut headers = Vec::new();
        for (name, value) in &entry.headers {
            self.header(span.clone(), name, "");
            headers.push((kept(name), self.text(&span, value, known)?));
        }
        let body = self.body(&span, entry, known);
        if matches!(body, Body::Json(_)) && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("content-type", Text::literal("application/json")));
        }
        let json = entry.expect.json.iter().filter_map(|(place, value)| self.expected(&span, place, value, known)).collect();
        self.statuses(span.clone(), &entry.expect.status.0, "status");
        let mut keep = Vec::new();
        for (name, place) in &entry.keep {
            match Keep::read(place) {
                Ok(place) => keep.push((name.clone(), place)),
                Err(what) => self.complain(span.clone(), what),
            }
            known.insert(name.clone());
        }
        Some(Step {
            method,
            path,
            headers,
            body,
            expected: Expected { statuses: entry.expect.status.0.clone(), json },
            keep,
            retry: entry.retry.as_ref().map(|retry| self.retry(retry, &of)),
            pause: entry.pause.map_or(Duration::ZERO, faults::time::Time::duration),
            of: kept(&of),
            told: ToldOf::default(),
            first_byte: entry.first_byte.then(|| kept(&first_byte(&of))),
        })
    }

    fn body(&mut self, span: &Range<usize>, entry: &RequestEntry, known: &BTreeSet<String>) -> Body {
        match (&entry.json, &entry.body) {
            (Some(_), Some(_)) => {
                self.complain(span.clone(), "a request has `json` or `body`; this one has both");
                Body::Empty
            }
            (None, None) => Body::Empty,
            (None, Some(text)) => self.text(span, text, known).map_or(Body::Empty, Body::Text),
            (Some(value), None) => self.json(span, value, known).map_or(Body::Empty, Body::Json),
        }
    }

    fn expected(&mut self, span: &Range<usize>, place: &str, value: &toml::Value, known: &BTreeSet<String>) -> Option<(String, Json)> {
        if let Err(what) = Keep::read(place) {
            self.complain(span.clone(), what);
        }
        Some((place.to_owned(), self.json(span, value, known)?))
    }

    fn json(&mut self, span: &Range<usize>, value: &toml::Value, known: &BTreeSet<String>) -> Option<Json> {
        Some(match value {
            toml::Value::String(text) => Json::Text(self.text(span, text, known)?),
            toml::Value::Integer(number) => Json::Plain((*number).into()),
            toml::Value::Float(number) => Json::Plain((*number).into()),
            toml::Value::Boolean(is) => Json::Plain((*is).into()),
            toml::Value::Datetime(moment) => Json::Plain(moment.to_string().into()),
            toml::Value::Array(list) => Json::List(list.iter().map(|value| self.json(span, value, known)).collect::<Option<_>>()?),
            toml::Value::Table(fields) => {
                let fields = fields.iter().map(|(key, value)| Some((key.clone(), self.json(span, value, known)?)));
                Json::Fields(fields.collect::<Option<_>>()?)
            }
        })
    }

    fn text(&mut self, span: &Range<usize>, text: &str, known: &BTreeSet<String>) -> Option<Text> {
        let read = match Text::read(text, |name| self.variable(name)) {
            Ok(read) => read,
            Err(error) => {
                self.complain(span.clone(), error.to_string());
                return None;
            }
        };
        for name in read.names().filter(|name| !known.contains(*name)) {
            let there = there_are(name, known.iter().map(String::as_str), "columns of `data`, and what earlier requests `keep`");
            self.complain(span.clone(), format!("`{{{{{name}}}}}` has no value when it is sent; {there}"));
        }
        Some(read)
    }

    fn retry(&mut self, spanned: &Spanned<file::journey::Retry>, of: &str) -> Retry {
        let retry = spanned.get_ref();
        let every = retry.every.map_or(RETRY_EVERY, faults::time::Time::duration);
        let within = retry.within.duration();
        if every.is_zero() || within < every || within > LONGEST_RETRY {
            self.complain(spanned.span(), "`every` is more than 0s and at most `for`, and `for` is at most 5m");
        }
        Retry { every: every.max(Duration::from_millis(1)), within, settled: kept(&settled(of)) }
    }

    fn word(&mut self, name: &Spanned<String>) {
        let text = name.get_ref();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            self.complain(name.span(), format!("`{text}` is not a name; write one word of letters, digits, `-` and `_`"));
        }
    }

    fn statuses(&mut self, span: Range<usize>, statuses: &[u16], key: &str) {
        if statuses.is_empty() || statuses.iter().any(|status| !(100..500).contains(status)) {
            self.complain(span, format!("`{key}` names those that are right, `100` to `499`"));
        }
    }

    fn endpoint_at(&mut self, url: &Spanned<String>) -> Option<Endpoint> {
        url.get_ref().parse().map_err(|what: String| self.complain(url.span(), what)).ok()
    }

    /// An address to which paths are added.
    fn origin_at(&mut self, url: &Spanned<String>) -> Option<To> {
        let endpoint = self.endpoint_at(url)?;
        if endpoint.path.contains('?') {
            self.complain(
                url.span(),
                format!("`{}` has a query, and paths are added to it; give the query to the requests", url.get_ref()),
            );
        }
        Some(To::Elsewhere(endpoint))
    }

    /// The API of the template that answers.
    fn api(&mut self, named: Option<&Spanned<String>>, span: Range<usize>, own: &OwnStack) -> Option<To> {
        let name = match (named, own.apis.as_slice()) {
            (Some(named), apis) => {
                let name = named.get_ref();
                if !apis.contains(name) {
                    let there = there_are(name, apis.iter().map(String::as_str), "`brownout check` of the template lists them");
                    self.complain(named.span(), format!("there is no API `{name}` in the template; {there}"));
                }
                name
            }
            (None, [only]) => only,
            (None, []) => {
                self.complain(span, "the template has no API and no function with a URL, so nothing answers requests");
                return None;
            }
            (None, apis) => {
                let all = list(apis.iter().map(String::as_str));
                self.complain(span, format!("the template has several APIs; say which: `api` is one of {all}"));
                return None;
            }
        };
        Some(To::Api(name.clone()))
    }

    fn rows(&mut self, data: &Spanned<std::path::PathBuf>) -> Rows {
        let path = self.named(data.get_ref());
        match rows(&path) {
            Ok(rows) if rows.is_empty() => {
                self.complain(data.span(), format!("`{}` has no row", data.get_ref().display()));
                rows
            }
            Ok(rows) => rows,
            Err(what) => {
                self.complain(data.span(), format!("`{}`: {what}", data.get_ref().display()));
                Rows::new()
            }
        }
    }
}

/// The rows of a file, whose every row has every column.
fn rows(path: &Path) -> Result<Rows, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let rows = match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => {
            let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
            reader.deserialize().collect::<Result<Rows, _>>().map_err(|error| error.to_string())?
        }
        Some("jsonl" | "ndjson") => {
            let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            lines.map(|(at, line)| row(line).map_err(|what| format!("line {}: {what}", at + 1))).collect::<Result<_, _>>()?
        }
        _ => return Err("its name ends neither in `.csv` nor in `.jsonl`".to_owned()),
    };
    let all: BTreeSet<&String> = rows.iter().flat_map(BTreeMap::keys).collect();
    match rows.iter().position(|row| row.len() != all.len()) {
        Some(at) => Err(format!("row {} lacks a column that another row has", at + 1)),
        None => Ok(rows),
    }
}

fn row(line: &str) -> Result<BTreeMap<String, String>, String> {
    let fields: serde_json::Map<String, Value> = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let text = |value: Value| if let Value::String(text) = value { text } else { value.to_string() };
    Ok(fields.into_iter().map(|(name, value)| (name, text(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::super::check_in;
    use super::*;

    const BUY: &str = r#"
question = "Is an order kept?"
[[journey]]
name = "buy"
rate = "20/s"
url = "http://127.0.0.1:3000"
data = "customers.csv"
[[journey.request]]
name = "place"
post = "/orders"
headers = { x-key = "{{uuid}}" }
json = { customer = "{{customer}}", amount = "{{int 1 9}}" }
expect = { status = 201, json = { "/state" = "PLACED" } }
keep = { order = "/id" }
[[journey.request]]
name = "look"
get = "/orders/{{order}}"
retry = { for = "5s" }
first-byte = true
[[expect]]
of = "buy look settled"
p90 = "<= 2s"
"#;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("customers.csv"), "customer,city\nc-1,Oslo\nc-2,\"Bergen, Norway\"\n").unwrap();
        std::fs::write(folder.path().join("uneven.jsonl"), "{\"customer\":1}\n{\"other\":2}\n").unwrap();
        folder
    }

    #[test]
    fn a_journey_is_read_whole() {
        let folder = folder();
        let plan = check_in(folder.path(), "x", BUY).unwrap();
        let [journey] = plan.load.journeys.as_slice() else { panic!("{:?}", plan.load.journeys) };
        assert_eq!((journey.name, journey.rate, journey.rows.len()), ("buy", 20.0, 2));
        assert_eq!(journey.rows[1]["city"], "Bergen, Norway");
        assert_eq!(journey.endpoints().collect::<Vec<_>>(), ["buy place", "buy look", "buy look settled", "buy look first byte"]);
        let [place, look] = journey.steps.as_slice() else { panic!("{journey:?}") };
        assert_eq!((place.method, place.expected.statuses.as_slice()), ("POST", &[201][..]));
        assert!(place.headers.iter().any(|(name, _)| *name == "content-type"), "{place:?}");
        assert_eq!(look.retry.unwrap().within, Duration::from_secs(5));
    }

    #[test]
    fn everything_wrong_with_a_journey_is_named() {
        let folder = folder();
        for (from, to, says) in [
            ("{{order}}\"", "{{oder}}\"", "did you mean `order`?"),
            ("\"{{customer}}\"", "\"{{client}}\"", "`{{client}}` has no value"),
            ("{{uuid}}", "{{uuid", "is not closed"),
            ("{{int 1 9}}", "{{int 9 1}}", "the first bound is the lower one"),
            ("customers.csv", "nowhere.csv", "`nowhere.csv`"),
            ("customers.csv", "uneven.jsonl", "lacks a column"),
            ("order = \"/id\"", "order = \"id\"", "write a JSON pointer"),
            ("post = \"/orders\"", "post = \"/orders\"\nget = \"/\"", "one method with its path"),
            ("post = \"/orders\"", "post = \"orders\"", "does not begin with `/`"),
            ("status = 201", "status = 503", "`100` to `499`"),
            ("for = \"5s\"", "for = \"6m\"", "`for` is at most 5m"),
            ("name = \"buy\"", "name = \"buy it\"", "write one word"),
            ("json = {", "body = \"x\"\njson = {", "this one has both"),
            ("x-key", "host", "cannot be sent"),
            ("url = \"http://127.0.0.1:3000\"\n", "", "a journey needs"),
            ("buy look settled", "buy look setled", "did you mean `buy look settled`?"),
        ] {
            let text = BUY.replacen(from, to, 1);
            assert_ne!(text, BUY, "{from}");
            let wrong = check_in(folder.path(), "x", &text).unwrap_err();
            assert!(wrong.iter().any(|wrong| wrong.what.contains(says)), "{to}: {wrong:?}");
        }
    }
}
