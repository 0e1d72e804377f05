//! What the gateway serves, and the route of each request. It answers nothing itself.

use std::borrow::Cow;
use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use percent_encoding::percent_decode_str;
use template::apis::{Api, ApiKind, Authorizer, Integration, Payload, Route};
use template::blueprint::Url;

use super::policy::Policy;
use crate::services::wire::hexadecimal;

/// The prefix of a path that names an API by its id: `/_aws/execute-api/<id>/<stage>/...`, as other
/// local AWS emulators have it too.
const BY_ID: &str = "/_aws/execute-api/";
/// The stage that has no segment in the path, and the route that takes what no other takes.
pub(crate) const DEFAULT: &str = "$default";
/// The name of the one authorizer of a function's URL.
const IAM: &str = "iam";

/// Which product answers: they differ in events, errors and limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Front {
    /// A REST API.
    Rest,
    /// An HTTP API.
    Http,
    /// A function's URL.
    Url,
}

/// An API, or a function's URL as an API with the one route `$default`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served {
    pub front: Front,
    pub api: Api,
    /// The API's resource policy; one that is not understood denies everything.
    pub policy: Option<Policy>,
}

impl Served {
    /// Whether only an address of its own or its id tells its requests from those of others.
    pub(crate) fn is_apart(&self) -> bool {
        self.front != Front::Rest && self.api.stage == DEFAULT
    }
}

/// The id in the address of a function's URL: the same in every run.
pub(crate) fn url_id(function: &str) -> String {
    let mut id = hexadecimal(digest(&SHA256, function.as_bytes()).as_ref());
    id.truncate(32);
    id
}

/// Everything that the gateway serves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Routes(pub(super) Vec<Served>);

/// The matching route, with the values in its path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found<'a> {
    pub route: &'a Route,
    pub parameters: BTreeMap<&'a str, String>,
}

/// Where a request arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival<'a> {
    /// On the listener of this entry alone.
    At(usize),
    /// On the listener of all, with this `Host`.
    Shared(Option<&'a str>),
}

/// What a request reached.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reached<'a, 'p> {
    pub served: &'a Served,
    pub found: Found<'a>,
    /// Without the stage; it begins with `/`.
    pub path: Cow<'p, str>,
}

/// Why a request reached nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotFound<'a> {
    /// No API has that stage or id.
    Stage,
    /// No route of this API has that path and method.
    Route(&'a Served),
}

impl Routes {
    /// All APIs, and the URLs of functions by the functions' names.
    pub(crate) fn new(apis: Vec<Api>, urls: BTreeMap<String, Url>) -> Self {
        Self(apis.into_iter().map(of_api).chain(urls.into_iter().map(|(function, url)| of_url(function, url))).collect())
    }

    /// What a request reaches. Its listener names the API, or its `Host` does, or its path does by
    /// the id. Or its path begins with a stage: then the first API of that stage with a matching
    /// route is taken.
    pub(crate) fn find<'a, 'p>(&'a self, at: Arrival<'_>, method: &str, path: &'p str) -> Result<Reached<'a, 'p>, NotFound<'a>> {
        let (id, path) = match at {
            Arrival::At(_) => (None, path),
            Arrival::Shared(host) => match host.and_then(id_in) {
                Some(id) => (Some(id), path),
                None => by_id(path),
            },
        };
        let mut first = None;
        for (number, served) in self.0.iter().enumerate() {
            let is_meant = match at {
                Arrival::At(meant) => meant == number,
                Arrival::Shared(_) => id.map_or(!served.is_apart(), |id| served.api.id == id),
            };
            let Some(rest) = is_meant.then(|| without_stage(served, path)).flatten() else { continue };
            let rest = seen_path(served.front, rest);
            if let Some(found) = matching(served, method, &rest) {
                return Ok(Reached { served, found, path: rest });
            }
            first = first.or(Some(served));
        }
        Err(first.map_or(NotFound::Stage, NotFound::Route))
    }
}

fn of_api(api: Api) -> Served {
    let front = if api.kind == ApiKind::Rest { Front::Rest } else { Front::Http };
    let policy = api.policy.as_ref().map(|document| Policy::of_api(document).unwrap_or_else(Policy::denying));
    Served { front, api, policy }
}

fn of_url(function: String, url: Url) -> Served {
    let mut api = Api::new(ApiKind::Http, function.clone(), DEFAULT);
    api.id = url_id(&function);
    api.cors = url.cors;
    let integration = Integration::Function { name: function, payload: Payload::V2, streams: url.streams, timeout: None };
    let authorizer = url.signed.then(|| IAM.to_owned());
    if let Some(name) = &authorizer {
        api.authorizers.insert(name.clone(), Authorizer::Iam);
    }
    api.routes = vec![Route { integration, authorizer, ..Route::to_function(None, DEFAULT, "") }];
    Served { front: Front::Url, api, policy: None }
}

/// The id in a host as AWS forms it: `<id>.execute-api.<region>.amazonaws.com` or
/// `<id>.lambda-url.<region>.on.aws`.
fn id_in(host: &str) -> Option<&str> {
    let host = host.split(':').next()?;
    let (id, rest) = host.split_once('.')?;
    let is_api = rest.starts_with("execute-api.") && rest.contains(".amazonaws.com");
    let is_url = rest.starts_with("lambda-url.") && rest.ends_with(".on.aws");
    (is_api || is_url).then_some(id)
}

fn by_id(path: &str) -> (Option<&str>, &str) {
    let Some(rest) = path.strip_prefix(BY_ID) else { return (None, path) };
    let id = rest.split('/').next().unwrap_or_default();
    (Some(id), rest.get(id.len()..).unwrap_or_default())
}

/// The rest of the path after the stage.
fn without_stage<'p>(served: &Served, path: &'p str) -> Option<&'p str> {
    if served.is_apart() {
        return Some(if path.is_empty() { "/" } else { path });
    }
    let rest = path.strip_prefix('/')?.strip_prefix(served.api.stage.as_str())?;
    match rest {
        "" => Some("/"),
        _ => rest.starts_with('/').then_some(rest),
    }
}

