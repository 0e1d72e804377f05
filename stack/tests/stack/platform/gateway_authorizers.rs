//! Authorizers of every kind: functions, user pools, issuers, signatures.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use run_folder::addresses::Pool;
use serde_json::{Value, json};
use stack::account::{ACCESS_KEY, SECRET_KEY};
use stack::services::cognito::keys::SigningKey;
use stack::services::wire::hexadecimal;
use template::apis::{Api, ApiKind, Authorizer, Identity, Integration, Payload, Route};
use template::blueprint::Url;

use crate::platform::gateway::{Request, ask, ask_at, event, get};
use crate::platform::support::{Front, function, up};
use crate::platform::wire::Answer;

fn guarded(kind: ApiKind, stage: &str, authorizer: Authorizer, scopes: &[&str]) -> Api {
    let payload = if kind == ApiKind::Rest { Payload::V1 } else { Payload::V2 };
    let integration = Integration::Function { name: "web".into(), payload, streams: false, timeout: None };
    let route = Route {
        integration,
        authorizer: Some("own".into()),
        scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        ..Route::to_function(None, "/items/{id}", "web")
    };
    let id = format!("{stage}1").replace('$', "");
    Api { id, authorizers: [("own".to_owned(), authorizer)].into(), routes: vec![route], ..Api::new(kind, stage, stage) }
}

