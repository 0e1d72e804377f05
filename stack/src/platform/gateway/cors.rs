//! CORS of HTTP APIs and functions' URLs. Sources: "Configure CORS for HTTP APIs in API Gateway",
//! "Cross-origin resource sharing (CORS)" of Lambda function URLs.

use bytes::Bytes;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use hyper::{Method, Response, StatusCode};
use template::apis::Cors;

use super::routes::Front;
use crate::platform::http::Piece;

/// The headers that an HTTP API takes from no function, once it has a configuration of its own.
const OWN: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

/// The answer to a preflight; `None` if the request is none.
pub(crate) fn preflight(cors: &Cors, front: Front, method: &Method, headers: &HeaderMap) -> Option<Response<Piece>> {
    let origin = headers.get(ORIGIN)?;
    if method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let mut response = Response::new(Piece::from(Bytes::new()));
    *response.status_mut() = if front == Front::Http { StatusCode::NO_CONTENT } else { StatusCode::OK };
    let answer = response.headers_mut();
    if put_origin(cors, origin, answer) {
        put(answer, ACCESS_CONTROL_ALLOW_METHODS, &cors.methods.join(","));
        put(answer, ACCESS_CONTROL_ALLOW_HEADERS, &cors.headers.join(","));
        if let Some(age) = cors.max_age {
            put(answer, ACCESS_CONTROL_MAX_AGE, &age.as_secs().to_string());
        }
    }
    Some(response)
}

/// Adds the headers to a function's answer. An HTTP API drops the function's own, a URL sends both.
pub(crate) fn add(cors: &Cors, front: Front, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
    if front == Front::Http {
        for name in OWN {
            answer.remove(name);
        }
    }
    let Some(origin) = origin else { return };
    if put_origin(cors, origin, answer) {
        put(answer, ACCESS_CONTROL_EXPOSE_HEADERS, &cors.exposed.join(","));
    }
}

/// False, and nothing is added, if the origin is not allowed.
fn put_origin(cors: &Cors, origin: &HeaderValue, answer: &mut HeaderMap) -> bool {
    let Ok(text) = origin.to_str() else { return false };
    let fits = |allowed: &String| match allowed.strip_suffix('*') {
        Some(scheme) => text.starts_with(scheme),
        None => allowed.eq_ignore_ascii_case(text),
    };
    if !cors.origins.iter().any(fits) {
        return false;
    }
    if cors.origins.iter().any(|allowed| allowed == "*") && !cors.credentials {
        answer.append(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else {
        answer.append(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.append(VARY, HeaderValue::from_static("Origin"));
    }
    if cors.credentials {
        answer.append(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    true
}

/// A setting without values has no header.
fn put(answer: &mut HeaderMap, name: HeaderName, value: &str) {
    if let (false, Ok(value)) = (value.is_empty(), HeaderValue::try_from(value)) {
        answer.append(name, value);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn cors(origins: &[&str]) -> Cors {
        Cors {
            origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
            methods: vec!["GET".into(), "POST".into()],
            headers: vec!["authorization".into()],
            exposed: vec!["x-total".into()],
            max_age: Some(Duration::from_secs(300)),
            credentials: false,
        }
    }

    fn asked(origin: &'static str) -> HeaderMap {
        [(ORIGIN, HeaderValue::from_static(origin)), (ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"))]
            .into_iter()
            .collect()
    }

    #[test]
    fn a_preflight_is_answered_for_allowed_origins_only() {
        for (origins, origin, allowed) in [
            (vec!["https://a.example"], "https://a.example", Some("https://a.example")),
            (vec!["https://a.example"], "https://b.example", None),
            (vec!["*"], "https://b.example", Some("*")),
            (vec!["https://*"], "https://b.example", Some("https://b.example")),
            (vec!["https://*"], "http://b.example", None),
        ] {
            let response = preflight(&cors(&origins), Front::Http, &Method::OPTIONS, &asked(origin)).unwrap();
            assert_eq!(response.status(), 204);
            let header = |name: HeaderName| response.headers().get(name).map(|value| value.to_str().unwrap());
            assert_eq!(header(ACCESS_CONTROL_ALLOW_ORIGIN), allowed, "{origins:?} {origin}");
            assert_eq!(header(ACCESS_CONTROL_ALLOW_METHODS), allowed.map(|_| "GET,POST"), "{origins:?} {origin}");
            assert_eq!(header(ACCESS_CONTROL_MAX_AGE), allowed.map(|_| "300"), "{origins:?} {origin}");
        }
        assert!(preflight(&cors(&["*"]), Front::Http, &Method::GET, &asked("x")).is_none());
        assert!(preflight(&cors(&["*"]), Front::Http, &Method::OPTIONS, &HeaderMap::new()).is_none());
    }

    #[test]
    fn an_http_api_ignores_the_functions_headers_and_a_url_sends_both() {
        let origin = HeaderValue::from_static("https://a.example");
        for (front, values) in [(Front::Http, vec!["https://a.example"]), (Front::Url, vec!["https://own.example", "https://a.example"])] {
            let mut answer: HeaderMap =
                [(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("https://own.example"))].into_iter().collect();
            add(&cors(&["https://a.example"]), front, Some(&origin), &mut answer);
            assert_eq!(answer.get_all(ACCESS_CONTROL_ALLOW_ORIGIN).iter().collect::<Vec<_>>(), values);
            assert_eq!(answer[ACCESS_CONTROL_EXPOSE_HEADERS], "x-total");
        }
    }
}