/// REST APIs and URLs pass the path on as it was sent. HTTP APIs decode it before they look for the
/// route, and end it at a decoded `?`. Source: recorded events, github.com/middleapi/standard-server/pull/93.
fn seen_path(front: Front, path: &str) -> Cow<'_, str> {
    if front != Front::Http || !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    Cow::Owned(decoded.split('?').next().unwrap_or_default().to_owned())
}

/// The route of a request. Literal segments take precedence over parameters, parameters over greedy
/// ones, any of them over `$default`, a named method over any.
fn matching<'a>(served: &'a Served, method: &str, path: &str) -> Option<Found<'a>> {
    let fits = |route: &&Route| route.method.as_deref().is_none_or(|named| named == method);
    let found = served.api.routes.iter().filter(fits).filter_map(|route| {
        let (kinds, parameters) = parameters(served.front, &route.resource, path)?;
        Some(((kinds, route.method.is_none()), Found { route, parameters }))
    });
    found.min_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, found)| found)
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Literal,
    Parameter,
    Greedy,
    Default,
}

/// How each segment matches, and the values of the parameters. REST APIs ignore one `/` at the end;
/// no API has a route for an empty segment.
fn parameters<'a>(front: Front, resource: &'a str, path: &str) -> Option<(Vec<Kind>, BTreeMap<&'a str, String>)> {
    let (mut kinds, mut values) = (Vec::new(), BTreeMap::new());
    if resource == DEFAULT {
        return Some((vec![Kind::Default], values));
    }
    let (mut path, mut resource) = (path.strip_prefix('/')?, resource.strip_prefix('/').unwrap_or(resource));
    if front == Front::Rest {
        // `//` is the root's empty child, not the root.
        path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
        resource = resource.strip_suffix('/').unwrap_or(resource);
    }
    if resource.is_empty() {
        return path.is_empty().then_some((kinds, values));
    }
    let mut rest = Some(path);
    for expected in resource.split('/') {
        let all = rest?;
        let (first, after) = all.split_once('/').map_or((all, None), |(first, after)| (first, Some(after)));
        match expected.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            None if expected == first => kinds.push(Kind::Literal),
            _ if first.is_empty() => return None,
            None => return None,
            Some(name) => match name.strip_suffix('+') {
                None => {
                    kinds.push(Kind::Parameter);
                    values.insert(name, first.to_owned());
                }
                Some(name) => {
                    kinds.push(Kind::Greedy);
                    values.insert(name, all.to_owned());
                    rest = None;
                    continue;
                }
            },
        }
        rest = after;
    }
    rest.is_none().then_some((kinds, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(kind: ApiKind, routes: &[(Option<&str>, &str)]) -> Api {
        let routes = routes.iter().map(|(method, resource)| Route::to_function(*method, *resource, "f")).collect();
        Api { routes, ..Api::new(kind, "A", "dev") }
    }

    fn rest() -> Api {
        let routes = [
            (None, "/{api+}"),
            (Some("GET"), "/items"),
            (Some("POST"), "/control/{deviceId}"),
            (None, "/control/{any}"),
            (Some("GET"), "/"),
        ];
        api(ApiKind::Rest, &routes)
    }

    fn routes(apis: Vec<Api>) -> Routes {
        Routes::new(apis, BTreeMap::new())
    }

    #[test]
    fn the_closest_route_of_a_rest_api_is_taken() {
        let routes = routes(vec![rest()]);
        for (method, path, resource, value) in [
            ("GET", "/items", "/items", None),
            ("GET", "/items/", "/items", None),
            ("POST", "/items", "/{api+}", Some("items")),
            ("POST", "/control/T%201", "/control/{deviceId}", Some("T%201")),
            ("GET", "/control/T1", "/control/{any}", Some("T1")),
            ("GET", "/control/a%2Fb", "/control/{any}", Some("a%2Fb")),
            ("GET", "/appointment/PI-T123", "/{api+}", Some("appointment/PI-T123")),
            ("GET", "/", "/", None),
        ] {
            let reached = routes.find(Arrival::Shared(None), method, &format!("/dev{path}")).map(|it| it.found).unwrap();
            assert_eq!(reached.route.resource, resource, "{method} {path}");
            assert_eq!(reached.parameters.values().next().map(String::as_str), value, "{method} {path}");
        }
        for (method, path) in [("POST", "/dev/"), ("GET", "/dev//"), ("GET", "/dev//items")] {
            assert!(matches!(routes.find(Arrival::Shared(None), method, path), Err(NotFound::Route(_))), "{method} {path}");
        }
    }

    #[test]
    fn an_http_api_decodes_the_path_and_takes_every_slash_seriously() {
        let all = [
            (Some("GET"), "/items/{id}"),
            (None, "/items/{id}"),
            (Some("GET"), "/items"),
            (Some("GET"), "/f/{proxy+}"),
            (None, "$default"),
        ];
        let apart = routes(vec![Api { stage: DEFAULT.into(), ..api(ApiKind::Http, &all) }]);
        for (method, path, resource, value, seen) in [
            ("GET", "/items/a%20b", "/items/{id}", Some("a b"), "/items/a b"),
            ("POST", "/items/1", "/items/{id}", Some("1"), "/items/1"),
            ("GET", "/items/a%2Fb", "$default", None, "/items/a/b"),
            ("GET", "/items", "/items", None, "/items"),
            ("GET", "/items/", "$default", None, "/items/"),
            ("GET", "/f/a/b/", "/f/{proxy+}", Some("a/b/"), "/f/a/b/"),
            ("GET", "/f/a%3Fb", "/f/{proxy+}", Some("a"), "/f/a"),
            ("GET", "/", "$default", None, "/"),
        ] {
            let reached = apart.find(Arrival::At(0), method, path).unwrap();
            assert_eq!((reached.found.route.resource.as_str(), reached.path.as_ref()), (resource, seen), "{method} {path}");
            assert_eq!(reached.found.parameters.values().next().map(String::as_str), value, "{method} {path}");
        }
        let host = "a.execute-api.us-east-1.amazonaws.com";
        assert_eq!(apart.find(Arrival::Shared(None), "GET", "/items"), Err(NotFound::Stage));
        assert!(apart.find(Arrival::Shared(Some(host)), "GET", "/items").is_ok());
        assert!(apart.find(Arrival::Shared(None), "GET", "/_aws/execute-api/a/items").is_ok());
    }

    #[test]
    fn the_stage_decides_which_api_is_meant() {
        let routes = routes(vec![rest()]);
        let host = Some("a.execute-api.eu-west-1.amazonaws.com:80");
        for (host, path, rest) in [
            (None, "/dev/a/b", Some("/a/b")),
            (None, "/dev", Some("/")),
            (None, "/dev/", Some("/")),
            (None, "/devil/a", None),
            (None, "/prod/a", None),
            (None, "", None),
            (None, "/_aws/execute-api/a/dev/items", Some("/items")),
            (None, "/_aws/execute-api/b/dev/items", None),
            (None, "/_aws/execute-api/a/prod/items", None),
            (host, "/dev/items", Some("/items")),
            (Some("b.execute-api.eu-west-1.amazonaws.com"), "/dev/items", None),
            (Some("localhost:80"), "/dev/items", Some("/items")),
        ] {
            let reached = routes.find(Arrival::Shared(host), "GET", path);
            assert_eq!(reached.ok().map(|it| it.path.into_owned()).as_deref(), rest, "{host:?} {path}");
        }
    }

    #[test]
    fn the_first_api_of_a_stage_with_the_route_is_used_or_the_named_one() {
        let only = |id: &str, resources: &[&str]| {
            let route = |resource: &&str| Route::to_function(None, *resource, id);
            Api { id: id.into(), routes: resources.iter().map(route).collect(), ..rest() }
        };
        let routes = routes(vec![only("a", &["/items", "/users"]), only("b", &["/records", "/users"])]);
        for (path, found) in [
            ("/dev/items", Some("a")),
            ("/dev/records", Some("b")),
            ("/dev/users", Some("a")),
            ("/_aws/execute-api/b/dev/users", Some("b")),
            ("/_aws/execute-api/b/dev/items", None),
            ("/dev/nothing", None),
        ] {
            let reached = routes.find(Arrival::Shared(None), "GET", path);
            assert_eq!(reached.ok().map(|it| it.served.api.id.as_str()), found, "{path}");
        }
    }

    #[test]
    fn a_functions_url_is_found_by_its_host_and_takes_every_path_as_sent() {
        let url = Url { signed: true, streams: false, cors: None };
        let routes = Routes::new(Vec::new(), [("f".to_owned(), url)].into());
        let host = format!("{}.lambda-url.us-east-1.on.aws", url_id("f"));
        let reached = routes.find(Arrival::Shared(Some(&host)), "PUT", "/a%20b//").unwrap();
        assert_eq!((reached.path.as_ref(), reached.found.route.authorizer.as_deref()), ("/a%20b//", Some(IAM)));
        assert_eq!(reached.found.route.integration.function(), Some("f"));
        assert_eq!(routes.find(Arrival::Shared(None), "GET", "/"), Err(NotFound::Stage));
    }
}
