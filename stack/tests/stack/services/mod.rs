//! The services as a function or a device uses them: over real sockets, with plain HTTP and an MQTT
//! client.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use faults::{Arm, Entry};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use run_folder::{Compressed, RunFolder, Sightings};
use serde_json::{Value, json};
use stack::invoke::LateInvoke;
use stack::services::elsewhere::Addresses;
use stack::services::iot::secured::Secured;
use stack::services::{Doors, Services, Settings, start};
use template::blueprint::{Blueprint, Table, UserPool};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

mod elsewhere;
mod secured;
mod seed;

use seed::{STORE, seed};

struct Stage {
    services: Services,
    client: Client<HttpConnector, Full<Bytes>>,
    ledger: UnboundedReceiver<Entry>,
    run: RunFolder,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn up() -> Self {
        Self::up_at(Addresses::default(), None).await
    }

    async fn up_at(elsewhere: Addresses, secured: Option<Secured>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(folder.path()).unwrap();
        let ((sender, ledger), table) = (unbounded_channel(), Table::keyed("UserMappingTable", "deviceId"));
        let pool = UserPool { name: "thermostat".into(), triggers: [].into() };
        let services = start(Settings {
            seed: seed(),
            doors: Doors::open(false).await.unwrap().with(elsewhere),
            folder: run.path().to_owned(),
            blueprint: Blueprint { tables: vec![table], pools: vec![pool], policy_stores: vec![STORE.into()], ..Blueprint::default() },
            invoke: LateInvoke::default(),
            secured: secured.map(Arc::new),
            compressed: Compressed::default(),
            sightings: Sightings::nowhere(),
            plan: run.plan(),
            ledger: sender,
        })
        .await
        .unwrap();
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { services, client: Client::builder(TokioExecutor::new()).build(connector), ledger, run, _folder: folder }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, Option<String>, Value) {
        send(&self.client, &format!("http://{}{path}", self.services.http), method, headers, body).await
    }

    async fn call(&self, target: &str, root: &str, body: &Value) -> (u16, Option<String>, Value) {
        self.send("POST", "/", &[("x-amz-target", target), ("x-amzn-trace-id", &format!("Root={root};Sampled=1"))], body).await
    }

    /// Puts faults in force and waits until they take effect.
    async fn strike(&self, sequence: u64, faults: &Value) {
        let plan = json!({"version": 1, "run": "r", "sequence": sequence, "lease_ms": 60_000, "seed": 7, "faults": faults});
        self.run.write_plan(&faults::Plan::read(plan.to_string().as_bytes()).unwrap()).unwrap();
        tokio::time::sleep(Duration::from_millis(400)).await;
    }

    fn entries(&mut self) -> Vec<faults::ledger::Eligible> {
        let mut all = Vec::new();
        while let Ok(entry) = self.ledger.try_recv() {
            all.extend(entry.eligible());
        }
        all
    }
}

