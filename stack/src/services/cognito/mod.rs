//! Cognito user pools: sign-in, refresh, key sets. It keeps no session, and issues a token only for
//! a password or a refresh token. The one exception is `/brownout/expired-token`, whose tokens have
//! expired already.

mod admin;
mod claims;
mod group_calls;
pub mod groups;
pub mod keys;
pub mod pool;
mod quota;
mod shown;
mod trigger;
pub mod users;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use async_trait::async_trait;
use hyper::{Method, Uri};
use run_folder::addresses::{self, APP, OTHER, client_id, pool_id};
use run_folder::deployment::User as Seeded;
use serde::Deserialize;
use serde_json::{Value, json};

use self::claims::Changes;
use self::keys::SigningKey;
use self::pool::{GOOD_FOR, Tokens, UserPool};
use self::quota::Quota;
use self::trigger::{Asked, Authentication, Triggers};
use self::users::User;
use super::described::{Described, Protocol};
use super::shows::Shows;
use super::wire::{Answer, Call, JSON_1_1, REST_JSON, Service};
use crate::invoke::LateInvoke;
use crate::{Seen, Sightings};
use template::blueprint::UserPool as Declared;

/// The description of this service.
pub const DESCRIBED: Described = Described {
    name: "cognito-idp",
    title: "Cognito",
    protocol: Protocol::Json11("AWSCognitoIdentityProviderService", operation),
    operations: &["Jwks", "InitiateAuth", "AdminDisableUser", "AdminEnableUser", "AdminGetUser"],
};

/// The operation of a public address.
fn operation(_: &Method, uri: &Uri) -> Option<&'static str> {
    let path = uri.path();
    let key_set = path.ends_with("/.well-known/jwks.json").then_some("Jwks");
    key_set.or_else(|| path.ends_with("/.well-known/openid-configuration").then_some("OpenIdConfiguration"))
}

/// AdminDisableUser calls per second for an account and Region, not adjustable. Source: Amazon
/// Cognito, quotas for user pool APIs.
const DISABLES_A_SECOND: usize = 25;

/// The user pools of this machine.
pub struct Cognito {
    pools: Vec<Arc<UserPool>>,
    triggers: Triggers,
    /// The quota of `AdminDisableUser`, over all pools.
    disables: Quota,
    sightings: Sightings,
}

impl Cognito {
    /// The declared pools with their users and the address `at` in their issuers. The keys are
    /// generated in parallel.
    ///
    /// # Errors
    /// If a key cannot be generated.
    pub async fn start(
        declared: &[Declared],
        users: &BTreeMap<String, Vec<Seeded>>,
        invoke: &LateInvoke,
        sightings: &Sightings,
        at: SocketAddr,
    ) -> io::Result<Self> {
        let make = |pool: &Declared| {
            let (address, users) = (address(&pool.name, at), users.get(&pool.name).cloned().unwrap_or_default());
            tokio::task::spawn_blocking(move || UserPool::new(address, users))
        };
        let making: Vec<_> = declared.iter().map(make).collect();
        let mut pools = Vec::new();
        for pool in making {
            pools.push(Arc::new(pool.await.map_err(io::Error::other)??));
        }
        let triggers = Triggers::new(declared, invoke.clone(), sightings.clone());
        Ok(Self { pools, triggers, disables: Quota::a_second(DISABLES_A_SECOND), sightings: sightings.clone() })
    }

    /// The pools' addresses.
    pub fn addresses(&self) -> Vec<addresses::Pool> {
        self.pools.iter().map(|pool| pool.address.clone()).collect()
    }

    async fn initiate_auth(&self, call: &Call) -> Result<Value, Refusal> {
        let asked: InitiateAuth = serde_json::from_slice(&call.body).map_err(|e| Refusal::new("SerializationException", e.to_string()))?;
        let pool =
            self.pools.iter().find(|pool| pool.has_client(&asked.client_id)).ok_or_else(|| {
                Refusal::new("ResourceNotFoundException", format!("User pool client {} does not exist.", asked.client_id))
            })?;
        let parameter = |name: &str| asked.auth_parameters.get(name).map(String::as_str).unwrap_or_default();
        let (client, root) = (asked.client_id.as_str(), call.root.as_deref());
        let (name, user, fresh) = match asked.auth_flow.as_str() {
            "USER_PASSWORD_AUTH" => {
                let name = parameter("USERNAME").to_owned();
                let user = self.signed_in(Authentication { pool, client, name: &name, root }, parameter("PASSWORD")).await?;
                (name, user, true)
            }
            "REFRESH_TOKEN_AUTH" | "REFRESH_TOKEN" => {
                let (name, user) = by_token(pool, &asked.client_id, parameter("REFRESH_TOKEN"))?;
                (name, user, false)
            }
            other => return Err(Refusal::new("InvalidParameterException", format!("{other} is not a flow that this machine serves"))),
        };
        let changes = self.triggers.ask(Authentication { pool, client, name: &name, root }, Asked::Tokens(&user, fresh)).await?;
        let changes = changes.as_ref().map(Changes::read).unwrap_or_default();
        let tokens = issue(pool, client, (&name, &user), changes, SystemTime::now()).await?;
        let mut result =
            json!({"AccessToken": tokens.access, "ExpiresIn": GOOD_FOR.as_secs(), "IdToken": tokens.id, "TokenType": "Bearer"});
        if let (true, Some(result)) = (fresh, result.as_object_mut()) {
            result.insert("RefreshToken".to_owned(), json!(pool.refresh_token(&asked.client_id, &name, user.era)));
            self.sightings.tell(Seen::SignedIn { pool: pool.address.id.clone(), user: name });
        }
        Ok(json!({"AuthenticationResult": result, "ChallengeParameters": {}}))
    }

