//! A journey as it was written: requests one after another.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use faults::time::Time;
use scenarios::units::{Level, Rate};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use toml::Spanned;

use super::load::Method;
use crate::bounds::Factor;

/// What a user does at each arrival: requests one after another, to one API.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct JourneyEntry {
    /// One word; the endpoint of a request is this name and its own, such as `buy place`.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// Arrivals a second; with `stages`, those at their begin.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// How the rate changes, from the warm-up on.
    #[serde(default)]
    #[schemars(with = "Vec<Stage>")]
    pub stages: Vec<Spanned<Stage>>,
    /// In place of both: its part of the `rate` under `[load]`, beside the other journeys that share it; 1 unless it is given.
    #[serde(default)]
    pub weight: Option<u32>,
    /// Which API of the template answers, by its logical id, or which function's own URL; needed where the template has several.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub api: Option<Spanned<String>>,
    /// Where the requests go without a template, such as `http://127.0.0.1:3000`; paths are added to it.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub url: Option<Spanned<String>>,
    /// A file of rows, `.csv` with a header or `.jsonl`: each arrival takes the next row, and its columns are values. The path begins at this file's folder.
    #[serde(default)]
    #[schemars(with = "Option<PathBuf>")]
    pub data: Option<Spanned<PathBuf>>,
    /// In place of rate, data and requests: an access log whose `GET` and `HEAD` requests are sent again, at its times. Common log format, JSON lines of API Gateway, or the log of a load balancer; the path begins at this file's folder. A status is right if it is 200 to 399, or below 500 and the log has it for the same route.
    #[serde(default)]
    #[schemars(with = "Option<PathBuf>")]
    pub replay: Option<Spanned<PathBuf>>,
    /// How much faster the log is sent again.
    #[serde(default)]
    pub speed: Option<Factor>,
    /// The methods that are sent again, without a body; `GET` and `HEAD` unless it is given.
    #[serde(default)]
    pub methods: Vec<Method>,
    /// Headers of the requests of the log.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Requests that are sent once, before the first arrival; all requests of the journey know what they `keep`. One that is not answered as expected stops the run before anything is struck.
    #[serde(default)]
    #[schemars(with = "Vec<RequestEntry>")]
    pub setup: Vec<Spanned<RequestEntry>>,
    /// A request whose answer gives what the others need, such as `keep = { token = "/token" }`. It is sent before a user's first request, and again where one is answered with 401. Each row of `data` is a user if its texts name a column; otherwise all arrivals share one sign-in.
    #[serde(default)]
    #[schemars(with = "Option<RequestEntry>")]
    pub sign_in: Option<Spanned<RequestEntry>>,
    /// The requests.
    #[serde(default)]
    #[schemars(with = "Vec<RequestEntry>")]
    pub request: Vec<Spanned<RequestEntry>>,
    /// Requests that are sent once, after the last answer, also after Ctrl-C. They know what `setup` has kept.
    #[serde(default)]
    #[schemars(with = "Vec<RequestEntry>")]
    pub teardown: Vec<Spanned<RequestEntry>>,
}

/// A part of a load: the rate goes to another in a straight line, or stays.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stage {
    /// The rate at its end.
    #[serde(default)]
    pub to: Option<Level>,
    /// How long it takes to get there; `0s` jumps.
    #[serde(default)]
    pub over: Option<Time>,
    /// In place of both: how long the rate stays.
    #[serde(default)]
    pub hold: Option<Time>,
}

/// A request of a journey. Its texts may have values: `{{name}}` of a column or of what was kept, `{{uuid}}`, `{{now}}`, `{{int 1 9}}`, `{{env NAME}}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RequestEntry {
    /// Its name in reports.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// `GET` this path.
    #[serde(default)]
    pub get: Option<String>,
    /// `HEAD` this path.
    #[serde(default)]
    pub head: Option<String>,
    /// `POST` to this path.
    #[serde(default)]
    pub post: Option<String>,
    /// `PUT` to this path.
    #[serde(default)]
    pub put: Option<String>,
    /// `PATCH` this path.
    #[serde(default)]
    pub patch: Option<String>,
    /// `DELETE` this path.
    #[serde(default)]
    pub delete: Option<String>,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A JSON body, with `Content-Type: application/json` unless the headers name another. A text that is `{{int 1 9}}` and nothing else becomes a number.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Value>")]
    pub json: Option<toml::Value>,
    /// A body of text.
    #[serde(default)]
    pub body: Option<String>,
    /// Which answers are right; status 200 unless it says otherwise.
    #[serde(default)]
    pub expect: Expected,
    /// What later requests use of the answer: a name and a JSON pointer, such as `{ order = "/id" }`.
    #[serde(default)]
    pub keep: BTreeMap<String, String>,
    /// Repeat the request until its answer is right; the whole time is recorded as an endpoint of its own, such as `buy look settled`.
    #[serde(default)]
    #[schemars(with = "Option<Retry>")]
    pub retry: Option<Spanned<Retry>>,
    /// How long the user waits before it; no time unless it is given.
    #[serde(default)]
    pub pause: Option<Time>,
    /// Whether the time until the body of its answer begins is recorded too, as an endpoint of its own, such as `chat ask first byte`.
    #[serde(default)]
    pub first_byte: bool,
}

/// The endpoint of the whole time of a request that is repeated.
pub fn settled(of: &str) -> String {
    format!("{of} settled")
}

/// The endpoint of the time until the body of an answer begins.
pub fn first_byte(of: &str) -> String {
    format!("{of} first byte")
}

impl RequestEntry {
    /// The methods that it names, each with its path.
    pub fn methods(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("GET", &self.get),
            ("HEAD", &self.head),
            ("POST", &self.post),
            ("PUT", &self.put),
            ("PATCH", &self.patch),
            ("DELETE", &self.delete),
        ];
        all.into_iter().filter_map(|(method, path)| Some((method, path.as_deref()?))).collect()
    }
}

/// Which answers are right.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expected {
    /// The status, or several, each below 500.
    #[serde(default)]
    pub status: Statuses,
    /// What stands at JSON pointers of the body, such as `{ "/state" = "PLACED" }`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub json: BTreeMap<String, toml::Value>,
}

/// One status or a list.
#[derive(Debug, JsonSchema)]
#[schemars(with = "Vec<u16>")]
pub struct Statuses(pub Vec<u16>);

impl Default for Statuses {
    fn default() -> Self {
        Self(vec![200])
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Statuses;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status such as `201`, or a list such as `[200, 404]`")
            }

            fn visit_i64<E: serde::de::Error>(self, status: i64) -> Result<Statuses, E> {
                u16::try_from(status).map(|status| Statuses(vec![status])).map_err(|_| E::custom(format!("`{status}` is not a status")))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Statuses, A::Error> {
                let mut all = Vec::new();
                while let Some(status) = list.next_element()? {
                    all.push(status);
                }
                Ok(Statuses(all))
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

/// How a request is repeated.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Retry {
    /// How long after an answer the next is sent; `200ms` unless it is given.
    #[serde(default)]
    pub every: Option<Time>,
    /// How long after the first the last may be sent, at most 5m.
    #[serde(rename = "for")]
    pub within: Time,
}
