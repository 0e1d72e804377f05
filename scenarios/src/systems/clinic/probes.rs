//! What is tried out beside the traffic, because no traffic shows it: a right that is taken away, a signing key that is replaced.
//! It puts back what it changed and keeps no token.

use std::time::{Duration, Instant};

use crate::systems::clinic::{API, Pool, REVOCABLE, TABLE};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use load::tokens::SignIn;
use run_folder::Addresses;
use serde_json::{Value, json};

use crate::exchange::Probe;

/// How much longer than the cache time a right may be seen, for the machine's sake.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// With a longer cache time the revocation is not tried.
pub const LONGEST_CACHE: Duration = Duration::from_secs(15);
/// How long a replaced key may take to be known.
const HEALING: Duration = Duration::from_secs(10);
/// Between two requests of a probe.
const PAUSE: Duration = Duration::from_millis(250);
/// For one request of a probe.
const LIMIT: Duration = Duration::from_secs(10);

/// Why a probe could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The stack has no API of the clinic.
    #[error("the stack has no API `{API}`")]
    NoApi,
    /// A service or the gateway did not answer.
    #[error("{0} did not answer: {1}")]
    NoAnswer(&'static str, String),
    /// A service refused.
    #[error("{0} answered {1}")]
    Refused(&'static str, u16),
    /// A pool is not there, or gave no token.
    #[error("no user could sign in to `{0}`")]
    NoToken(&'static str),
}

type Answer = (u16, Bytes);

/// A client with the addresses of the stack.
struct Prober<'a> {
    client: Client<HttpConnector, Full<Bytes>>,
    addresses: &'a Addresses,
}

/// Tries out everything, once all other traffic has ended: a replaced key makes older tokens worthless.
pub async fn all(addresses: &Addresses, cache: Duration) -> [Result<Option<Probe>, ProbeError>; 2] {
    [revocation(addresses, cache).await, rotation(addresses).await]
}

/// Takes Joy's right to an appointment away and looks how long she still has it (B-4). `None` where that would take too long or she had no right before.
///
/// # Errors
/// Where a service or the gateway does not answer.
pub async fn revocation(addresses: &Addresses, cache: Duration) -> Result<Option<Probe>, ProbeError> {
    if cache > LONGEST_CACHE {
        return Ok(None);
    }
    let prober = Prober::new(addresses);
    let token = prober.sign_in(Pool::External, "Joy").await?;
    if prober.look(&token, Pool::External, REVOCABLE.id).await? != 200 {
        return Ok(None);
    }
    let found = match prober.give_to("nobody").await {
        Ok(()) => prober.watch(&token, cache + PATIENCE).await,
        Err(error) => Err(error),
    };
    // Also where the watching failed: the appointment goes back to its owner.
    prober.give_to(REVOCABLE.owner).await?;
    found.map(Some)
}

/// Replaces the signing key of the internal pool and looks whether new tokens are accepted (B-6). `None` where a stack cannot do that, or where
/// tokens of the old key were not accepted either: what does not work before cannot heal.
///
/// # Errors
/// Where a service or the gateway does not answer.
pub async fn rotation(addresses: &Addresses) -> Result<Option<Probe>, ProbeError> {
    let prober = Prober::new(addresses);
    let token = prober.sign_in(Pool::Internal, "Jane").await?;
    if prober.look(&token, Pool::Internal, "PI-T123").await? != 200 {
        return Ok(None);
    }
    let body = json!({ "pool": Pool::Internal.name() });
    let (status, _) = prober.post("the key rotation", "/brownout/rotate-keys", &[], &body).await?;
    match status {
        404 => return Ok(None),
        200..=299 => {}
        _ => return Err(ProbeError::Refused("the key rotation", status)),
    }
    let begun = Instant::now();
    let mut last_status = None;
    while begun.elapsed() < HEALING {
        let token = prober.sign_in(Pool::Internal, "Jane").await?;
        if let Ok(status) = prober.look(&token, Pool::Internal, "PI-T123").await {
            last_status = Some(status);
        }
        if last_status == Some(200) {
            return Ok(Some(Probe::Rotation { healed: Some(begun.elapsed()), last_status }));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(Some(Probe::Rotation { healed: None, last_status }))
}

impl<'a> Prober<'a> {
    fn new(addresses: &'a Addresses) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), addresses }
    }

    async fn watch(&self, token: &str, limit: Duration) -> Result<Probe, ProbeError> {
        let begun = Instant::now();
        let (mut last_allowed, mut denied) = (None, None);
        loop {
            let sent = begun.elapsed();
            match self.look(token, Pool::External, REVOCABLE.id).await {
                Ok(200) => last_allowed = Some(sent),
                Ok(403) => denied = Some(sent),
                _ => {}
            }
            if denied.is_some() || sent >= limit {
                return Ok(Probe::Revocation { last_allowed, denied });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn look(&self, token: &str, pool: Pool, appointment: &str) -> Result<u16, ProbeError> {
        let api = self.addresses.api(API).ok_or(ProbeError::NoApi)?;
        let request = Request::get(format!("http://{}{}/appointment/{appointment}", api.address, api.stage))
            .header("authorization", format!("Bearer {token}"))
            .header("clienttype", pool.client_type())
            .body(Full::default());
        Ok(self.send("the gateway", request).await?.0)
    }

    async fn sign_in(&self, pool: Pool, user: &str) -> Result<String, ProbeError> {
        let client = self.addresses.pool(pool.name()).ok_or(ProbeError::NoToken(pool.name()))?;
        let body = SignIn::at(self.addresses).body(&client.client_id, user);
        let target = [("x-amz-target", "AWSCognitoIdentityProviderService.InitiateAuth"), ("content-type", "application/x-amz-json-1.1")];
        let (_, answer) = self.post("the user pool", "/", &target, &body).await?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        let token = answer.pointer("/AuthenticationResult/IdToken").and_then(Value::as_str);
        token.map(str::to_owned).ok_or(ProbeError::NoToken(pool.name()))
    }

    async fn give_to(&self, owner: &str) -> Result<(), ProbeError> {
        let body = json!({
            "TableName": TABLE,
            "Key": { "id": { "S": REVOCABLE.id } },
            "UpdateExpression": "SET #owner = :owner",
            "ExpressionAttributeNames": { "#owner": "owner" },
            "ExpressionAttributeValues": { ":owner": { "S": owner } },
        });
        // The signature is not checked on this machine, but its scope names the service.
        let scope = "AWS4-HMAC-SHA256 Credential=brownout/20240101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0";
        let headers =
            [("x-amz-target", "DynamoDB_20120810.UpdateItem"), ("content-type", "application/x-amz-json-1.0"), ("authorization", scope)];
        let (status, _) = self.post("the table", "/", &headers, &body).await?;
        if status == 200 { Ok(()) } else { Err(ProbeError::Refused("the table", status)) }
    }

    async fn post(&self, who: &'static str, path: &str, headers: &[(&str, &str)], body: &Value) -> Result<Answer, ProbeError> {
        let mut request = Request::post(format!("http://{}{path}", self.addresses.services));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(who, request.body(Full::from(body.to_string()))).await
    }

    async fn send(&self, who: &'static str, request: Result<Request<Full<Bytes>>, hyper::http::Error>) -> Result<Answer, ProbeError> {
        let failed = |error: &dyn std::fmt::Display| ProbeError::NoAnswer(who, error.to_string());
        let request = request.map_err(|error| failed(&error))?;
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| failed(&error))?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.map_err(|error| failed(&error))?;
            Ok((status, body.to_bytes()))
        };
        tokio::time::timeout(LIMIT, exchange).await.unwrap_or_else(|error| Err(failed(&error)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use hyper::Response;
    use hyper::body::Incoming;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use run_folder::addresses::{Api, Pool as PoolAddress};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;

    /// Gateway and services in one: everyone can sign in, and every look at an appointment gets this status before and after the rotation.
    async fn stage(before: u16, after: u16) -> (Addresses, Arc<AtomicBool>, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let (rotated, mut tasks) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        let flag = Arc::clone(&rotated);
        let answer = move |request: Request<Incoming>| {
            let (status, body) = match request.uri().path() {
                "/" => (200, r#"{"AuthenticationResult":{"IdToken":"t"}}"#),
                "/brownout/rotate-keys" => {
                    flag.store(true, Ordering::SeqCst);
                    (200, "{}")
                }
                _ => (if flag.load(Ordering::SeqCst) { after } else { before }, "{}"),
            };
            async move { Response::builder().status(status).body(Full::<Bytes>::from(body)) }
        };
        tasks.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = service_fn(answer.clone());
                tokio::spawn(async move { http1::Builder::new().serve_connection(TokioIo::new(socket), service).await });
            }
        });
        let (name, text) = (Pool::Internal.name().to_owned(), String::new);
        let pool = PoolAddress { name, id: text(), client_id: text(), other_client_id: text(), issuer: text() };
        let addresses = Addresses {
            apis: [(API.to_owned(), Api { address: at.clone(), stage: "/dev".into(), ..Api::default() })].into(),
            services: at,
            pools: vec![pool],
            ..Addresses::default()
        };
        (addresses, rotated, tasks)
    }

    #[tokio::test]
    async fn a_key_is_replaced_only_where_its_tokens_were_accepted_before() {
        for dead in [502, 403, 429] {
            let (addresses, rotated, _tasks) = stage(dead, dead).await;
            assert_eq!(rotation(&addresses).await.unwrap(), None, "{dead}");
            assert!(!rotated.load(Ordering::SeqCst), "{dead}");
        }
        let (addresses, rotated, _tasks) = stage(200, 200).await;
        let probe = rotation(&addresses).await.unwrap();
        assert!(matches!(probe, Some(Probe::Rotation { healed: Some(_), last_status: Some(200) })), "{probe:?}");
        assert!(rotated.load(Ordering::SeqCst));
    }
}
