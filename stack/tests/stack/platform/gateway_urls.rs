//! Functions' URLs, and answers that are streamed.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use serde_json::json;
use template::apis::{Api, ApiKind, Cors, Integration, Payload, Route};
use template::blueprint::Url;

use crate::platform::gateway::{ask, ask_at, event};
use crate::platform::support::{Front, Up, function, up};

fn url(streams: bool) -> Url {
    Url { signed: false, streams, cors: None }
}

async fn started(urls: impl IntoIterator<Item = (&'static str, Url)>, apis: Vec<Api>) -> Up {
    let urls: BTreeMap<String, Url> = urls.into_iter().map(|(name, url)| (name.to_owned(), url)).collect();
    up(vec![function("web"), function("behind")], Front { apis, urls, ..Front::default() }, false).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_hands_every_request_on_as_payload_2() {
    let up = started([("web", url(false))], Vec::new()).await;
    let address = up.platform.urls["web"];
    let asked = || {
        ("POST", "/a%20b//c?x=1", vec![("Content-Type", "application/x-www-form-urlencoded".to_owned()), ("X-Up", "1".to_owned())], "k=v")
    };
    let failing = ("GET", "/", vec![("x-fail", "1".to_owned())], "");
    let answers = ask_at(address, vec![asked(), failing]).await;
    let seen = event(&answers[0]);
    let id = seen["requestContext"]["apiId"].as_str().unwrap().to_owned();
    let domain = format!("{id}.lambda-url.eu-west-1.on.aws");
    for (pointer, value) in [
        ("/version", json!("2.0")),
        ("/routeKey", json!("$default")),
        ("/rawPath", json!("/a%20b//c")),
        ("/rawQueryString", json!("x=1")),
        ("/headers/x-up", json!("1")),
        ("/body", json!("az12")),
        ("/isBase64Encoded", json!(true)),
        ("/requestContext/accountId", json!("anonymous")),
        ("/requestContext/domainName", json!(domain)),
        ("/requestContext/domainPrefix", json!(id)),
        ("/requestContext/http/path", json!("/a%20b//c")),
        ("/requestContext/stage", json!("$default")),
    ] {
        assert_eq!(seen.pointer(pointer), Some(&value), "{pointer}");
    }
    assert_eq!((answers[1].status, answers[1].text().as_str()), (502, "Internal Server Error"));
    // The address of all knows the URL by its host.
    let hosted = ("GET", "/x", vec![("Host", domain)], "");
    assert_eq!(event(&ask(&up, vec![hosted]).await[0])["rawPath"], "/x");
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_urls_cors_answers_preflights_and_is_added_to_the_functions() {
    let cors = Cors { origins: vec!["*".into()], methods: vec!["*".into()], ..Cors::default() };
    let up = started([("web", Url { cors: Some(cors), ..url(false) })], Vec::new()).await;
    let origin = ("Origin", "https://a.example".to_owned());
    let own = json!({ "statusCode": 200, "headers": { "Access-Control-Allow-Origin": "https://own.example" } }).to_string();
    let preflight = ("OPTIONS", "/", vec![origin.clone(), ("Access-Control-Request-Method", "PUT".to_owned())], "");
    let answers = ask_at(up.platform.urls["web"], vec![preflight, ("GET", "/", vec![origin, ("x-result", own)], "")]).await;
    assert_eq!((answers[0].status, answers[0].headers["access-control-allow-origin"].as_str()), (200, "*"));
    assert_eq!(answers[1].headers["access-control-allow-origin"], "https://own.example\n*");
    up.down().await;
}

/// Reads until the text ends so; returns all that came.
fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut all = Vec::new();
    let mut piece = [0; 1024];
    while !String::from_utf8_lossy(&all).ends_with(end) {
        let size = stream.read(&mut piece).unwrap();
        assert!(size > 0, "it ended after: {}", String::from_utf8_lossy(&all));
        all.extend_from_slice(&piece[..size]);
    }
    String::from_utf8(all).unwrap()
}

/// Calls a function that sends its second piece only once the first has come.
async fn streamed(address: SocketAddr, path: &'static str, file: &Path, raw: bool) -> String {
    let file = file.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        let how = format!("{}{}", if raw { "raw " } else { "" }, file.display());
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: test\r\nx-stream: {how}\r\n\r\n").as_bytes()).unwrap();
        let mut all = until(&mut stream, "first\r\n");
        std::fs::write(&file, "").unwrap();
        all.push_str(&until(&mut stream, "0\r\n\r\n"));
        std::fs::remove_file(&file).unwrap();
        all
    });
    read.await.unwrap().to_lowercase()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pieces_reach_the_caller_as_they_come_behind_the_status_and_headers_of_the_prelude() {
    let integration = Integration::Function { name: "web".into(), payload: Payload::V1, streams: true, timeout: None };
    let route = Route { integration, ..Route::to_function(None, "/items", "web") };
    let api = Api { routes: vec![route], ..Api::new(ApiKind::Rest, "Rest", "dev") };
    let up = started([("web", url(true)), ("behind", url(false))], vec![api]).await;
    let file = up.folder.path().join("go");
    for (address, path) in [(up.platform.urls["web"], "/"), (up.platform.gateway, "/dev/items")] {
        let answer = streamed(address, path, &file, false).await;
        for part in ["http/1.1 201", "x-own: 1", "set-cookie: a=1\r\n", "set-cookie: b=2\r\n", "5\r\nfirst\r\n", "6\r\nsecond\r\n"] {
            assert!(answer.contains(part), "{path}: {part} in {answer}");
        }
    }
    let raw = streamed(up.platform.urls["web"], "/", &file, true).await;
    assert!(
        raw.contains("http/1.1 200") && raw.contains("content-type: application/octet-stream") && raw.contains("6\r\nsecond\r\n"),
        "{raw}"
    );
    // A function that does not stream is answered whole; a REST API needs the prelude.
    let whole = || ("GET", "/", vec![("x-result", "\"whole\"".to_owned())], "");
    assert_eq!(ask_at(up.platform.urls["web"], vec![whole()]).await[0].text(), "\"whole\"");
    let answers = ask(&up, vec![("GET", "/dev/items", vec![("x-result", "\"whole\"".to_owned())], "")]).await;
    assert_eq!(answers[0].status, 502);
    up.down().await;
}
