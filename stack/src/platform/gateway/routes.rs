//! What the gateway serves, and which route a path takes. It answers nothing itself.

use std::collections::BTreeMap;
use std::time::Duration;

/// Everything that the gateway serves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes {
    /// The APIs; their stages differ, because the stage decides which API is meant.
    pub apis: Vec<Api>,
}

/// A REST API at its stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Its id, as it stands in method ARNs.
    pub id: String,
    /// The first segment of every path.
    pub stage: String,
    /// The stage's variables.
    pub variables: BTreeMap<String, String>,
    /// Request authorizers by name.
    pub authorizers: BTreeMap<String, Authorizer>,
    /// The methods.
    pub routes: Vec<Route>,
}

/// A request authorizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorizer {
    /// The function's name.
    pub function: String,
    /// The headers that must be there, and whose values a result is kept for.
    pub identity_headers: Vec<String>,
    /// How long a result is kept; zero for not at all.
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
}

/// A route that was found, with the values in its path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found<'a> {
    pub route: &'a Route,
    pub parameters: BTreeMap<&'a str, String>,
}

impl Routes {
    /// All functions that something here calls.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.apis.iter().flat_map(|api| {
            let handlers = api.routes.iter().map(|route| route.function.as_str());
            handlers.chain(api.authorizers.values().map(|authorizer| authorizer.function.as_str()))
        })
    }

    /// The API of a path and the rest of the path, which begins with `/`.
    pub(crate) fn api<'p>(&self, path: &'p str) -> Option<(&Api, &'p str)> {
        let path = path.strip_prefix('/')?;
        let (stage, rest) = path.find('/').map_or((path, "/"), |slash| path.split_at(slash));
        self.apis.iter().find(|api| api.stage == stage).map(|api| (api, rest))
    }
}

impl Api {
    /// The route of a request. Literal segments go before parameters, those before greedy ones, a named method before any.
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

/// How each segment fits, and the values of the parameters, as they were sent: the gateway does not decode them.
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
        };
        let routes = vec![
            route(None, "/{api+}"),
            route(Some("GET"), "/items"),
            route(Some("POST"), "/control/{deviceId}"),
            route(None, "/control/{any}"),
            route(Some("GET"), "/"),
        ];
        Api { id: "a".into(), stage: "dev".into(), variables: BTreeMap::new(), authorizers: BTreeMap::new(), routes }
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
        for (path, rest) in [("/dev/a/b", Some("/a/b")), ("/dev", Some("/")), ("/dev/", Some("/")), ("/prod/a", None), ("", None)] {
            assert_eq!(routes.api(path).map(|(_, rest)| rest), rest, "{path}");
        }
    }
}