async fn send(
    client: &Client<HttpConnector, Full<Bytes>>,
    url: &str,
    method: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> (u16, Option<String>, Value) {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let response = client.request(request.body(Full::new(body)).unwrap()).await.unwrap();
    let kind = response.headers().get("x-amzn-errortype").map(|v| v.to_str().unwrap().to_owned());
    assert!(response.headers().contains_key("x-amzn-requestid"));
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, kind, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

const ROW: &str = r#"{"TableName":"UserMappingTable","Key":{"deviceId":{"S":"Thermostat1"}}}"#;

fn row() -> Value {
    serde_json::from_str(ROW).unwrap()
}

fn decision(user: &str, temperature: i64) -> Value {
    let name = |kind: &str, id: &str| json!({"entityType": format!("AwsIotAvpWebApp::{kind}"), "entityId": id});
    json!({
        "policyStoreId": STORE,
        "principal": name("User", user),
        "action": {"actionType": "AwsIotAvpWebApp::Action", "actionId": "SetTemperature"},
        "resource": name("Device", "Thermostat1"),
        "context": {"contextMap": {"desiredTemperature": {"long": temperature}}},
        "entities": {"entityList": [{
            "identifier": name("Device", "Thermostat1"),
            "attributes": {"primaryOwner": {"entityIdentifier": name("User", "john_doe")}},
        }]},
    })
}

fn sign_in(client: &str, user: &str) -> Value {
    json!({"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client, "AuthParameters": {"USERNAME": user, "PASSWORD": run_folder::addresses::PASSWORD}})
}

#[tokio::test]
async fn every_service_answers_at_the_one_address() {
    let stage = Stage::up().await;
    let (status, _, found) = stage.call("DynamoDB_20120810.GetItem", "1-a-b", &row()).await;
    assert_eq!((status, &found["Item"]["primaryOwner"]["S"]), (200, &json!("john_doe")));
    let (status, _, decided) = stage.call("VerifiedPermissions.IsAuthorized", "1-a-b", &decision("jane_doe", 75)).await;
    assert_eq!((status, &decided["decision"]), (200, &json!("ALLOW")));
    let pool = stage.services.pools.iter().find(|pool| pool.name == "thermostat").unwrap();
    let (status, _, tokens) =
        stage.call("AWSCognitoIdentityProviderService.InitiateAuth", "1-a-b", &sign_in(&pool.client_id, "john_doe-1")).await;
    assert!(status == 200 && tokens["AuthenticationResult"]["AccessToken"].is_string(), "{tokens}");
    for (path, key) in [("jwks.json", "keys"), ("openid-configuration", "jwks_uri")] {
        let url = format!("{}/.well-known/{path}", pool.issuer);
        let (status, _, body) = send(&stage.client, &url, "GET", &[], &Value::Null).await;
        assert!(status == 200 && !body[key].is_null(), "{path} {body}");
    }
    let (status, _, rotated) = stage.send("POST", "/brownout/rotate-keys", &[], &json!({"pool": "thermostat"})).await;
    assert!(status == 200 && rotated["kid"].is_string());
    let (status, kind, _) = stage.send("GET", "/things/T/shadow", &[], &Value::Null).await;
    assert_eq!((status, kind.as_deref()), (404, Some("ResourceNotFoundException")));
    for path in ["/nothing", "/things/T/shadow?name=other", "/topics/t"] {
        assert_eq!(stage.send("GET", path, &[], &Value::Null).await.0, 404, "{path}");
    }
    let (http, mqtt) = (stage.services.http, stage.services.mqtt);
    stage.services.stop().await;
    for address in [http, mqtt] {
        assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nothing is left of {address}");
    }
}

#[tokio::test]
async fn a_fault_strikes_the_operations_it_names_and_records_each() {
    let mut stage = Stage::up().await;
    stage
        .strike(
            1,
            &json!([
                {"name": "slow", "place": {"service": {"name": "dynamodb", "operation": "GetItem"}}, "share": 1.0,
                    "kind": {"latency": {"at": "before", "time": "40ms"}}},
                {"name": "down", "place": {"service": {"name": "verifiedpermissions"}}, "share": 0.5,
                    "kind": {"error": {"type": "ServiceUnavailableException"}}},
                {"name": "lost", "place": {"service": {"name": "iotdata", "operation": "UpdateThingShadow"}}, "share": 1.0,
                    "kind": {"error": {"type": "InternalFailureException", "handler-runs": true}}},
            ]),
        )
        .await;
    let began = Instant::now();
    assert_eq!(stage.call("DynamoDB_20120810.GetItem", "1-0-1", &row()).await.0, 200);
    assert!(began.elapsed() >= Duration::from_millis(40));
    let slow = stage.entries();
    assert_eq!((slow.len(), slow[0].place.as_str(), slow[0].action.as_str()), (1, "dynamodb:GetItem", "wait-before"));
    assert_eq!((slow[0].root.as_deref(), slow[0].arm, slow[0].done), (Some("1-0-1"), Arm::Treatment, true));
    assert!((40_000..5_000_000).contains(&slow[0].waited_us), "{}", slow[0].waited_us);

    for n in 0..40 {
        let root = format!("1-0-{n:024}");
        let first = stage.call("VerifiedPermissions.IsAuthorized", &root, &decision("jane_doe", 75)).await;
        let again = stage.call("VerifiedPermissions.IsAuthorized", &root, &decision("jane_doe", 75)).await;
        assert_eq!(first, again, "without `by` a retry is struck alike");
        let entries = stage.entries();
        assert_eq!(entries.len(), 2, "each call has its line before its answer");
        match entries[0].arm {
            Arm::Treatment => assert_eq!((first.0, first.1.as_deref()), (503, Some("ServiceUnavailableException"))),
            Arm::Control => assert_eq!((first.0, entries[0].action.as_str()), (200, "pass")),
        }
    }

    let wish = json!({"state": {"desired": {"temperature": 75}}});
    let (status, kind, _) = stage.send("POST", "/things/Thermostat1/shadow", &[], &wish).await;
    assert_eq!((status, kind.as_deref()), (500, Some("InternalFailureException")));
    let (status, _, shadow) = stage.send("GET", "/things/Thermostat1/shadow", &[], &Value::Null).await;
    assert_eq!((status, &shadow["state"]["desired"]["temperature"]), (200, &json!(75)), "it acted, the answer was lost");
    stage.strike(2, &json!([])).await;
    assert_eq!(stage.send("POST", "/things/Thermostat1/shadow", &[], &wish).await.0, 200, "calm");
    stage.services.stop().await;
}

#[tokio::test]
async fn a_retried_call_is_rolled_again_and_can_succeed() {
    let mut stage = Stage::up().await;
    stage
        .strike(
            1,
            &json!([
                {"name": "down", "place": {"service": {"name": "verifiedpermissions"}}, "share": 0.5, "by": "call", "kind": {"error": {}}},
                {"name": "slow", "place": {"service": {"name": "dynamodb", "operation": "GetItem"}}, "share": 0.5, "by": "call",
                    "kind": {"latency": {"at": "before", "time": "1ms"}}},
            ]),
        )
        .await;
    let mut won = 0;
    for n in 0..40 {
        let root = format!("1-0-{n:024}");
        let mut lost = false;
        for call in 1..=3 {
            // Calls of another service do not count for this one.
            stage.call("DynamoDB_20120810.GetItem", &root, &row()).await;
            let (status, ..) = stage.call("VerifiedPermissions.IsAuthorized", &root, &decision("jane_doe", 75)).await;
            let entries = stage.entries();
            let told: Vec<_> = entries.iter().map(|entry| (entry.fault.as_str(), entry.call)).collect();
            assert_eq!(told, [("slow", call), ("down", call)]);
            let identity = entries[1].identity();
            assert_eq!(identity, if call == 1 { root.clone() } else { format!("{root}#{call}") });
            assert_eq!(entries[1].arm == Arm::Treatment, status == 500, "{identity}");
            won += u32::from(lost && status == 200);
            lost = status == 500;
        }
    }
    assert!(won > 5, "{won} of some 40 retries won");
    stage.services.stop().await;
}

#[tokio::test]
async fn a_struck_call_is_carried_out_and_recorded_even_if_its_caller_hangs_up() {
    let mut stage = Stage::up().await;
    stage
        .strike(1, &json!([{"name": "slow", "place": {"service": {"name": "iotdata"}}, "share": 1.0, "kind": {"latency": {"at": "before", "time": "300ms"}}}]))
        .await;
    let wish = json!({"state": {"desired": {"temperature": 70}}});
    let hung_up = tokio::time::timeout(Duration::from_millis(50), stage.send("POST", "/things/T/shadow", &[], &wish)).await;
    assert!(hung_up.is_err());
    let line = tokio::time::timeout(Duration::from_secs(10), stage.ledger.recv()).await.unwrap();
    assert!(line.unwrap().eligible()[0].waited_us >= 300_000);
    stage.strike(2, &json!([])).await;
    assert_eq!(stage.send("GET", "/things/T/shadow", &[], &Value::Null).await.0, 200);
    stage.services.stop().await;
}

/// A device's connection; its messages go to the receiver.
fn device(stage: &Stage, id: &str, topics: &[&str]) -> (AsyncClient, UnboundedReceiver<(String, Value)>) {
    let mut options = MqttOptions::new(id, "127.0.0.1", stage.services.mqtt.port());
    options.set_keep_alive(Duration::from_secs(30)).set_clean_session(false);
    let (client, mut events) = AsyncClient::new(options, 100);
    let (sender, messages) = unbounded_channel();
    for topic in topics {
        client.try_subscribe(*topic, QoS::AtLeastOnce).unwrap();
    }
    tokio::spawn(async move {
        while let Ok(event) = events.poll().await {
            if let Event::Incoming(Packet::Publish(publish)) = event
                && sender.send((publish.topic, serde_json::from_slice(&publish.payload).unwrap_or(Value::Null))).is_err()
            {
                return;
            }
        }
    });
    (client, messages)
}

async fn next(messages: &mut UnboundedReceiver<(String, Value)>) -> (String, Value) {
    tokio::time::timeout(Duration::from_secs(10), messages.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_desired_state_set_over_http_reaches_the_device_and_its_report_comes_back() {
    let stage = Stage::up().await;
    let topic = |what: &str| format!("$aws/things/Thermostat1/shadow/{what}");
    let topics = ["update/accepted", "update/rejected", "get/accepted", "get/rejected", "update/delta"].map(topic);
    let (client, mut messages) = device(&stage, "Thermostat1", &topics.each_ref().map(String::as_str));
    client.publish(topic("get"), QoS::AtLeastOnce, false, r#"{"clientToken":"g-1"}"#).await.unwrap();
    let (said, body) = next(&mut messages).await;
    assert_eq!((said, &body["code"], &body["clientToken"]), (topic("get/rejected"), &json!(404), &json!("g-1")));
    assert_eq!(body["message"], "No shadow exists with name: 'Thermostat1'");

    let (status, _, answer) =
        stage.send("POST", "/things/Thermostat1/shadow", &[], &json!({"state": {"desired": {"temperature": 75}}})).await;
    assert_eq!((status, &answer["version"]), (200, &json!(1)));
    assert_eq!(next(&mut messages).await.0, topic("update/accepted"));
    let (said, delta) = next(&mut messages).await;
    assert_eq!((said, &delta["state"], &delta["version"]), (topic("update/delta"), &json!({"temperature": 75}), &json!(1)));

    let report = json!({"state": {"reported": {"temperature": 75}}, "clientToken": "r-1"});
    client.publish(topic("update"), QoS::AtLeastOnce, false, report.to_string()).await.unwrap();
    let (said, accepted) = next(&mut messages).await;
    assert_eq!((said, &accepted["clientToken"], &accepted["version"]), (topic("update/accepted"), &json!("r-1"), &json!(2)));
    let stale = json!({"state": {"reported": {"temperature": 1}}, "version": 1, "clientToken": "r-2"});
    client.publish(topic("update"), QoS::AtLeastOnce, false, stale.to_string()).await.unwrap();
    let (said, rejected) = next(&mut messages).await;
    assert_eq!((said, &rejected["code"], &rejected["clientToken"]), (topic("update/rejected"), &json!(409), &json!("r-2")));
    client.publish(topic("update"), QoS::AtLeastOnce, false, "{").await.unwrap();
    assert_eq!(next(&mut messages).await.1["code"], 400);
    let (_, _, shadow) = stage.send("GET", "/things/Thermostat1/shadow", &[], &Value::Null).await;
    assert_eq!(shadow["state"], json!({"desired": {"temperature": 75}, "reported": {"temperature": 75}}));
    stage.services.stop().await;
}

#[tokio::test]
async fn a_hundred_devices_each_get_only_their_own_desired_state() {
    let stage = Stage::up().await;
    let mut devices = Vec::new();
    for n in 0..100 {
        let topics = [format!("$aws/things/d{n}/shadow/update/delta"), format!("$aws/things/d{n}/shadow/get/accepted")];
        let (client, mut messages) = device(&stage, &format!("d{n}"), &topics.each_ref().map(String::as_str));
        stage.send("POST", &format!("/things/d{n}/shadow"), &[], &json!({"state": {"reported": {"ready": n}}})).await;
        client.publish(format!("$aws/things/d{n}/shadow/get"), QoS::AtLeastOnce, false, "").await.unwrap();
        assert_eq!(next(&mut messages).await.1["state"]["reported"]["ready"], n, "its subscriptions stand");
        devices.push((client, messages));
    }
    for n in 0..100 {
        let (status, _, _) =
            stage.send("POST", &format!("/things/d{n}/shadow"), &[], &json!({"state": {"desired": {"temperature": n}}})).await;
        assert_eq!(status, 200);
    }
    for (n, (_, messages)) in devices.iter_mut().enumerate() {
        assert_eq!(next(messages).await.1["state"]["temperature"], n);
        assert!(messages.try_recv().is_err());
    }
    stage.services.stop().await;
}

/// Prints the throughput of each service; the numbers are in the README. It is not a promise, so it
/// fails only on a wrong answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures; run it alone with --run-ignored only --no-capture"]
async fn what_each_service_carries() {
    let stage = Stage::up().await;
    let pool = stage.services.pools.iter().find(|pool| pool.name == "thermostat").unwrap();
    let base = format!("http://{}", stage.services.http);
    let jwks = format!("{}/.well-known/jwks.json", pool.issuer);
    let shadow = format!("{base}/things/Thermostat1/shadow");
    let target = |name: &str| vec![("x-amz-target".to_owned(), name.to_owned())];
    let scan = json!({"TableName": "UserMappingTable"});
    let update = json!({"state": {"desired": {"temperature": 75, "power": true, "mode": "Auto"}}});
    for (what, count, method, url, headers, body) in [
        ("DynamoDB GetItem", 10_000, "POST", &base, target("DynamoDB_20120810.GetItem"), row()),
        ("DynamoDB Scan of 100 rows", 1000, "POST", &base, target("DynamoDB_20120810.Scan"), scan),
        ("Verified Permissions IsAuthorized", 10_000, "POST", &base, target("VerifiedPermissions.IsAuthorized"), decision("jane_doe", 75)),
        (
            "Cognito InitiateAuth",
            400,
            "POST",
            &base,
            target("AWSCognitoIdentityProviderService.InitiateAuth"),
            sign_in(&pool.client_id, "john_doe"),
        ),
        ("JWKS", 10_000, "GET", &jwks, vec![], Value::Null),
        ("IoT UpdateThingShadow", 10_000, "POST", &shadow, vec![], update),
        ("IoT GetThingShadow", 10_000, "GET", &shadow, vec![], Value::Null),
    ] {
        let began = Instant::now();
        let workers: Vec<_> = (0..8)
            .map(|_| {
                let (client, url, headers, body) = (stage.client.clone(), url.clone(), headers.clone(), body.clone());
                tokio::spawn(async move {
                    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                    let mut slowest = Duration::ZERO;
                    for _ in 0..count / 8 {
                        let sent = Instant::now();
                        assert_eq!(send(&client, &url, method, &headers, &body).await.0, 200);
                        slowest = slowest.max(sent.elapsed());
                    }
                    slowest
                })
            })
            .collect();
        let mut slowest = Duration::ZERO;
        for worker in workers {
            slowest = slowest.max(worker.await.unwrap());
        }
        println!("{what}: {:.0}/s, slowest {slowest:?}", f64::from(count) / began.elapsed().as_secs_f64());
    }
    stage.services.stop().await;
}
