//! A user pool that lets everyone in.

use serde_json::{Value, json};

use crate::support::Asked;

/// Answers a sign-in, and the request for a token whose time is over.
pub fn answer(request: &Asked) -> (u16, String) {
    if request.path == "/brownout/expired-token" {
        return (200, json!({"access_token": "expired.a.x", "id_token": "expired.i.x"}).to_string());
    }
    assert!(request.target.ends_with("InitiateAuth"), "{}", request.target);
    let said: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let user = said["AuthParameters"]["USERNAME"].as_str().unwrap();
    let client = said["ClientId"].as_str().unwrap();
    let token = |kind| format!("{user}.{kind}-{client}.sig");
    (200, json!({"AuthenticationResult": {"AccessToken": token("access"), "IdToken": token("id")}}).to_string())
}
