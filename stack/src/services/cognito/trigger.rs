//! The functions that a pool invokes while a user signs in, each of which must return its event. It
//! grants nothing itself. Source: Amazon Cognito, "Customizing user pool workflows with Lambda
//! triggers".

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until, timeout};

use super::Refusal;
use super::pool::UserPool;
use super::users::User;
use crate::invoke::LateInvoke;
use crate::platform::Invoked;
use crate::platform::names::REGION;
use crate::{Seen, Sightings};
use template::blueprint::{PoolEvent, UserPool as Declared};

/// How long Cognito waits for a function. Source: Amazon Cognito, customizing user pool workflows
/// with Lambda triggers.
const LIMIT: Duration = Duration::from_secs(5);

/// How often Cognito calls a function that does not answer.
const CALLS: u32 = 3;

/// The platform's errors for a function that did not answer itself: it timed out or was ended.
const UNANSWERED: [&str; 3] = ["Sandbox.Timedout", "Runtime.ExitError", "Extension.Crash"];

/// The functions that pools call.
pub struct Triggers {
    /// By the pool's name and the event.
    functions: BTreeMap<(String, PoolEvent), String>,
    invoke: LateInvoke,
    sightings: Sightings,
    /// How long it waits for each call.
    pub(super) limit: Duration,
}

/// A sign-in that waits for a function.
#[derive(Clone, Copy)]
pub struct Authentication<'a> {
    /// The pool.
    pub pool: &'a UserPool,
    /// The app client.
    pub client: &'a str,
    /// The user's name.
    pub name: &'a str,
    /// The root of the caller's trace.
    pub root: Option<&'a str>,
}

/// What a function is asked.
#[derive(Clone, Copy)]
pub enum Asked<'a> {
    /// Whether a user may try to sign in.
    Before(&'a User),
    /// To take note of a sign-in.
    After(&'a User),
    /// What to change of the tokens, which are new or of a refresh token.
    Tokens(&'a User, bool),
    /// For a user whom the pool does not have, with this password.
    Migration(&'a str),
}

/// How a call ended.
enum Outcome {
    /// With the `response` of the event.
    Ok(Value),
    /// The function or the platform refused.
    Failed(Refusal),
    /// There was no answer in time.
    TimedOut,
    /// The function was ended before it answered: to Cognito the same as no answer.
    Ended,
    /// The answer is not the event.
    Unreadable,
}

impl Triggers {
    /// Calls the functions of these pools through `invoke`.
    pub fn new(pools: &[Declared], invoke: LateInvoke, sightings: Sightings) -> Self {
        let of = |pool: &Declared| {
            pool.triggers.iter().map(|(event, function)| ((pool.name.clone(), *event), function.clone())).collect::<Vec<_>>()
        };
        Self { functions: pools.iter().flat_map(of).collect(), invoke, sightings, limit: LIMIT }
    }

    /// Calls the function of the pool for this until it answers, at most three times, 5 s for each.
    /// Returns its `response`; `None` if the pool has no such function.
    ///
    /// # Errors
    /// If the sign-in fails because of it.
    pub async fn ask(&self, authentication: Authentication<'_>, asked: Asked<'_>) -> Result<Option<Value>, Refusal> {
        let pool = &authentication.pool.address;
        let of = |event: &PoolEvent| Some((*event, self.functions.get(&(pool.name.clone(), *event))?));
        let Some((kind, function)) = asked.events().iter().find_map(of) else { return Ok(None) };
        let event = authentication.event(asked, kind);
        let trace = authentication.root.map(|root| format!("Root={root}"));
        for call in 1..=CALLS {
            let over = Instant::now() + self.limit;
            let outcome = self.call((function, asked.name()), &event, trace.as_deref()).await;
            if matches!(asked, Asked::After(_)) {
                let (pool, user, outcome) = (pool.id.clone(), authentication.name.to_owned(), outcome.word().to_owned());
                self.sightings.tell(Seen::Triggered { pool, user, call, outcome });
            }
            match outcome {
                Outcome::Ok(response) => return Ok(Some(response)),
                Outcome::Failed(refusal) => return Err(refusal),
                Outcome::Unreadable => return Err(Refusal::new("InvalidLambdaResponseException", "Unrecognizable lambda output")),
                Outcome::Ended if call < CALLS => sleep_until(over).await,
                Outcome::Ended | Outcome::TimedOut => {}
            }
        }
        let message = format!("{} failed due to error Socket timeout while invoking Lambda function.", asked.name());
        Err(Refusal::new("UnexpectedLambdaException", message))
    }

    async fn call(&self, (function, name): (&str, &str), event: &Value, trace: Option<&str>) -> Outcome {
        let door = match self.invoke.door() {
            Ok(door) => door,
            Err(error) => return Outcome::Failed(unexpected(name, &error)),
        };
        match timeout(self.limit, door.invoke(function, Bytes::from(event.to_string()), trace)).await {
            Err(_) => Outcome::TimedOut,
            Ok(Err(error)) => Outcome::Failed(unexpected(name, &error)),
            Ok(Ok(invoked)) if invoked.failed => failed(name, &invoked),
            Ok(Ok(invoked)) => response(&invoked.payload, event).map_or(Outcome::Unreadable, Outcome::Ok),
        }
    }
}

impl Asked<'_> {
    /// The events that ask this; the first that the pool has a function for.
    const fn events(self) -> &'static [PoolEvent] {
        match self {
            Self::Before(_) => &[PoolEvent::PreAuthentication],
            Self::After(_) => &[PoolEvent::PostAuthentication],
            Self::Tokens(..) => &[PoolEvent::PreTokenGenerationV2, PoolEvent::PreTokenGeneration],
            Self::Migration(_) => &[PoolEvent::UserMigration],
        }
    }

    /// Its name in errors.
    const fn name(self) -> &'static str {
        match self {
            Self::Before(_) => "PreAuthentication",
            Self::After(_) => "PostAuthentication",
            Self::Tokens(..) => "PreTokenGeneration",
            Self::Migration(_) => "UserMigration",
        }
    }

    const fn source(self) -> &'static str {
        match self {
            Self::Before(_) => "PreAuthentication_Authentication",
            Self::After(_) => "PostAuthentication_Authentication",
            Self::Tokens(_, true) => "TokenGeneration_Authentication",
            Self::Tokens(_, false) => "TokenGeneration_RefreshTokens",
            Self::Migration(_) => "UserMigration_Authentication",
        }
    }
}

