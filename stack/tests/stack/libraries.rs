//! The libraries that people write functions with, unchanged: Powertools, Mangum and FastAPI, Express
//! and serverless-http, behind every kind of API and event, as their documentation has them
//! (`tests/libraries`).

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use run_folder::deployment::{Deployment, Template};
use run_folder::{Compressed, RunFolder};
use serde_json::{Value, json};
use stack::artifacts::Artifacts;
use stack::up::{Settings, Up};

use crate::platform::runtimes::programs;
use crate::platform::support::Left;
use crate::platform::wire::{Answer, Wire};

/// An interpreter that runs this has the libraries.
const IN_PYTHON: (&str, [&str; 2]) = ("python3", ["-c", "import boto3, aws_lambda_powertools, pydantic, fastapi, mangum"]);
const IN_NODE: (&str, [&str; 2]) = ("node", ["-e", "require('express'); require('serverless-http')"]);
const PICTURE: [u8; 8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x00, 0xff];

struct Shop {
    up: Up,
    _folder: tempfile::TempDir,
    _left: Left,
}

impl Shop {
    /// A stack of this template; `None` if this machine lacks the libraries.
    async fn open(template: &str, (interpreter, imports): (&str, [&str; 2])) -> Option<Self> {
        let has_all = Command::new(interpreter).args(imports).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        if !has_all {
            println!("SKIPPED: {interpreter} cannot `{}`", imports[1]);
            return None;
        }
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/libraries");
        let text = std::fs::read_to_string(here.join(template)).unwrap();
        let templates = vec![Template { text, folder: Some(here), ..Template::default() }];
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            folder: RunFolder::create(folder.path().join("run")).unwrap(),
            artifacts: Artifacts { folder: programs() },
            deployment: Deployment { templates, compressed: Compressed { queues: 6, expiry: 1 }, ..Deployment::default() },
            redis: None,
            marker: format!("libraries-{}-{template}", std::process::id()),
        };
        let left = Left(settings.marker.clone());
        Some(Self { up: Up::start(settings).await.unwrap(), _folder: folder, _left: left })
    }

    /// Asks an API, or the URL of a function; again where a busy machine took too long.
    fn ask(&self, api: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let api = &self.up.addresses.apis[api];
        let once = || Wire::connect(&api.address).unwrap().call(method, &format!("{}{path}", api.stage), headers, body).unwrap();
        let in_time = |answer: &Answer| !matches!(answer.status, 503 | 504);
        (1..10).map(|_| once()).find(in_time).unwrap_or_else(once)
    }

    fn invoke(&self, function: &str, event: &Value) -> Value {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        Wire::connect(&self.up.addresses.lambda).unwrap().call("POST", &path, &[], event.to_string().as_bytes()).unwrap().json()
    }

    /// The rows by their keys.
    fn rows(&self) -> BTreeMap<String, Value> {
        let headers = [("x-amz-target", "DynamoDB_20120810.Scan"), ("content-type", "application/x-amz-json-1.0")];
        let body = json!({ "TableName": "rows" }).to_string();
        let answer = Wire::connect(&self.up.addresses.services).unwrap().call("POST", "/", &headers, body.as_bytes()).unwrap();
        let rows = answer.json()["Items"].as_array().unwrap().clone();
        rows.into_iter().map(|row| (row["id"]["S"].as_str().unwrap().to_owned(), row)).collect()
    }

    fn messages(&self, queue: &str) -> u64 {
        let headers = [("x-amz-target", "AmazonSQS.GetQueueAttributes"), ("content-type", "application/x-amz-json-1.0")];
        let body = json!({ "QueueUrl": format!("http://localhost/123456789012/{queue}"), "AttributeNames": ["All"] }).to_string();
        let answer = Wire::connect(&self.up.addresses.services).unwrap().call("POST", "/", &headers, body.as_bytes()).unwrap().json();
        answer["Attributes"]["ApproximateNumberOfMessages"].as_str().unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
    }

    async fn close(self) {
        assert_eq!(self.up.stop().await, Vec::<String>::new());
    }
}

const ASKED: [(&str, &str); 4] = [("X-Token", "t"), ("Cookie", "a=1; b=2"), ("User-Agent", "agent"), ("Origin", "https://shop.example")];

