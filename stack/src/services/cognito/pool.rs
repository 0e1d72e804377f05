//! One user pool: its users, its clients, and the tokens that it issues.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use run_folder::addresses;
use run_folder::deployment::User as Seeded;
use serde_json::{Value, json};

use super::claims::Changes;
use super::groups::Groups;
use super::keys::SigningKey;
use super::users::{User, Users};
use crate::random::random;

/// How long an access or id token is valid; Cognito's default.
pub const GOOD_FOR: Duration = Duration::from_secs(3600);
/// How long a refresh token is valid; Cognito's default of 30 days.
const REFRESH_GOOD_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// One user pool.
pub struct UserPool {
    /// Its names and addresses.
    pub address: addresses::Pool,
    /// The users.
    pub users: Users,
    /// The groups.
    pub groups: Groups,
    key: RwLock<Arc<SigningKey>>,
    /// Signs refresh tokens, so that the pool need not store them.
    seal: hmac::Key,
}

/// The access and id tokens of one sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// `token_use` access.
    pub access: String,
    /// `token_use` id.
    pub id: String,
}

impl UserPool {
    /// A pool with its own key and these users in their groups.
    ///
    /// # Errors
    /// If no key can be generated.
    pub fn new(address: addresses::Pool, users: Vec<Seeded>) -> io::Result<Self> {
        let secret: [u8; 32] = random()?;
        let key = RwLock::new(Arc::new(SigningKey::generate()?));
        let seal = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let pool = Self { address, users: Users::new(BTreeMap::new()), groups: Groups::default(), key, seal };
        for user in users {
            for group in &user.groups {
                pool.groups.add(group, None);
            }
            pool.add_confirmed(&user.name, user.groups);
        }
        Ok(pool)
    }

    /// Adds a user who can sign in at once; false if the name is taken.
    fn add_confirmed(&self, name: &str, groups: Vec<String>) -> bool {
        self.users.add(name, User::confirmed(self.subject(name), format!("{name}@users.example"), groups))
    }

    /// Whether `client` is one of the pool's two.
    pub fn has_client(&self, client: &str) -> bool {
        client == self.address.client_id || client == self.address.other_client_id
    }

    /// The current signing key.
    pub fn key(&self) -> Arc<SigningKey> {
        Arc::clone(&self.key.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the signing key; the old one leaves the key set at once.
    pub fn rotate(&self, key: SigningKey) {
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
    }

    /// Tokens for the user called `name` through `client`, issued at `issued`, with these changes.
    ///
    /// # Errors
    /// If they could not be signed.
    pub fn issue(&self, client: &str, (name, user): (&str, &User), changes: &Changes, issued: SystemTime) -> io::Result<Tokens> {
        let key = self.key();
        let issued = seconds(issued);
        let mut common = json!({
            "sub": user.sub,
            "iss": self.address.issuer,
            "origin_jti": uuid()?,
            "event_id": uuid()?,
            "auth_time": issued,
            "iat": issued,
            "exp": issued + GOOD_FOR.as_secs(),
        });
        if let (false, Some(claims)) = (user.groups.is_empty(), common.as_object_mut()) {
            claims.insert("cognito:groups".to_owned(), json!(user.groups));
        }
        let access = json!({"token_use": "access", "client_id": client, "username": name, "scope": "aws.cognito.signin.user.admin"});
        let id = json!({"token_use": "id", "aud": client, "cognito:username": name, "email_verified": true});
        let (mut access, mut id) = (merged(&common, access)?, merged(&common, id)?);
        access.as_object_mut().into_iter().for_each(|claims| changes.of_access(claims));
        id.as_object_mut().into_iter().for_each(|claims| changes.of_id(claims));
        Ok(Tokens { access: key.token(&access)?, id: key.token(&id)? })
    }

    /// A signed token that the user `name` can exchange for new ones during its era.
    pub fn refresh_token(&self, client: &str, name: &str, era: u64) -> String {
        let good_until = seconds(SystemTime::now() + REFRESH_GOOD_FOR);
        let what = URL_SAFE_NO_PAD.encode(json!([client, name, good_until, era]).to_string());
        let seal = URL_SAFE_NO_PAD.encode(hmac::sign(&self.seal, what.as_bytes()));
        format!("{what}.{seal}")
    }

    /// The user and the era in a refresh token, if this pool made it for `client` and it is still
    /// valid.
    pub fn refreshed(&self, client: &str, token: &str) -> Option<(String, u64)> {
        let (what, seal) = token.split_once('.')?;
        hmac::verify(&self.seal, what.as_bytes(), &URL_SAFE_NO_PAD.decode(seal).ok()?).ok()?;
        let (for_client, name, good_until, era): (String, String, u64, u64) =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(what).ok()?).ok()?;
        (for_client == client && seconds(SystemTime::now()) < good_until).then_some((name, era))
    }

    /// A user's `sub`: the same in every run, but different in every pool.
    pub fn subject(&self, user: &str) -> String {
        addresses::subject(&self.address.name, user)
    }
}

fn merged(common: &Value, own: Value) -> io::Result<Value> {
    let mut claims = common.clone();
    if let (Some(claims), Value::Object(own)) = (claims.as_object_mut(), own) {
        claims.extend(own);
        claims.insert("jti".to_owned(), Value::String(uuid()?));
    }
    Ok(claims)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn uuid() -> io::Result<String> {
    let [a, b] = [random::<8>()?, random::<8>()?].map(u64::from_be_bytes);
    Ok(faults::uuid(a, b))
}
