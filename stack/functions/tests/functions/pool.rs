//! A user pool that signs tokens.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

pub struct Signer {
    kid: &'static str,
    key: EncodingKey,
}

impl Signer {
    pub fn new(kid: &'static str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
        Self { kid, key: EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap() }
    }

    pub fn document(&self) -> Value {
        let mut key = serde_json::to_value(Jwk::from_encoding_key(&self.key, Algorithm::RS256).unwrap()).unwrap();
        key["kid"] = json!(self.kid);
        json!({"keys": [key]})
    }

    pub fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.kid.to_owned()), ..Header::new(Algorithm::RS256) };
        encode(&header, claims, &self.key).unwrap()
    }

    pub fn access(&self, issuer: &str, user: &str) -> String {
        self.sign(&access_claims(issuer, user))
    }

    pub fn id(&self, issuer: &str, client: &str, user: &str) -> String {
        let claims = json!({"iss": issuer, "aud": client, "token_use": "id", "cognito:username": user, "sub": format!("sub-{user}"), "exp": in_seconds(60)});
        self.sign(&claims)
    }
}

pub fn access_claims(issuer: &str, user: &str) -> Value {
    json!({"iss": issuer, "client_id": "client", "token_use": "access", "username": user, "sub": format!("sub-{user}"), "exp": in_seconds(60)})
}

pub fn in_seconds(seconds: i64) -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap() + seconds
}
