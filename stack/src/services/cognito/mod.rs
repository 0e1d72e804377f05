//! Cognito user pools: sign-in, refresh, key sets. It keeps no session and never gives a token without a password or a refresh token,
//! but for `/brownout/expired-token`, whose tokens are past.

pub mod keys;
pub mod pool;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use self::keys::SigningKey;
use self::pool::{GOOD_FOR, Tokens, UserPool};
use super::wire::{Answer, Call, JSON_1_1, REST_JSON, Service};
use crate::addresses;
use crate::world::{PASSWORD, clinic, thermostat};

/// The user pools of this machine.
pub struct Cognito {
    pools: Vec<Arc<UserPool>>,
}

/// Who signs in where: the pool's name and its users with their groups.
type People = (&'static str, BTreeMap<String, Vec<String>>);

impl Cognito {
    /// The pools of the systems that are up, their issuers at `at`. The keys are made side by side.
    ///
    /// # Errors
    /// Where no key can be made.
    pub async fn start(homes: Option<u32>, with_clinic: bool, at: SocketAddr) -> io::Result<Self> {
        let mut people: Vec<People> = Vec::new();
        if let Some(homes) = homes {
            let users = thermostat::homes(homes).into_iter().flat_map(|home| home.users().map(str::to_owned));
            people.push(("thermostat", users.map(|user| (user, Vec::new())).collect()));
        }
        for (pool, group) in [(clinic::Pool::Internal, "Doctor"), (clinic::Pool::External, "Client")] {
            if with_clinic {
                let here = clinic::USERS.into_iter().chain(clinic::NAMESAKES).filter(|user| user.pool == pool);
                people.push((pool.name(), here.map(|user| (user.name.to_owned(), vec![group.to_owned()])).collect()));
            }
        }
        let making: Vec<_> =
            people.into_iter().map(|(name, users)| tokio::task::spawn_blocking(move || UserPool::new(address(name, at), users))).collect();
        let mut pools = Vec::new();
        for pool in making {
            pools.push(Arc::new(pool.await.map_err(io::Error::other)??));
        }
        Ok(Self { pools })
    }

    /// Where the pools are.
    pub fn addresses(&self) -> Vec<addresses::Pool> {
        self.pools.iter().map(|pool| pool.address.clone()).collect()
    }

    async fn initiate_auth(&self, call: &Call) -> Result<Value, Refusal> {
        let asked: InitiateAuth = serde_json::from_slice(&call.body).map_err(|e| Refusal("SerializationException", e.to_string()))?;
        let pool = self
            .pools
            .iter()
            .find(|pool| pool.has_client(&asked.client_id))
            .ok_or_else(|| Refusal("ResourceNotFoundException", format!("User pool client {} does not exist.", asked.client_id)))?;
        let parameter = |name: &str| asked.auth_parameters.get(name).map(String::as_str).unwrap_or_default();
        let not_authorized = |what: &str| Refusal("NotAuthorizedException", what.to_owned());
        let (user, fresh) = match asked.auth_flow.as_str() {
            "USER_PASSWORD_AUTH" if !pool.has_user(parameter("USERNAME")) => {
                return Err(Refusal("UserNotFoundException", "User does not exist.".to_owned()));
            }
            "USER_PASSWORD_AUTH" if parameter("PASSWORD") != PASSWORD => return Err(not_authorized("Incorrect username or password.")),
            "USER_PASSWORD_AUTH" => (parameter("USERNAME").to_owned(), true),
            "REFRESH_TOKEN_AUTH" | "REFRESH_TOKEN" => {
                let user = pool.refreshed(&asked.client_id, parameter("REFRESH_TOKEN"));
                (user.ok_or_else(|| not_authorized("Invalid Refresh Token"))?, false)
            }
            other => return Err(Refusal("InvalidParameterException", format!("{other} is not a flow that this machine serves"))),
        };
        let tokens = issue(pool, &asked.client_id, &user, SystemTime::now()).await?;
        let mut result =
            json!({"AccessToken": tokens.access, "ExpiresIn": GOOD_FOR.as_secs(), "IdToken": tokens.id, "TokenType": "Bearer"});
        if let (true, Some(result)) = (fresh, result.as_object_mut()) {
            result.insert("RefreshToken".to_owned(), json!(pool.refresh_token(&asked.client_id, &user)));
        }
        Ok(json!({"AuthenticationResult": result, "ChallengeParameters": {}}))
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

    /// What only this machine has: `POST /brownout/rotate-keys {"pool"}` and `POST /brownout/expired-token {"pool","client","user"}`.
    pub async fn control(&self, call: &Call) -> Answer {
        let done = match (call.path.as_str(), serde_json::from_slice::<Control>(&call.body)) {
            (_, Err(error)) => Err(Refusal("InvalidParameterException", error.to_string())),
            ("/brownout/rotate-keys", Ok(control)) => self.rotate_keys(&control).await,
            ("/brownout/expired-token", Ok(control)) => self.expired_token(&control).await,
            (path, Ok(_)) => Err(Refusal("ResourceNotFoundException", format!("there is no control `{path}`"))),
        };
        done.map_or_else(|Refusal(kind, message)| Answer::error(JSON_1_1, 400, kind, &message), |body| Answer::ok(REST_JSON, &body))
    }

    fn pool_called(&self, name: &str) -> Result<&Arc<UserPool>, Refusal> {
        let found = self.pools.iter().find(|pool| pool.address.name == name);
        found.ok_or_else(|| Refusal("ResourceNotFoundException", format!("there is no pool `{name}`")))
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
        if !pool.has_client(client) || !pool.has_user(&control.user) {
            return Err(Refusal("ResourceNotFoundException", "the pool has no such client or user".to_owned()));
        }
        // Expired for an hour: beyond any tolerance for clocks that differ.
        let tokens = issue(pool, client, &control.user, SystemTime::now() - 2 * GOOD_FOR).await?;
        Ok(json!({"AccessToken": tokens.access, "IdToken": tokens.id}))
    }
}

#[async_trait]
impl Service for Cognito {
    async fn answer(&self, call: &Call) -> Answer {
        match call.operation.as_str() {
            "InitiateAuth" => match self.initiate_auth(call).await {
                Ok(body) => Answer::ok(JSON_1_1, &body),
                Err(Refusal("InternalErrorException", message)) => Answer::error(JSON_1_1, 500, "InternalErrorException", &message),
                Err(Refusal(kind, message)) => Answer::error(JSON_1_1, 400, kind, &message),
            },
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
            _ => Answer::error(JSON_1_1, 400, "UnknownOperationException", "this machine's user pools have no such operation"),
        }
    }
}

/// The exception and its message.
struct Refusal(&'static str, String);

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

/// Two signatures take a millisecond or two: too long for a thread that answers others.
async fn issue(pool: &Arc<UserPool>, client: &str, user: &str, issued: SystemTime) -> io::Result<Tokens> {
    let (pool, client, user) = (Arc::clone(pool), client.to_owned(), user.to_owned());
    tokio::task::spawn_blocking(move || pool.issue(&client, &user, issued)).await.map_err(io::Error::other)?
}

fn address(name: &str, at: SocketAddr) -> addresses::Pool {
    let id = format!("us-east-1_{name}");
    // A client's id has 26 lower-case letters and digits, as Cognito makes them.
    let client = |which: &str| format!("{:0<26}", format!("{}{which}", name.replace('-', "")));
    addresses::Pool {
        name: name.to_owned(),
        issuer: format!("http://{at}/{id}"),
        client_id: client("app"),
        other_client_id: client("other"),
        id,
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::jwk::JwkSet;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};

    use super::*;

    fn call(operation: &str, path: &str, body: Value) -> Call {
        let body = body.to_string().into();
        Call { operation: operation.into(), request_id: "r".into(), root: None, path: path.into(), body }
    }

    fn json_of(answer: &Answer) -> Value {
        serde_json::from_slice(&answer.body).unwrap()
    }

    async fn cognito() -> Cognito {
        Cognito::start(Some(2), true, "127.0.0.1:4000".parse().unwrap()).await.unwrap()
    }

    async fn sign_in(cognito: &Cognito, client: &str, user: &str, password: &str) -> Answer {
        let body =
            json!({"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client, "AuthParameters": {"USERNAME": user, "PASSWORD": password}});
        cognito.answer(&call("InitiateAuth", "/", body)).await
    }

    /// The claims, where the pool's published keys verify the token.
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
    async fn a_rotated_key_leaves_the_set_and_an_expired_token_is_rightly_signed() {
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
}
