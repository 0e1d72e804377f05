//! The keys of token issuers, and tokens checked by them. Keys come from the issuer's own address,
//! and only from addresses of this machine: nothing here calls out.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::Request;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use run_folder::addresses::Pool;
use serde_json::{Map, Value};
use tokio::net::TcpStream;

use crate::platform::http;

/// How long an issuer may take to tell its keys.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest document of an issuer, in bytes.
const LARGEST: usize = 1024 * 1024;
/// The algorithms of HTTP APIs' authorizers. Source: "Control access to HTTP APIs with JWT
/// authorizers": only RSA-based ones.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512];

/// Issuers, with the keys that they have told.
pub(crate) struct Issuers {
    pools: Vec<Pool>,
    keys: Mutex<HashMap<(String, String), DecodingKey>>,
    told: Mutex<HashSet<String>>,
}

impl std::fmt::Debug for Issuers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuers").field("pools", &self.pools).finish_non_exhaustive()
    }
}

/// Why a token is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// There is none.
    Missing,
    /// It has expired.
    Expired,
    /// It has none of the route's scopes.
    Scope,
    /// Anything else, in the words of the gateway.
    Invalid(&'static str),
    /// Its issuer's keys cannot be had; the reason is for the ledger, and `None` if it was told before.
    NoKeys(Option<String>),
}

impl Issuers {
    /// The user pools of this machine; other issuers are asked when they are needed.
    pub(crate) fn new(pools: Vec<Pool>) -> Self {
        Self { pools, keys: Mutex::default(), told: Mutex::default() }
    }

    /// The pool of this name.
    pub(crate) fn pool(&self, name: &str) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.name == name || pool.id == name)
    }

    /// What tokens of this issuer say in `iss`: a pool of this machine says its address, not the one
    /// that it would have at AWS.
    pub(crate) fn local<'a>(&'a self, issuer: &'a str) -> &'a str {
        let at_aws = issuer.strip_prefix("https://cognito-idp.").and_then(|rest| rest.split_once(".amazonaws.com/"));
        let pool = at_aws.and_then(|(_, id)| self.pools.iter().find(|pool| pool.id == id.trim_end_matches('/')));
        pool.map_or(issuer, |pool| &pool.issuer)
    }

    /// The claims of a token of this issuer, if its signature and its times are right.
    pub(crate) async fn claims(&self, issuer: &str, token: &str) -> Result<Map<String, Value>, TokenError> {
        let header = decode_header(token).map_err(|_| TokenError::Invalid("the token is malformed"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(TokenError::Invalid("the algorithm is not supported"));
        }
        let kid = header.kid.ok_or(TokenError::Invalid("the token has no kid"))?;
        let key = match self.known(issuer, &kid) {
            Some(key) => key,
            None => {
                self.fetch(issuer).await?;
                self.known(issuer, &kid).ok_or(TokenError::Invalid("the kid of the token is not known"))?
            }
        };
        let mut validation = Validation::new(header.alg);
        validation.leeway = 0;
        validation.validate_nbf = true;
        // An audience may be in `aud` or in `client_id`: the authorizer looks at both.
        validation.validate_aud = false;
        // Without it a token that names no issuer would pass.
        validation.set_required_spec_claims(&["exp", "iss"]);
        validation.set_issuer(&[issuer]);
        let decoded = decode::<Map<String, Value>>(token, &key, &validation).map_err(|error| match error.kind() {
            jsonwebtoken::errors::ErrorKind::ExpiredSignature => TokenError::Expired,
            jsonwebtoken::errors::ErrorKind::InvalidIssuer => TokenError::Invalid("the token has an invalid issuer"),
            jsonwebtoken::errors::ErrorKind::ImmatureSignature => TokenError::Invalid("the token is not yet valid"),
            _ => TokenError::Invalid("the token has an invalid signature"),
        })?;
        Ok(decoded.claims)
    }

    fn known(&self, issuer: &str, kid: &str) -> Option<DecodingKey> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(&(issuer.to_owned(), kid.to_owned())).cloned()
    }

    async fn fetch(&self, issuer: &str) -> Result<(), TokenError> {
        let set = tokio::time::timeout(PATIENCE, key_set(issuer)).await.unwrap_or_else(|_| Err("it did not answer in time".to_owned()));
        let set = set.map_err(|why| {
            let is_new = self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(issuer.to_owned());
            TokenError::NoKeys(is_new.then(|| format!("the keys of the issuer `{issuer}` cannot be had, so its tokens are refused: {why}")))
        })?;
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        // A key that the issuer no longer has is no longer valid.
        keys.retain(|(of, _), _| of != issuer);
        for jwk in &set.keys {
            if let (Some(kid), Ok(key)) = (&jwk.common.key_id, DecodingKey::from_jwk(jwk)) {
                keys.insert((issuer.to_owned(), kid.clone()), key);
            }
        }
        Ok(())
    }
}