    /// The user with this password, once the functions around a sign-in have returned.
    async fn signed_in(&self, authentication: Authentication<'_>, password: &str) -> Result<User, Refusal> {
        let Authentication { pool, client, name, .. } = authentication;
        match pool.users.find(name) {
            Some(user) => drop(self.triggers.ask(authentication, Asked::Before(&user)).await?),
            None => {
                let missing = || Refusal::new("UserNotFoundException", format!("Exception migrating user in app client {client}"));
                let migrated = self.triggers.ask(authentication, Asked::Migration(password)).await.map_err(|_| missing())?;
                if let Some(response) = migrated {
                    pool.users.add(name, migrated_user(pool, name, &response, password).ok_or_else(missing)?);
                }
            }
        }
        let user = by_password(pool, name, password)?;
        self.triggers.ask(authentication, Asked::After(&user)).await?;
        Ok(user)
    }

    /// At most `most` users of a pool by name, as an administrator sees them; empty if the pool
    /// does not exist. For the page.
    pub fn users(&self, pool: &str, most: usize) -> Vec<Value> {
        let pool = self.pools.iter().find(|it| it.address.name == pool);
        let users = pool.map(|pool| pool.users.after("", most)).unwrap_or_default();
        users.into_iter().map(|(name, user)| user.shown(&name, "UserAttributes")).collect()
    }

    /// The pool whose id is the first segment of the path.
    fn pool_of_path(&self, call: &Call) -> Option<&UserPool> {
        let id = call.path.split('/').nth(1)?;
        self.pools.iter().find(|pool| pool.address.id == id).map(Arc::as_ref)
    }

    fn published(&self, call: &Call, what: impl FnOnce(&UserPool) -> Value) -> Answer {
        match self.pool_of_path(call) {
            Some(pool) => Answer::ok(REST_JSON, &what(pool)),
            None => Answer::error(REST_JSON, 404, "ResourceNotFoundException", "there is no such user pool"),
        }
    }

    /// Operations of this machine only: `POST /brownout/rotate-keys {"pool"}` and `POST
    /// /brownout/expired-token {"pool","client","user"}`.
    pub async fn control(&self, call: &Call) -> Answer {
        let done = match (call.path.as_str(), serde_json::from_slice::<Control>(&call.body)) {
            (_, Err(error)) => Err(Refusal::new("InvalidParameterException", error.to_string())),
            ("/brownout/rotate-keys", Ok(control)) => self.rotate_keys(&control).await,
            ("/brownout/expired-token", Ok(control)) => self.expired_token(&control).await,
            (path, Ok(_)) => Err(Refusal::new("ResourceNotFoundException", format!("there is no control `{path}`"))),
        };
        done.map_or_else(|Refusal(kind, message)| Answer::error(JSON_1_1, 400, kind, &message), |body| Answer::ok(REST_JSON, &body))
    }

    fn pool_called(&self, name: &str) -> Result<&Arc<UserPool>, Refusal> {
        let found = self.pools.iter().find(|pool| pool.address.name == name);
        found.ok_or_else(|| Refusal::new("ResourceNotFoundException", format!("there is no pool `{name}`")))
    }

    async fn rotate_keys(&self, control: &Control) -> Result<Value, Refusal> {
        let pool = self.pool_called(&control.pool)?;
        let key = tokio::task::spawn_blocking(SigningKey::generate).await.map_err(io::Error::other)??;
        let kid = key.id().to_owned();
        pool.rotate(key);
        Ok(json!({"kid": kid}))
    }

