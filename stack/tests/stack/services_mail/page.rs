//! The page as a browser gets it: what it lists, whom it answers, and what it sends.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use run_folder::Addresses;
use run_folder::addresses::Api as At;
use serde_json::{Value, json};
use stack::platform::Environments;
use stack::services::SERVICES;
use stack::services::page::{Function, Running};
use template::apis::{Api, ApiKind, Route};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::stage::{Answered, Stage};

const SCRIPT: &str = "<script>document.title='taken'</script>";

async fn get(stage: &Stage, path: &str) -> Answered {
    stage.send("GET", path, &[], "").await
}

/// An API that answers every request with what it got.
async fn mirror() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut got = vec![0; 4096];
            let count = socket.read(&mut got).await.unwrap_or(0);
            let body = String::from_utf8_lossy(got.get(..count).unwrap_or_default()).into_owned();
            let answer = format!("HTTP/1.1 418 I\r\nx-mirror: yes\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    address
}

/// Tells the page of a platform with one API and one function.
async fn run_platform(stage: &Stage) {
    let mut api = Api::new(ApiKind::Rest, "orders", "dev");
    api.routes.push(Route { authorizer: Some("token".into()), ..Route::to_function(Some("PUT"), "/orders/{id}", "place") });
    let at = mirror().await;
    let apis = BTreeMap::from([("orders".to_owned(), At { address: at.clone(), host: at, stage: "/dev".into(), key: String::new() })]);
    let running = Running {
        apis: vec![api],
        addresses: Addresses { apis, services: stage.host(), ..Addresses::default() },
        functions: vec![Function { name: "place".into(), runtime: "python3.13".into(), missing: None }],
        environments: Box::new(|| BTreeMap::from([("place".to_owned(), Environments { all: 2, running: 1, ..Environments::default() })])),
        folder: stage.run().clone(),
    };
    assert!(stage.services.running.set(running).is_ok());
}

