//! What public trackers of other local gateways show to be got wrong in REST APIs.

use std::time::Duration;

use serde_json::{Value, json};
use template::apis::{Api, ApiKind, Authorizer, Identity, Integration, Payload, Route};

use crate::platform::gateway::{Request, ask, event, get};
use crate::platform::support::{Up, function, up};

fn api(routes: Vec<Route>) -> Api {
    Api { id: "rest1".into(), routes, ..Api::new(ApiKind::Rest, "Rest", "dev") }
}

fn to(method: Option<&str>, resource: &str) -> Route {
    Route::to_function(method, resource, "web")
}

async fn started(api: Api) -> Up {
    up(vec![function("web"), function("authorizer")], vec![api], false).await
}

fn with(path: &'static str, headers: &[(&'static str, &str)], body: &'static str) -> Request {
    ("POST", path, headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(), body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_headers_are_as_sent_but_for_those_that_the_gateway_writes() {
    let up = started(api(vec![to(None, "/items")])).await;
    let sent = [
        ("authorization", "t"),
        ("USER-AGENT", "agent"),
        ("X-Custom-Header", "1"),
        ("x-lower", "2"),
        ("x_under_score", "3"),
        ("Content-Type", "application/json"),
        ("X-Forwarded-For", "203.0.113.9"),
    ];
    let answers =
        ask(&up, vec![with("/dev/items", &sent, "{\"X-Body: 1\r\n\":1}"), with("/dev/items", &[("x-custom-header", "4")], "")]).await;
    let (first, second) = (event(&answers[0]), event(&answers[1]));
    for (name, value) in [
        ("Authorization", "t"),
        ("User-Agent", "agent"),
        ("Host", "test"),
        ("X-Custom-Header", "1"),
        ("x-lower", "2"),
        ("x_under_score", "3"),
        ("Content-Type", "application/json"),
        ("X-Forwarded-For", "203.0.113.9, 127.0.0.1"),
        ("X-Forwarded-Proto", "http"),
    ] {
        assert_eq!(first["headers"][name], value, "{name}");
        assert_eq!(first["multiValueHeaders"][name], json!([value]), "{name}");
    }
    assert_eq!(first["headers"].get("authorization"), None);
    assert_eq!((&second["headers"]["x-custom-header"], second["headers"].get("X-Custom-Header")), (&json!("4"), None));
    for field in ["queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables", "body"] {
        assert_eq!(second[field], Value::Null, "{field}");
    }
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_are_handed_on_as_sent_and_an_empty_segment_has_no_route() {
    let up = started(api(vec![to(None, "/"), to(None, "/{proxy+}"), to(Some("GET"), "/items/{id}")])).await;
    let cases = [
        ("/dev/items/a%20b", Some(("/items/{id}", "/items/a%20b", json!({ "id": "a%20b" })))),
        ("/dev/items/a%2Fb", Some(("/items/{id}", "/items/a%2Fb", json!({ "id": "a%2Fb" })))),
        ("/dev/items/1/", Some(("/items/{id}", "/items/1/", json!({ "id": "1" })))),
        ("/dev/items/a+b@c", Some(("/items/{id}", "/items/a+b@c", json!({ "id": "a+b@c" })))),
        ("/dev/files/a/b%3F", Some(("/{proxy+}", "/files/a/b%3F", json!({ "proxy": "files/a/b%3F" })))),
        ("/dev/", Some(("/", "/", Value::Null))),
        ("/dev//", None),
        ("/dev//items/1", None),
    ];
    let answers = ask(&up, cases.iter().map(|(path, _)| get(path, "t")).collect()).await;
    for (answer, (path, expected)) in answers.iter().zip(&cases) {
        let Some((resource, seen, parameters)) = expected else {
            assert_eq!((answer.status, answer.text().as_str()), (403, r#"{"message":"Missing Authentication Token"}"#), "{path}");
            continue;
        };
        let event = event(answer);
        assert_eq!((&event["resource"], &event["path"], &event["pathParameters"]), (&json!(resource), &json!(seen), parameters), "{path}");
        assert_eq!(event["requestContext"]["path"], format!("/dev{seen}"), "{path}");
    }
    up.down().await;
    let without_root = started(api(vec![to(None, "/{proxy+}")])).await;
    assert_eq!(ask(&without_root, vec![get("/dev/", "t")]).await[0].status, 403, "`{{proxy+}}` does not take the root");
    without_root.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn binary_bodies_need_their_media_type() {
    let routes = vec![to(None, "/items")];
    let plain = api(routes.clone());
    let declared = Api { id: "rest2".into(), stage: "bin".into(), binary: vec!["image/*".into()], ..api(routes) };
    let up = up(vec![function("web")], vec![plain, declared], false).await;
    let result =
        json!({ "statusCode": 200, "headers": { "Content-Type": "image/png" }, "body": "aGk=", "isBase64Encoded": true }).to_string();
    let image = [("Content-Type", "image/png"), ("Accept", "image/png")];
    let answering = [image[0], image[1], ("x-result", result.as_str())];
    let answers = ask(
        &up,
        vec![
            with("/dev/items", &image, "\u{e9}"),
            with("/bin/items", &image, "\u{e9}"),
            with("/bin/items", &[("Content-Type", "text/plain")], "\u{e9}"),
            with("/dev/items", &answering, ""),
            with("/bin/items", &answering, ""),
            with("/bin/items", &[("Accept", "text/html"), ("x-result", &result)], ""),
        ],
    )
    .await;
    for (answer, body, is_base64) in [(&answers[0], "\u{e9}", false), (&answers[1], "w6k=", true), (&answers[2], "\u{e9}", false)] {
        let event = event(answer);
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!(body), &json!(is_base64)));
    }
    assert_eq!(answers[3..].iter().map(|answer| answer.text()).collect::<Vec<_>>(), ["aGk=", "hi", "aGk="]);
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_cookies_are_two_headers_and_malformed_answers_are_502() {
    let up = started(api(vec![to(None, "/items")])).await;
    let mut results = vec![json!({ "statusCode": 200, "multiValueHeaders": { "Set-Cookie": ["a=1", "b=2"] } }).to_string()];
    let malformed = [
        json!({ "body": "no status" }),
        json!({ "statusCode": "abc" }),
        json!({ "statusCode": 200, "body": { "a": 1 } }),
        json!({ "statusCode": 200, "headers": { "a": ["b"] } }),
        json!("text"),
        json!([1]),
        Value::Null,
    ];
    results.extend(malformed.iter().map(Value::to_string));
    results.push("not JSON".to_owned());
    let answers = ask(&up, results.iter().map(|result| with("/dev/items", &[("x-result", result)], "")).collect()).await;
    assert_eq!((answers[0].status, answers[0].headers["set-cookie"].as_str()), (200, "a=1\nb=2"));
    for (answer, result) in answers.iter().zip(&results).skip(1) {
        assert_eq!((answer.status, answer.text().as_str()), (502, r#"{"message":"Internal server error"}"#), "{result}");
        assert_eq!(answer.headers["x-amzn-errortype"], "InternalServerErrorException", "{result}");
    }
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_the_limit_passes_and_one_byte_more_is_502_while_the_environment_serves_on() {
    let up = started(api(vec![to(None, "/items")])).await;
    let sized = |size: &str| with("/dev/items", &[("x-size", size)], "");
    let answers = ask(&up, vec![sized("6291556"), sized("6291557"), with("/dev/items", &[], "")]).await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 502, 200]);
    assert_eq!(answers[2].json()["count"], 3, "the same environment");
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preflight_is_answered_beside_a_default_authorizer() {
    let authorizer = Authorizer::Request {
        function: "authorizer".into(),
        identity: vec![Identity::Header("Authorization".into())],
        cached: Duration::ZERO,
        payload: Payload::V1,
        simple: false,
    };
    let headers = [("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Methods", "GET,OPTIONS")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let mock = Integration::Mock { status: 200, headers, body: String::new() };
    let preflight = |resource: &str, authorizer: Option<&str>| Route {
        integration: mock.clone(),
        authorizer: authorizer.map(str::to_owned),
        ..to(Some("OPTIONS"), resource)
    };
    let guarded = Route { authorizer: Some("default".into()), ..to(Some("GET"), "/items") };
    let routes = vec![guarded, preflight("/items", None), preflight("/guarded", Some("default"))];
    let up = started(Api { authorizers: [("default".to_owned(), authorizer)].into(), ..api(routes) }).await;
    let options = |path| ("OPTIONS", path, vec![("Origin", "https://a.example".to_owned())], "");
    let answers =
        ask(&up, vec![options("/dev/items"), options("/dev/guarded"), get("/dev/items", "t"), ("GET", "/dev/items", vec![], "")]).await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 401, 200, 401]);
    assert_eq!(answers[0].headers["access-control-allow-methods"], "GET,OPTIONS");
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resource_policy_is_evaluated_with_its_conditions() {
    let statement = |effect: &str, range: &str| {
        let condition = json!({ "IpAddress": { "aws:SourceIp": range } });
        json!({ "Effect": effect, "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*", "Condition": condition })
    };
    let cases = [
        ("a", json!({ "Statement": [statement("Allow", "127.0.0.0/8")] }), 200, ""),
        ("b", json!({ "Statement": [statement("Allow", "203.0.113.0/24")] }), 403, "/b/GET/items"),
        ("c", json!({ "Statement": [statement("Allow", "0.0.0.0/0"), statement("Deny", "127.0.0.1")] }), 403, "with an explicit deny"),
        ("d", json!({ "Statement": [{ "Effect": "Allow", "Unknown": 1 }] }), 403, "with an explicit deny"),
    ];
    let api = |(stage, policy, ..): &(&str, Value, u16, &str)| Api {
        id: format!("api{stage}"),
        stage: (*stage).into(),
        policy: Some(policy.clone()),
        ..api(vec![to(None, "/items")])
    };
    let up = up(vec![function("web")], cases.iter().map(api).collect::<Vec<_>>(), false).await;
    let answers = ask(&up, ["/a/items", "/b/items", "/c/items", "/d/items"].map(|path| get(path, "t")).into()).await;
    for (answer, (stage, _, status, text)) in answers.iter().zip(&cases) {
        assert_eq!(answer.status, *status, "{stage}: {}", answer.text());
        assert!(answer.text().contains(text), "{stage}: {}", answer.text());
    }
    assert!(
        answers[1].text().starts_with(
            r#"{"Message":"User: anonymous is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:"#
        )
    );
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_success_is_a_timeout() {
    let integration =
        Integration::Function { name: "web".into(), payload: Payload::V1, streams: false, timeout: Some(Duration::from_millis(300)) };
    let up = started(api(vec![Route { integration, ..to(None, "/items") }])).await;
    // Ready environments, so that only the function is late.
    up.platform.warm("web", 1).await.unwrap();
    let answers = ask(&up, vec![with("/dev/items", &[("x-sleep", "1500")], "")]).await;
    assert_eq!((answers[0].status, answers[0].text().as_str()), (504, r#"{"message":"Endpoint request timed out"}"#));
    up.down().await;
}
