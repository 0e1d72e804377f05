//! The experiment that is proposed for a template: journeys, rules, a first fault and aims. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use run_folder::Place;
use template::Template;
use template::apis::{Api, Route};
use template::blueprint::{Queue, Source};

use super::bodies::Bodies;
use super::requests::{self, Request};
use crate::as_toml;

/// A proposed experiment, and what in it was guessed.
pub struct Proposal {
    /// The file.
    pub text: String,
    /// One line each.
    pub guesses: Vec<String>,
}

/// The shortest time in which a queue should drain, and the longest that the end of a run waits.
const DRAINED: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(180));

const TOKEN: &str = "\
# Requests with a token: write the header into the requests of a journey, and set the variable.
# headers = { Authorization = \"Bearer {{env TOKEN}}\" }
";

/// A journey to be written.
struct Journey {
    name: String,
    rate: &'static str,
    api: String,
    requests: Vec<Request>,
}

/// An experiment for a template that its file calls `name`; `None` if nothing answers requests.
pub fn of(template: &Template, name: &str, parameters: &BTreeMap<String, String>, bodies: &Bodies) -> Option<Proposal> {
    let journeys = journeys(template, bodies);
    if journeys.is_empty() {
        return None;
    }
    let mut text = head(template, name, parameters);
    let needs_api = answering(template).len() > 1;
    journeys.iter().for_each(|journey| text.push_str(&journey.written(needs_api)));
    let is_guarded = template.apis.iter().any(|api| api.routes.iter().any(|route| !is_open(route)));
    if is_guarded {
        text.push('\n');
        text.push_str(TOKEN);
    }
    let mut guesses = guesses(&journeys, is_guarded);
    text.push_str(&rules(template, &journeys, &mut guesses));
    text.push_str(&fault(template, &journeys, &mut guesses));
    text.push_str(&aims(&journeys));
    Some(Proposal { text, guesses })
}

/// The names of what answers requests, as journeys call it.
fn answering(template: &Template) -> Vec<String> {
    let urls = template.blueprint.functions.iter().filter(|function| function.url.is_some()).map(|function| function.name.clone());
    template.apis.iter().map(|api| api.name.clone()).chain(urls).collect()
}

fn is_open(route: &Route) -> bool {
    route.authorizer.is_none() && !route.key_required
}

fn head(template: &Template, name: &str, parameters: &BTreeMap<String, String>) -> String {
    let mut out = String::from("# Proposed by `brownout init`. Lines with a comment were guessed: look at them first.\n");
    out.push_str("question = \"Is every answer right and all accepted work done while a dependency is slow?\"\nseed = 1\n\n");
    out.push_str(&format!("[stack]\ntemplate = {}\n", as_toml::text(name)));
    if !parameters.is_empty() {
        let all = parameters.iter().map(|(name, value)| format!("{} = {}", as_toml::key(name), as_toml::text(value)));
        out.push_str(&format!("parameters = {{ {} }}\n", all.collect::<Vec<_>>().join(", ")));
    }
    if !template.notices.is_empty() {
        out.push_str("# Not everything in the template is served here: `brownout check` of the template lists what is not.\n");
    }
    out + "\n[phases]\nwarm-up = \"3s\"\nbaseline = \"15s\"\nfault = \"30s\"\nrecovery = \"15s\"\n"
}

