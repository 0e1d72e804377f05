//! `thermostat-api` through its SDK clients.

use crate::cloud::{Cloud, Reply, SHORT, broken, sound};
use crate::pool::Signer;
use functions::weaknesses::Weaknesses;
use serde_json::{Value, json};
use thermostat_functions::thermostat_api::{Settings, ThermostatApi};

struct Home {
    cloud: Cloud,
    signer: Signer,
    api: ThermostatApi,
}

impl Home {
    async fn new(weaknesses: &str) -> Self {
        let signer = Signer::new("a");
        let cloud = Cloud::start(sound(signer.document())).await;
        let settings = Settings {
            table: "UserMappingTable".to_owned(),
            policy_store: "ps-thermostat".to_owned(),
            issuer: cloud.address.clone(),
            client_id: "client".to_owned(),
            weaknesses: Weaknesses::parse(weaknesses).unwrap(),
        };
        let api = ThermostatApi::new(settings, &cloud.config(SHORT).await).unwrap();
        Self { cloud, signer, api }
    }

    fn breaks(&self, operation: &'static str, reply: Reply) {
        self.cloud.behave(broken(self.signer.document(), operation, reply));
    }

    async fn send(&self, mut event: Value, user: &str) -> (u64, Value, Value) {
        event["headers"] = json!({"aUTHORIZATION": format!("Bearer {}", self.signer.access(&self.cloud.address, user))});
        self.answer(event).await
    }

    async fn answer(&self, event: Value) -> (u64, Value, Value) {
        let answer = self.api.answer(event).await;
        let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        (answer["statusCode"].as_u64().unwrap(), body, answer["headers"].clone())
    }
}

fn control(device: &str, body: &Value) -> Value {
    json!({"httpMethod": "POST", "resource": "/control/{deviceId}", "pathParameters": {"deviceId": device}, "body": body.to_string(), "isBase64Encoded": false})
}

fn set() -> Value {
    json!({"action": "SetTemperature", "globalTemperature": 78, "globalTime": "3:30 PM", "temperature": 75, "power": true, "mode": "Auto"})
}

fn get() -> Value {
    json!({"action": "GetTemperature", "globalTemperature": 78, "globalTime": "3:30 PM"})
}

fn items() -> Value {
    json!({"httpMethod": "GET", "resource": "/items"})
}

#[tokio::test]
async fn items_are_those_of_the_caller_from_all_pages() {
    let home = Home::new("").await;
    let (one, two) =
        (json!({"deviceId": "Thermostat1", "primaryOwner": "john_doe"}), json!({"deviceId": "Thermostat2", "primaryOwner": "jane_doe"}));
    let cases = [("john_doe", json!([one])), ("jane_doe", json!([one, two])), ("powercompany", json!([one, two])), ("stranger", json!([]))];
    for (user, expected) in cases {
        let (status, body, _) = home.send(items(), user).await;
        assert_eq!((status, body), (200, expected), "{user}");
    }
}

#[tokio::test]
async fn an_allowed_set_is_written_before_it_is_acknowledged() {
    let home = Home::new("").await;
    let (status, body, _) = home.send(control("Thermostat1", &set()), "john_doe").await;
    let desired = json!({"temperature": 75, "power": true, "mode": "Auto"});
    assert_eq!(status, 200);
    assert_eq!(body["payload"], json!({"state": {"desired": desired}, "version": 4}), "the payload is the shadow's answer");
    assert_eq!(body["evaluation"], json!({"decision": "ALLOW", "determiningPolicies": [{"policyId": "owner"}], "errors": []}));
    assert_eq!(home.cloud.calls("UpdateThingShadow")[0].body, json!({"state": {"desired": desired}}));
    let asked = &home.cloud.calls("IsAuthorized")[0].body;
    assert_eq!(asked["context"], json!({"contextMap": {"desiredTemperature": {"long": 75}, "time": {"long": 930}}}));
    assert_eq!(asked["principal"], json!({"entityType": "AwsIotAvpWebApp::User", "entityId": "john_doe"}));
    assert_eq!(asked["action"], json!({"actionType": "AwsIotAvpWebApp::Action", "actionId": "SetTemperature"}));
}

#[tokio::test]
async fn an_allowed_get_reads_what_was_reported_and_null_without_a_shadow() {
    let home = Home::new("").await;
    let (status, body, _) = home.send(control("Thermostat1", &get()), "john_doe").await;
    assert_eq!((status, &body["payload"]), (200, &json!({"reportedTemperature": 74})));
    assert_eq!(home.cloud.calls("IsAuthorized")[0].body["context"], json!({"contextMap": {"time": {"long": 930}}}));
    home.breaks("GetThingShadow", Reply::With(vec![], json!({"state": {}})));
    assert_eq!(home.send(control("Thermostat1", &get()), "john_doe").await.1["payload"], json!({"reportedTemperature": null}));
    let missing = json!({"__type": "ResourceNotFoundException", "message": "No shadow exists with name: 'Thermostat1'"});
    home.breaks("GetThingShadow", Reply::Json(404, missing));
    let (status, body, _) = home.send(control("Thermostat1", &get()), "john_doe").await;
    assert_eq!((status, &body["payload"]), (200, &json!({"reportedTemperature": null})));
}