#[tokio::test]
async fn the_page_lists_every_service_in_its_order_and_what_each_holds() {
    let stage = Stage::up().await;
    let shown = get(&stage, "/brownout/stack").await.json();
    assert_eq!(shown["stack"], Value::Null, "no platform yet");
    let names: Vec<_> = shown["services"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, SERVICES.map(|service| service.name));
    let service = |name: &str| shown["services"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap().clone();
    let queues = service("sqs")["things"].clone();
    assert_eq!((&queues[1]["name"], &queues[1]["note"]), (&json!("incoming"), &json!("after 1 receives to dead")));
    assert_eq!(service("sts")["things"], Value::Null, "a service without a view is listed too");
    assert!(service("verifiedpermissions")["operations"].as_array().is_some_and(|all| !all.is_empty()));

    run_platform(&stage).await;
    let stack = get(&stage, "/brownout/stack").await.json()["stack"].clone();
    let route = json!({"method": "PUT", "resource": "/orders/{id}", "to": "place", "authorizer": "token", "key_required": false});
    assert_eq!((&stack["apis"][0]["routes"][0], &stack["apis"][0]["kind"]), (&route, &json!("REST API")));
    assert_eq!((&stack["functions"][0]["name"], &stack["functions"][0]["environments"]["all"]), (&json!("place"), &json!(2)));
}

#[tokio::test]
async fn rows_come_in_pages_and_a_secret_is_never_among_them() {
    let stage = Stage::up().await;
    for number in 0..53 {
        let url = stage.services.sqs.url("dead");
        stage.sqs("SendMessage", json!({"QueueUrl": url, "MessageBody": format!("{number} {SCRIPT}")})).await;
    }
    let rows = async |path: &str| get(&stage, path).await.json();
    let first = rows("/brownout/rows?service=sqs&thing=dead").await;
    assert_eq!((first["total"].as_u64(), first["rows"].as_array().map(Vec::len)), (Some(53), Some(50)));
    assert_eq!(first["rows"][0][4]["text"], json!(format!("0 {SCRIPT}")), "as it is: the page shows it as text");
    let last = rows("/brownout/rows?service=sqs&thing=dead&from=50").await;
    assert_eq!(last["rows"].as_array().map(Vec::len), Some(3));
    for nothing in ["service=sqs&thing=gone", "service=gone&thing=dead", ""] {
        assert_eq!(get(&stage, &format!("/brownout/rows?{nothing}")).await.status, 404, "{nothing}");
    }
    let secret = [("x-amz-target".to_owned(), "secretsmanager.CreateSecret".to_owned())];
    stage.send("POST", "/", &secret, json!({"Name": "key", "SecretString": "s3cr3t"}).to_string()).await;
    let parameter = [("x-amz-target".to_owned(), "AmazonSSM.PutParameter".to_owned())];
    for (name, kind) in [("open", "String"), ("shut", "SecureString")] {
        stage.send("POST", "/", &parameter, json!({"Name": name, "Type": kind, "Value": format!("{name}-value")}).to_string()).await;
    }
    let secrets = rows("/brownout/rows?service=secretsmanager&thing=secrets").await.to_string();
    assert!(secrets.contains("key") && !secrets.contains("s3cr3t"), "{secrets}");
    let parameters = rows("/brownout/rows?service=ssm&thing=parameters").await.to_string();
    assert!(parameters.contains("open-value") && parameters.contains("shut") && !parameters.contains("shut-value"), "{parameters}");
}

#[tokio::test]
async fn only_the_page_itself_is_answered_and_only_its_own_script_runs() {
    let stage = Stage::up().await;
    run_platform(&stage).await;
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let own = [header("origin", &format!("http://{}", stage.host()))];
    let request = json!({"api": "orders", "method": "PUT", "path": "/orders/1"}).to_string();
    for foreign in [[header("origin", "https://evil.example")], [header("origin", "null")], [header("host", "evil.example")]] {
        for (method, path) in [
            ("GET", "/brownout"),
            ("GET", "/brownout/stack"),
            ("GET", "/brownout/objects/attachments/x"),
            ("POST", "/brownout/send"),
            ("POST", "/brownout/fire-schedule"),
            ("POST", "/brownout/rotate-keys"),
        ] {
            let answered = stage.send(method, path, &foreign, request.clone()).await;
            assert_eq!((answered.status, answered.header("access-control-allow-origin")), (403, None), "{method} {path} {foreign:?}");
        }
    }
    assert_eq!(stage.send("POST", "/brownout/send", &own, request).await.status, 200);
    let page = get(&stage, "/brownout").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.header("content-security-policy").is_some_and(|policy| policy.starts_with("default-src 'none'; script-src 'self'")));
    assert!(!page.text().contains("<script>") && page.text().matches("<script").count() == 1, "no script but the page's own");
    for (path, kind) in [("/brownout/page.css", "text/css; charset=utf-8"), ("/brownout/page.js", "text/javascript; charset=utf-8")] {
        assert_eq!(get(&stage, path).await.header("content-type"), Some(kind));
    }
}

