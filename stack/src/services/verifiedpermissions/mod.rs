//! Verified Permissions: the `cedar-policy` crate behind the service's protocol. The stores are
//! fixed at start. Requests are not validated against the schema, and an invalid request is never
//! treated as a denial.

pub mod request;
pub mod store;

use std::collections::HashMap;

use async_trait::async_trait;
use cedar_policy::Entities;
use serde_json::{Value, json};

use self::request::{BatchIsAuthorized, EntitiesDefinition, IsAuthorized, Question, entities};
use self::store::{CompiledStore, Judgement, StoreError};
use super::described::{Described, Protocol};
use super::wire::{Answer, Call, JSON_1_0, Service};
use run_folder::deployment::PolicyStore;

/// The description of this service.
pub const DESCRIBED: Described = Described {
    name: "verifiedpermissions",
    title: "Verified Permissions",
    protocol: Protocol::Json10("VerifiedPermissions"),
    operations: &["IsAuthorized", "BatchIsAuthorized"],
};

/// The most requests of one batch. Source: the service's API reference, BatchIsAuthorized.
const LARGEST_BATCH: usize = 30;

/// The policy stores of this machine.
pub struct VerifiedPermissions {
    stores: HashMap<String, CompiledStore>,
}

/// The exception and its message.
struct Refusal(&'static str, String);

impl VerifiedPermissions {
    /// Compiles the stores, each with its id.
    ///
    /// # Errors
    /// If one is not understood or does not validate.
    pub fn new(stores: &[(&str, PolicyStore)]) -> Result<Self, StoreError> {
        let compile = |(id, source): &(&str, PolicyStore)| Ok(((*id).to_owned(), CompiledStore::compile(id, source)?));
        Ok(Self { stores: stores.iter().map(compile).collect::<Result<_, StoreError>>()? })
    }

    fn is_authorized(&self, body: &[u8]) -> Result<Value, Refusal> {
        let asked: IsAuthorized = serde_json::from_slice(body).map_err(|e| invalid(&e))?;
        let (store, entities) = self.prepare(&asked.policy_store_id, asked.entities.as_ref())?;
        Ok(output(&judge(store, &asked.question(), &entities)?))
    }

    fn batch_is_authorized(&self, body: &[u8]) -> Result<Value, Refusal> {
        let asked: BatchIsAuthorized = serde_json::from_slice(body).map_err(|e| invalid(&e))?;
        let (store, entities) = self.prepare(&asked.policy_store_id, asked.entities.as_ref())?;
        if !(1..=LARGEST_BATCH).contains(&asked.requests.len()) {
            return Err(invalid(&format!("a batch has 1 to {LARGEST_BATCH} requests, this one {}", asked.requests.len())));
        }
        let answer = |question: &Question| {
            let mut answer = output(&judge(store, question, &entities)?);
            if let Some(answer) = answer.as_object_mut() {
                answer.insert("request".to_owned(), serde_json::to_value(question).map_err(|e| invalid(&e))?);
            }
            Ok(answer)
        };
        Ok(json!({"results": asked.requests.iter().map(answer).collect::<Result<Vec<_>, Refusal>>()?}))
    }

    fn prepare(&self, store: &str, known: Option<&EntitiesDefinition>) -> Result<(&CompiledStore, Entities), Refusal> {
        let found = self.stores.get(store);
        let found = found.ok_or_else(|| Refusal("ResourceNotFoundException", format!("there is no policy store `{store}`")))?;
        Ok((found, entities(known).map_err(|e| invalid(&e))?))
    }
}

fn invalid(what: &dyn std::fmt::Display) -> Refusal {
    Refusal("ValidationException", what.to_string())
}

fn judge(store: &CompiledStore, question: &Question, entities: &Entities) -> Result<Judgement, Refusal> {
    Ok(store.judge(&question.request().map_err(|e| invalid(&e))?, entities))
}

/// All three keys are always present.
fn output(judgement: &Judgement) -> Value {
    json!({
        "decision": if judgement.allowed { "ALLOW" } else { "DENY" },
        "determiningPolicies": judgement.policies.iter().map(|id| json!({"policyId": id})).collect::<Vec<_>>(),
        "errors": judgement.errors.iter().map(|what| json!({"errorDescription": what})).collect::<Vec<_>>(),
    })
}

#[async_trait]
impl Service for VerifiedPermissions {
    fn described(&self) -> &'static Described {
        &DESCRIBED
    }

    async fn answer(&self, call: &Call) -> Answer {
        let done = match call.operation.as_str() {
            "IsAuthorized" => self.is_authorized(&call.body),
            "BatchIsAuthorized" => self.batch_is_authorized(&call.body),
            other => Err(Refusal("UnknownOperationException", format!("this machine's policy stores have no operation `{other}`"))),
        };
        done.map_or_else(|Refusal(kind, message)| Answer::error(JSON_1_0, 400, kind, &message), |body| Answer::ok(JSON_1_0, &body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use run_folder::deployment::Link;

    /// The owner of a device may do anything with it; a guest may set a temperature from 72 to 78.
    fn service() -> VerifiedPermissions {
        let owned = |id: &str, text: &str| (id.to_owned(), text.to_owned());
        let (user, device) = (owned("AwsIotAvpWebApp::User", "jane_doe"), owned("AwsIotAvpWebApp::Device", "Thermostat1"));
        let store = PolicyStore {
            policies: vec![owned("owner", "permit(principal, action, resource) when { resource.primaryOwner == principal };")],
            templates: vec![owned(
                "guest",
                r#"permit(principal == ?principal, action == AwsIotAvpWebApp::Action::"SetTemperature", resource == ?resource)
                   when { context has desiredTemperature && context.desiredTemperature >= 72 && context.desiredTemperature <= 78 };"#,
            )],
            links: vec![Link { id: "guest-Thermostat1".into(), template: "guest".into(), principal: user, resource: device }],
            schema: "namespace AwsIotAvpWebApp { entity User; entity Device = { primaryOwner: User };
                     action SetTemperature appliesTo { principal: User, resource: Device, context: { desiredTemperature?: Long } }; }"
                .into(),
        };
        let clinic = PolicyStore {
            policies: vec![
                owned("client", "permit(principal, action, resource) when { resource.owner == principal };"),
                owned("doctor", "permit(principal, action, resource) when { resource.veterinarian == principal };"),
            ],
            schema: r#"namespace Clinic { entity InternalUser, ExternalUser;
                       entity Appointment = { owner: ExternalUser, veterinarian: InternalUser };
                       action "GET/appointment" appliesTo { principal: [InternalUser, ExternalUser], resource: Appointment }; }"#
                .into(),
            ..PolicyStore::default()
        };
        VerifiedPermissions::new(&[("ps-thermostat", store), ("ps-clinic", clinic)]).unwrap()
    }

    async fn call(operation: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string().into();
        let call =
            Call { operation: operation.into(), request_id: "r".into(), root: None, function: None, delivery: 0, path: "/".into(), body };
        let answer = service().answer(&call).await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    fn entity(kind: &str, id: &str) -> Value {
        json!({"entityType": format!("AwsIotAvpWebApp::{kind}"), "entityId": id})
    }

    fn owned_by(owner: &str) -> Value {
        json!({"identifier": entity("Device", "Thermostat1"), "attributes": {"primaryOwner": {"entityIdentifier": entity("User", owner)}}})
    }

    fn question(user: &str, temperature: i64) -> Value {
        json!({
            "principal": entity("User", user),
            "action": {"actionType": "AwsIotAvpWebApp::Action", "actionId": "SetTemperature"},
            "resource": entity("Device", "Thermostat1"),
            "context": {"contextMap": {"desiredTemperature": {"long": temperature}}},
        })
    }

    fn asked(user: &str, temperature: i64, entities: Value) -> Value {
        let mut body = question(user, temperature);
        body["policyStoreId"] = json!("ps-thermostat");
        body["entities"] = json!({"entityList": entities});
        body
    }

    #[tokio::test]
    async fn a_decision_always_has_its_three_keys() {
        let (status, body) = call("IsAuthorized", &asked("jane_doe", 75, json!([owned_by("john_doe")]))).await;
        assert_eq!(
            (status, body),
            (200, json!({"decision": "ALLOW", "determiningPolicies": [{"policyId": "guest-Thermostat1"}], "errors": []}))
        );
        let (_, body) = call("IsAuthorized", &asked("jane_doe", 79, json!([owned_by("john_doe")]))).await;
        assert_eq!(body, json!({"decision": "DENY", "determiningPolicies": [], "errors": []}));
        let (status, body) = call("IsAuthorized", &asked("jane_doe", 79, json!([]))).await;
        assert_eq!((status, &body["decision"]), (200, &json!("DENY")));
        assert!(body["errors"][0]["errorDescription"].is_string(), "an unknown device has no owner: {body}");
    }

    #[tokio::test]
    async fn of_two_entities_with_one_name_the_last_counts() {
        let twice = json!([owned_by("john_doe"), owned_by("jane_doe")]);
        assert_eq!(call("IsAuthorized", &asked("jane_doe", 99, twice.clone())).await.1["decision"], "ALLOW");
        assert_eq!(call("IsAuthorized", &asked("john_doe", 99, twice)).await.1["decision"], "DENY");
    }

    #[tokio::test]
    async fn what_is_not_understood_is_an_error_and_never_a_denial() {
        let good = asked("john_doe", 75, json!([owned_by("john_doe")]));
        for (key, value, error) in [
            ("policyStoreId", json!("ps-none"), "ResourceNotFoundException"),
            ("policyStoreId", Value::Null, "ValidationException"),
            ("principal", json!({"entityType": "no such::", "entityId": "x"}), "ValidationException"),
            ("principal", Value::Null, "ValidationException"),
            ("context", json!({"contextMap": {"time": {"float": 1.5}}}), "ValidationException"),
            ("entities", json!({"entityList": [{"attributes": {}}]}), "ValidationException"),
        ] {
            let mut body = good.clone();
            body[key] = value;
            let (status, answer) = call("IsAuthorized", &body).await;
            assert_eq!((status, &answer["__type"]), (400, &json!(error)), "{body}");
        }
        assert_eq!(call("CreatePolicy", &good).await.0, 400);
    }

    #[tokio::test]
    async fn a_batch_answers_each_request_with_its_echo_and_has_thirty_at_most() {
        let batch = |n: usize| {
            let requests: Vec<_> = (0..n).map(|n| question("jane_doe", 70 + i64::try_from(n).unwrap())).collect();
            json!({"policyStoreId": "ps-thermostat", "entities": {"entityList": [owned_by("john_doe")]}, "requests": requests})
        };
        let (status, body) = call("BatchIsAuthorized", &batch(4)).await;
        let decisions: Vec<_> = body["results"].as_array().unwrap().iter().map(|r| r["decision"].as_str().unwrap()).collect();
        assert_eq!((status, decisions), (200, vec!["DENY", "DENY", "ALLOW", "ALLOW"]));
        assert_eq!(body["results"][2]["request"], question("jane_doe", 72));
        assert_eq!(call("BatchIsAuthorized", &batch(30)).await.0, 200);
        assert_eq!(call("BatchIsAuthorized", &batch(31)).await.0, 400);
    }

    #[tokio::test]
    async fn the_clinic_s_staff_and_clients_are_distinguished() {
        let name = |kind: &str, id: &str| json!({"entityType": format!("Clinic::{kind}"), "entityId": id});
        for (kind, user, decision) in [
            ("InternalUser", "Jane", "ALLOW"),
            ("ExternalUser", "Dave", "ALLOW"),
            ("ExternalUser", "Jane", "DENY"),
            ("InternalUser", "Dave", "DENY"),
        ] {
            let attributes = json!({
                "owner": {"entityIdentifier": name("ExternalUser", "Dave")},
                "veterinarian": {"entityIdentifier": name("InternalUser", "Jane")},
            });
            let body = json!({
                "policyStoreId": "ps-clinic",
                "principal": name(kind, user),
                "action": {"actionType": "Clinic::Action", "actionId": "GET/appointment"},
                "resource": name("Appointment", "PI-T123"),
                "entities": {"entityList": [{"identifier": name("Appointment", "PI-T123"), "attributes": attributes}]},
            });
            assert_eq!(call("IsAuthorized", &body).await.1["decision"], decision, "{kind} {user}");
        }
    }
}
