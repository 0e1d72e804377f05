//! Checks the tokens of a user pool: signature (RS256 only), expiry, issuer, audience and use. No
//! error text contains any part of a token.

use crate::failure::DependencyFailure;
use crate::key_set::{IssuerError, KeySet};
use jsonwebtoken::{Algorithm, Validation, dangerous, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenUse {
    /// Access to an API; names its client in `client_id`.
    Access,
    /// Identity of a user; names its client in `aud`.
    Id,
}

impl TokenUse {
    const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Id => "id",
        }
    }
}

/// Why a token identifies no user.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenError {
    /// The token is invalid; the text says why.
    #[error("bad token: {0}")]
    Bad(&'static str),
    /// Unknown, because the keys are not available.
    #[error(transparent)]
    Keys(#[from] DependencyFailure),
}

/// The user that the token was issued to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name that the user signs in with.
    pub username: String,
    /// The user's permanent id, if the token has one.
    pub subject: Option<String>,
}

/// What is checked of a token besides its signature and expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claims {
    /// `iss`, `aud` or `client_id`, and `token_use`.
    Checked(TokenUse),
    /// Nothing: the weakness `claims-not-checked`.
    Ignored,
}

/// Checks the tokens of one client of one pool.
pub struct Verifier {
    keys: KeySet,
    issuer: String,
    client_id: String,
    claims: Claims,
}

#[derive(Debug, Deserialize)]
struct Payload {
    sub: Option<String>,
    username: Option<String>,
    #[serde(rename = "cognito:username")]
    cognito_username: Option<String>,
    iss: Option<String>,
    aud: Option<Value>,
    client_id: Option<String>,
    token_use: Option<String>,
}

impl Verifier {
    /// A verifier for the tokens that `issuer` made for `client_id`.
    ///
    /// # Errors
    /// If `issuer` is not an address.
    pub fn new(issuer: &str, client_id: &str, claims: Claims) -> Result<Self, IssuerError> {
        let issuer = issuer.trim_end_matches('/').to_owned();
        Ok(Self { keys: KeySet::new(&issuer)?, issuer, client_id: client_id.to_owned(), claims })
    }

    /// The same with the current keys, fetched once and never again.
    ///
    /// # Errors
    /// If they cannot be fetched.
    pub async fn with_frozen_keys(self) -> Result<Self, DependencyFailure> {
        Ok(Self { keys: self.keys.frozen().await?, ..self })
    }

    /// The user that `token` was issued to.
    ///
    /// # Errors
    /// [`TokenError::Bad`] if the token is invalid, [`TokenError::Keys`] if that is unknown.
    pub async fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        let header = decode_header(token).map_err(|_| TokenError::Bad("not a token"))?;
        if header.alg != Algorithm::RS256 {
            return Err(TokenError::Bad("not signed with RS256"));
        }
        let id = header.kid.ok_or(TokenError::Bad("no key id"))?;
        let key = self.keys.find(&id).await?.ok_or(TokenError::Bad("unknown key"))?;
        let payload = decode::<Payload>(token, &key, &signature_and_expiry()).map_err(|_| TokenError::Bad("signature or expiry"))?.claims;
        if let Claims::Checked(token_use) = self.claims {
            self.check(&payload, token_use)?;
        }
        payload.caller()
    }

    fn check(&self, payload: &Payload, token_use: TokenUse) -> Result<(), TokenError> {
        let for_client = match token_use {
            TokenUse::Access => payload.client_id.as_deref() == Some(self.client_id.as_str()),
            TokenUse::Id => match &payload.aud {
                Some(Value::String(audience)) => *audience == self.client_id,
                Some(Value::Array(audiences)) => audiences.iter().any(|audience| audience.as_str() == Some(self.client_id.as_str())),
                _ => false,
            },
        };
        if payload.iss.as_deref() != Some(self.issuer.as_str()) {
            Err(TokenError::Bad("another issuer"))
        } else if payload.token_use.as_deref() != Some(token_use.name()) {
            Err(TokenError::Bad("another use"))
        } else if !for_client {
            Err(TokenError::Bad("another client"))
        } else {
            Ok(())
        }
    }
}

impl Payload {
    fn caller(self) -> Result<Caller, TokenError> {
        let username = self.username.or(self.cognito_username).filter(|name| !name.is_empty()).ok_or(TokenError::Bad("no user name"))?;
        Ok(Caller { username, subject: self.sub })
    }
}

/// Reads a token and checks nothing at all: the weakness `token-not-verified`.
///
/// # Errors
/// [`TokenError::Bad`] if it cannot be read.
pub fn read_unverified(token: &str) -> Result<Caller, TokenError> {
    dangerous::insecure_decode::<Payload>(token).map_err(|_| TokenError::Bad("not a token"))?.claims.caller()
}

fn signature_and_expiry() -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.leeway = 0;
    validation.validate_nbf = true;
    // `Verifier::check` checks the audience: an access token has none, its client is in
    // `client_id`.
    validation.validate_aud = false;
    validation.set_required_spec_claims(&["exp"]);
    validation
}
