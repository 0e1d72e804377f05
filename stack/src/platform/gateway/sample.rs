//! A call as the tests of the gateway make it.

use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use template::apis::{Api, ApiKind, Route};

use super::call::Call;
use super::routes::{DEFAULT, Found, Front};
use crate::platform::spelling::Spelling;

fn with<T>(front: Front, api: &Api, headers: &[(&str, &str)], path: &str, query: Option<&str>, ask: impl FnOnce(&Call<'_>) -> T) -> T {
    let route = Route { method: Some("GET".into()), ..Route::to_function(None, "/my/{id}", "f") };
    let headers = headers.iter().map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap()));
    ask(&Call {
        front,
        api,
        found: Found { route: &route, parameters: [("id", "1".to_owned())].into() },
        key: None,
        method: "GET",
        path,
        sent_path: path,
        query,
        headers: &headers.collect(),
        spelling: &Spelling::default(),
        trace: "Root=1-a-b",
        request_id: "id",
        peer: "192.0.2.1".parse().unwrap(),
        port: 80,
        region: "us-east-1",
        time: Duration::from_millis(1_583_348_638_390),
    })
}

/// A call of an API of this kind with these headers.
pub(crate) fn with_call<T>(front: Front, headers: &[(&str, &str)], ask: impl FnOnce(&Call<'_>) -> T) -> T {
    let mut api = Api::new(ApiKind::Rest, "api", if front == Front::Rest { "test" } else { DEFAULT });
    api.variables.insert("v".into(), "1".into());
    with(front, &api, headers, "/my/path", Some("parameter1=value1&parameter1=value2&parameter2=value"), ask)
}

/// A call of a REST API with these binary types.
pub(crate) fn with_binary<T>(binary: &[&str], accept: &str, ask: impl FnOnce(&Call<'_>) -> T) -> T {
    let binary = binary.iter().map(|&media| media.to_owned()).collect();
    let api = Api { binary, ..Api::new(ApiKind::Rest, "api", "test") };
    with(Front::Rest, &api, &[("accept", accept)], "/", None, ask)
}

/// A call without a query, variables or headers.
pub(crate) fn with_nothing<T>(front: Front, ask: impl FnOnce(&Call<'_>) -> T) -> T {
    let api = Api::new(ApiKind::Rest, "api", if front == Front::Rest { "test" } else { DEFAULT });
    with(front, &api, &[], "/", None, ask)
}
