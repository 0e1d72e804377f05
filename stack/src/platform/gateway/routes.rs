//! What the gateway serves, and the route of each path. It answers nothing itself.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::error::Unspecified;

use super::keys::ApiKey;

/// The prefix of a path that names an API by its id: `/_aws/execute-api/<id>/<stage>/...`, as other
/// local AWS emulators have it too.
const BY_ID: &str = "/_aws/execute-api/";

/// Everything that the gateway serves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes {
    /// The APIs; their ids differ.
    pub apis: Vec<Api>,
}

/// A REST API at its stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// The name that the template gives it.
    pub name: String,
    /// Its id, as in method ARNs.
    pub id: String,
    /// The first segment of every path.
    pub stage: String,
    /// The stage's variables.
    pub variables: BTreeMap<String, String>,
    /// Request authorizers by name.
    pub authorizers: BTreeMap<String, Authorizer>,
    /// The keys that give access to its methods that require one.
    pub keys: Vec<ApiKey>,
    /// The methods.
    pub routes: Vec<Route>,
}

/// A request authorizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorizer {
    /// The function's name.
    pub function: String,
    /// The headers that must be present; a result is cached for their values.
    pub identity_headers: Vec<String>,
    /// How long a result is cached; zero means not at all.
    pub reauthorize_every: Duration,
}

/// A method of an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Such as `/items`, `/control/{deviceId}` or `/{api+}`.
    pub resource: String,
    /// Such as `GET`; `None` for any.
    pub method: Option<String>,
    /// The function's name.
    pub function: String,
    /// The authorizer's name.
    pub authorizer: Option<String>,
    /// Whether it requires one of the API's keys.
    pub key_required: bool,
}

/// The matching route, with the values in its path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found<'a> {
    pub route: &'a Route,
    pub parameters: BTreeMap<&'a str, String>,
}

impl Routes {
    /// Generates the values of keys that have none.
    ///
    /// # Errors
    /// If the system provides no randomness.
    pub fn make_up_keys(&mut self) -> Result<(), Unspecified> {
        let mut made = BTreeMap::new();
        for api in &mut self.apis {
            for key in &mut api.keys {
                // One key may be valid for several APIs.
                key.value = key.value.take().or_else(|| made.get(&key.id).cloned());
                key.make_up()?;
                if let Some(value) = &key.value {
                    made.insert(key.id.clone(), value.clone());
                }
            }
        }
        Ok(())
    }

    /// All functions that are called from here.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.apis.iter().flat_map(|api| {
            let handlers = api.routes.iter().map(|route| route.function.as_str());
            handlers.chain(api.authorizers.values().map(|authorizer| authorizer.function.as_str()))
        })
    }

    /// The API, the route and the rest of the path, which begins with `/`. A path names its API by
    /// id, as each API has an address of its own at AWS. Or it begins with a stage: then the first
    /// API of that stage with a matching route is used.
    pub(crate) fn find<'a, 'p>(&'a self, method: &str, path: &'p str) -> Result<(&'a Api, Found<'a>, &'p str), NotFound> {
        let (id, path) = match path.strip_prefix(BY_ID).and_then(|rest| rest.split_once('/')) {
            Some((id, rest)) => (Some(id), rest),
            None => (None, path.strip_prefix('/').ok_or(NotFound::Stage)?),
        };
        let (stage, rest) = path.find('/').map_or((path, "/"), |slash| path.split_at(slash));
        let mut apis = self.apis.iter().filter(|api| api.stage == stage && id.is_none_or(|id| api.id == id)).peekable();
        apis.peek().ok_or(NotFound::Stage)?;
        apis.find_map(|api| Some((api, api.find(method, rest)?, rest))).ok_or(NotFound::Route)
    }
}

/// Why a path has no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotFound {
    /// No API has that stage or id.
    Stage,
    /// No route has that path and method.
    Route,
}

impl Api {
    /// The route of a request. Literal segments take precedence over parameters, parameters over
    /// greedy ones, a named method over any.
    pub(crate) fn find(&self, method: &str, path: &str) -> Option<Found<'_>> {
        let fits = |route: &&Route| route.method.as_deref().is_none_or(|named| named == method);
        let found = self.routes.iter().filter(fits).filter_map(|route| {
            let (kinds, parameters) = parameters(&route.resource, path)?;
            Some(((kinds, route.method.is_none()), Found { route, parameters }))
        });
        found.min_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, found)| found)
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Literal,
    Parameter,
    Greedy,
}

