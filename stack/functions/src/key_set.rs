//! The signing keys of one user pool, cached by key id and fetched again when a token names an
//! unknown one. A failing key service is a failing dependency, never a reason to call a token
//! invalid.

use crate::failure::DependencyFailure;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Uri;
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout};

/// The limit for one fetch of the keys.
pub const TIME_LIMIT: Duration = Duration::from_secs(1);

/// The least time between two fetches, so that tokens with made-up key ids cannot flood the key
/// service.
const PAUSE: Duration = Duration::from_millis(250);

/// A key document is about 1 KB.
const LARGEST_DOCUMENT: usize = 256 * 1024;

const SERVICE: &str = "key service";

/// The issuer is not an address.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{issuer}` is not an issuer; an address such as `https://cognito-idp.us-east-1.amazonaws.com/<pool>` would do")]
pub struct IssuerError {
    issuer: String,
}

/// The keys of one issuer.
pub struct KeySet {
    address: Uri,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    fetch_again: bool,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, DecodingKey>,
    fetched: Option<Instant>,
}

impl KeySet {
    /// The keys of `issuer`; nothing is fetched yet.
    ///
    /// # Errors
    /// If `issuer` is not an HTTP address.
    pub fn new(issuer: &str) -> Result<Self, IssuerError> {
        let address: Uri = format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/'))
            .parse()
            .ok()
            .filter(|uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")))
            .ok_or_else(|| IssuerError { issuer: issuer.to_owned() })?;
        let connector = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
        // Fetches are rare: a connection kept from the last one would be stale, especially after a
        // freeze.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { address, client, fetch_again: true, known: Mutex::default() })
    }

    /// Fetches the keys now and never again: the weakness `keys-fetched-once`.
    ///
    /// # Errors
    /// If they cannot be fetched.
    pub async fn frozen(mut self) -> Result<Self, DependencyFailure> {
        self.known = Mutex::new(Known { keys: self.fetch().await?, fetched: Some(Instant::now()) });
        self.fetch_again = false;
        Ok(self)
    }

    /// The key with the id `id`; `None` if the issuer has no such key.
    ///
    /// # Errors
    /// If the keys have to be fetched and cannot be.
    pub async fn find(&self, id: &str) -> Result<Option<DecodingKey>, DependencyFailure> {
        let mut known = self.known.lock().await;
        if let Some(key) = known.keys.get(id) {
            return Ok(Some(key.clone()));
        }
        if !self.fetch_again {
            return Ok(None);
        }
        // It waits rather than answer no: a denial for a key that was rotated a moment ago would be
        // cached for minutes.
        if let Some(fetched) = known.fetched {
            sleep_until(fetched + PAUSE).await;
        }
        known.fetched = Some(Instant::now());
        known.keys = self.fetch().await?;
        Ok(known.keys.get(id).cloned())
    }

    async fn fetch(&self) -> Result<HashMap<String, DecodingKey>, DependencyFailure> {
        let failed = |how: String| DependencyFailure::new(SERVICE, how);
        let exchange = async {
            let response = self.client.get(self.address.clone()).await.map_err(|_| failed("connection failed".to_owned()))?;
            if !response.status().is_success() {
                return Err(failed(format!("status {}", response.status().as_u16())));
            }
            let body = Limited::new(response.into_body(), LARGEST_DOCUMENT).collect().await;
            body.map(|body| body.to_bytes()).map_err(|_| failed("the answer broke off".to_owned()))
        };
        let body = timeout(TIME_LIMIT, exchange).await.map_err(|_| failed("no answer in time".to_owned()))??;
        read_keys(&body).ok_or_else(|| failed("the answer was not understood".to_owned()))
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct RsaKey {
    kid: String,
    kty: String,
    n: String,
    e: String,
}

/// The RSA keys of a key document; other kinds are skipped. `None` if it is not a key document.
fn read_keys(document: &[u8]) -> Option<HashMap<String, DecodingKey>> {
    let document: Document = serde_json::from_slice(document).ok()?;
    let rsa = document.keys.into_iter().filter_map(|key| serde_json::from_value::<RsaKey>(key).ok()).filter(|key| key.kty == "RSA");
    Some(rsa.filter_map(|key| Some((key.kid, DecodingKey::from_rsa_components(&key.n, &key.e).ok()?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_other_kinds_are_skipped() {
        let document =
            br#"{"keys":[{"kid":"a","kty":"RSA","n":"AQAB","e":"AQAB"},{"kid":"b","kty":"EC","crv":"P-256"},{"kid":"c","kty":"oct"}]}"#;
        let keys = read_keys(document).expect("a key document");
        assert_eq!(keys.keys().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn an_invalid_key_document_is_an_outage_and_not_an_empty_set() {
        for text in ["", "{}", "null", "[]", "{\"keys\":5}", "<html>"] {
            assert!(read_keys(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn an_issuer_is_an_address() {
        for issuer in ["", "pool", "ftp://a/b", "http://"] {
            assert!(KeySet::new(issuer).is_err(), "{issuer}");
        }
        assert!(KeySet::new("https://cognito-idp.us-east-1.amazonaws.com/us-east-1_abc").is_ok());
    }
}