/// The claim `iss` of a token that is not checked yet.
pub(crate) fn issuer_in(token: &str) -> Option<String> {
    use base64::Engine;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    Some(claims.get("iss")?.as_str()?.to_owned())
}

/// As OpenID Connect Discovery says: the configuration names the address of the keys.
async fn key_set(issuer: &str) -> Result<JwkSet, String> {
    let configuration = get(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))).await?;
    let configuration: Value = serde_json::from_slice(&configuration).map_err(|error| error.to_string())?;
    let at = configuration.get("jwks_uri").and_then(Value::as_str).ok_or("its configuration has no `jwks_uri`")?;
    serde_json::from_slice(&get(at).await?).map_err(|error| error.to_string())
}

/// A document of this machine.
async fn get(address: &str) -> Result<bytes::Bytes, String> {
    let (host, path) = on_loopback(address).ok_or_else(|| format!("`{address}` is not an HTTP address of this machine"))?;
    let failed = |error: hyper::Error| error.to_string();
    let stream = TcpStream::connect(host).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let connection = tokio::spawn(connection);
    let request =
        Request::get(path).header(HOST, host).body(http_body_util::Empty::<bytes::Bytes>::new()).map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(failed)?;
    let (status, whole) = (response.status(), http::whole(response.into_body(), LARGEST).await);
    connection.abort();
    if !status.is_success() {
        return Err(format!("`{address}` answered {status}"));
    }
    Ok(whole.map_err(|_| format!("the answer of `{address}` cannot be read"))?.bytes)
}

/// The host and the path of `http://<loopback>:<port>/<path>`.
fn on_loopback(address: &str) -> Option<(&str, &str)> {
    let rest = address.strip_prefix("http://")?;
    let slash = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(slash);
    let name = host.rsplit_once(':')?.0;
    let is_loopback = name == "localhost" || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    is_loopback.then_some((host, if path.is_empty() { "/" } else { path }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_asked() {
        for (address, yes) in [
            ("http://127.0.0.1:80/a", true),
            ("http://localhost:8080", true),
            ("http://[::1]:1/x", true),
            ("http://127.0.0.1.example.com:80/a", false),
            ("http://127.0.0.1@example.com:80/a", false),
            ("http://example.com:80/127.0.0.1", false),
            ("https://127.0.0.1:80/a", false),
            ("http://169.254.169.254:80/", false),
            ("http://127.0.0.1/a", false),
        ] {
            assert_eq!(on_loopback(address).is_some(), yes, "{address}");
        }
    }

    #[test]
    fn a_pool_of_this_machine_is_known_by_its_address_at_aws() {
        let pool = Pool {
            name: "users".into(),
            id: "us-east-1_users".into(),
            client_id: String::new(),
            other_client_id: String::new(),
            issuer: "http://127.0.0.1:1/us-east-1_users".into(),
        };
        let issuers = Issuers::new(vec![pool]);
        for (issuer, local) in [
            ("https://cognito-idp.eu-west-1.amazonaws.com/us-east-1_users", "http://127.0.0.1:1/us-east-1_users"),
            ("https://cognito-idp.eu-west-1.amazonaws.com/us-east-1_other", "https://cognito-idp.eu-west-1.amazonaws.com/us-east-1_other"),
            ("https://example.auth0.com/", "https://example.auth0.com/"),
        ] {
            assert_eq!(issuers.local(issuer), local);
        }
    }

    #[tokio::test]
    async fn an_issuer_elsewhere_is_told_of_once_and_its_tokens_are_refused() {
        let issuers = Issuers::new(Vec::new());
        let token = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.eyJpc3MiOiJodHRwczovL2V4YW1wbGUuY29tIn0.c2ln";
        assert_eq!(issuer_in(token).as_deref(), Some("https://example.com"));
        let told = issuers.claims("https://example.com", token).await.unwrap_err();
        assert!(matches!(&told, TokenError::NoKeys(Some(why)) if why.contains("https://example.com")), "{told:?}");
        assert_eq!(issuers.claims("https://example.com", token).await, Err(TokenError::NoKeys(None)));
    }
}
