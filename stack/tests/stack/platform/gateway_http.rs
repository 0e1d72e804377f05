//! HTTP APIs in front of real functions: payloads, routes, CORS, addresses, limits.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use stack::platform::Function;
use template::apis::{Api, ApiKind, Cors, Integration, Payload, Route};

use crate::platform::gateway::{Request, ask, ask_at, event};
use crate::platform::support::{Up, function, up};

fn to(method: Option<&str>, resource: &str, payload: Payload) -> Route {
    let integration = Integration::Function { name: "web".into(), payload, streams: false, timeout: Some(Duration::from_secs(30)) };
    Route { integration, ..Route::to_function(method, resource, "web") }
}

fn api(stage: &str, routes: Vec<Route>) -> Api {
    Api { id: "http1".into(), routes, ..Api::new(ApiKind::Http, "Http", stage) }
}

async fn started(api: Api) -> (Up, SocketAddr) {
    let up = up(vec![function("web")], vec![api], false).await;
    let address = up.platform.apis["http1"];
    (up, address)
}

fn call(method: &'static str, path: &'static str, headers: &[(&'static str, &str)], body: &'static str) -> Request {
    (method, path, headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(), body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_function_gets_payload_2_at_the_apis_own_address() {
    let (up, address) =
        started(api("$default", vec![to(Some("POST"), "/items/{id}", Payload::V2), to(Some("GET"), "/old", Payload::V1)])).await;
    let sent = [("Content-Type", "application/json"), ("X-Two", "1"), ("x-two", "2"), ("Cookie", "a=1; b=2"), ("User-Agent", "agent")];
    let answers = ask_at(
        address,
        vec![
            call("POST", "/items/a%20b?q=1&q=%32&r=x%20y", &sent, "{}"),
            call("GET", "/old", &[("X-Two", "1")], ""),
            call("GET", "/items/1", &[], ""),
            call("POST", "/items/1/", &[], ""),
        ],
    )
    .await;
    let event_2 = event(&answers[0]);
    for (pointer, value) in [
        ("/version", json!("2.0")),
        ("/routeKey", json!("POST /items/{id}")),
        ("/rawPath", json!("/items/a b")),
        ("/rawQueryString", json!("q=1&q=%32&r=x%20y")),
        ("/cookies", json!(["a=1", "b=2"])),
        ("/headers/x-two", json!("1,2")),
        ("/headers/user-agent", json!("agent")),
        ("/queryStringParameters", json!({ "q": "1,2", "r": "x y" })),
        ("/pathParameters", json!({ "id": "a b" })),
        ("/body", json!("{}")),
        ("/isBase64Encoded", json!(false)),
        ("/requestContext/apiId", json!("http1")),
        ("/requestContext/domainName", json!("http1.execute-api.eu-west-1.amazonaws.com")),
        ("/requestContext/domainPrefix", json!("http1")),
        ("/requestContext/http/method", json!("POST")),
        ("/requestContext/http/path", json!("/items/a b")),
        ("/requestContext/http/sourceIp", json!("127.0.0.1")),
        ("/requestContext/stage", json!("$default")),
    ] {
        assert_eq!(event_2.pointer(pointer), Some(&value), "{pointer}");
    }
    for absent in ["/headers/cookie", "/headers/X-Two", "/multiValueHeaders", "/stageVariables", "/requestContext/authorizer"] {
        assert_eq!(event_2.pointer(absent), None, "{absent}");
    }
    let event_1 = event(&answers[1]);
    assert_eq!((&event_1["version"], &event_1["path"], &event_1["headers"]["x-two"]), (&json!("1.0"), &json!("/old"), &json!("1")));
    assert_eq!(event_1["requestContext"]["authorizer"], json!({ "claims": null, "scopes": null }));
    for missing in &answers[2..] {
        assert_eq!((missing.status, missing.text().as_str()), (404, r#"{"message":"Not Found"}"#));
    }
    assert!(answers.iter().all(|answer| answer.headers.contains_key("apigw-requestid")));
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_function_does_not_say_is_inferred_and_failures_have_the_words_of_http_apis() {
    let late =
        Integration::Function { name: "web".into(), payload: Payload::V2, streams: false, timeout: Some(Duration::from_millis(300)) };
    let routes = vec![
        to(None, "$default", Payload::V2),
        to(None, "/old", Payload::V1),
        Route { integration: late, ..to(None, "/late", Payload::V2) },
    ];
    let (up, address) = started(api("$default", routes)).await;
    up.platform.warm("web", 1).await.unwrap();
    let cases = [
        ("/any", json!("Hello"), 200, "application/json", "Hello"),
        ("/any", json!({ "message": "Hello" }), 200, "application/json", r#"{"message":"Hello"}"#),
        ("/any", json!({ "statusCode": 201, "body": "x" }), 201, "text/plain; charset=utf-8", "x"),
        ("/any", json!({ "statusCode": "x" }), 500, "application/json", r#"{"message":"Internal Server Error"}"#),
        ("/old", json!({ "message": "Hello" }), 500, "application/json", r#"{"message":"Internal Server Error"}"#),
    ];
    let mut requests: Vec<Request> =
        cases.iter().map(|(path, result, ..)| call("GET", path, &[("x-result", &result.to_string())], "")).collect();
    let cookies = json!({ "statusCode": 200, "cookies": ["a=1", "b=2"] }).to_string();
    requests.push(call("GET", "/any", &[("x-result", &cookies)], ""));
    requests.push(call("GET", "/any", &[("x-fail", "1")], ""));
    requests.push(call("POST", "/any", &[("Content-Type", "application/octet-stream")], "hi"));
    requests.push(call("GET", "/late", &[("x-sleep", "1500")], ""));
    let answers = ask_at(address, requests).await;
    for (answer, (path, result, status, content_type, body)) in answers.iter().zip(&cases) {
        assert_eq!((answer.status, answer.headers["content-type"].as_str()), (*status, *content_type), "{path} {result}");
        assert_eq!(answer.text(), *body, "{path} {result}");
    }
    assert_eq!(answers[5].headers["set-cookie"], "a=1\nb=2");
    assert_eq!((answers[6].status, answers[6].text().as_str()), (500, r#"{"message":"Internal Server Error"}"#));
    let binary = event(&answers[7]);
    assert_eq!((&binary["body"], &binary["isBase64Encoded"], &binary["routeKey"]), (&json!("aGk="), &json!(true), &json!("$default")));
    assert_eq!((answers[8].status, answers[8].text().as_str()), (503, r#"{"message":"Service Unavailable"}"#));
    up.down().await;
    let none = Function { reserved: Some(0), ..function("web") };
    let up = crate::platform::support::up(vec![none], vec![api("$default", vec![to(None, "$default", Payload::V2)])], false).await;
    assert_eq!(ask_at(up.platform.apis["http1"], vec![call("GET", "/", &[], "")]).await[0].status, 503);
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cors_is_the_gateways_own() {
    let cors = Cors {
        origins: vec!["https://a.example".into()],
        methods: vec!["GET".into(), "POST".into()],
        headers: vec!["authorization".into()],
        max_age: Some(Duration::from_secs(300)),
        ..Cors::default()
    };
    let (up, address) = started(Api { cors: Some(cors), ..api("$default", vec![to(Some("GET"), "/items", Payload::V2)]) }).await;
    let own = json!({ "statusCode": 200, "headers": { "Access-Control-Allow-Origin": "*", "Access-Control-Max-Age": "1" } }).to_string();
    let preflight = |origin| call("OPTIONS", "/items", &[("Origin", origin), ("Access-Control-Request-Method", "GET")], "");
    let answers = ask_at(
        address,
        vec![
            preflight("https://a.example"),
            preflight("https://b.example"),
            call("GET", "/items", &[("Origin", "https://a.example"), ("x-result", &own)], ""),
            call("GET", "/items", &[("Origin", "https://b.example"), ("x-result", &own)], ""),
            call("OPTIONS", "/items", &[], ""),
        ],
    )
    .await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [204, 204, 200, 200, 404]);
    let origin = |n: usize| answers[n].headers.get("access-control-allow-origin").map(String::as_str);
    assert_eq!((origin(0), origin(1), origin(2), origin(3)), (Some("https://a.example"), None, Some("https://a.example"), None));
    assert_eq!(answers[0].headers["access-control-allow-methods"], "GET,POST");
    assert!(!answers[2].headers.contains_key("access-control-max-age"));
    let invoked = up.down().await.iter().filter(|entry| matches!(entry, faults::Entry::Invoked { .. })).count();
    assert_eq!(invoked, 2, "no function is asked for a preflight");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_is_found_by_its_own_address_its_host_its_id_and_its_stage() {
    let apart = api("$default", vec![to(None, "/items", Payload::V2)]);
    let staged = Api { id: "http2".into(), ..api("dev", vec![to(None, "/items", Payload::V2)]) };
    let up = up(vec![function("web")], vec![apart, staged], false).await;
    assert_eq!(up.platform.apis.keys().collect::<Vec<_>>(), ["http1"]);
    let host = |id: &str| format!("{id}.execute-api.eu-west-1.amazonaws.com");
    let answers = ask(
        &up,
        vec![
            call("GET", "/items", &[("Host", &host("http1"))], ""),
            call("GET", "/_aws/execute-api/http1/items", &[], ""),
            call("GET", "/dev/items", &[], ""),
            call("GET", "/dev/items", &[("Host", &host("http2"))], ""),
            call("GET", "/items", &[], ""),
            call("GET", "/dev/items", &[("Host", &host("http3"))], ""),
        ],
    )
    .await;
    let seen = |answer| {
        let event = event(answer);
        [event["requestContext"]["apiId"].clone(), event["rawPath"].clone(), event["requestContext"]["stage"].clone()]
    };
    let [apart, staged] = [["http1", "/items", "$default"], ["http2", "/dev/items", "dev"]].map(|all| all.map(Value::from));
    assert_eq!((seen(&answers[0]), seen(&answers[1])), (apart.clone(), apart));
    assert_eq!((seen(&answers[2]), seen(&answers[3])), (staged.clone(), staged));
    assert_eq!((answers[4].status, answers[5].status), (403, 403));
    up.down().await;
}