fn journeys(template: &Template, bodies: &Bodies) -> Vec<Journey> {
    let mut names = BTreeSet::new();
    let mut all = Vec::new();
    for api in &template.apis {
        let journey = |suffix: &str, rate, requests| Journey { name: word(&api.name, suffix), rate, api: api.name.clone(), requests };
        all.push(journey("", "5/s", requests::of(api, bodies, is_open)));
        all.push(journey("-denied", "1/s", denied(api, bodies)));
    }
    for function in template.blueprint.functions.iter().filter(|function| function.url.is_some()) {
        let statuses = if function.url.as_ref().is_some_and(|url| url.signed) { vec![403] } else { vec![200] };
        let (name, path, made_up) = ("ask".to_owned(), "/".to_owned(), Vec::new());
        let request = Request { name, method: "get", path, body: None, is_described: false, statuses, keep: None, made_up };
        all.push(Journey { name: word(&function.name, ""), rate: "5/s", api: function.name.clone(), requests: vec![request] });
    }
    all.retain(|journey| !journey.requests.is_empty());
    for journey in &mut all {
        let numbered = (2..).map(|number| format!("{}-{number}", journey.name));
        let free = std::iter::once(journey.name.clone()).chain(numbered).find(|name| !names.contains(name));
        journey.name = free.unwrap_or_default();
        names.insert(journey.name.clone());
    }
    all
}

/// Each route that has an authorizer or needs a key, asked without one. A request ends its journey
/// only if it is not refused.
fn denied(api: &Api, bodies: &Bodies) -> Vec<Request> {
    let guarded = requests::of(api, bodies, |route| !is_open(route));
    guarded.into_iter().map(|request| Request { statuses: vec![401, 403], keep: None, ..request.without_values() }).collect()
}

/// A name of one word from a logical id: `OrdersApi` is `orders-api`.
fn word(name: &str, suffix: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        let begins =
            letter.is_ascii_uppercase() && out.chars().next_back().is_some_and(|last| last.is_ascii_lowercase() || last.is_ascii_digit());
        if begins || !letter.is_ascii_alphanumeric() && !out.ends_with('-') && !out.is_empty() {
            out.push('-');
        }
        if letter.is_ascii_alphanumeric() {
            out.push(letter.to_ascii_lowercase());
        }
    }
    let word = out.trim_end_matches('-');
    format!("{}{suffix}", if word.is_empty() { "api" } else { word })
}

impl Journey {
    fn written(&self, needs_api: bool) -> String {
        let mut out = format!("\n[[journey]]\nname = {}\nrate = {}\n", as_toml::text(&self.name), as_toml::text(self.rate));
        if needs_api {
            out.push_str(&format!("api = {}\n", as_toml::text(&self.api)));
        }
        self.requests.iter().for_each(|request| out.push_str(&request.written()));
        out
    }

    fn is_denied(&self) -> bool {
        self.requests.iter().all(|request| !request.statuses.iter().any(|status| *status < 400))
    }
}

fn guesses(journeys: &[Journey], is_guarded: bool) -> Vec<String> {
    let mut out = Vec::new();
    for journey in journeys {
        for request in &journey.requests {
            let of = format!("{} {}", journey.name, request.name);
            if request.body.is_some() && !request.is_described && !journey.is_denied() {
                out.push(format!("`{of}` sends an empty object: fill in `json`"));
            }
            if let Some((name, place)) = &request.keep {
                out.push(format!("`{of}` keeps `{name}` from `{place}` of the answer: correct the place if it is another"));
            }
            if !request.made_up.is_empty() && !journey.is_denied() {
                out.push(format!("`{of}` asks with `1` for {}: write a value that exists", request.made_up.join(", ")));
            }
        }
    }
    if is_guarded {
        out.push("routes with an authorizer or a key are asked without one and must refuse: add requests with a token".to_owned());
    }
    out
}

