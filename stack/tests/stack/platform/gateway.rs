//! The HTTP gateway in front of real functions.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use stack::platform::Function;
use template::apis::{Api, ApiKey, ApiKind, Authorizer, Identity, Payload, Route};

use crate::platform::support::{Up, function, up};
use crate::platform::wire::{Answer, Wire};

fn apis() -> Vec<Api> {
    let authorizer = |every| Authorizer::Request {
        function: "authorizer".into(),
        identity: vec![Identity::Header("authorization".into())],
        cached: Duration::from_secs(every),
        payload: Payload::V1,
        simple: false,
    };
    let route = |resource: &str, authorizer: Option<&str>| Route {
        authorizer: authorizer.map(str::to_owned),
        ..Route::to_function(None, resource, "web")
    };
    let api = |stage: &str, routes| Api {
        id: "abc123".into(),
        authorizers: [("kept".to_owned(), authorizer(300)), ("asked".to_owned(), authorizer(0))].into(),
        routes,
        ..Api::new(ApiKind::Rest, "Api", stage)
    };
    vec![
        api("dev", vec![route("/{api+}", Some("kept")), route("/asked/{id}", Some("asked"))]),
        api("prod", vec![route("/items", None), route("/control/{deviceId}", None)]),
    ]
}

/// The same with an API that requires a key, at the stage of another API.
fn with_key() -> Vec<Api> {
    let mut apis = apis();
    let mut keyed = apis[1].clone();
    keyed.id = "keyed1".into();
    keyed.keys = vec![ApiKey { id: "key".into(), value: Some("abcdefghijklmnopqrstuvwxyz".into()) }];
    let route = Route { resource: "/records".into(), key_required: true, ..keyed.routes.remove(0) };
    keyed.routes = vec![route];
    apis.push(keyed);
    apis
}