#[tokio::test]
async fn an_object_is_never_a_part_of_the_page() {
    let stage = Stage::up().await;
    assert!(stage.services.buckets.put("attachments", "a b/<x>.html", SCRIPT.into()));
    let rows = get(&stage, "/brownout/rows?service=s3&thing=attachments").await.json();
    assert_eq!(rows["rows"][0][0]["object"], json!({"bucket": "attachments", "key": "a b/<x>.html"}));
    let object = get(&stage, "/brownout/objects/attachments/a%20b/%3Cx%3E.html").await;
    assert_eq!((object.status, object.text(), object.header("content-type")), (200, SCRIPT, Some("text/plain; charset=utf-8")));
    assert_eq!(object.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(get(&stage, "/brownout/objects/attachments/gone").await.status, 404);
}

#[tokio::test]
async fn a_request_goes_to_an_api_of_the_stack_and_to_nothing_else() {
    let stage = Stage::up().await;
    run_platform(&stage).await;
    let send = async |body: Value| stage.send("POST", "/brownout/send", &[], body.to_string()).await;
    let headers = json!([["x-a", "1"], ["x-a", "2"]]);
    let answered =
        send(json!({"api": "orders", "method": "PUT", "path": "/orders/a%2Fb?x=1", "headers": headers, "body": "{}"})).await.json();
    let got = answered["body"].as_str().unwrap().to_lowercase();
    assert!(got.starts_with("put /dev/orders/a%2fb?x=1 http/1.1\r\n") && got.ends_with("\r\n\r\n{}"), "{got}");
    assert!(got.contains("x-a: 1\r\n") && got.contains("x-a: 2\r\n"), "{got}");
    assert_eq!(answered["status"], 418);
    assert!(answered["headers"].as_array().unwrap().contains(&json!(["x-mirror", "yes"])) && answered["milliseconds"].is_number());
    for (body, status) in [
        (json!({"api": "127.0.0.1:22", "method": "GET", "path": "/"}), 404),
        (json!({"api": "orders", "method": "GET", "path": "http://evil.example/"}), 400),
        (json!({"api": "orders", "method": "G T", "path": "/"}), 400),
        (json!({"api": "orders", "method": "GET", "path": "/a b"}), 400),
        (json!({"api": "orders", "method": "GET", "path": "/", "headers": [["a\nb", "c"]]}), 400),
        (json!({"api": "orders", "method": "GET", "path": "/", "host": "x"}), 400),
    ] {
        let answered = send(body.clone()).await;
        assert_eq!(answered.status, status, "{body}");
        assert!(answered.json()["message"].as_str().is_some_and(|why| !why.is_empty()), "{body}");
    }
}

#[tokio::test]
async fn a_log_is_followed_by_its_position() {
    let stage = Stage::up().await;
    run_platform(&stage).await;
    assert_eq!(get(&stage, "/brownout/log?function=place").await.json(), json!({"text": "", "next": 0}));
    std::fs::write(stage.run().log("place"), format!("START\n{SCRIPT}\n")).unwrap();
    let first = get(&stage, "/brownout/log?function=place").await.json();
    assert_eq!(first["text"], json!(format!("START\n{SCRIPT}\n")));
    let next = get(&stage, &format!("/brownout/log?function=place&after={}", first["next"])).await.json();
    assert_eq!(next["text"], "");
    for name in ["other", "..%2F..%2Fetc%2Fpasswd", ""] {
        assert_eq!(get(&stage, &format!("/brownout/log?function={name}")).await.status, 404, "{name}");
    }
}

/// The first of these browsers that this machine has.
fn browser() -> Option<&'static str> {
    let runs =
        |name: &&str| Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|it| it.success());
    ["chromium", "google-chrome", "chromium-browser"].into_iter().find(runs)
}

#[tokio::test]
async fn a_browser_shows_what_the_services_hold_as_text() {
    let Some(browser) = browser() else {
        println!("SKIPPED: neither chromium nor google-chrome is on this machine");
        return;
    };
    let stage = Stage::up().await;
    run_platform(&stage).await;
    let url = stage.services.sqs.url("incoming");
    stage.sqs("SendMessage", json!({"QueueUrl": url, "MessageBody": SCRIPT})).await;
    let profile = tempfile::tempdir().unwrap();
    let mut command = tokio::process::Command::new("timeout");
    command.args(["60", browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", "--dump-dom"]);
    // A browser asks others for updates; here it reaches this machine only.
    command.args(["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    command.arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1");
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.arg(format!("http://{}/brownout#sqs/incoming", stage.host())).stderr(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    for part in
        ["the stack is up", "/orders/{id}", "place", "python3.13", "SQS", "incoming", "&lt;script&gt;document.title='taken'&lt;/script&gt;"]
    {
        assert!(shown.contains(part), "{part} is missing in {shown}");
    }
    assert!(!shown.contains("<title>taken"), "a script of the content ran");
}