impl Authentication<'_> {
    fn event(&self, asked: Asked<'_>, kind: PoolEvent) -> Value {
        let second = kind == PoolEvent::PreTokenGenerationV2;
        let (request, response) = match asked {
            Asked::Before(user) => (json!({"userAttributes": attributes(user), "validationData": null, "userNotFound": false}), json!({})),
            Asked::After(user) => (json!({"userAttributes": attributes(user), "newDeviceUsed": false}), json!({})),
            Asked::Tokens(user, _) => {
                let groups = json!({"groupsToOverride": user.groups, "iamRolesToOverride": [], "preferredRole": null});
                let mut request = json!({"userAttributes": attributes(user), "groupConfiguration": groups});
                if let (true, Some(request)) = (second, request.as_object_mut()) {
                    request.insert("scopes".to_owned(), json!(["aws.cognito.signin.user.admin"]));
                }
                (request, if second { json!({"claimsAndScopeOverrideDetails": null}) } else { json!({"claimsOverrideDetails": null}) })
            }
            Asked::Migration(password) => (
                json!({"password": password, "validationData": null, "userAttributes": null}),
                json!({
                    "userAttributes": null, "forceAliasCreation": null, "finalUserStatus": null, "messageAction": null,
                    "desiredDeliveryMediums": null,
                }),
            ),
        };
        json!({
            "version": if second { "2" } else { "1" },
            "region": REGION,
            "userPoolId": self.pool.address.id,
            "userName": self.name,
            "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": self.client},
            "triggerSource": asked.source(),
            "request": request,
            "response": response,
        })
    }
}

fn attributes(user: &User) -> Map<String, Value> {
    let own = user.attributes.iter().map(|(name, value)| (name.clone(), json!(value)));
    let known = [("sub", json!(user.sub)), ("cognito:user_status", json!(user.status()))];
    own.chain(known.map(|(name, value)| (name.to_owned(), value))).collect()
}

impl Outcome {
    fn word(&self) -> &'static str {
        match self {
            Self::Ok(_) => "ok",
            Self::Failed(_) | Self::Ended => "failed",
            Self::TimedOut => "timed-out",
            Self::Unreadable => "unreadable",
        }
    }
}

fn failed(name: &str, invoked: &Invoked) -> Outcome {
    let error: Value = serde_json::from_slice(&invoked.payload).unwrap_or_default();
    let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
    if UNANSWERED.contains(&text("errorType")) {
        return Outcome::Ended;
    }
    Outcome::Failed(Refusal::new("UserLambdaValidationException", format!("{name} failed with error {}.", text("errorMessage"))))
}

fn unexpected(name: &str, error: &dyn std::error::Error) -> Refusal {
    Refusal::new("UnexpectedLambdaException", format!("{name} failed due to error {error}."))
}

