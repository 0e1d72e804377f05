//! What the gateway serves, and the route of each path. It answers nothing itself.

use std::collections::BTreeMap;

use template::apis::{Api, Route};

/// The prefix of a path that names an API by its id: `/_aws/execute-api/<id>/<stage>/...`, as other
/// local AWS emulators have it too.
const BY_ID: &str = "/_aws/execute-api/";

/// Everything that the gateway serves; the ids of the APIs differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes(pub(super) Vec<Api>);

/// The matching route, with the values in its path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found<'a> {
    pub route: &'a Route,
    pub parameters: BTreeMap<&'a str, String>,
}

impl Routes {
    /// The API, the route and the rest of the path, which begins with `/`. A path names its API by
    /// id, as each API has an address of its own at AWS. Or it begins with a stage: then the first
    /// API of that stage with a matching route is used.
    pub(crate) fn find<'a, 'p>(&'a self, method: &str, path: &'p str) -> Result<(&'a Api, Found<'a>, &'p str), NotFound> {
        let (id, path) = match path.strip_prefix(BY_ID).and_then(|rest| rest.split_once('/')) {
            Some((id, rest)) => (Some(id), rest),
            None => (None, path.strip_prefix('/').ok_or(NotFound::Stage)?),
        };
        let (stage, rest) = path.find('/').map_or((path, "/"), |slash| path.split_at(slash));
        let mut apis = self.0.iter().filter(|api| api.stage == stage && id.is_none_or(|id| api.id == id)).peekable();
        apis.peek().ok_or(NotFound::Stage)?;
        apis.find_map(|api| Some((api, find(api, method, rest)?, rest))).ok_or(NotFound::Route)
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

/// The route of a request. Literal segments take precedence over parameters, parameters over greedy
/// ones, a named method over any.
fn find<'a>(api: &'a Api, method: &str, path: &str) -> Option<Found<'a>> {
    let fits = |route: &&Route| route.method.as_deref().is_none_or(|named| named == method);
    let found = api.routes.iter().filter(fits).filter_map(|route| {
        let (kinds, parameters) = parameters(&route.resource, path)?;
        Some(((kinds, route.method.is_none()), Found { route, parameters }))
    });
    found.min_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, found)| found)
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
    use template::apis::ApiKind;

    use super::*;

    fn api() -> Api {
        let route = |method: Option<&str>, resource: &str| Route::to_function(method, resource, "f");
        let routes = vec![
            route(None, "/{api+}"),
            route(Some("GET"), "/items"),
            route(Some("POST"), "/control/{deviceId}"),
            route(None, "/control/{any}"),
            route(Some("GET"), "/"),
        ];
        Api { routes, ..Api::new(ApiKind::Rest, "A", "dev") }
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
            let found = find(&api, method, path).unwrap();
            assert_eq!(found.route.resource, resource, "{method} {path}");
            assert_eq!(found.parameters.values().next().map(String::as_str), value, "{method} {path}");
        }
        assert_eq!(find(&api, "POST", "/"), None);
    }

    #[test]
    fn the_stage_decides_which_api_is_meant() {
        let routes = Routes(vec![api()]);
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
    fn the_first_api_of_a_stage_with_the_route_is_used_or_the_named_one() {
        let only = |id: &str, resources: &[&str]| {
            let route = |resource: &&str| Route::to_function(None, *resource, id);
            Api { id: id.into(), routes: resources.iter().map(route).collect(), ..api() }
        };
        let routes = Routes(vec![only("a", &["/items", "/users"]), only("b", &["/records", "/users"])]);
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
