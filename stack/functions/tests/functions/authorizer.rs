//! `authorizer` through its SDK clients.

use crate::cloud::{Cloud, Reply, SHORT, broken, sound};
use crate::pool::Signer;
use clinic_functions::authorizer::{Authorizer, AuthorizerError, PoolSettings, Settings};
use clinic_functions::patience::AUTHORIZER;
use functions::clients::Patience;
use functions::weaknesses::Weaknesses;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const STAGE: &str = "arn:aws:execute-api:us-east-1:123456789012:abc123/dev";

struct Clinic {
    cloud: Cloud,
    signer: Signer,
    authorizer: Authorizer,
}

impl Clinic {
    async fn new(weaknesses: &str) -> Self {
        Self::patient(weaknesses, SHORT).await
    }

    async fn patient(weaknesses: &str, patience: Patience) -> Self {
        let signer = Signer::new("a");
        let cloud = Cloud::start(sound(signer.document())).await;
        let pool = |name: &str| PoolSettings { issuer: format!("{}/{name}", cloud.address), client_id: format!("{name}-client") };
        let settings = Settings {
            internal: pool("internal"),
            external: pool("external"),
            policy_store: "ps-clinic".to_owned(),
            table: "AppointmentsTable".to_owned(),
            weaknesses: Weaknesses::parse(weaknesses).unwrap(),
        };
        let authorizer = Authorizer::new(settings, &cloud.config(patience).await).await.unwrap();
        Self { cloud, signer, authorizer }
    }

    fn breaks(&self, operation: &'static str, reply: Reply) {
        self.cloud.behave(broken(self.signer.document(), operation, reply));
    }

    fn token(&self, pool: &str, user: &str) -> String {
        self.signer.id(&format!("{}/{pool}", self.cloud.address), &format!("{pool}-client"), user)
    }

    async fn ask(&self, pool: &str, user: &str, request: &str) -> Result<Value, AuthorizerError> {
        self.ask_with(&self.token(pool, user), pool, request).await
    }

    async fn ask_with(&self, token: &str, client_type: &str, request: &str) -> Result<Value, AuthorizerError> {
        let headers = json!({"authorization": format!("Bearer {token}"), "CLIENTTYPE": client_type.to_uppercase()});
        self.authorizer.answer(json!({"type": "REQUEST", "methodArn": format!("{STAGE}/{request}"), "headers": headers})).await
    }
}

/// What the gateway would decide by a policy, for one request.
fn lets_in(policy: &Value, request: &str) -> bool {
    let statement = &policy["policyDocument"]["Statement"][0];
    let arn = json!(format!("{STAGE}/{request}"));
    statement["Effect"] == "Allow" && statement["Resource"].as_array().is_some_and(|resources| resources.contains(&arn))
}

fn is_deny(policy: &Value) -> bool {
    policy["policyDocument"]["Statement"][0]["Effect"] == "Deny"
}

#[tokio::test]
async fn one_answer_is_right_for_every_path_of_its_token() {
    let clinic = Clinic::new("").await;
    let table = [
        ("external", "Dave", [true, false, true]),
        ("external", "Joy", [false, true, false]),
        ("internal", "Jane", [true, true, false]),
        ("internal", "Adam", [false, false, true]),
        ("internal", "Dave", [false, false, false]),
        ("external", "Jane", [false, false, false]),
    ];
    for (pool, user, expected) in table {
        for asked in ["GET/appointment/PI-T124", "POST/appointment/PI-T123", "GET/other", "GET"] {
            let policy = clinic.ask(pool, user, asked).await.unwrap();
            let seen = ["PI-T123", "PI-T124", "PI-T125"].map(|id| lets_in(&policy, &format!("GET/appointment/{id}")));
            assert_eq!(seen, expected, "{pool} {user}, asked for {asked}: {policy}");
            assert!(!lets_in(&policy, "POST/appointment/PI-T123") && !lets_in(&policy, "GET/other"), "{policy}");
            assert_eq!(is_deny(&policy), expected == [false; 3]);
            assert_eq!(policy["principalId"], format!("sub-{user}"));
            assert_eq!(policy["context"], json!({"user": user, "pool": pool}));
        }
    }
    assert!(clinic.cloud.calls("BatchIsAuthorized").iter().all(|call| call.body["requests"].as_array().unwrap().len() <= 30));
    assert!(clinic.cloud.calls("BatchIsAuthorized").len() >= 3);
}

#[tokio::test]
async fn a_bad_token_is_a_deny() {
    let clinic = Clinic::new("").await;
    let access = clinic.signer.access(&format!("{}/external", clinic.cloud.address), "Dave");
    let forged = Signer::new("a").id(&format!("{}/external", clinic.cloud.address), "external-client", "Dave");
    let good = clinic.token("external", "Dave");
    for (what, token, client_type) in
        [("access", &access, "external"), ("forged", &forged, "external"), ("other pool", &good, "internal"), ("no pool", &good, "guest")]
    {
        let policy = clinic.ask_with(token, client_type, "GET/appointment/PI-T123").await.unwrap();
        assert!(is_deny(&policy), "{what}");
        assert!(!policy.to_string().contains(token.as_str()));
    }
}