/// The `response` of an answer that is the event that was sent.
fn response(answer: &[u8], event: &Value) -> Option<Value> {
    let mut answer = serde_json::from_slice::<Value>(answer).ok()?;
    let is_event = ["version", "userPoolId", "userName", "triggerSource"].into_iter().all(|key| answer.get(key) == event.get(key));
    answer.get_mut("response").map(Value::take).filter(|response| is_event && response.is_object())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use run_folder::addresses::PASSWORD;
    use run_folder::deployment::User as Seeded;

    use super::super::Cognito;
    use super::*;
    use crate::invoke::Invoke;
    use crate::platform::InvokeError;
    use crate::services::wire::{Answer, Call, Service};

    /// One function for every event of a pool, which keeps what it was asked.
    #[derive(Default)]
    struct Function(Mutex<Vec<Value>>);

    #[async_trait]
    impl Invoke for Function {
        async fn invoke(&self, _: &str, event: Bytes, _: Option<&str>) -> Result<Invoked, InvokeError> {
            let mut event: Value = serde_json::from_slice(&event).unwrap();
            self.0.lock().unwrap().push(event.clone());
            let (source, user) = (event["triggerSource"].as_str().unwrap(), event["userName"].as_str().unwrap());
            let response = match source {
                "PreAuthentication_Authentication" if user == "blocked" => None,
                "UserMigration_Authentication" if event["request"]["password"] != "Old-password-1" => None,
                "UserMigration_Authentication" => Some(json!({"userAttributes": {"email": "m@x.org"}, "finalUserStatus": "CONFIRMED"})),
                _ if source.starts_with("TokenGeneration") => {
                    let changes = json!({"claimsToAddOrOverride": {"plan": "gold"}});
                    Some(json!({"claimsAndScopeOverrideDetails": {"idTokenGeneration": changes, "accessTokenGeneration": changes}}))
                }
                _ => Some(json!({})),
            };
            let failed = response.is_none();
            event["response"] = response.unwrap_or_default();
            let payload = if failed { json!({"errorType": "Error", "errorMessage": "not you"}) } else { event };
            Ok(Invoked { request_id: "r".into(), payload: payload.to_string().into(), failed })
        }
    }

    async fn pool() -> (Cognito, Arc<Function>) {
        let (function, invoke) = (Arc::new(Function::default()), LateInvoke::default());
        invoke.put(Arc::clone(&function) as Arc<dyn Invoke>);
        let events = [PoolEvent::PreAuthentication, PoolEvent::PreTokenGenerationV2, PoolEvent::UserMigration];
        let declared = Declared { name: "pool".into(), triggers: events.map(|event| (event, "f".to_owned())).into() };
        let users = ["ann", "blocked"].map(|name| Seeded { name: name.into(), groups: vec!["buyers".into()] }).into();
        let at = "127.0.0.1:4000".parse().unwrap();
        let users = [("pool".to_owned(), users)].into();
        (Cognito::start(&[declared], &users, &invoke, &Sightings::nowhere(), at).await.unwrap(), function)
    }

    async fn ask(cognito: &Cognito, flow: &str, parameters: Value) -> Answer {
        let client = &cognito.addresses()[0].client_id;
        let body = json!({"AuthFlow": flow, "ClientId": client, "AuthParameters": parameters}).to_string().into();
        let (operation, path) = ("InitiateAuth".into(), "/".into());
        cognito.answer(&Call { operation, request_id: "r".into(), root: None, function: None, delivery: 0, path, body }).await
    }

    #[tokio::test]
    async fn functions_refuse_sign_ins_change_tokens_and_bring_users() {
        let (cognito, function) = pool().await;
        for (name, password, error, asked) in [
            ("ann", PASSWORD, None, &["PreAuthentication_Authentication", "TokenGeneration_Authentication"][..]),
            ("ann", "guess", Some("NotAuthorizedException"), &["PreAuthentication_Authentication"]),
            ("blocked", PASSWORD, Some("UserLambdaValidationException"), &["PreAuthentication_Authentication"]),
            ("mia", "guess", Some("UserNotFoundException"), &["UserMigration_Authentication"]),
            ("mia", "Old-password-1", None, &["UserMigration_Authentication", "TokenGeneration_Authentication"]),
            ("mia", "Old-password-1", None, &["PreAuthentication_Authentication", "TokenGeneration_Authentication"]),
        ] {
            let answer = ask(&cognito, "USER_PASSWORD_AUTH", json!({"USERNAME": name, "PASSWORD": password})).await;
            let events = std::mem::take(&mut *function.0.lock().unwrap());
            assert_eq!(answer.error_type.as_deref(), error, "{name} {password}: {answer:?}");
            let sources: Vec<_> = events.iter().map(|event| event["triggerSource"].as_str().unwrap()).collect();
            assert_eq!(sources, asked, "{name} {password}");
            if error.is_some() {
                continue;
            }
            let tokens: Value = serde_json::from_slice(&answer.body).unwrap();
            let event = events.last().unwrap();
            let groups = if name == "ann" { json!(["buyers"]) } else { json!([]) };
            assert_eq!((&event["version"], &event["request"]["groupConfiguration"]["groupsToOverride"]), (&json!("2"), &groups));
            for token in ["IdToken", "AccessToken"] {
                let claims = tokens["AuthenticationResult"][token].as_str().unwrap().split('.').nth(1).unwrap();
                let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
                assert_eq!(claims["plan"], "gold", "{name} {token}");
            }
            let refresh = &tokens["AuthenticationResult"]["RefreshToken"];
            assert_eq!(ask(&cognito, "REFRESH_TOKEN_AUTH", json!({"REFRESH_TOKEN": refresh})).await.status, 200);
            let events = std::mem::take(&mut *function.0.lock().unwrap());
            assert_eq!((events.len(), &events[0]["triggerSource"]), (1, &json!("TokenGeneration_RefreshTokens")));
        }
    }
}
