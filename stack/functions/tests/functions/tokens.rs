//! Tokens with real keys.

use crate::cloud::{Cloud, Reply, broken, sound};
use crate::pool::{Signer, access_claims, in_seconds};
use functions::tokens::{Claims, TokenError, TokenUse, Verifier};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn verifier(cloud: &Cloud, claims: Claims) -> Verifier {
    Verifier::new(&cloud.address, "client", claims).unwrap()
}

#[tokio::test]
async fn a_good_token_names_its_user_and_the_keys_are_fetched_once() {
    let signer = Signer::new("a");
    let cloud = Cloud::start(sound(signer.document())).await;
    let verifier = verifier(&cloud, Claims::Checked(TokenUse::Access));
    for user in ["john_doe", "jane_doe"] {
        assert_eq!(verifier.verify(&signer.access(&cloud.address, user)).await.unwrap().username, user);
    }
    assert_eq!(cloud.calls("jwks.json").len(), 1);
}

#[tokio::test]
async fn a_token_with_one_error_is_invalid() {
    let (signer, forger) = (Signer::new("a"), Signer::new("a"));
    let cloud = Cloud::start(sound(signer.document())).await;
    let verifier = verifier(&cloud, Claims::Checked(TokenUse::Access));
    let with = |name: &str, value: Value| {
        let mut claims = access_claims(&cloud.address, "john_doe");
        claims[name] = value;
        signer.sign(&claims)
    };
    let good = access_claims(&cloud.address, "john_doe");
    let secret = encode(&Header { kid: Some("a".to_owned()), ..Header::default() }, &good, &EncodingKey::from_secret(b"n")).unwrap();
    let tokens = [
        ("another key", forger.sign(&good)),
        ("HS256", secret),
        ("expired", with("exp", json!(in_seconds(-1)))),
        ("without expiry", with("exp", Value::Null)),
        ("another issuer", with("iss", json!("http://elsewhere"))),
        ("another client", with("client_id", json!("other"))),
        ("another use", with("token_use", json!("id"))),
        ("nobody", with("username", json!(""))),
        ("no token", "abc".to_owned()),
        ("unsigned", "eyJhbGciOiJub25lIn0.e30.".to_owned()),
    ];
    for (what, token) in tokens {
        assert!(matches!(verifier.verify(&token).await, Err(TokenError::Bad(_))), "{what}");
    }
}

#[tokio::test]
async fn ignored_claims_admit_a_token_of_another_client() {
    let signer = Signer::new("a");
    let cloud = Cloud::start(sound(signer.document())).await;
    let foreign = signer.id("http://elsewhere", "other", "Dave");
    assert!(verifier(&cloud, Claims::Checked(TokenUse::Id)).verify(&foreign).await.is_err());
    assert_eq!(verifier(&cloud, Claims::Ignored).verify(&foreign).await.unwrap().username, "Dave");
}

#[tokio::test]
async fn a_rotated_key_is_fetched_unless_keys_are_frozen() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let cloud = Cloud::start(sound(old.document())).await;
    let healing = verifier(&cloud, Claims::Checked(TokenUse::Access));
    let frozen = verifier(&cloud, Claims::Checked(TokenUse::Access)).with_frozen_keys().await.unwrap();
    healing.verify(&old.access(&cloud.address, "john_doe")).await.unwrap();
    cloud.behave(sound(new.document()));
    let token = new.access(&cloud.address, "john_doe");
    assert_eq!(healing.verify(&token).await.unwrap().username, "john_doe");
    assert_eq!(frozen.verify(&token).await, Err(TokenError::Bad("unknown key")));
}

#[tokio::test]
async fn made_up_key_ids_do_not_flood_the_key_service() {
    let (signer, stranger) = (Signer::new("a"), Signer::new("x"));
    let cloud = Cloud::start(sound(signer.document())).await;
    let verifier = verifier(&cloud, Claims::Checked(TokenUse::Access));
    let started = Instant::now();
    for _ in 0..4 {
        assert!(verifier.verify(&stranger.access(&cloud.address, "john_doe")).await.is_err());
    }
    assert!(started.elapsed() >= Duration::from_millis(3 * 250), "{:?} for four fetches", started.elapsed());
}

#[tokio::test]
async fn a_failing_key_service_is_not_a_bad_token() {
    let signer = Signer::new("a");
    for reply in [Reply::Json(500, json!({})), Reply::Json(200, json!({"error": 1})), Reply::Hang] {
        let cloud = Cloud::start(broken(json!({}), "jwks.json", reply.clone())).await;
        let verifier = verifier(&cloud, Claims::Checked(TokenUse::Access));
        let token = signer.access(&cloud.address, "john_doe");
        assert!(matches!(verifier.verify(&token).await, Err(TokenError::Keys(_))), "{reply:?}");
        cloud.behave(sound(signer.document()));
        assert!(verifier.verify(&token).await.is_ok(), "healed after {reply:?}");
    }
}