/// How each segment matches, and the values of the parameters as they were sent: the gateway does
/// not decode them.
fn parameters<'a>(resource: &'a str, path: &str) -> Option<(Vec<Kind>, BTreeMap<&'a str, String>)> {
    let mut kinds = Vec::new();
    let mut values = BTreeMap::new();
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    for expected in resource.split('/').filter(|segment| !segment.is_empty()) {
        let first = segments.next()?;
        match expected.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            None if expected == first => kinds.push(Kind::Literal),
            None => return None,
            Some(name) => match name.strip_suffix('+') {
                None => {
                    kinds.push(Kind::Parameter);
                    values.insert(name, first.to_owned());
                }
                Some(name) => {
                    kinds.push(Kind::Greedy);
                    let all: Vec<&str> = std::iter::once(first).chain(segments.by_ref()).collect();
                    values.insert(name, all.join("/"));
                }
            },
        }
    }
    segments.next().is_none().then_some((kinds, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api() -> Api {
        let route = |method: Option<&str>, resource: &str| Route {
            resource: resource.into(),
            method: method.map(str::to_owned),
            function: "f".into(),
            authorizer: None,
            key_required: false,
        };
        let routes = vec![
            route(None, "/{api+}"),
            route(Some("GET"), "/items"),
            route(Some("POST"), "/control/{deviceId}"),
            route(None, "/control/{any}"),
            route(Some("GET"), "/"),
        ];
        let (variables, authorizers) = (BTreeMap::new(), BTreeMap::new());
        Api { name: "A".into(), id: "a".into(), stage: "dev".into(), variables, authorizers, keys: Vec::new(), routes }
    }

    #[test]
    fn the_closest_route_is_taken() {
        let api = api();
        for (method, path, resource, value) in [
            ("GET", "/items", "/items", None),
            ("POST", "/items", "/{api+}", Some("items")),
            ("POST", "/control/T%201", "/control/{deviceId}", Some("T%201")),
            ("GET", "/control/T1", "/control/{any}", Some("T1")),
            ("GET", "/appointment/PI-T123", "/{api+}", Some("appointment/PI-T123")),
            ("GET", "/", "/", None),
        ] {
            let found = api.find(method, path).unwrap();
            assert_eq!(found.route.resource, resource, "{method} {path}");
            assert_eq!(found.parameters.values().next().map(String::as_str), value, "{method} {path}");
        }
        assert_eq!(api.find("POST", "/"), None);
    }

    #[test]
    fn the_stage_decides_which_api_is_meant() {
        let routes = Routes { apis: vec![api()] };
        for (path, rest) in [
            ("/dev/a/b", Ok("/a/b")),
            ("/dev", Ok("/")),
            ("/dev/", Ok("/")),
            ("/prod/a", Err(NotFound::Stage)),
            ("", Err(NotFound::Stage)),
            ("/_aws/execute-api/a/dev/items", Ok("/items")),
            ("/_aws/execute-api/b/dev/items", Err(NotFound::Stage)),
            ("/_aws/execute-api/a/prod/items", Err(NotFound::Stage)),
        ] {
            assert_eq!(routes.find("GET", path).map(|(_, _, rest)| rest), rest, "{path}");
        }
    }

    #[test]
    fn a_key_for_two_apis_is_one_key() {
        let key = |id: &str, value: Option<&str>| ApiKey { id: id.into(), value: value.map(str::to_owned) };
        let with = |name: &str, keys: Vec<ApiKey>| Api { name: name.into(), keys, ..api() };
        let (said, shared) = (key("said", Some("a-key-that-the-template-says")), key("shared", None));
        let mut routes =
            Routes { apis: vec![with("A", vec![shared.clone(), said.clone()]), with("B", vec![shared]), with("C", vec![said])] };
        routes.make_up_keys().unwrap();
        let made: Vec<_> = routes.apis.iter().map(|api| api.keys[0].value.clone().unwrap()).collect();
        assert!(made[0] == made[1] && made[0].len() == 40 && made[2] == "a-key-that-the-template-says");
        let before = routes.apis.clone();
        routes.make_up_keys().unwrap();
        assert_eq!(routes.apis, before, "what is made up stays");
    }

    #[test]
    fn the_first_api_of_a_stage_with_the_route_is_used_or_the_named_one() {
        let only = |id: &str, resources: &[&str]| {
            let route = |resource: &&str| Route {
                resource: (*resource).into(),
                method: None,
                function: id.into(),
                authorizer: None,
                key_required: false,
            };
            Api { id: id.into(), routes: resources.iter().map(route).collect(), ..api() }
        };
        let routes = Routes { apis: vec![only("a", &["/items", "/users"]), only("b", &["/records", "/users"])] };
        for (path, found) in [
            ("/dev/items", Ok("a")),
            ("/dev/records", Ok("b")),
            ("/dev/users", Ok("a")),
            ("/_aws/execute-api/b/dev/users", Ok("b")),
            ("/_aws/execute-api/b/dev/items", Err(NotFound::Route)),
            ("/dev/nothing", Err(NotFound::Route)),
        ] {
            assert_eq!(routes.find("GET", path).map(|(api, _, _)| api.id.as_str()), found, "{path}");
        }
    }
}