/// A resolver behind this API answers as at AWS.
fn resolves(shop: &Shop, api: &str, rest: bool) {
    let ask = |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| shop.ask(api, method, path, headers, body);
    let looked = ask("GET", "/shop/items/7?colour=red&colour=blue", &ASKED, b"");
    assert_eq!((looked.status, looked.headers["content-type"].as_str()), (200, "application/json"), "{api}: {}", looked.text());
    assert_eq!(looked.headers["access-control-allow-origin"], "https://shop.example", "{api}");
    let said = looked.json();
    assert_eq!((&said["item"], &said["token"], &said["agent"]), (&json!("7"), &json!("t"), &json!("agent")), "{api}");
    assert_eq!(said["colours"], json!(["red", "blue"]), "{api}");
    assert_eq!(said["cookies"], if rest { json!(["a=1; b=2"]) } else { json!(["a=1", "b=2"]) }, "{api}");
    // REST APIs and URLs hand on the path as it was sent, and Powertools leaves it so.
    assert_eq!(ask("GET", "/shop/items/a%20b", &[], b"").json()["item"], if rest || api == "url" { "a%20b" } else { "a b" }, "{api}");
    let placed = ask("POST", "/shop/items", &[("Content-Type", "application/json")], br#"{"id": "7", "text": "\u00e9"}"#);
    assert_eq!((placed.status, placed.headers["location"].as_str()), (201, "/shop/items/7"), "{api}: {}", placed.text());
    let cookies: Vec<&str> = placed.headers["set-cookie"].lines().collect();
    assert!(cookies.len() == 2 && cookies[0].starts_with("session=1") && cookies[1].contains("HttpOnly"), "{api}: {cookies:?}");
    assert_eq!(placed.headers["x-both"].replace('\n', ",").replace(", ", ","), "a,b", "{api}");
    // A REST API decodes for who accepts a binary type.
    let picture = ask("GET", "/shop/picture", &[("Accept", "image/png")], b"");
    assert_eq!((picture.body.as_slice(), picture.headers["content-type"].as_str()), (&PICTURE[..], "image/png"), "{api}");
    let long = ask("GET", "/shop/long", &[("Accept-Encoding", "gzip"), ("Accept", "application/gzip")], b"");
    assert_eq!((long.headers["content-encoding"].as_str(), &long.body[..2]), ("gzip", &[0x1f, 0x8b][..]), "{api}");
    let refused = ask("GET", "/shop/refused", &[], b"");
    assert_eq!((refused.status, refused.json()["message"].clone()), (404, json!("no such item")), "{api}");
    assert_eq!(ask("GET", "/shop/nowhere", &[], b"").status, 404, "{api}");
    let broken = ask("GET", "/shop/broken", &[], b"");
    assert_eq!(broken.status, if rest || api == "url" { 502 } else { 500 }, "{api}: {}", broken.text());
    let preflight = ask("OPTIONS", "/shop/items", &[("Origin", "https://shop.example"), ("Access-Control-Request-Method", "POST")], b"");
    assert_eq!((preflight.status, preflight.headers["access-control-max-age"].as_str()), (204, "300"), "{api}");
}

/// FastAPI or Express behind this API answers as at AWS.
fn serves(shop: &Shop, api: &str) {
    let ask = |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| shop.ask(api, method, path, headers, body);
    let cookie = [("X-Token", "t"), ("Cookie", "a=1; session=2")];
    let looked = ask("GET", "/items/a%20b?colour=red&colour=light%20blue", &cookie, b"");
    let expected = json!({ "item": "a b", "colours": ["red", "light blue"], "session": "2", "token": "t", "peer": "127.0.0.1" });
    assert_eq!((looked.status, looked.json()), (200, expected), "{api}");
    let placed = ask("POST", "/items", &[("Content-Type", "application/json")], br#"{"id": "7", "amount": 2}"#);
    assert_eq!((placed.status, placed.headers["location"].as_str()), (201, "/items/7"), "{api}: {}", placed.text());
    let cookies: Vec<&str> = placed.headers["set-cookie"].lines().collect();
    assert!(cookies.len() == 2 && cookies[0].starts_with("session=1") && cookies[1].contains("HttpOnly"), "{api}: {cookies:?}");
    let wrong = ask("POST", "/items", &[("Content-Type", "application/json")], br#"{"id": "7"}"#);
    assert_eq!((wrong.status, &wrong.json()["detail"][0]["loc"]), (422, &json!(["body", "amount"])), "{api}");
    let form = ask("POST", "/form", &[("Content-Type", "application/x-www-form-urlencoded")], b"a=1&b=x+y");
    assert_eq!(form.json()["body"], "a=1&b=x+y", "{api}");
    let accepts = [("Accept", "image/png"), ("Content-Type", "image/png")];
    assert_eq!(ask("GET", "/picture", &accepts, b"").body, PICTURE, "{api}");
    assert_eq!(ask("POST", "/echo", &accepts, &PICTURE).body, PICTURE, "{api}");
    let moved = ask("GET", "/moved", &[], b"");
    assert_eq!((moved.status, moved.headers["location"].as_str()), (307, "/items/1"), "{api}");
    let deleted = ask("DELETE", "/items/1", &[], b"");
    assert_eq!((deleted.status, deleted.body.len()), (204, 0), "{api}");
    assert_eq!(ask("GET", "/nowhere", &[], b"").json(), json!({ "detail": "Not Found" }), "{api}");
    assert_eq!(ask("PUT", "/picture", &[], b"").status, 405, "{api}");
}

fn serves_everywhere(shop: &Shop) {
    for api in ["Rest", "RestOfBytes", "Http", "HttpStaged", "web"] {
        serves(shop, api);
    }
    assert_eq!(shop.ask("Http", "GET", "/", &[], b"").json(), json!({ "hello": "world" }));
    let old = shop.ask("Http", "GET", "/old/items/1?colour=red&colour=blue", &[], b"");
    assert_eq!(old.json(), json!({ "item": "1", "colours": ["red", "blue"] }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apis_written_with_express_answer_as_at_aws() {
    let Some(shop) = Shop::open("express.yaml", IN_NODE).await else { return };
    serves_everywhere(&shop);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apis_written_with_powertools_and_fastapi_answer_as_at_aws() {
    let Some(shop) = Shop::open("apis.yaml", IN_PYTHON).await else { return };
    for (api, rest) in [("Rest", true), ("RestOfBytes", true), ("Http", false), ("HttpStaged", false), ("url", false)] {
        resolves(&shop, api, rest);
    }
    serves_everywhere(&shop);
    let (v1, v2, url) = ("APIGatewayProxyEventModel", "APIGatewayProxyEventV2Model", "LambdaFunctionUrlModel");
    for (api, path, model) in
        [("Rest", "/parsed/1", v1), ("Http", "/parsed/1", v2), ("Http", "/parsed-1/1", v1), ("parsed", "/", url), ("parsed", "/a/b", url)]
    {
        for (method, body) in [("GET", ""), ("POST", "{}")] {
            let answer = shop.ask(api, method, &format!("{path}?a=1"), &ASKED, body.as_bytes());
            assert_eq!(answer.json(), json!([model, []]), "{api} {method} {path}");
        }
    }
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_taken_by_powertools_models_batches_and_persistence() {
    let Some(shop) = Shop::open("events.yaml", IN_PYTHON).await else { return };
    assert_eq!(shop.invoke("sender", &json!({})), json!(null));
    let sources =
        ["aws:sqs plain", "aws:sqs plain.fifo", "aws:sns sns", "aws:s3 s3", "aws:kinesis stream/", "aws:dynamodb table/", "shop rule"];
    let done = ["sqs one", "sqs two", "fifo one", "fifo two", "kinesis one", "dynamodb one"];
    let (began, mut rows) = (Instant::now(), BTreeMap::new());
    let all_are_there = |rows: &BTreeMap<String, Value>| {
        let parsed = |source: &&str| rows.keys().any(|key| key.starts_with(&format!("parsed {source}")));
        sources.iter().all(parsed) && done.iter().all(|key| rows.contains_key(*key)) && shop.messages("dead") == 2
    };
    while !all_are_there(&rows) {
        assert!(began.elapsed() < Duration::from_secs(240), "{:?}, {} dead", rows.keys(), shop.messages("dead"));
        tokio::time::sleep(Duration::from_millis(100)).await;
        rows = shop.rows();
    }
    for (key, row) in rows.iter().filter(|(key, _)| key.starts_with("parsed ")) {
        assert_eq!(row["wrong"], json!({ "L": [] }), "{key}");
    }
    for key in ["sqs one", "sqs two", "fifo one", "fifo two"] {
        assert_eq!(rows[key]["times"]["N"], "1", "{key}");
    }
    assert!(!rows.keys().any(|key| key.ends_with("bad") || key.ends_with("unread")), "{:?}", rows.keys());
    is_carried_out_once(&shop);
    let configured = shop.invoke("configured", &json!({}));
    let expected = (&json!({ "greeting": "hello" }), &json!({ "password": "p" }));
    assert_eq!((&configured["parameter"], &configured["secret"]), expected, "{configured}");
    shop.close().await;
}

/// Powertools' idempotency keeps its state in a table, with its conditions on writes.
fn is_carried_out_once(shop: &Shop) {
    let order = |id: &str, amount: u32, fails: bool| shop.invoke("once", &json!({ "order": id, "amount": amount, "fails": fails }));
    assert_eq!((order("a", 1, false), order("a", 1, false)), (json!({ "times": 1 }), json!({ "times": 1 })));
    assert_eq!(order("a", 2, false)["errorType"], "IdempotencyValidationError");
    assert_eq!(order("b", 1, true)["errorType"], "ValueError");
    assert_eq!(order("b", 1, false), json!({ "times": 2 }), "a failure is not kept");
}