    async fn expired_token(&self, control: &Control) -> Result<Value, Refusal> {
        let pool = self.pool_called(&control.pool)?;
        let client = control.client.as_deref().unwrap_or(&pool.address.client_id);
        let user = pool.users.find(&control.user).filter(|_| pool.has_client(client));
        let user = user.ok_or_else(|| Refusal::new("ResourceNotFoundException", "the pool has no such client or user"))?;
        // Expired an hour ago: beyond any tolerance for clocks that differ.
        let tokens = issue(pool, client, (&control.user, &user), Changes::default(), SystemTime::now() - 2 * GOOD_FOR).await?;
        Ok(json!({"AccessToken": tokens.access, "IdToken": tokens.id}))
    }
}

#[async_trait]
impl Service for Cognito {
    fn described(&self) -> &'static Described {
        &DESCRIBED
    }

    fn shows(&self) -> Option<&dyn Shows> {
        Some(self)
    }

    async fn answer(&self, call: &Call) -> Answer {
        match call.operation.as_str() {
            "InitiateAuth" => answered(self.initiate_auth(call).await),
            "Jwks" => self.published(call, |pool| pool.key().key_set()),
            "OpenIdConfiguration" => self.published(call, |pool| {
                let issuer = &pool.address.issuer;
                json!({
                    "issuer": issuer,
                    "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "subject_types_supported": ["public"],
                    "response_types_supported": ["code", "token"],
                })
            }),
            _ => self.administer(call, Instant::now()).map_or_else(
                || Answer::error(JSON_1_1, 400, "UnknownOperationException", "this machine's user pools have no such operation"),
                answered,
            ),
        }
    }
}

fn answered(done: Result<Value, Refusal>) -> Answer {
    match done {
        Ok(body) => Answer::ok(JSON_1_1, &body),
        Err(Refusal(kind, message)) => {
            let status = if kind == "InternalErrorException" { 500 } else { 400 };
            Answer::error(JSON_1_1, status, kind, &message)
        }
    }
}

/// The exception and its message.
struct Refusal(&'static str, String);

impl Refusal {
    fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self(kind, message.into())
    }

    fn nobody() -> Self {
        Self::new("UserNotFoundException", "User does not exist.")
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self("InternalErrorException", error.to_string())
    }
}

