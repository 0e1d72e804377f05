//! The requests of a proposed journey: an API's routes in an order in which each finds what it
//! needs.

use std::collections::BTreeSet;

use serde_json::Value;
use template::apis::{Api, Integration, Route};

use super::bodies::Bodies;
use crate::as_toml;

/// A request to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// One word.
    pub name: String,
    /// Such as `post`.
    pub method: &'static str,
    /// The path, its parameters filled in.
    pub path: String,
    /// What is sent, if the method has a body.
    pub body: Option<Value>,
    /// Whether the template describes the body.
    pub is_described: bool,
    /// The statuses that are expected.
    pub statuses: Vec<u16>,
    /// A value of the answer for later requests: its name and its place.
    pub keep: Option<(String, String)>,
    /// The values that its path has without knowing them.
    pub made_up: Vec<String>,
}

/// Statuses of success.
const SUCCESS: [u16; 4] = [200, 201, 202, 204];

/// The requests to the routes for which `is_open` holds: first those that create something, last
/// those that delete it.
pub fn of(api: &Api, bodies: &Bodies, is_open: impl Fn(&Route) -> bool) -> Vec<Request> {
    let mut routes: Vec<&Route> = api.routes.iter().filter(|route| is_open(route) && method(route).is_some()).collect();
    routes.sort_by_key(|route| {
        (first(&route.resource).to_owned(), phase(route), route.resource.matches('/').count(), route.resource.clone())
    });
    let (mut kept, mut names, mut requests) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for route in routes {
        let Some(method) = method(route) else { continue };
        let (path, made_up) = path(&route.resource, &kept);
        let keep = (method == "post").then(|| created(&route.resource, api)).flatten().filter(|(name, _)| kept.insert(name.clone()));
        let sends = matches!(method, "post" | "put" | "patch");
        let described = bodies.get(&(method.to_uppercase(), route.resource.clone()));
        requests.push(Request {
            name: unique(name(method, &route.resource), &mut names),
            method,
            path,
            body: sends.then(|| described.cloned().unwrap_or_else(|| serde_json::json!({}))),
            is_described: described.is_some(),
            statuses: expected(route),
            keep,
            made_up,
        });
    }
    requests
}

/// The method to ask with; `None` for a preflight, which is no request of a user.
fn method(route: &Route) -> Option<&'static str> {
    match route.method.as_deref() {
        Some("OPTIONS") => None,
        None | Some("GET" | "ANY") => Some("get"),
        Some(named) => ["head", "post", "put", "patch", "delete"].into_iter().find(|method| method.eq_ignore_ascii_case(named)),
    }
}

fn phase(route: &Route) -> usize {
    match method(route) {
        Some("post") => 0,
        Some("put" | "patch") => 1,
        Some("delete") => 3,
        _ => 2,
    }
}

fn first(resource: &str) -> &str {
    resource.split('/').nth(1).unwrap_or_default()
}

/// A path with its parameters: what was kept, or a made-up value.
fn path(resource: &str, kept: &BTreeSet<String>) -> (String, Vec<String>) {
    let mut made_up = Vec::new();
    if !resource.starts_with('/') {
        return ("/".to_owned(), made_up);
    }
    let segment = |segment: &str| match parameter(segment) {
        Some(name) if kept.contains(name) => format!("{{{{{name}}}}}"),
        Some(name) => {
            made_up.push(name.to_owned());
            "1".to_owned()
        }
        None => segment.to_owned(),
    };
    (resource.split('/').map(segment).collect::<Vec<_>>().join("/"), made_up)
}

/// The name of `{name}` or `{name+}`, if it can be the name of a value.
fn parameter(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    Some(name).filter(|name| !name.is_empty())
}

/// What a later route needs of what this one creates: `/orders` creates the `id` of `/orders/{id}`.
fn created(resource: &str, api: &Api) -> Option<(String, String)> {
    let below = api.routes.iter().filter_map(|route| route.resource.strip_prefix(resource)?.strip_prefix('/'));
    let name = below.filter_map(|rest| parameter(rest.split('/').next()?)).next()?;
    let is_value = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)) && name != "proxy";
    is_value.then(|| (name.to_owned(), format!("/{name}")))
}

fn name(method: &str, resource: &str) -> String {
    let letters = resource.chars().map(|letter| if letter.is_ascii_alphanumeric() || letter == '_' { letter } else { '-' });
    let path: String = letters.collect();
    let words: Vec<&str> = path.split('-').filter(|word| !word.is_empty()).collect();
    if words.is_empty() { method.to_owned() } else { format!("{method}-{}", words.join("-")) }
}

fn unique(name: String, names: &mut BTreeSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let found = std::iter::once(name.clone()).chain(numbered).find(|one| !names.contains(one)).unwrap_or(name);
    names.insert(found.clone());
    found
}

fn expected(route: &Route) -> Vec<u16> {
    match route.integration {
        Integration::Mock { status, .. } if (100..500).contains(&status) => vec![status],
        _ => SUCCESS.to_vec(),
    }
}

impl Request {
    /// The same without values of earlier answers, of which there are none if all are refused.
    pub fn without_values(self) -> Self {
        let path = self.path.split('/').map(|segment| if segment.starts_with("{{") { "1" } else { segment });
        Self { path: path.collect::<Vec<_>>().join("/"), ..self }
    }

    /// The request as a table of a journey.
    pub fn written(&self) -> String {
        let mut out =
            format!("\n[[journey.request]]\nname = {}\n{} = {}\n", as_toml::text(&self.name), self.method, as_toml::text(&self.path));
        if let Some(body) = &self.body {
            let note = if self.is_described { "" } else { "    # fill in: the template does not describe it" };
            out.push_str(&format!("json = {}{note}\n", as_toml::value(body)));
        }
        let statuses = self.statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
        let statuses = if self.statuses.len() == 1 { statuses } else { format!("[{statuses}]") };
        out.push_str(&format!("expect = {{ status = {statuses} }}\n"));
        if let Some((name, place)) = &self.keep {
            out.push_str(&format!(
                "keep = {{ {} = {} }}    # guessed: where the answer says it\n",
                as_toml::key(name),
                as_toml::text(place)
            ));
        }
        out
    }
}
