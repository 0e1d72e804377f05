//! Tokens, good and bad. No token ever reaches an event, a log or a report.

use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use run_folder::Addresses;
use run_folder::addresses::Pool;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::TrafficError;
use crate::http;

/// What a sign-in gives. It has no `Debug`, so that it cannot be printed by accident.
#[derive(Clone, Deserialize)]
pub struct Tokens {
    /// Proves what its holder may do.
    #[serde(alias = "AccessToken")]
    pub access_token: String,
    /// Proves who its holder is.
    #[serde(alias = "IdToken")]
    pub id_token: String,
    /// Gives new tokens; not every sign-in gives one.
    #[serde(alias = "RefreshToken", default)]
    pub refresh_token: Option<String>,
    /// How long the access and the id token are good for, in seconds.
    #[serde(alias = "ExpiresIn", default)]
    pub expires_in: Option<u32>,
}

/// How long tokens are good for where the pool does not say: as long as Cognito's are unless a client says otherwise.
const HOUR: Duration = Duration::from_secs(3_600);

impl Tokens {
    /// How long the access and the id token are good for.
    pub fn good_for(&self) -> Duration {
        self.expires_in.map_or(HOUR, |seconds| Duration::from_secs(seconds.into()))
    }
}

#[derive(Deserialize)]
struct SignedIn {
    #[serde(rename = "AuthenticationResult")]
    result: Tokens,
}

/// Where users sign in, and with which password. It has no `Debug`, so that the password cannot be printed by accident.
#[derive(Clone)]
pub struct SignIn {
    address: String,
    password: String,
}

impl SignIn {
    /// At an address, with the password of all users.
    pub(crate) fn of(address: &str, password: &str) -> Self {
        Self { address: address.to_owned(), password: password.to_owned() }
    }

    /// As these addresses say.
    pub fn at(addresses: &Addresses) -> Self {
        Self::of(&addresses.sign_in, &addresses.password)
    }

    /// The body of a sign-in of `user` at `client`.
    pub fn body(&self, client: &str, user: &str) -> Value {
        json!({
            "AuthFlow": "USER_PASSWORD_AUTH",
            "ClientId": client,
            "AuthParameters": { "USERNAME": user, "PASSWORD": self.password },
        })
    }

    /// Signs `user` in at `client` (Cognito's `InitiateAuth` with `USER_PASSWORD_AUTH`).
    ///
    /// # Errors
    /// Where it is not answered with tokens.
    pub async fn tokens(&self, client: &str, user: &str) -> Result<Tokens, TrafficError> {
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "AWSCognitoIdentityProviderService.InitiateAuth")];
        let request = http::json(&self.address, "/", &headers, self.body(client, user).to_string())?;
        let (status, answer) = http::once(&self.address, request).await?;
        if status != 200 {
            let exception = exception(&answer).map(|name| format!(" (`{name}`)")).unwrap_or_default();
            return Err(TrafficError::Preparation(format!("the sign-in of `{user}` was answered with {status}{exception}")));
        }
        let signed_in: SignedIn = serde_json::from_slice(&answer)
            .map_err(|error| TrafficError::Preparation(format!("the sign-in of `{user}` was answered with something else: {error}")))?;
        Ok(signed_in.result)
    }
}

/// The name of the exception in an answer of AWS JSON.
fn exception(answer: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    answer.get("__type")?.as_str()?.rsplit('#').next().map(str::to_owned)
}

/// Tokens of `user` whose time is over; `None` where the target cannot make them, as AWS cannot.
pub async fn expired(addresses: &Addresses, pool: &Pool, user: &str) -> Option<Tokens> {
    if !addresses.is_local() {
        return None;
    }
    let services = &addresses.services;
    let body = json!({ "pool": pool.name, "client": pool.client_id, "user": user });
    let request = http::json(services, "/brownout/expired-token", &[("content-type", "application/json")], body.to_string()).ok()?;
    let (status, answer) = http::once(services, request).await.ok()?;
    if status == 200 { serde_json::from_slice(&answer).ok() } else { None }
}

/// Signs with a key that no pool knows, made once.
pub struct Forger(RsaKeyPair);

impl Forger {
    /// Makes the key.
    ///
    /// # Errors
    /// Where there is no chance to be had.
    pub fn new() -> Result<Self, TrafficError> {
        RsaKeyPair::generate(KeySize::Rsa2048).map(Self).map_err(|_| TrafficError::Preparation("no RSA key could be made".to_owned()))
    }

    /// The header and the claims of `token`, the real `kid` among them, under another signature.
    ///
    /// # Errors
    /// If `token` is not a token.
    pub fn forge(&self, token: &str) -> Result<String, TrafficError> {
        let failed = || TrafficError::Preparation("a token could not be signed anew".to_owned());
        let (said, _) = token.rsplit_once('.').ok_or_else(failed)?;
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), said.as_bytes(), &mut signature).map_err(|_| failed())?;
        let signature = URL_SAFE_NO_PAD.encode(signature);
        Ok(format!("{said}.{signature}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_token_says_the_same_under_another_signature() {
        let forger = Forger::new().unwrap();
        let forged = forger.forge("aGVhZA.Y2xhaW1z.c2ln").unwrap();
        let (said, signature) = forged.rsplit_once('.').unwrap();
        assert_eq!(said, "aGVhZA.Y2xhaW1z");
        assert!(signature.len() > 300 && signature != "c2ln");
        assert!(forger.forge("no dot").is_err());
    }

    #[test]
    fn both_spellings_of_an_answer_are_read() {
        let signed_in: SignedIn =
            serde_json::from_str(r#"{"AuthenticationResult":{"AccessToken":"a","IdToken":"i","ExpiresIn":3600}}"#).unwrap();
        assert_eq!((signed_in.result.access_token.as_str(), signed_in.result.id_token.as_str()), ("a", "i"));
        let expired: Tokens = serde_json::from_str(r#"{"access_token":"a","id_token":"i"}"#).unwrap();
        assert_eq!(expired.id_token, "i");
    }
}
