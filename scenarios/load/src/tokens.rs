//! Tokens, good and bad. No token ever reaches an event, a log or a report.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use run_folder::addresses::Pool;
use serde::Deserialize;

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
}

#[derive(Deserialize)]
struct SignedIn {
    #[serde(rename = "AuthenticationResult")]
    result: Tokens,
}

/// Signs `user` in at `client` (Cognito's `InitiateAuth` with `USER_PASSWORD_AUTH`).
///
/// # Errors
/// Where it is not answered with tokens.
pub async fn sign_in(services: &str, client: &str, user: &str) -> Result<Tokens, TrafficError> {
    let body = serde_json::json!({
        "AuthFlow": "USER_PASSWORD_AUTH",
        "ClientId": client,
        "AuthParameters": { "USERNAME": user, "PASSWORD": run_folder::addresses::PASSWORD },
    });
    let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "AWSCognitoIdentityProviderService.InitiateAuth")];
    let (status, answer) = http::once(services, http::json(services, "/", &headers, body.to_string())?).await?;
    if status != 200 {
        return Err(TrafficError::Preparation(format!("the sign-in of `{user}` was answered with {status}")));
    }
    let signed_in: SignedIn = serde_json::from_slice(&answer)
        .map_err(|error| TrafficError::Preparation(format!("the sign-in of `{user}` was answered with something else: {error}")))?;
    Ok(signed_in.result)
}

/// Tokens of `user` whose time is over; `None` where the target cannot make them.
pub async fn expired(services: &str, pool: &Pool, user: &str) -> Option<Tokens> {
    let body = serde_json::json!({ "pool": pool.name, "client": pool.client_id, "user": user });
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