pub type Request = (&'static str, &'static str, Vec<(&'static str, String)>, &'static str);

pub fn get(path: &'static str, token: &str) -> Request {
    ("GET", path, vec![("Authorization", token.to_owned())], "")
}

pub async fn ask(up: &Up, requests: Vec<Request>) -> Vec<Answer> {
    ask_at(up.platform.gateway, requests).await
}

pub async fn ask_at(address: SocketAddr, requests: Vec<Request>) -> Vec<Answer> {
    let address = address.to_string();
    let answers = tokio::task::spawn_blocking(move || {
        let mut wire = Wire::connect(&address).unwrap();
        let mut answers = Vec::new();
        for (method, path, headers, body) in requests {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            answers.push(wire.call(method, path, &headers, body.as_bytes()).unwrap());
        }
        answers
    });
    answers.await.unwrap()
}

async fn gateway() -> Up {
    up(vec![function("web"), function("authorizer")], apis(), false).await
}

/// The event that the function got.
pub fn event(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["event"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_function_gets_the_event_of_a_rest_proxy() {
    let up = gateway().await;
    let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
    let headers =
        vec![("X-Amzn-Trace-Id", root.to_owned()), ("User-Agent", "test".to_owned()), ("X-Two", "1".to_owned()), ("x-two", "2".to_owned())];
    let answers = ask(&up, vec![("POST", "/prod/control/Thermostat1?a=1&a=2&b=x%20y", headers, "{\"action\":1}")]).await;
    let event = event(&answers[0]);
    for (pointer, value) in [
        ("/resource", json!("/control/{deviceId}")),
        ("/path", json!("/control/Thermostat1")),
        ("/httpMethod", json!("POST")),
        ("/headers/X-Two", json!("2")),
        ("/multiValueHeaders/X-Two", json!(["1", "2"])),
        ("/queryStringParameters", json!({ "a": "2", "b": "x y" })),
        ("/multiValueQueryStringParameters/a", json!(["1", "2"])),
        ("/pathParameters", json!({ "deviceId": "Thermostat1" })),
        ("/stageVariables", json!(null)),
        ("/body", json!("{\"action\":1}")),
        ("/isBase64Encoded", json!(false)),
        ("/requestContext/stage", json!("prod")),
        ("/requestContext/path", json!("/prod/control/Thermostat1")),
        ("/requestContext/resourcePath", json!("/control/{deviceId}")),
        ("/requestContext/apiId", json!("abc123")),
        ("/requestContext/identity/userAgent", json!("test")),
        ("/requestContext/identity/sourceIp", json!("127.0.0.1")),
    ] {
        assert_eq!(event.pointer(pointer), Some(&value), "{pointer}");
    }
    assert_eq!(event.pointer("/requestContext/authorizer"), None);
    assert_eq!(event.get("methodArn"), None);
    assert!(answers[0].headers["x-amzn-trace-id"].starts_with(root));
    let entries = up.down().await;
    assert!(matches!(&entries[0], faults::Entry::Invoked { root: Some(found), .. } if root.ends_with(found.as_str())), "{entries:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_key_a_method_is_refused_and_no_function_is_called() {
    let up = up(vec![function("web"), function("authorizer")], with_key(), false).await;
    let key = |value: &str| vec![("X-Api-Key", value.to_owned())];
    let open = "abcdefghijklmnopqrstuvwxyz";
    let answers = ask(
        &up,
        vec![
            ("POST", "/prod/records", vec![], "{}"),
            ("POST", "/prod/records", key("abcdefghijklmnopqrstuvwxy"), "{}"),
            ("POST", "/prod/records", key(""), "{}"),
            ("POST", "/_aws/execute-api/keyed1/prod/records", key("x"), "{}"),
            ("POST", "/prod/records", key(open), "{}"),
            ("POST", "/_aws/execute-api/keyed1/prod/records", key(open), "{}"),
            ("GET", "/prod/items", vec![], ""),
        ],
    )
    .await;
    for refused in &answers[..4] {
        assert_eq!((refused.status, refused.text().as_str()), (403, r#"{"message":"Forbidden"}"#));
        assert_eq!(refused.headers["x-amzn-errortype"], "ForbiddenException");
    }
    for opened in &answers[4..6] {
        let event = event(opened);
        assert_eq!(event.pointer("/requestContext/identity/apiKey"), Some(&json!(open)));
        assert_eq!(event.pointer("/requestContext/identity/apiKeyId"), Some(&json!("key")));
        assert_eq!(
            (event.pointer("/path"), event.pointer("/requestContext/path")),
            (Some(&json!("/records")), Some(&json!("/prod/records")))
        );
    }
    assert_eq!(event(&answers[6]).pointer("/requestContext/identity/apiKey"), None, "where no key is asked for there is none");
    let invoked = up.down().await.iter().filter(|entry| matches!(entry, faults::Entry::Invoked { .. })).count();
    assert_eq!(invoked, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_whose_event_exceeds_lambdas_limit_is_413() {
    let up = gateway().await;
    let limit = 6 * 1024 * 1024;
    let bodies = [limit - 8192, limit - 100, 10 * 1024 * 1024 + 1];
    let text: &'static str = "x".repeat(*bodies.iter().max().unwrap()).leak();
    let answers = ask(
        &up,
        bodies.map(|size| ("POST", "/prod/items", vec![("x-result", r#"{"statusCode":204}"#.to_owned())], &text[..size])).to_vec(),
    )
    .await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [204, 413, 413]);
    assert_eq!(answers[1].text(), r#"{"message":"Request Too Long"}"#);
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_outcome_of_a_function_has_the_gateways_answer() {
    let up = gateway().await;
    let with = |name, value: &str| ("GET", "/prod/items", vec![(name, value.to_owned())], "");
    let answers = ask(
        &up,
        vec![
            with(
                "x-result",
                r#"{"statusCode":404,"headers":{"Retry-After":"1"},"multiValueHeaders":{"Set-Cookie":["a","b"]},"body":"hi"}"#,
            ),
            with("x-result", r#"{"body":"no status"}"#),
            with("x-fail", "yes"),
            ("GET", "/prod/nothing", vec![], ""),
            ("GET", "/nowhere/items", vec![], ""),
        ],
    )
    .await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [404, 502, 502, 403, 403]);
    assert_eq!((answers[0].text().as_str(), answers[0].headers["retry-after"].as_str()), ("hi", "1"));
    assert_eq!(answers[1].text(), r#"{"message":"Internal server error"}"#);
    assert_eq!(answers[2].text(), r#"{"message":"Internal server error"}"#);
    assert_eq!(answers[3].text(), r#"{"message":"Missing Authentication Token"}"#);
    assert!(answers.iter().all(|answer| answer.headers["x-amzn-trace-id"].starts_with("Root=1-")));
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_function_is_500_and_a_late_one_is_502() {
    let throttled = Function { reserved: Some(0), ..function("authorizer") };
    let late = Function { timeout: Duration::from_millis(300), ..function("web") };
    let up = up(vec![late, throttled], apis(), false).await;
    let answers = ask(&up, vec![get("/dev/a", "token"), ("GET", "/prod/items", vec![("x-sleep", "60000".to_owned())], "")]).await;
    assert_eq!((answers[0].status, answers[0].text().as_str()), (500, r#"{"message":null}"#));
    assert_eq!(answers[1].status, 502);
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_outcome_of_an_authorizer_has_the_gateways_answer() {
    let up = gateway().await;
    let denied = r#"{"Message":"User is not authorized to access this resource"}"#;
    let explicitly = r#"{"Message":"User is not authorized to access this resource with an explicit deny"}"#;
    let cases = [
        (("GET", "/dev/a", vec![], ""), 401, r#"{"message":"Unauthorized"}"#),
        (get("/dev/a", "deny"), 403, explicitly),
        (get("/dev/a", "error"), 500, r#"{"message":null}"#),
        (get("/dev/a", "junk"), 500, r#"{"message":null}"#),
        (get("/dev/a", "exit"), 500, r#"{"message":null}"#),
        (get("/dev/a", "unauthorized"), 401, r#"{"message":"Unauthorized"}"#),
        (get("/dev/a", "one-path"), 200, ""),
        (get("/dev/b", "one-path"), 403, denied),
    ];
    let answers = ask(&up, cases.iter().map(|(request, ..)| request.clone()).collect()).await;
    for (answer, (request, status, body)) in answers.iter().zip(&cases) {
        assert_eq!(answer.status, *status, "{request:?}: {}", answer.text());
        assert!(body.is_empty() || answer.text() == *body, "{request:?}: {}", answer.text());
    }
    let context = event(&answers[6])["requestContext"]["authorizer"].clone();
    assert_eq!(context["principalId"], "one-path");
    let seen: Value = serde_json::from_str(context["seen"].as_str().unwrap()).unwrap();
    assert_eq!(seen["type"], "REQUEST");
    assert_eq!(seen["methodArn"], "arn:aws:execute-api:eu-west-1:123456789012:abc123/dev/GET/a");
    assert_eq!((&seen["resource"], &seen["path"], &seen["pathParameters"]), (&json!("/{api+}"), &json!("/a"), &json!({ "api": "a" })));
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_cached_per_token_and_checked_for_every_method_and_a_failure_is_never_cached() {
    let up = gateway().await;
    let calls = |up: &Up| up.platform.health().invocations;
    // The policy of `once` covers all paths that begin with the letter of the first one.
    let answers = ask(&up, vec![get("/dev/apple", "once"), get("/dev/avocado", "once"), get("/dev/banana", "once")]).await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 200, 403]);
    assert_eq!(calls(&up), 3, "one authorizer, two functions");
    ask(&up, vec![get("/dev/a", "error"), get("/dev/a", "error")]).await;
    assert_eq!(calls(&up), 5);
    let answers = ask(&up, vec![get("/dev/asked/1", "x"), get("/dev/asked/1", "x")]).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(calls(&up), 9);
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: what the gateway, a kept policy and an environment that freezes carry"]
async fn requests_a_second() {
    let up = gateway().await;
    up.platform.warm("web", 4).await.unwrap();
    let began = std::time::Instant::now();
    let load = || ask(&up, (0..4000).map(|_| get("/dev/a", "token")).collect());
    let answers = tokio::join!(load(), load(), load());
    let answered = [answers.0, answers.1, answers.2].iter().flatten().filter(|answer| answer.status == 200).count();
    println!("{answered} in {:?}, {:?}", began.elapsed(), up.platform.health());
    up.down().await;
}