#[tokio::test]
async fn each_refusal_has_its_status() {
    let home = Home::new("").await;
    let (status, body, _) = home.send(control("Thermostat1", &set()), "stranger").await;
    assert_eq!((status, &body["payload"]), (403, &json!("Amazon verified permission unauthorized!")));
    assert_eq!(body["evaluation"]["decision"], "DENY");
    assert_eq!(home.send(control("Thermostat9", &set()), "john_doe").await.0, 404);
    assert_eq!(home.send(control("Thermostat1", &json!({"action": "Open"})), "john_doe").await.0, 400);
    assert_eq!(home.send(json!({"httpMethod": "DELETE", "resource": "/items"}), "john_doe").await.0, 404);
    assert_eq!(home.answer(control("Thermostat1", &set())).await.0, 401);
    assert_eq!(home.answer(items()).await.0, 401);
    assert!(home.cloud.calls("UpdateThingShadow").is_empty());
}

#[tokio::test]
async fn a_failing_dependency_is_503_with_retry_after() {
    let home = Home::new("").await;
    let operations = ["jwks.json", "GetItem", "IsAuthorized", "UpdateThingShadow"];
    for reply in [
        Reply::Json(500, json!({"__type": "InternalServerError"})),
        Reply::Json(400, json!({"__type": "ThrottlingException"})),
        Reply::Hang,
    ] {
        for operation in operations {
            let home = Home::new("").await;
            home.breaks(operation, reply.clone());
            let (status, _, headers) = home.send(control("Thermostat1", &set()), "john_doe").await;
            assert_eq!((status, &headers["Retry-After"]), (503, &json!("1")), "{operation} {reply:?}");
        }
    }
    for (operation, event) in [("Scan", items()), ("GetThingShadow", control("Thermostat1", &get()))] {
        home.breaks(operation, Reply::Json(503, json!({})));
        assert_eq!(home.send(event, "john_doe").await.0, 503, "{operation}");
    }
}

#[tokio::test]
async fn an_invalid_answer_never_grants_access() {
    let home = Home::new("").await;
    for decision in [json!({}), json!({"decision": "MAYBE", "determiningPolicies": [], "errors": []}), json!(null)] {
        home.breaks("IsAuthorized", Reply::Json(200, decision.clone()));
        assert_eq!(home.send(control("Thermostat1", &set()), "john_doe").await.0, 503, "{decision}");
    }
    assert!(home.cloud.calls("UpdateThingShadow").is_empty());
}

#[tokio::test]
async fn weakness_token_not_verified_admits_a_forged_token() {
    let forger = Signer::new("a");
    for (weaknesses, expected) in [("", 401), ("token-not-verified", 200)] {
        let home = Home::new(weaknesses).await;
        let mut event = control("Thermostat1", &set());
        event["headers"] = json!({"Authorization": format!("Bearer {}", forger.access(&home.cloud.address, "john_doe"))});
        assert_eq!(home.answer(event).await.0, expected, "`{weaknesses}`");
    }
}

#[tokio::test]
async fn weakness_outage_reads_as_denial_answers_403() {
    let home = Home::new("outage-reads-as-denial").await;
    home.breaks("IsAuthorized", Reply::Json(500, json!({})));
    assert_eq!(home.send(control("Thermostat1", &set()), "john_doe").await.0, 403);
}

#[tokio::test]
async fn weakness_shadow_error_swallowed_answers_200() {
    let home = Home::new("shadow-error-swallowed").await;
    home.breaks("UpdateThingShadow", Reply::Json(500, json!({})));
    assert_eq!(home.send(control("Thermostat1", &set()), "john_doe").await.0, 200);
}

#[tokio::test]
async fn weakness_mode_dropped_keeps_the_mode_from_the_shadow() {
    let home = Home::new("mode-dropped").await;
    assert_eq!(home.send(control("Thermostat1", &set()), "john_doe").await.0, 200);
    assert_eq!(home.cloud.calls("UpdateThingShadow")[0].body["state"]["desired"], json!({"temperature": 75, "power": true}));
}

#[tokio::test]
async fn weakness_shadow_write_not_awaited_answers_before_the_write() {
    let home = Home::new("shadow-write-not-awaited").await;
    home.breaks("GetThingShadow", Reply::Hang);
    assert_eq!(home.send(control("Thermostat1", &set()), "john_doe").await.0, 200);
    assert!(home.cloud.calls("UpdateThingShadow").is_empty(), "the write waits behind a look at the shadow");
    home.cloud.behave(sound(home.signer.document()));
    assert_eq!(home.send(control("Thermostat1", &set()), "john_doe").await.0, 200);
    let written = async {
        while home.cloud.calls("UpdateThingShadow").is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), written).await.expect("the write is done later, if the process lives");
}