fn asking(payload: Payload, simple: bool, cached: u64, identity: Vec<Identity>) -> Authorizer {
    Authorizer::Request { function: "authorizer".into(), identity, cached: Duration::from_secs(cached), payload, simple }
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_does_not_fit_is_refused_without_asking() {
    let token = |cached| Authorizer::Token {
        function: "authorizer".into(),
        header: "Authorization".into(),
        pattern: Some("[a-z-]+".into()),
        cached: Duration::from_secs(cached),
    };
    let apis = vec![guarded(ApiKind::Rest, "dev", token(300), &[]), guarded(ApiKind::Rest, "new", token(0), &[])];
    let up = up(vec![function("web"), function("authorizer")], apis, false).await;
    let none = ("GET", "/dev/items/1", vec![], "");
    let answers = ask(&up, vec![none, get("/dev/items/1", "ABC"), get("/dev/items/1", "ab 1"), get("/dev/items/1", "")]).await;
    assert!(answers.iter().all(|answer| answer.status == 401 && answer.text() == r#"{"message":"Unauthorized"}"#));
    assert_eq!(up.platform.health().invocations, 0);
    let answers = ask(&up, vec![get("/dev/items/1", "let-me-in"), get("/dev/items/1", "let-me-in"), get("/new/items/1", "deny")]).await;
    assert_eq!(statuses(&answers), [200, 200, 403]);
    assert_eq!(up.platform.health().invocations, 4, "the policy is cached");
    let context = event(&answers[0])["requestContext"]["authorizer"].clone();
    let seen: Value = serde_json::from_str(context["seen"].as_str().unwrap()).unwrap();
    let arn = "arn:aws:execute-api:eu-west-1:123456789012:dev1/dev/GET/items/1";
    assert_eq!(seen, json!({ "type": "TOKEN", "authorizationToken": "let-me-in", "methodArn": arn }));
    assert!(context["pid"].is_string(), "values are text");
    // Malformed results are 500 and are asked for again.
    let answers = ask(&up, vec![get("/dev/items/1", "junk"), get("/dev/items/1", "junk"), get("/dev/items/1", "yes")]).await;
    assert_eq!(statuses(&answers), [500, 500, 500]);
    assert_eq!(up.platform.health().invocations, 7);
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_authorizer_needs_every_identity_source_and_is_cached_for_their_values() {
    let identity = vec![
        Identity::Header("authorization".into()),
        Identity::Query("q".into()),
        Identity::StageVariable("v".into()),
        Identity::Context("identity.sourceIp".into()),
    ];
    let mut api = guarded(ApiKind::Rest, "dev", asking(Payload::V1, false, 300, identity), &[]);
    api.variables.insert("v".into(), "1".into());
    let up = up(vec![function("web"), function("authorizer")], vec![api], false).await;
    let paths = ["/dev/items/1?q=1", "/dev/items/1?q=1", "/dev/items/1?q=2", "/dev/items/1?q=", "/dev/items/1"];
    let answers = ask(&up, paths.map(|path| get(path, "once")).into()).await;
    assert_eq!(statuses(&answers), [200, 200, 200, 401, 401]);
    assert_eq!(up.platform.health().invocations, 5, "two authorizers, three functions");
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_http_apis_authorizer_answers_simply_or_with_a_policy_and_its_context_is_json() {
    let identity = || vec![Identity::Header("authorization".into())];
    let apis = vec![
        guarded(ApiKind::Http, "simple", asking(Payload::V2, true, 0, identity()), &[]),
        guarded(ApiKind::Http, "policy", asking(Payload::V2, false, 0, identity()), &[]),
    ];
    let up = up(vec![function("web"), function("authorizer")], apis, false).await;
    let cases = [
        (get("/simple/items/1", "yes"), 200, ""),
        (get("/simple/items/1", "no"), 403, r#"{"message":"Forbidden"}"#),
        (get("/simple/items/1", "let-me-in"), 500, r#"{"message":"Internal Server Error"}"#),
        (get("/simple/items/1", "error"), 500, r#"{"message":"Internal Server Error"}"#),
        (("GET", "/simple/items/1", vec![], ""), 401, r#"{"message":"Unauthorized"}"#),
        (get("/policy/items/1", "let-me-in"), 200, ""),
        (get("/policy/items/1", "deny"), 403, r#"{"message":"Forbidden"}"#),
        (get("/policy/items/1", "yes"), 500, r#"{"message":"Internal Server Error"}"#),
    ];
    let answers = ask(&up, cases.iter().map(|(request, ..)| request.clone()).collect()).await;
    for (answer, (request, status, body)) in answers.iter().zip(&cases) {
        assert_eq!(answer.status, *status, "{request:?}: {}", answer.text());
        assert!(body.is_empty() || answer.text() == *body, "{request:?}: {}", answer.text());
    }
    let context = event(&answers[0])["requestContext"]["authorizer"]["lambda"].clone();
    assert_eq!(context["list"], json!([1]));
    let seen = &context["seen"];
    assert_eq!((&seen["type"], &seen["version"], &seen["identitySource"]), (&json!("REQUEST"), &json!("2.0"), &json!(["yes"])));
    assert_eq!(seen["routeArn"], "arn:aws:execute-api:eu-west-1:123456789012:simple1/simple/GET/items/1");
    up.down().await;
}

/// An issuer on this machine, in a thread that ends with the test's process.
struct Issuer {
    key: Arc<SigningKey>,
    at: String,
}

impl Issuer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = format!("http://{}/us-east-1_users", listener.local_addr().unwrap());
        let key = Arc::new(SigningKey::generate().unwrap());
        let issuer = Self { key: Arc::clone(&key), at: at.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let mut request = String::new();
                while stream.read_line(&mut request).unwrap_or(0) > 2 {}
                let keys = request.contains("/us-east-1_users/.well-known/jwks.json");
                let body = if keys { key.key_set() } else { json!({ "issuer": at, "jwks_uri": format!("{at}/.well-known/jwks.json") }) }
                    .to_string();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
                let _ = stream.get_mut().write_all(answer.as_bytes());
            }
        });
        issuer
    }

    fn pool(&self) -> Pool {
        let id = "us-east-1_users".to_owned();
        Pool { name: "users".into(), id, client_id: "app".into(), other_client_id: "other".into(), issuer: self.at.clone() }
    }

    fn token(&self, more: &Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({ "iss": self.at, "exp": now + 600, "iat": now, "sub": "u", "cognito:groups": ["a", "b"] });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.key.token(&claims).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_pools_token_is_checked_and_its_claims_are_handed_on() {
    let (issuer, stranger) = (Issuer::start(), Issuer::start());
    let cognito = || Authorizer::Cognito { pools: vec!["users".into()], header: "Authorization".into() };
    let apis = vec![guarded(ApiKind::Rest, "dev", cognito(), &[]), guarded(ApiKind::Rest, "scoped", cognito(), &["read", "write"])];
    let up = up(vec![function("web")], Front { apis, pools: vec![issuer.pool()], ..Front::default() }, false).await;
    let id = json!({ "token_use": "id", "aud": "app" });
    let access = |scope: &str| json!({ "token_use": "access", "client_id": "app", "scope": scope });
    let (unauthorized, expired) = (r#"{"message":"Unauthorized"}"#, r#"{"message":"The incoming token has expired"}"#);
    let good = issuer.token(&id);
    let cases = [
        ("/dev/items/1", good.clone(), 200, ""),
        ("/dev/items/1", format!("Bearer {good}"), 200, ""),
        ("/dev/items/1", issuer.token(&access("read")), 401, unauthorized),
        ("/dev/items/1", issuer.token(&json!({ "token_use": "id", "exp": 1 })), 401, expired),
        ("/dev/items/1", stranger.token(&id), 401, unauthorized),
        ("/dev/items/1", stranger.token(&json!({ "token_use": "id", "iss": issuer.at })), 401, unauthorized),
        ("/dev/items/1", format!("{good}x"), 401, unauthorized),
        ("/dev/items/1", "a.b.c".into(), 401, unauthorized),
        ("/dev/items/1", String::new(), 401, unauthorized),
        ("/scoped/items/1", issuer.token(&access("openid write")), 200, ""),
        ("/scoped/items/1", issuer.token(&access("openid")), 401, unauthorized),
        ("/scoped/items/1", good, 401, unauthorized),
    ];
    let answers = ask(&up, cases.iter().map(|(path, token, ..)| get(path, token)).collect()).await;
    for (answer, (path, token, status, body)) in answers.iter().zip(&cases) {
        assert_eq!(answer.status, *status, "{path} {token}: {}", answer.text());
        assert!(body.is_empty() || answer.text() == *body, "{path} {token}: {}", answer.text());
    }
    let claims = event(&answers[0])["requestContext"]["authorizer"]["claims"].clone();
    assert_eq!((&claims["sub"], &claims["cognito:groups"], &claims["token_use"]), (&json!("u"), &json!("a,b"), &json!("id")));
    assert!(claims["exp"].as_str().unwrap().contains(" UTC "), "{claims}");
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jwt_is_checked_as_its_issuer_and_audience_say() {
    let issuer = Issuer::start();
    let jwt = |issuer: &str| Authorizer::Jwt {
        issuer: issuer.to_owned(),
        audience: vec!["app".into()],
        identity: Identity::Header("Authorization".into()),
    };
    let at_aws = "https://cognito-idp.eu-west-1.amazonaws.com/us-east-1_users";
    let apis = vec![
        guarded(ApiKind::Http, "pool", jwt(at_aws), &[]),
        guarded(ApiKind::Http, "own", jwt(&issuer.at), &["read"]),
        guarded(ApiKind::Http, "far", jwt("https://issuer.example"), &[]),
    ];
    let up = up(vec![function("web")], Front { apis, pools: vec![issuer.pool()], ..Front::default() }, false).await;
    let good = format!("Bearer {}", issuer.token(&json!({ "aud": ["x", "app"], "scope": "read all", "n": 1 })));
    let cases: [(&'static str, String, u16, &str); 11] = [
        ("/pool/items/1", good.clone(), 200, ""),
        ("/own/items/1", good.clone(), 200, ""),
        ("/pool/items/1", issuer.token(&json!({ "client_id": "app" })), 200, ""),
        ("/pool/items/1", issuer.token(&json!({ "aud": "other", "client_id": "app" })), 401, "invalid_token"),
        ("/pool/items/1", issuer.token(&json!({ "aud": "app", "exp": 1 })), 401, "expired"),
        ("/pool/items/1", issuer.token(&json!({ "aud": "app", "nbf": 9_999_999_999_u64 })), 401, "invalid_token"),
        ("/pool/items/1", issuer.token(&json!({ "aud": "app", "iss": "https://other.example" })), 401, "invalid issuer"),
        ("/pool/items/1", issuer.token(&json!({ "aud": "app", "iss": null })), 401, "invalid_token"),
        ("/pool/items/1", issuer.token(&json!({ "aud": "app", "exp": null })), 401, "invalid_token"),
        ("/own/items/1", issuer.token(&json!({ "aud": "app", "scope": "write" })), 403, "insufficient_scope"),
        ("/far/items/1", good, 401, "invalid_token"),
    ];
    let answers = ask(&up, cases.iter().map(|(path, token, ..)| get(path, token)).collect()).await;
    for (answer, (path, token, status, challenge)) in answers.iter().zip(&cases) {
        assert_eq!(answer.status, *status, "{path} {token}: {}", answer.text());
        let challenged = answer.headers.get("www-authenticate").map(String::as_str).unwrap_or_default();
        assert!(challenged.contains(challenge), "{path} {token}: {challenged}");
    }
    let jwt = |n: usize| event(&answers[n])["requestContext"]["authorizer"]["jwt"].clone();
    assert_eq!(
        (&jwt(0)["claims"]["cognito:groups"], &jwt(0)["claims"]["n"], &jwt(0)["scopes"]),
        (&json!("[a b]"), &json!("1"), &Value::Null)
    );
    assert_eq!(jwt(1)["scopes"], json!(["read"]));
    let missing = ask(&up, vec![("GET", "/pool/items/1", vec![], "")]).await;
    assert_eq!((missing[0].status, missing[0].headers["www-authenticate"].as_str()), (401, "Bearer"));
    let told = |entry: &faults::Entry| matches!(entry, faults::Entry::Note { place, what } if place == "far" && what.contains("https://issuer.example"));
    assert_eq!(up.down().await.iter().filter(|entry| told(entry)).count(), 1);
}

/// Signature version 4 of a request without a body. Source: "Create a signed AWS API request".
fn signed(service: &str, host: &str, path: &'static str, query: &str, secret: &str) -> Request {
    let time = dates::seconds(SystemTime::now()).replace(['-', ':'], "");
    let scope = format!("{}/eu-west-1/{service}/aws4_request", &time[..8]);
    let hash = |text: &str| hexadecimal(digest(&SHA256, text.as_bytes()).as_ref());
    let plain = path.split('?').next().unwrap().replace('%', "%25");
    let canonical = format!("GET\n{plain}\n{query}\nhost:{host}\nx-amz-date:{time}\n\nhost;x-amz-date\n{}", hash(""));
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hash(&canonical));
    let seal = |key: &[u8], text: &str| sign(&Key::new(HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec();
    let key = scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| seal(&key, part));
    let signature = hexadecimal(&seal(&key, &text));
    let authorization = format!("AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}");
    ("GET", path, vec![("Host", host.to_owned()), ("X-Amz-Date", time), ("Authorization", authorization)], "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_request_passes_with_the_accounts_key_only() {
    let apis = vec![guarded(ApiKind::Rest, "dev", Authorizer::Iam, &[]), guarded(ApiKind::Http, "http", Authorizer::Iam, &[])];
    let url = Url { signed: true, streams: false, cors: None };
    let up = up(vec![function("web")], Front { apis, urls: [("web".to_owned(), url)].into(), pools: Vec::new() }, false).await;
    let (host, path) = ("localhost", "/dev/items/a%20b?b=2&a=1");
    let answers = ask(
        &up,
        vec![
            signed("execute-api", host, path, "a=1&b=2", SECRET_KEY),
            signed("execute-api", host, path, "a=1&b=2", "other"),
            signed("execute-api", host, path, "a=1", SECRET_KEY),
            signed("lambda", host, path, "a=1&b=2", SECRET_KEY),
            get(path, "Bearer x"),
            ("GET", path, vec![], ""),
            signed("execute-api", host, "/http/items/1", "", SECRET_KEY),
            ("GET", "/http/items/1", vec![], ""),
        ],
    )
    .await;
    assert_eq!(statuses(&answers), [200, 403, 403, 403, 403, 403, 200, 403]);
    let identity = event(&answers[0])["requestContext"]["identity"].clone();
    assert_eq!((&identity["accessKey"], &identity["userArn"]), (&json!(ACCESS_KEY), &json!("arn:aws:iam::123456789012:root")));
    assert_eq!(answers[1].headers["x-amzn-errortype"], "InvalidSignatureException");
    assert_eq!(answers[5].text(), r#"{"message":"Missing Authentication Token"}"#);
    assert_eq!(event(&answers[6])["requestContext"]["authorizer"]["iam"]["accountId"], "123456789012");
    let at_url =
        ask_at(up.platform.urls["web"], vec![signed("lambda", host, "/x", "", SECRET_KEY), signed("lambda", host, "/x", "", "o")]).await;
    assert_eq!(statuses(&at_url), [200, 403]);
    assert!(at_url[1].text().starts_with(r#"{"Message":"Forbidden. For troubleshooting Function URL"#), "{}", at_url[1].text());
    up.down().await;
}