/// Rules that follow from the template, and the ones to fill in as comments.
fn rules(template: &Template, journeys: &[Journey], guesses: &mut Vec<String>) -> String {
    let blueprint = &template.blueprint;
    let id = |name: &str| template.places.iter().find(|(_, place)| **place == Place::Queue(name.to_owned())).map(|(id, _)| id.clone());
    let mut out = String::new();
    for queue in blueprint.dead_letters().iter().filter_map(|name| id(name)) {
        let name = as_toml::text(&format!("nothing is in {queue}"));
        out.push_str(&format!("\n[[rule]]\nname = {name}\nnever = {{ queue = {} }}\n", as_toml::text(&queue)));
    }
    let is_read = |queue: &&Queue| {
        blueprint.mappings.iter().any(|mapping| matches!(&mapping.source, Source::Queue { name, .. } if *name == queue.name))
    };
    for queue in blueprint.queues.iter().filter(is_read) {
        let Some(id) = id(&queue.name) else { continue };
        // A message that is received again is received after the visibility timeout.
        let within = (queue.visibility * 2 + Duration::from_secs(10)).clamp(DRAINED.0, DRAINED.1).as_secs();
        let name = as_toml::text(&format!("{id} drains"));
        out.push_str(&format!("\n[[rule]]\nname = {name}\ndrains = {{ queue = {}, within = \"{within}s\" }}\n", as_toml::text(&id)));
    }
    if let Some(stored) = stored(template, journeys) {
        out.push_str(&stored);
        guesses.push("a rule about what is stored is there as a comment: fill in table and key, then remove the `#`".to_owned());
    }
    out
}

/// A rule about the first thing that is created, to be filled in.
fn stored(template: &Template, journeys: &[Journey]) -> Option<String> {
    let (table, _) = template.places.iter().find(|(_, place)| matches!(place, Place::Table(_)))?;
    let (journey, request, value) = journeys.iter().find_map(|journey| {
        let request = journey.requests.iter().find(|request| request.keep.is_some())?;
        Some((&journey.name, &request.name, &request.keep.as_ref()?.0))
    })?;
    Some(format!(
        "\n# [[rule]]\n# name = \"what is accepted is stored once\"\n# when = \"{journey}.{request} = 2xx\"\n\
         # then = {{ table = \"{table}\", key = \"{{{{{value}}}}}\", times = 1, within = \"10s\" }}\n"
    ))
}

/// A first fault: a dependency is slow, or the first function.
fn fault(template: &Template, journeys: &[Journey], guesses: &mut Vec<String>) -> String {
    if journeys.iter().all(Journey::is_denied) {
        guesses.push("there is no fault yet: nothing behind the authorizers is asked, so none could strike".to_owned());
        return String::new();
    }
    let blueprint = &template.blueprint;
    let (name, place) = if !blueprint.tables.is_empty() {
        ("slow-tables", "service = \"dynamodb\"".to_owned())
    } else if !blueprint.buckets.is_empty() {
        ("slow-buckets", "service = \"s3\"".to_owned())
    } else {
        let answers =
            template.apis.iter().flat_map(|api| &api.routes).filter(|route| is_open(route)).find_map(|route| route.integration.function());
        let url = || blueprint.functions.iter().find(|function| function.url.is_some()).map(|function| function.name.as_str());
        let Some(function) = answers.or_else(url) else { return String::new() };
        ("slow-function", format!("function = {}", as_toml::text(function)))
    };
    guesses.push(format!("the first fault is `{name}`: 300 ms for half of the calls; `brownout faults` lists others"));
    format!("\n[[fault]]\nname = \"{name}\"\n{place}\nshare = 0.5\nlatency = {{ time = \"300ms\" }}\n")
}

/// Each request that changes something is acknowledged; others get the aim on time.
fn aims(journeys: &[Journey]) -> String {
    let mut out = String::new();
    for journey in journeys.iter().filter(|journey| !journey.is_denied()) {
        for (number, request) in journey.requests.iter().enumerate() {
            let of = as_toml::text(&format!("{} {}", journey.name, request.name));
            let aims = match (number, request.body.is_some()) {
                (0, true) => "p90 = \"<= 3s\"\nerrors = \"<= 1%\"\n",
                (_, true) => "errors = \"<= 1%\"\n",
                (0, false) => "p90 = \"<= 3s\"\n",
                _ => continue,
            };
            out.push_str(&format!("\n[[expect]]\nof = {of}\n{aims}"));
        }
    }
    out
}