#[derive(Deserialize)]
struct InitiateAuth {
    #[serde(rename = "AuthFlow")]
    auth_flow: String,
    #[serde(rename = "ClientId")]
    client_id: String,
    #[serde(rename = "AuthParameters", default)]
    auth_parameters: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Control {
    pool: String,
    #[serde(default)]
    client: Option<String>,
    #[serde(default)]
    user: String,
}

/// The user with this password, if the user may sign in.
fn by_password(pool: &UserPool, name: &str, password: &str) -> Result<User, Refusal> {
    let user = pool.users.find(name).ok_or_else(Refusal::nobody)?;
    if user.password.as_deref() != Some(password) {
        return Err(Refusal::new("NotAuthorizedException", "Incorrect username or password."));
    }
    if !user.enabled {
        return Err(Refusal::new("NotAuthorizedException", "User is disabled."));
    }
    if !user.confirmed {
        let message = "this machine serves no challenges: set a permanent password by AdminSetUserPassword first";
        return Err(Refusal::new("InvalidParameterException", message));
    }
    Ok(user)
}

/// The user of this refresh token, if it may still be exchanged for new tokens.
fn by_token(pool: &UserPool, client: &str, token: &str) -> Result<(String, User), Refusal> {
    let refused = |what: &str| Refusal::new("NotAuthorizedException", what);
    let (name, era) = pool.refreshed(client, token).ok_or_else(|| refused("Invalid Refresh Token"))?;
    match pool.users.find(&name) {
        None => Err(refused("Invalid Refresh Token")),
        Some(user) if !user.enabled => Err(refused("User is disabled.")),
        Some(user) if user.era != era => Err(refused("Refresh Token has been revoked")),
        Some(user) => Ok((name, user)),
    }
}

/// The user whom a function knows by the response to its migration. Source: Amazon Cognito, "Migrate
/// user Lambda trigger": without `finalUserStatus` the password must be reset.
fn migrated_user(pool: &UserPool, name: &str, response: &Value, password: &str) -> Option<User> {
    let attributes = response.get("userAttributes")?.as_object()?;
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    let attributes = attributes.iter().filter(|(name, _)| *name != "username").filter_map(text).collect();
    let confirmed = response.get("finalUserStatus").and_then(Value::as_str) == Some("CONFIRMED");
    let mut user = User::invited(pool.subject(name), attributes);
    (user.password, user.confirmed) = (Some(password.to_owned()), confirmed);
    Some(user)
}

/// Two signatures take a millisecond or two: too long for a thread that serves other requests.
async fn issue(
    pool: &Arc<UserPool>,
    client: &str,
    (name, user): (&str, &User),
    changes: Changes,
    issued: SystemTime,
) -> io::Result<Tokens> {
    let (pool, client, name, user) = (Arc::clone(pool), client.to_owned(), name.to_owned(), user.clone());
    tokio::task::spawn_blocking(move || pool.issue(&client, (&name, &user), &changes, issued)).await.map_err(io::Error::other)?
}

fn address(name: &str, at: SocketAddr) -> addresses::Pool {
    let id = pool_id(name);
    addresses::Pool {
        name: name.to_owned(),
        issuer: format!("http://{at}/{id}"),
        client_id: client_id(name, APP),
        other_client_id: client_id(name, OTHER),
        id,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use std::time::Duration;

    use bytes::Bytes;
    use jsonwebtoken::jwk::JwkSet;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
    use tokio::sync::mpsc::UnboundedReceiver;

    use super::*;
    use crate::Sighting;
    use crate::invoke::Invoke;
    use crate::platform::{InvokeError, Invoked};
    use run_folder::addresses::{PASSWORD, subject};
    use template::blueprint::PoolEvent;

    fn call(operation: &str, path: &str, body: Value) -> Call {
        let body = body.to_string().into();
        Call { operation: operation.into(), request_id: "r".into(), root: None, function: None, delivery: 0, path: path.into(), body }
    }

    fn json_of(answer: &Answer) -> Value {
        serde_json::from_slice(&answer.body).unwrap()
    }

    async fn cognito() -> Cognito {
        let user = |(name, group): (&str, &str)| Seeded { name: name.into(), groups: vec![group.into()] };
        let pools = [
            ("clinic-internal", vec![("Jane", "Doctor")]),
            ("clinic-external", vec![("Jane", "Client"), ("Dave", "Client")]),
            ("thermostat", vec![("john_doe", "Owner"), ("john_doe-1", "Owner")]),
        ];
        let declared = pools.each_ref().map(|(name, _)| Declared { name: (*name).into(), triggers: BTreeMap::new() });
        let users = pools.into_iter().map(|(name, users)| (name.into(), users.into_iter().map(user).collect())).collect();
        let at = "127.0.0.1:4000".parse().unwrap();
        Cognito::start(&declared, &users, &LateInvoke::default(), &Sightings::nowhere(), at).await.unwrap()
    }

    async fn sign_in(cognito: &Cognito, client: &str, user: &str, password: &str) -> Answer {
        let body =
            json!({"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client, "AuthParameters": {"USERNAME": user, "PASSWORD": password}});
        cognito.answer(&call("InitiateAuth", "/", body)).await
    }

    /// The claims, if the pool's published keys verify the token.
    async fn claims(cognito: &Cognito, pool: &str, token: &str) -> Result<Value, String> {
        let set = cognito.answer(&call("Jwks", &format!("/us-east-1_{pool}/.well-known/jwks.json"), Value::Null)).await;
        let set: JwkSet = serde_json::from_slice(&set.body).unwrap();
        let kid = decode_header(token).unwrap().kid.unwrap();
        let key = DecodingKey::from_jwk(set.find(&kid).ok_or("no such key")?).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_aud = false;
        decode::<Value>(token, &key, &validation).map(|data| data.claims).map_err(|e| e.to_string())
    }

    #[tokio::test]
    async fn a_sign_in_gives_tokens_that_the_published_keys_verify() {
        let cognito = cognito().await;
        let pool = cognito.addresses().into_iter().find(|p| p.name == "clinic-internal").unwrap();
        let answer = json_of(&sign_in(&cognito, &pool.client_id, "Jane", PASSWORD).await);
        let result = &answer["AuthenticationResult"];
        let id = claims(&cognito, "clinic-internal", result["IdToken"].as_str().unwrap()).await.unwrap();
        assert_eq!(id["aud"], pool.client_id);
        assert_eq!(id["token_use"], "id");
        assert_eq!(id["cognito:username"], "Jane");
        assert_eq!(id["cognito:groups"], json!(["Doctor"]));
        assert_eq!(id["iss"], "http://127.0.0.1:4000/us-east-1_clinic-internal");
        let access = claims(&cognito, "clinic-internal", result["AccessToken"].as_str().unwrap()).await.unwrap();
        assert_eq!(access["token_use"], "access");
        assert_eq!(access["client_id"], pool.client_id);
        assert_eq!(access["username"], "Jane");
        assert_ne!(access["jti"], id["jti"]);
        let refresh = json!({"AuthFlow": "REFRESH_TOKEN_AUTH", "ClientId": pool.client_id, "AuthParameters": {"REFRESH_TOKEN": result["RefreshToken"]}});
        let refreshed = json_of(&cognito.answer(&call("InitiateAuth", "/", refresh.clone())).await);
        assert!(refreshed["AuthenticationResult"]["AccessToken"].is_string());
        let mut stolen = refresh;
        stolen["ClientId"] = json!(pool.other_client_id);
        assert_eq!(json_of(&cognito.answer(&call("InitiateAuth", "/", stolen)).await)["__type"], "NotAuthorizedException");
    }

    #[tokio::test]
    async fn namesakes_are_two_people_and_strangers_are_refused() {
        let cognito = cognito().await;
        let client = |name: &str| cognito.addresses().into_iter().find(|p| p.name == name).unwrap().client_id;
        for (pool, user, password, error) in [
            ("clinic-internal", "Jane", PASSWORD, None),
            ("clinic-external", "Jane", PASSWORD, None),
            ("thermostat", "john_doe-1", PASSWORD, None),
            ("thermostat", "john_doe-2", PASSWORD, Some("UserNotFoundException")),
            ("thermostat", "Jane", PASSWORD, Some("UserNotFoundException")),
            ("thermostat", "john_doe", "guess", Some("NotAuthorizedException")),
        ] {
            let answer = sign_in(&cognito, &client(pool), user, password).await;
            assert_eq!(answer.error_type.as_deref(), error, "{pool} {user}");
            assert_eq!(answer.status, if error.is_some() { 400 } else { 200 }, "{pool} {user}");
        }
        assert_eq!(sign_in(&cognito, "nobody's", "Jane", PASSWORD).await.error_type.as_deref(), Some("ResourceNotFoundException"));
    }

    #[tokio::test]
    async fn a_rotated_key_leaves_the_set_and_an_expired_token_is_correctly_signed() {
        let cognito = cognito().await;
        let pool = cognito.addresses().into_iter().find(|p| p.name == "clinic-external").unwrap();
        let body = json!({"pool": "clinic-external", "client": pool.other_client_id, "user": "Dave"});
        let expired = json_of(&cognito.control(&call("", "/brownout/expired-token", body)).await);
        let token = expired["IdToken"].as_str().unwrap();
        assert_eq!(claims(&cognito, "clinic-external", token).await, Err("ExpiredSignature".to_owned()));
        let rotated = cognito.control(&call("", "/brownout/rotate-keys", json!({"pool": "clinic-external"}))).await;
        assert_eq!(rotated.status, 200);
        assert_eq!(claims(&cognito, "clinic-external", token).await, Err("no such key".to_owned()));
        let fresh = json_of(&sign_in(&cognito, &pool.client_id, "Dave", PASSWORD).await);
        assert!(claims(&cognito, "clinic-external", fresh["AuthenticationResult"]["IdToken"].as_str().unwrap()).await.is_ok());
        assert_eq!(cognito.control(&call("", "/brownout/rotate-keys", json!({"pool": "none"}))).await.status, 400);
    }

    /// How a function behaves when a pool calls it.
    enum Behaviour {
        Echo,
        Silent,
        Fails(&'static str, &'static str),
        Says(&'static str),
        Throttled,
    }

    /// Functions that behave as listed, one call after the other, and return every event after
    /// that.
    struct Functions {
        behaviours: Mutex<VecDeque<Behaviour>>,
        calls: Mutex<Vec<(Instant, Value, Option<String>)>>,
    }

    #[async_trait]
    impl Invoke for Functions {
        async fn invoke(&self, function: &str, event: Bytes, trace: Option<&str>) -> Result<Invoked, InvokeError> {
            assert_eq!(function, "record-sign-in");
            let read = serde_json::from_slice(&event).unwrap();
            self.calls.lock().unwrap().push((Instant::now(), read, trace.map(str::to_owned)));
            let behaviour = self.behaviours.lock().unwrap().pop_front().unwrap_or(Behaviour::Echo);
            let (payload, failed) = match behaviour {
                Behaviour::Echo => (event, false),
                Behaviour::Silent => std::future::pending().await,
                Behaviour::Fails(kind, message) => (json!({"errorType": kind, "errorMessage": message}).to_string().into(), true),
                Behaviour::Says(text) => (text.into(), false),
                Behaviour::Throttled => return Err(InvokeError::Throttled),
            };
            Ok(Invoked { request_id: "r".to_owned(), payload, failed })
        }
    }

    /// A pool of `count` members whose function behaves like this.
    async fn pool_of(count: u32, behaviours: Vec<Behaviour>) -> (Cognito, Arc<Functions>, UnboundedReceiver<Sighting>) {
        let functions = Arc::new(Functions { behaviours: Mutex::new(behaviours.into()), calls: Mutex::default() });
        let invoke = LateInvoke::default();
        invoke.put(Arc::clone(&functions) as Arc<dyn Invoke>);
        let (sightings, seen) = Sightings::channel();
        let declared = Declared { name: "members".into(), triggers: [(PoolEvent::PostAuthentication, "record-sign-in".into())].into() };
        let members = (0..count).map(|n| Seeded { name: format!("member-{n:05}"), groups: Vec::new() }).collect();
        let users = [("members".to_owned(), members)].into();
        let at = "127.0.0.1:4000".parse().unwrap();
        (Cognito::start(&[declared], &users, &invoke, &sightings, at).await.unwrap(), functions, seen)
    }

    async fn members(behaviours: Vec<Behaviour>) -> (Cognito, Arc<Functions>, UnboundedReceiver<Sighting>) {
        pool_of(3, behaviours).await
    }

    fn told(seen: &mut UnboundedReceiver<Sighting>) -> Vec<Seen> {
        std::iter::from_fn(|| seen.try_recv().ok()).map(|sighting| sighting.seen).collect()
    }

    async fn member_signs_in(cognito: &Cognito) -> Answer {
        let client = cognito.addresses()[0].client_id.clone();
        sign_in(cognito, &client, "member-00001", PASSWORD).await
    }

    async fn administer(cognito: &Cognito, operation: &str, user: &str) -> Answer {
        cognito.answer(&call(operation, "/", json!({"UserPoolId": "us-east-1_members", "Username": user}))).await
    }

    #[tokio::test]
    async fn a_sign_in_is_granted_once_its_function_has_returned_the_event() {
        let (cognito, functions, mut seen) = members(Vec::new()).await;
        let client = cognito.addresses()[0].client_id.clone();
        let body = json!({"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client, "AuthParameters": {"USERNAME": "member-00001", "PASSWORD": PASSWORD}});
        let mut asked = call("InitiateAuth", "/", body);
        asked.root = Some("1-5759e988-bd862e3fe1be46a994272793".to_owned());
        let tokens = json_of(&cognito.answer(&asked).await);
        let sub = subject("members", "member-00001");
        let event = json!({
            "version": "1", "region": "us-east-1", "userPoolId": "us-east-1_members", "userName": "member-00001",
            "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": client},
            "triggerSource": "PostAuthentication_Authentication",
            "request": {"userAttributes": {"sub": sub, "email": "member-00001@users.example", "cognito:user_status": "CONFIRMED"}, "newDeviceUsed": false},
            "response": {},
        });
        let (_, got, trace) = functions.calls.lock().unwrap()[0].clone();
        assert_eq!((got, trace.as_deref()), (event, Some("Root=1-5759e988-bd862e3fe1be46a994272793")));
        let id = claims(&cognito, "members", tokens["AuthenticationResult"]["IdToken"].as_str().unwrap()).await.unwrap();
        assert_eq!(id["sub"], sub);
        let (pool, user) = ("us-east-1_members".to_owned(), "member-00001".to_owned());
        let triggered = Seen::Triggered { pool: pool.clone(), user: user.clone(), call: 1, outcome: "ok".to_owned() };
        assert_eq!(told(&mut seen), [triggered, Seen::SignedIn { pool, user }]);

        let token = &tokens["AuthenticationResult"]["RefreshToken"];
        let refresh = json!({"AuthFlow": "REFRESH_TOKEN_AUTH", "ClientId": client, "AuthParameters": {"REFRESH_TOKEN": token}});
        assert_eq!(cognito.answer(&call("InitiateAuth", "/", refresh)).await.status, 200);
        assert_eq!(sign_in(&cognito, &client, "member-00001", "guess").await.status, 400);
        assert_eq!(
            (functions.calls.lock().unwrap().len(), told(&mut seen).len()),
            (1, 0),
            "neither a refresh nor a wrong password calls the function"
        );
    }

    #[tokio::test]
    async fn a_function_that_does_not_answer_is_called_three_times_and_any_other_failure_ends_the_sign_in() {
        use Behaviour::{Fails, Says, Silent, Throttled};
        let timed_out = || Fails("Sandbox.Timedout", "Task timed out after 5.00 seconds");
        let exit = || Fails("Runtime.ExitError", "signal: killed");
        let limit = Duration::from_millis(40);
        for (behaviours, limits, outcomes, error) in [
            (vec![Silent, Silent], [0, 1, 2].as_slice(), vec!["timed-out", "timed-out", "ok"], None),
            (vec![Silent, Silent, Silent, Silent], [0, 1, 2].as_slice(), vec!["timed-out"; 3], Some("UnexpectedLambdaException")),
            (vec![exit(), Silent], [0, 1, 2].as_slice(), vec!["failed", "timed-out", "ok"], None),
            (vec![timed_out(), exit(), exit()], [0, 1, 2].as_slice(), vec!["failed"; 3], Some("UnexpectedLambdaException")),
            (vec![Fails("Broken", "no table")], &[0], vec!["failed"], Some("UserLambdaValidationException")),
            (vec![Silent, Fails("Broken", "no table")], &[0, 1], vec!["timed-out", "failed"], Some("UserLambdaValidationException")),
            (vec![Throttled], &[0], vec!["failed"], Some("UnexpectedLambdaException")),
            (vec![Says("{}")], &[0], vec!["unreadable"], Some("InvalidLambdaResponseException")),
            (vec![Says("null")], &[0], vec!["unreadable"], Some("InvalidLambdaResponseException")),
            (vec![Says("{\"statusCode\":500,\"body\":\"\"}")], &[0], vec!["unreadable"], Some("InvalidLambdaResponseException")),
            (vec![Says("{\"version\":\"1\",")], &[0], vec!["unreadable"], Some("InvalidLambdaResponseException")),
        ] {
            let (mut cognito, functions, mut seen) = members(behaviours).await;
            cognito.triggers.limit = limit;
            let began = Instant::now();
            let answer = member_signs_in(&cognito).await;
            let body = json_of(&answer);
            assert_eq!(answer.error_type.as_deref(), error, "{outcomes:?} {body}");
            assert_eq!(body["AuthenticationResult"]["AccessToken"].is_string(), error.is_none(), "{outcomes:?}");
            let at: Vec<_> = functions.calls.lock().unwrap().iter().map(|(at, ..)| at.duration_since(began)).collect();
            assert_eq!(at.len(), limits.len(), "{outcomes:?}");
            assert!(at.iter().zip(limits).all(|(at, limits)| *at >= limit * *limits), "{outcomes:?} {at:?}");
            let seen = told(&mut seen);
            let said: Vec<_> =
                seen.iter().filter_map(|it| if let Seen::Triggered { outcome, .. } = it { Some(outcome.as_str()) } else { None }).collect();
            assert_eq!(said, outcomes);
            let granted = seen.iter().any(|it| matches!(it, Seen::SignedIn { .. }));
            assert_eq!(granted, error.is_none(), "{outcomes:?}");
        }
    }

    #[tokio::test]
    async fn the_refusal_contains_the_functions_own_message() {
        let (cognito, _functions, _seen) = members(vec![Behaviour::Fails("Broken", "no table")]).await;
        assert_eq!(json_of(&member_signs_in(&cognito).await)["message"], "PostAuthentication failed with error no table.");
    }

    #[tokio::test]
    async fn a_disabled_user_has_no_sign_in_and_no_refresh_and_keeps_the_profile() {
        let (cognito, functions, mut seen) = members(Vec::new()).await;
        let client = cognito.addresses()[0].client_id.clone();
        let tokens = json_of(&member_signs_in(&cognito).await)["AuthenticationResult"].clone();
        let refresh = json!({"AuthFlow": "REFRESH_TOKEN", "ClientId": client, "AuthParameters": {"REFRESH_TOKEN": tokens["RefreshToken"]}});
        let refresh = call("InitiateAuth", "/", refresh);
        assert_eq!(cognito.answer(&refresh).await.status, 200);
        told(&mut seen);
        for _ in 0..2 {
            assert_eq!(administer(&cognito, "AdminDisableUser", "member-00001").await.status, 200, "twice is harmless");
        }
        for answer in [member_signs_in(&cognito).await, cognito.answer(&refresh).await] {
            let body = json_of(&answer);
            assert_eq!(
                (answer.status, &body["__type"], &body["message"]),
                (400, &json!("NotAuthorizedException"), &json!("User is disabled."))
            );
        }
        assert_eq!(functions.calls.lock().unwrap().len(), 1, "the function of a disabled user is not called");
        assert!(claims(&cognito, "members", tokens["AccessToken"].as_str().unwrap()).await.is_ok(), "it verifies offline until it ends");
        let profile = json_of(&administer(&cognito, "AdminGetUser", "member-00001").await);
        assert_eq!((&profile["Enabled"], &profile["UserStatus"]), (&json!(false), &json!("CONFIRMED")));
        assert_eq!(profile["UserAttributes"][0], json!({"Name": "sub", "Value": subject("members", "member-00001")}));
        assert_eq!(administer(&cognito, "AdminEnableUser", "member-00001").await.status, 200);
        assert_eq!(json_of(&cognito.answer(&refresh).await)["message"], "Refresh Token has been revoked");
        assert_eq!(member_signs_in(&cognito).await.status, 200);
        let (pool, user) = ("us-east-1_members".to_owned(), "member-00001".to_owned());
        let disabled = Seen::UserDisabled { pool: pool.clone(), user: user.clone() };
        assert_eq!(told(&mut seen)[..3], [disabled.clone(), disabled, Seen::UserEnabled { pool, user }]);
    }

    #[tokio::test]
    async fn one_of_26_disables_in_a_second_is_refused_and_other_operations_are_not_counted() {
        let (cognito, _functions, mut seen) = members(Vec::new()).await;
        let body = json!({"UserPoolId": "us-east-1_members", "Username": "member-00002"});
        let administer = |operation: &str, at: Instant| cognito.administer(&call(operation, "/", body.clone()), at).unwrap();
        let (start, mut refused) = (Instant::now(), Vec::new());
        for n in 0..26 {
            let at = start + Duration::from_millis(n * 30);
            for operation in ["AdminEnableUser", "AdminGetUser"] {
                assert!(administer(operation, at).is_ok(), "{operation}");
            }
            refused.extend(administer("AdminDisableUser", at).err().map(|Refusal(kind, _)| kind));
        }
        assert_eq!(refused, ["TooManyRequestsException"]);
        let seen = told(&mut seen);
        assert_eq!(seen.iter().filter(|it| matches!(it, Seen::UserDisabled { .. })).count(), 25);
        assert_eq!(seen.last(), Some(&Seen::QuotaExceeded { operation: "AdminDisableUser".to_owned() }));
    }

    #[tokio::test]
    async fn an_administrator_makes_lists_and_deletes_users() {
        let (cognito, _functions, _seen) = pool_of(20_001, Vec::new()).await;
        let client = cognito.addresses()[0].client_id.clone();
        let about = |more: Value| {
            let mut body = json!({"UserPoolId": "us-east-1_members", "Username": "new"});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        let attributes = json!({"UserAttributes": [{"Name": "email", "Value": "new@users.example"}], "TemporaryPassword": "Temporary-1!"});
        let made = cognito.answer(&call("AdminCreateUser", "/", about(attributes.clone()))).await;
        let user = json_of(&made)["User"].clone();
        assert_eq!((made.status, &user["UserStatus"], &user["Enabled"]), (200, &json!("FORCE_CHANGE_PASSWORD"), &json!(true)));
        assert_eq!(user["Attributes"][0]["Value"], subject("members", "new"));
        assert_eq!(sign_in(&cognito, &client, "new", "Temporary-1!").await.status, 400);
        for (operation, more, error) in [
            ("AdminCreateUser", attributes, Some("UsernameExistsException")),
            ("AdminSetUserPassword", json!({"Password": "short", "Permanent": true}), Some("InvalidPasswordException")),
            ("AdminSetUserPassword", json!({"Password": "Own-password-1", "Permanent": true}), None),
        ] {
            assert_eq!(cognito.answer(&call(operation, "/", about(more))).await.error_type.as_deref(), error, "{operation}");
        }
        assert_eq!(sign_in(&cognito, &client, "new", "Own-password-1").await.status, 200);

        assert_eq!(sign_in(&cognito, &client, "member-20000", PASSWORD).await.status, 200);
        let (mut names, mut token) = (Vec::new(), Value::Null);
        loop {
            let mut body = json!({"UserPoolId": "us-east-1_members"});
            if !token.is_null() {
                body["PaginationToken"] = token;
            }
            let page = json_of(&cognito.answer(&call("ListUsers", "/", body)).await);
            names.extend(page["Users"].as_array().unwrap().iter().map(|user| user["Username"].as_str().unwrap().to_owned()));
            token = page["PaginationToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert!(names.is_sorted());
        names.dedup();
        assert_eq!(names.len(), 20_002);
        assert_eq!(cognito.users("members", 2).len(), 2);

        assert_eq!(administer(&cognito, "AdminDeleteUser", "new").await.status, 200);
        for operation in ["AdminDeleteUser", "AdminGetUser", "AdminDisableUser", "AdminEnableUser"] {
            assert_eq!(administer(&cognito, operation, "new").await.error_type.as_deref(), Some("UserNotFoundException"), "{operation}");
        }
        assert_eq!(sign_in(&cognito, &client, "new", "Own-password-1").await.error_type.as_deref(), Some("UserNotFoundException"));
        for (operation, body, error) in [
            ("AdminGetUser", json!({"UserPoolId": "none", "Username": "new"}), "ResourceNotFoundException"),
            ("AdminGetUser", json!({"Username": "new"}), "SerializationException"),
            ("ListUsers", json!({"UserPoolId": "us-east-1_members", "Filter": "email = \"a\""}), "InvalidParameterException"),
            ("ListUsers", json!({"UserPoolId": "us-east-1_members", "Limit": 61}), "InvalidParameterException"),
            ("AdminListDevices", json!({}), "UnknownOperationException"),
        ] {
            assert_eq!(cognito.answer(&call(operation, "/", body)).await.error_type.as_deref(), Some(error), "{operation}");
        }
    }
}