#[tokio::test]
async fn a_failing_dependency_is_an_error_and_the_weakness_makes_it_a_deny() {
    for reply in [Reply::Json(500, json!({})), Reply::Json(200, json!({"results": []})), Reply::Hang] {
        for operation in ["jwks.json", "Scan", "BatchIsAuthorized"] {
            if operation == "Scan" && matches!(reply, Reply::Json(200, _)) {
                continue; // an empty table is a sound answer
            }
            let (hardened, weak) = (Clinic::new("").await, Clinic::new("error-cached-as-deny").await);
            for clinic in [&hardened, &weak] {
                clinic.breaks(operation, reply.clone());
            }
            let answer = hardened.ask("external", "Dave", "GET/appointment/PI-T123").await;
            assert!(answer.is_err(), "{operation} {reply:?}: {answer:?}");
            assert!(is_deny(&weak.ask("external", "Dave", "GET/appointment/PI-T123").await.unwrap()), "{operation} {reply:?}");
        }
    }
}

#[tokio::test]
async fn hanging_dependencies_are_answered_before_the_function_times_out() {
    for operation in ["jwks.json", "Scan", "BatchIsAuthorized"] {
        let clinic = Clinic::patient("", AUTHORIZER).await;
        clinic.breaks(operation, Reply::Hang);
        let started = Instant::now();
        assert!(clinic.ask("external", "Dave", "GET/appointment/PI-T123").await.is_err(), "{operation}");
        assert!(started.elapsed() < Duration::from_millis(2900), "{operation}: {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_decision_about_something_else_is_an_error() {
    let clinic = Clinic::new("").await;
    let (sound, keys) = (sound(clinic.signer.document()), "BatchIsAuthorized");
    clinic.cloud.behave(move |call| match sound(call) {
        Reply::Json(200, mut body) if call.operation == keys => {
            body["results"].as_array_mut().unwrap().reverse();
            Reply::Json(200, body)
        }
        reply => reply,
    });
    assert!(clinic.ask("external", "Dave", "GET/appointment/PI-T123").await.is_err());
}

#[tokio::test]
async fn an_event_without_a_method_is_an_error() {
    let clinic = Clinic::new("").await;
    assert_eq!(clinic.authorizer.answer(json!({"type": "REQUEST"})).await, Err(AuthorizerError::Event));
}

#[tokio::test]
async fn weakness_policy_names_one_path_closes_the_second_path() {
    let clinic = Clinic::new("policy-names-one-path").await;
    let policy = clinic.ask("external", "Dave", "GET/appointment/PI-T123").await.unwrap();
    let statement = &policy["policyDocument"]["Statement"][0];
    assert_eq!((&statement["Effect"], &statement["Resource"]), (&json!("Allow"), &json!([format!("{STAGE}/GET/appointment/PI-T123")])));
    assert!(!lets_in(&policy, "GET/appointment/PI-T125"));
    for denied in ["GET/appointment/PI-T124", "POST/appointment/PI-T123", "GET/appointment/PI-T999"] {
        assert!(is_deny(&clinic.ask("external", "Dave", denied).await.unwrap()), "{denied}");
    }
}

#[tokio::test]
async fn weakness_one_namespace_admits_a_namesake() {
    let clinic = Clinic::new("one-namespace-for-both-pools").await;
    let policy = clinic.ask("internal", "Dave", "GET/appointment/PI-T123").await.unwrap();
    assert!(lets_in(&policy, "GET/appointment/PI-T123"), "{policy}");
}

#[tokio::test]
async fn weakness_claims_not_checked_admits_a_token_of_another_client() {
    for (weaknesses, expected) in [("", false), ("claims-not-checked", true)] {
        let clinic = Clinic::new(weaknesses).await;
        let foreign = clinic.signer.id("http://elsewhere", "other-client", "Dave");
        let policy = clinic.ask_with(&foreign, "external", "GET/appointment/PI-T123").await.unwrap();
        assert_eq!(lets_in(&policy, "GET/appointment/PI-T123"), expected, "`{weaknesses}`");
    }
}

#[tokio::test]
async fn weakness_keys_fetched_once_fails_after_a_rotation() {
    for (weaknesses, expected) in [("", true), ("keys-fetched-once", false)] {
        let clinic = Clinic::new(weaknesses).await;
        let new = Signer::new("new");
        clinic.cloud.behave(sound(new.document()));
        let token = new.id(&format!("{}/external", clinic.cloud.address), "external-client", "Dave");
        let policy = clinic.ask_with(&token, "external", "GET/appointment/PI-T123").await.unwrap();
        assert_eq!(lets_in(&policy, "GET/appointment/PI-T123"), expected, "`{weaknesses}`");
    }
}
